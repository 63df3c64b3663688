// Bridges: two ports that are one network. What is for other hosts, and of no flow or service, goes
// out by the other port as it came in.
//
// A frame for our own MAC is as on any port. One for another host is ours only if it is of a flow
// (the answer of a server to its real gateway) or for an address of ours; else it passes: what is
// no IP or malformed at once, the rest where `admit` would ask what transit packets may do. Groups
// and broadcasts pass as well as they go to the twin, but for questions that we answer ourselves.
#include <cstring>

#include "dataplane/link/hello.h"
#include "dataplane/net/headers.h"
#include "dataplane/path_turn.h"

namespace nezu::path {
namespace {

using net::Reason;
using net::Shape;
using net::Verdict;

/// Of the frame as it is, whatever the parser made of it.
uint16_t vlan_of(const net::Packet& packet) {
  constexpr uint32_t kTagged = sizeof(net::Ethernet) + sizeof(net::Vlan);
  if (packet.head_length < kTagged || packet.at<net::Ethernet>(0)->type != net::kEtherVlan) {
    return 0;
  }
  return packet.at<net::Vlan>(sizeof(net::Ethernet))->id();
}

bool is_group(const net::Packet& packet) { return (packet.head[0] & 1) != 0; }

bool is_to(const net::Packet& packet, const net::MacAddress& mac) {
  return std::memcmp(packet.head, mac.bytes.data(), mac.bytes.size()) == 0;
}

/// Of one wire only (IEEE 802.1Q 8.6.3), but for the spanning tree of the switches around us.
bool is_of_wire(const net::Packet& packet) {
  constexpr uint8_t kReserved[] = {0x01, 0x80, 0xc2, 0x00, 0x00};
  return std::memcmp(packet.head, kReserved, sizeof kReserved) == 0 && packet.head[5] != 0 &&
         packet.head[5] < 0x10;
}

bool is_open(const Turn& turn, const route::Crossing& way) {
  return turn.routes.is_open(way.bridge, turn.now);
}

void pass_to_both(Turn& turn, net::Packet& packet, const route::Crossing& way) {
  pass_across(turn, packet, way);
  const bool passes = packet.verdict == Verdict::across;
  if (!passes) turn.state.line.reasons[static_cast<size_t>(packet.reason)].add(1);
  packet.verdict = passes ? Verdict::both : Verdict::twin;
  packet.reason = Reason::none;
}

/// To a group. Questions for our addresses are answered by the next stage.
void look_at_group(Turn& turn, net::Packet& packet, const route::Crossing& way) {
  if (packet.verdict == Verdict::drop) return pass_across(turn, packet, way);
  if (packet.shape == Shape::other || packet.shape == Shape::control) return;
  if (turn.view.address(net::instance_of(packet), destination_of(packet)) != nullptr) return;
  pass_to_both(turn, packet, way);
}

void look_at(Turn& turn, net::Packet& packet) {
  // One that is known to be another worker's is looked at there.
  if (packet.head_length < sizeof(net::Ethernet) || packet.verdict == Verdict::hand_over) return;
  const uint16_t vlan = vlan_of(packet);
  const route::Crossing* way = turn.routes.crossing(packet.port, vlan);
  const bool group = is_group(packet);
  if (way == nullptr) {
    const bool is_other = !group && packet.verdict != Verdict::drop &&
                          turn.routes.is_bridged(packet.port) &&
                          !is_to(packet, turn.routes.mac_of(packet.port, vlan));
    if (is_other) packet.drop(Reason::mac_other);
    return;
  }
  if (!group && is_to(packet, way->mac)) return;
  if (group && link::is_hello({packet.head, packet.head_length})) {
    packet.verdict = Verdict::twin;
    if (is_open(turn, *way)) pass_to_both(turn, packet, *way);
  } else if (!is_open(turn, *way)) {
    // Another box passes groups on to the clients' side, where we hear them.
    if (!group || !way->to_servers) packet.drop(Reason::bridge_closed);
  } else if (group) {
    turn.bridged = true;
    look_at_group(turn, packet, *way);
  } else if (packet.verdict == Verdict::drop || packet.shape == Shape::other ||
             packet.shape == Shape::control) {
    pass_across(turn, packet, *way);
  } else {
    turn.bridged = true;
  }
}

}  // namespace

void look_across(Turn& turn) {
  if (turn.is_own) return;
  for (net::Packet& packet : turn.burst.all()) look_at(turn, packet);
}

void spread(Turn& turn) {
  for (net::Packet& packet : turn.burst.all()) {
    if (packet.verdict != Verdict::twin || !is_group(packet) || is_of_wire(packet)) continue;
    if (link::is_hello({packet.head, packet.head_length})) continue;
    const route::Crossing* way = turn.routes.crossing(packet.port, vlan_of(packet));
    if (way != nullptr && is_open(turn, *way)) pass_to_both(turn, packet, *way);
  }
}

const route::Crossing* way_across(const Turn& turn, const net::Packet& packet) {
  if (is_group(packet)) return nullptr;
  const route::Crossing* way = turn.routes.crossing(packet.port, vlan_of(packet));
  return way != nullptr && !is_to(packet, way->mac) && is_open(turn, *way) ? way : nullptr;
}

void pass_across(Turn& turn, net::Packet& packet, const route::Crossing& way) {
  constexpr uint32_t kUntagged = sizeof(net::Ethernet), kTag = sizeof(net::Vlan);
  const uint32_t payload =
      packet.length - kUntagged - (packet.at<net::Ethernet>(0)->type == net::kEtherVlan ? kTag : 0);
  if (payload > way.hop.mtu.load(std::memory_order_relaxed)) return packet.drop(Reason::too_big);
  packet.verdict = Verdict::across;
  packet.reason = Reason::none;
  packet.egress = way.hop.port.load(std::memory_order_relaxed);
  turn.state.line.bridged[way.bridge][way.to_servers ? 0 : 1].add(packet.length);
}

// What a client sends to an address of ours goes by the routes; a server's answer keeps the MAC of
// the gateway that the server chose, so that we need no route to its clients.
const route::NextHop* hop_across(const Turn& turn, const net::Packet& packet) {
  const flow::FlowId id(packet.flow);
  if (!id.exists() || id.direction() != flow::Direction::to_client) return nullptr;
  const route::Crossing* way = way_across(turn, packet);
  if (way == nullptr) return nullptr;
  const net::Address to = outer_destination_of(packet);
  const bool ours = turn.view.address(net::instance_of(packet), to) != nullptr;
  return ours ? nullptr : &way->hop;
}

bool answers_past_us(const Turn& turn, const net::Packet& packet, const net::Address& client,
                     const net::Address& server) {
  const net::Instance instance = net::instance_of(packet);
  if (!turn.routes.share_subnet(instance, client, server)) return false;
  if (!turn.routes.has_crossings()) return true;
  const route::Crossing* way = turn.routes.crossing(packet.port, packet.vlan);
  if (way == nullptr) return true;
  const uint32_t index = turn.routes.find(instance, server, 0);
  // A server that has not been heard yet is where servers are.
  if (index == route::kNoRoute || turn.routes.at(index).state() != route::HopState::ready) {
    return !way->to_servers;
  }
  return turn.routes.at(index).port.load(std::memory_order_relaxed) == packet.port;
}

}  // namespace nezu::path
