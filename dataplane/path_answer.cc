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

/// Another host says that an address of ours is its own: the kernel must not believe it, people
/// must hear of it.
bool is_claim(Turn& turn, net::Packet& packet) {
  const auto claim = link::claim_of(packet);
  if (!claim || turn.view.address(net::instance_of(packet), claim->address) == nullptr ||
      turn.routes.is_mac_of_ours(claim->mac)) {
    return false;
  }
  steer::Ring<Claimed>& claims = turn.state.desk.claims;
  if (claims.push({net::instance_of(packet), claim->address, claim->mac, packet.port}))
    claims.publish();
  packet.drop(net::Reason::address_claimed);
  return true;
}

void answer_or_leave(Turn& turn, net::Packet& packet) {
  if (is_claim(turn, packet)) return;
  if (const auto asked = link::asked_address(packet)) {
    if (turn.view.address(net::instance_of(packet), *asked) != nullptr) {
      link::answer(packet, turn.routes.mac_of(packet.port, packet.vlan));
      return;
    }
  }
  if (packet.shape == net::Shape::control && is_ours(turn, packet)) {
    packet.drop(net::Reason::service_unknown);
    return;
  }
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
