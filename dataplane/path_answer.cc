// ARP and NDP for our addresses are answered here; what is not the balancer's goes to the twin.
#include "dataplane/link/answers.h"
#include "dataplane/net/headers.h"
#include "dataplane/path_turn.h"

namespace nezu::path {
namespace {

/// No address of ours may reach the kernel, which would answer for it in its own way.
bool is_ours(const Turn& turn, const net::Packet& packet) {
  const net::Instance instance = is_v4(packet) ? packet.tuple4.instance : packet.tuple6.instance;
  return turn.view.address(instance, destination_of(packet)) != nullptr;
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
    if (turn.view.address(net::Instance::standard, *asked) != nullptr) {
      link::answer(packet, turn.routes.mac_of_port(packet.port));
      return;
    }
  }
  if (packet.shape == net::Shape::control && is_ours(turn, packet)) {
    packet.drop(net::Reason::service_unknown);
    return;
  }
  if (is_about_tunnel(packet)) return packet.drop(net::Reason::tunnel_error);
  packet.verdict = net::Verdict::twin;
}

}  // namespace

void answer(Turn& turn) {
  for (net::Packet& packet : turn.burst.all()) {
    // Else it would cross from a network that is not ours into one that is.
    if (packet.vlan != 0 && packet.verdict == net::Verdict::undecided &&
        !turn.routes.carries(packet.port, packet.vlan)) [[unlikely]] {
      packet.drop(net::Reason::vlan_unknown);
      continue;
    }
    if (packet.verdict != net::Verdict::undecided) continue;
    if (packet.shape == net::Shape::other || packet.shape == net::Shape::control) {
      answer_or_leave(turn, packet);
    }
  }
}

}  // namespace nezu::path
