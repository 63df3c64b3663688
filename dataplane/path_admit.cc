// Packets without a flow: whose they are, and whether they open one.
//
// Also a SYN that reuses the ports of a flow which is dying: that one ends and the SYN is scheduled
// anew.
#include "dataplane/forward/reply.h"
#include "dataplane/path_open.h"

namespace nezu::path {
namespace {

using flow::Direction;
using flow::FlowId;
using net::Reason;

bool is_opening(const net::Packet& p) {
  return p.protocol == net::Protocol::tcp &&
         (p.tcp_flags & (net::kTcpSyn | net::kTcpAck | net::kTcpRst)) == net::kTcpSyn;
}

/// A packet of a client to one of our VIPs, that no flow knows.
template <typename F>
void admit_client(Turn& turn, Opening& opening, net::Packet& packet, const typename F::Tuple& tuple,
                  const tables::Service* service, uint8_t shard) {
  if (service == nullptr) {
    return refuse(turn, packet, Reason::service_unknown, tables::Refusal::refuse);
  }
  if (service->enabled == 0) {
    return refuse(turn, packet, Reason::service_disabled, service->refusal);
  }
  if (tuple.protocol == net::Protocol::tcp && !is_opening(packet)) {
    return refuse(turn, packet, Reason::tcp_without_flow, service->refusal);
  }
  opening.prepare<F>(packet, tuple, *service, shard);
}

/// An ICMP error that no flow knows.
void pass_error_by(Turn& turn, net::Packet& packet, net::Instance instance) {
  const net::Address to = outer_destination_of(packet);
  const tables::Transit transit = turn.view.settings().transit;
  const bool ours = turn.view.address(instance, to) != nullptr;
  if (!ours && (transit == tables::Transit::kernel || turn.routes.is_twin_address(instance, to))) {
    packet.verdict = net::Verdict::twin;
  } else if (ours || transit == tables::Transit::drop) {
    packet.drop(Reason::icmp_unmatched);
  }
}

/// Nobody's: for the kernel, or what the settings say about transit.
void pass_by(Turn& turn, net::Packet& packet, net::Instance instance,
             const tables::LocalAddress* local) {
  if (packet.shape == net::Shape::icmp_error) return pass_error_by(turn, packet, instance);
  if (local != nullptr) return packet.drop(Reason::snat_unmatched);
  switch (turn.view.settings().transit) {
    case tables::Transit::kernel:
      packet.verdict = net::Verdict::twin;
      return;
    case tables::Transit::forward:  // `choose_way` and `translate` know what to do without a flow
      return;
    case tables::Transit::drop:
      break;
  }
  packet.drop(Reason::transit_refused);
}

/// The answer to a ping that a rule of source NAT sent out. (A request has port 0 there.)
template <typename Tuple>
bool is_masqueraded_answer(const Tuple& tuple, const tables::LocalAddress& local) {
  return local.kind == tables::AddressKind::snat &&
         net::swap16(tuple.destination_port) >= tables::kSnatFirstPort;
}

/// A ping of an address of ours is answered where it comes in, whoever owns its shard.
void answer_echo(net::Packet& packet, const tables::LocalAddress& local) {
  if (packet.first_fragment) return packet.drop(Reason::fragment_unsupported);
  const bool answered = local.answers_ping != 0 && forward::reply_echo(packet);
  packet.verdict = answered ? net::Verdict::reply : net::Verdict::drop;
  packet.reason = answered ? Reason::answered : Reason::icmp_unmatched;
}

/// FTP's data connections and TFTP's answers come to no service.
bool may_be_announced(const net::Packet& packet, const tables::Service* service) {
  return packet.shape == net::Shape::transport && (service == nullptr || service->key.port == 0) &&
         (is_opening(packet) || packet.protocol == net::Protocol::udp);
}

template <typename F>
void admit_one(Turn& turn, Opening& opening, net::Packet& packet) {
  const auto tuple = F::tuple(packet);
  if (opening.may_have(packet.hash)) {
    // An earlier packet of this burst may have opened the flow.
    opening.settle();
    packet.flow = turn.state.flows.find(tuple, packet.hash).word();
    if (packet.flow != net::kNoFlow) return;
  }
  const Opening::Target& target = opening.target<F>(tuple);
  const steer::Place place = turn.state.steering.place(tuple, target.local, turn.view.settings());
  if (packet.shape == net::Shape::transport) {
    if (place.local != nullptr && is_echo(packet.protocol) &&
        !is_masqueraded_answer(tuple, *place.local)) {
      return answer_echo(packet, *place.local);
    }
    if (place.local == nullptr &&
        turn.routes.is_twin_address(tuple.instance, address_of(tuple.destination))) {
      packet.verdict = net::Verdict::twin;
      return;
    }
  }
  if (const uint16_t owner = turn.state.steering.owner(place.shard);
      owner != turn.state.setup.worker) {
    if (packet.handed_over) return packet.drop(Reason::handover_again);
    packet.owner = owner;
    packet.verdict = net::Verdict::hand_over;
    return;
  }
  if (may_be_announced(packet, target.service) &&
      open_announced<F>(turn, opening, packet, tuple, place.shard)) {
    return;
  }
  if (place.direction == Direction::to_client || packet.shape == net::Shape::icmp_error) {
    if (place.local == nullptr && masquerade<F>(turn, opening, packet, tuple, place.shard)) return;
    return pass_by(turn, packet, tuple.instance, place.local);
  }
  if (packet.shape == net::Shape::fragment) return packet.drop(Reason::fragment_unmatched);
  admit_client<F>(turn, opening, packet, tuple, target.service, place.shard);
}

/// True when the packet's flow is dying and this SYN makes a new one of it.
bool reopens(Turn& turn, const net::Packet& packet) {
  const FlowId id(packet.flow);
  const flow::Track& track = turn.state.flows.track(id);
  return is_opening(packet) && id.direction() == Direction::to_server &&
         packet.shape == net::Shape::transport && flow::is_dying(track.state, track.flags);
}

void admit_missing(Turn& turn) {
  Opening& opening = *turn.state.opening;
  opening.begin(turn);
  for (net::Packet& packet : turn.burst.all()) {
    if (packet.verdict != net::Verdict::undecided) continue;
    if (packet.shape == net::Shape::control) continue;  // passes through
    if (packet.flow != net::kNoFlow) {
      if (packet.tcp_flags == 0 || !turn.may_end || !reopens(turn, packet)) [[likely]]
        continue;
      turn.state.end(FlowId(packet.flow));
      turn.state.line.flows_recycled.add(1);
      turn.erased = true;
      packet.flow = net::kNoFlow;
    }
    if (!turn.view.is_ready()) {
      packet.drop(Reason::not_ready);
      continue;
    }
    is_v4(packet) ? admit_one<V4>(turn, opening, packet) : admit_one<V6>(turn, opening, packet);
  }
  opening.settle();
}

/// Flows were ended while packets of this burst already pointed at them: those look again.
void look_again(Turn& turn) {
  const flow::Table& flows = turn.state.flows;
  for (net::Packet& packet : turn.burst.all()) {
    if (packet.verdict != net::Verdict::undecided || packet.flow == net::kNoFlow) continue;
    packet.flow = is_v4(packet) ? flows.find(tuple4_of(packet), packet.hash).word()
                                : flows.find(tuple6_of(packet), packet.hash).word();
  }
}

}  // namespace

void admit(Turn& turn) {
  if (turn.missing == 0 && (turn.burst.tcp_flags & net::kTcpSyn) == 0) [[likely]]
    return;
  admit_missing(turn);
  if (!turn.erased) return;
  // Whoever has lost its flow may open another, but end none: this comes to an end.
  look_again(turn);
  turn.may_end = false;
  admit_missing(turn);
}

}  // namespace nezu::path
