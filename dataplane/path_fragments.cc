// Fragments: all of one packet meet at the home of their train, then go to the owner of their flow.
#include "dataplane/path_turn.h"

namespace nezu::path {
namespace {

using net::Reason;
using net::Shape;

/// Those that need no train: true, with their verdict.
bool is_decided(Turn& turn, net::Packet& packet) {
  const net::Address to = destination_of(packet);
  const tables::LocalAddress* local = turn.view.address(net::instance_of(packet), to);
  if (local != nullptr && local->kind != tables::AddressKind::snat &&
      net::is_icmp(packet.protocol)) {
    packet.drop(Reason::fragment_unsupported);
  } else if (turn.routes.is_twin_address(net::instance_of(packet), to) &&
             !(turn.bridged && way_across(turn, packet) != nullptr)) {
    packet.verdict = net::Verdict::twin;
  } else {
    return false;
  }
  return true;
}

uint32_t ports_of(const net::Packet& packet) {
  return is_v4(packet) ? packet.tuple4.source_port | uint32_t{packet.tuple4.destination_port} << 16
                       : packet.tuple6.source_port | uint32_t{packet.tuple6.destination_port} << 16;
}

/// At its train's home. False: it waits or has ended.
bool learn_ports(Turn& turn, net::Packet& packet, const net::Tuple6& key, uint64_t hash) {
  steer::Trains& trains = turn.state.trains;
  if (packet.first_fragment) {
    packet.ports = ports_of(packet);
    trains.learn(key, hash, packet.ports, turn.tick);
  } else if (!trains.find(key, hash, turn.tick, packet.ports)) {
    const Reason reason = trains.hold(key, hash, packet.buffer, turn.tick);
    packet.verdict = net::Verdict::kept;
    if (reason != Reason::none && !passes_across(turn, packet)) packet.drop(reason);
    return false;
  }
  packet.knows_ports = true;
  return true;
}

/// A later fragment looks its flow up as if it had the ports itself.
void find_flow(Turn& turn, net::Packet& packet) {
  const flow::Table& flows = turn.state.flows;
  const auto find = [&](auto& tuple) {
    tuple.source_port = static_cast<uint16_t>(packet.ports);
    tuple.destination_port = static_cast<uint16_t>(packet.ports >> 16);
    packet.hash = flows.hash()(tuple);
    packet.flow = flows.find(tuple, packet.hash).word();
  };
  is_v4(packet) ? find(packet.tuple4) : find(packet.tuple6);
  turn.missing += packet.flow == net::kNoFlow;
}

void meet(Turn& turn, net::Packet& packet) {
  if (is_decided(turn, packet)) return;
  if (!net::has_ports(packet.protocol) && !net::is_icmp(packet.protocol)) {
    // Every fragment tells its flow; one that comes before the first opens none.
    packet.ports = 0;
    packet.knows_ports = true;
    if (packet.shape == Shape::fragment) find_flow(turn, packet);
    return;
  }
  const steer::Steering& steering = turn.state.steering;
  const net::Tuple6 key = steer::Trains::key_of(packet);
  const uint64_t hash = steering.flow_hash()(key);
  const uint16_t home = steering.owner(static_cast<uint8_t>(hash));
  if (home == turn.state.setup.worker) {
    packet.handed_over = false;  // what brought it here was the way home
    if (!packet.knows_ports && !learn_ports(turn, packet, key, hash)) return;
  } else if (!packet.knows_ports) {
    if (packet.handed_over) return packet.drop(Reason::handover_again);
    packet.owner = home;
    packet.verdict = net::Verdict::hand_over;
    return;
  }
  if (packet.shape == Shape::fragment) find_flow(turn, packet);
}

}  // namespace

void fragments(Turn& turn) {
  for (net::Packet& packet : turn.burst.all()) {
    if (packet.verdict == net::Verdict::undecided &&
        (packet.shape == Shape::fragment || packet.first_fragment)) {
      meet(turn, packet);
    }
  }
}

}  // namespace nezu::path
