// ARP and NDP for our addresses are answered here; what is not the balancer's goes to the twin.
#include "dataplane/link/answers.h"
#include "dataplane/net/headers.h"
#include "dataplane/path_turn.h"

namespace nezu::path {
namespace {

/// No address of ours may reach the kernel, which would answer for it in its own way.
bool is_ours(const Turn& turn, const net::Packet& packet) {
  return turn.view.address(net::instance_of(packet), destination_of(packet)) != nullptr;
}

/// An ICMP error that quotes a packet with another one in it (the parser takes it for `control`).
/// What the kernel sends goes through no tunnel of its own.
bool is_about_tunnel(const net::Packet& packet) {
  constexpr uint8_t kIpv4 = 4, kIpv6 = 41, kGre = 47;
  const bool v4 = is_v4(packet);
  if (packet.shape != net::Shape::control ||
      packet.protocol != (v4 ? net::Protocol::icmp : net::Protocol::icmpv6)) {
    return false;
  }
  const uint32_t inner = packet.l4 + static_cast<uint32_t>(sizeof(net::Icmp));
  if (packet.head_length < inner + (v4 ? sizeof(net::Ipv4) : sizeof(net::Ipv6))) return false;
  const uint8_t type = packet.at<net::Icmp>(packet.l4)->type;
  const bool error = v4 ? type == net::icmp::kUnreachable || type == net::icmp::kTimeExceeded
                        : type < net::icmpv6::kEchoRequest;
  if (!error) return false;
  const uint8_t quoted =
      v4 ? packet.at<net::Ipv4>(inner)->protocol : packet.at<net::Ipv6>(inner)->next;
  return quoted == kIpv4 || quoted == kIpv6 || quoted == kGre;
}

void answer_or_leave(Turn& turn, net::Packet& packet) {
  if (const auto asked = link::asked_address(packet)) {
    if (turn.view.address(net::instance_of(packet), *asked) != nullptr) {
      link::answer(packet, turn.routes.mac_of_port(packet.port));
      return;
    }
  }
  if (packet.shape == net::Shape::control && is_ours(turn, packet)) {
    packet.drop(net::Reason::service_unknown);
    return;
  }
  if (is_about_tunnel(packet)) return packet.drop(net::Reason::tunnel_error);
  if (packet.shape == net::Shape::control && passes_through(turn, packet)) return;
  packet.verdict = net::Verdict::twin;
}

/// Neighbour and router discovery: for the link alone (RFC 4861 6.1, 7.1).
bool is_discovery(const net::Packet& packet) {
  if (packet.protocol != net::Protocol::icmpv6 || packet.shape != net::Shape::control) return false;
  const uint8_t type = packet.at<net::Icmp>(packet.l4)->type;
  return type >= net::icmpv6::kRouterSolicitation && type <= net::icmpv6::kRedirect;
}

}  // namespace

bool passes_through(Turn& turn, net::Packet& packet) {
  if (!turn.view.is_ready() || turn.view.settings().transit != tables::Transit::forward) {
    return false;
  }
  const net::Address to = destination_of(packet);
  if (to.is_multicast() || to.is_link_local() || to.is_broadcast() || is_discovery(packet) ||
      turn.routes.is_twin_address(instance_of(packet), to)) {
    return false;
  }
  const net::FlowHash& hash = turn.state.flows.hash();
  packet.hash = is_v4(packet) ? hash(packet.tuple4) : hash(packet.tuple6);
  return true;
}

void answer(Turn& turn) {
  for (net::Packet& packet : turn.burst.all()) {
    if (packet.verdict != net::Verdict::undecided) continue;
    if (packet.shape == net::Shape::other || packet.shape == net::Shape::control) {
      answer_or_leave(turn, packet);
    }
  }
}

}  // namespace nezu::path
