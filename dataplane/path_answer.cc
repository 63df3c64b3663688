// ARP and NDP for our addresses are answered here; what is not the balancer's goes to the twin.
#include "dataplane/link/answers.h"
#include "dataplane/path_turn.h"

namespace nezu::path {
namespace {

/// No address of ours may reach the kernel, which would answer for it in its own way.
bool is_ours(const Turn& turn, const net::Packet& packet) {
  const net::Instance instance = is_v4(packet) ? packet.tuple4.instance : packet.tuple6.instance;
  return turn.view.address(instance, destination_of(packet)) != nullptr;
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
