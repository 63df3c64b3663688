// Packets without a flow: whose they are, and whether they open one.
//
// Also a SYN that reuses the ports of a flow which is dying: that one ends and the SYN is scheduled
// anew.
#include "dataplane/forward/reply.h"
#include "dataplane/path_turn.h"

namespace nezu::path {
namespace {

using flow::Direction;
using flow::FlowId;
using net::Reason;
using tables::Timeout;

/// One family's words for the same things.
struct V4 {
  using Tuple = net::Tuple4;
  using Half = flow::Half4;
  static Tuple tuple(const net::Packet& p) { return tuple4_of(p); }
  static net::Address address(uint32_t raw) { return net::Address::v4_raw(raw); }
  static uint32_t raw(const net::Address& address) { return address.v4_raw(); }
  static constexpr bool kWide = false;
  static constexpr net::Family kFamily = net::Family::ipv4;
};
struct V6 {
  using Tuple = net::Tuple6;
  using Half = flow::Half6;
  static Tuple tuple(const net::Packet& p) { return tuple6_of(p); }
  static net::Address address(const std::array<uint8_t, 16>& raw) {
    return net::Address::v6(raw.data());
  }
  static std::array<uint8_t, 16> raw(const net::Address& address) { return address.bytes; }
  static constexpr bool kWide = true;
  static constexpr net::Family kFamily = net::Family::ipv6;
};

bool is_opening(const net::Packet& p) {
  return p.protocol == net::Protocol::tcp &&
         (p.tcp_flags & (net::kTcpSyn | net::kTcpAck | net::kTcpRst)) == net::kTcpSyn;
}

/// Ends the packet: `reason` is counted, and if the service says so whoever sent it is told.
void refuse(Turn& turn, net::Packet& packet, Reason reason, tables::Refusal refusal) {
  packet.drop(reason);
  if (refusal != tables::Refusal::refuse || !turn.state.replies.take(turn.now)) return;
  packet.verdict = net::Verdict::undecided;
  const bool sent = packet.protocol == net::Protocol::tcp ? forward::reply_reset(packet)
                                                          : forward::reply_port_unreachable(packet);
  packet.verdict = sent ? net::Verdict::reply : net::Verdict::drop;
  packet.reason = reason;
}

const tables::Service* service_for(const tables::View& view, const tables::ServiceKey& exact) {
  if (const tables::Service* service = view.service(exact)) return service;
  tables::ServiceKey any_port = exact;
  any_port.port = 0;
  return view.service(any_port);
}

/// The table's rules for fullness: makes room by ending whoever may be ended, or says why not.
template <typename F>
Reason make_room(Turn& turn) {
  flow::Table& flows = turn.state.flows;
  if (flows.count(F::kWide) < flows.capacity(F::kWide)) return Reason::none;
  if (!turn.may_end) return Reason::flow_table_full;
  for (const flow::Stage stage : {flow::Stage::closed, flow::Stage::embryonic}) {
    if (const FlowId oldest = flows.oldest(F::kWide, stage); oldest.exists()) {
      turn.state.end(oldest);
      turn.state.line.flows_recycled.add(1);
      turn.erased = true;
      return Reason::none;
    }
  }
  return Reason::flow_table_full;
}

/// Flows that nobody has answered yet may hold a share of the table. At the limit the oldest makes
/// place, if it has had its second; so a flood does not shut everybody else out.
template <typename F>
Reason keep_share(Turn& turn) {
  flow::Table& flows = turn.state.flows;
  const uint64_t limit =
      uint64_t{flows.capacity(F::kWide)} * turn.view.settings().embryonic_percent / 100;
  if (flows.count(F::kWide, flow::Stage::embryonic) < limit) return Reason::none;
  const FlowId oldest = flows.oldest(F::kWide, flow::Stage::embryonic);
  if (!oldest.exists()) return Reason::embryonic_limit;
  const flow::Track& track = flows.track(oldest);
  const auto left = static_cast<int64_t>(static_cast<int32_t>(track.deadline - turn.tick));
  if (!turn.may_end || track.timeout - left < net::kTicksPerSecond) {
    return Reason::embryonic_limit;
  }
  turn.state.end(oldest);
  turn.state.line.flows_recycled.add(1);
  turn.erased = true;
  return Reason::none;
}

/// An SNAT address and port of the shard's slice towards that server.
struct Source {
  net::Address address;
  uint16_t slot = 0;
  uint16_t port = 0;  ///< host order; 0: `reason`
  Reason reason = Reason::none;
};

template <typename F>
Source take_source(Turn& turn, const tables::Service& service, uint8_t shard,
                   const tables::Member& member, uint64_t hash) {
  const tables::SnatSet* set = turn.view.snats(service.snats);
  if (set == nullptr) return {{}, 0, 0, Reason::snat_missing};
  const uint32_t first = F::kWide ? set->ipv4_count : 0;
  const uint32_t count = F::kWide ? set->count - set->ipv4_count : set->ipv4_count;
  if (count == 0) return {{}, 0, 0, Reason::snat_missing};
  const auto from = static_cast<uint32_t>((hash & 0xffffffff) * count >> 32);
  for (uint32_t i = 0; i < count; ++i) {
    const tables::AddressId id = set->ids()[first + (from + i) % count];
    const tables::LocalAddress* local = turn.view.address(id);
    if (local == nullptr) continue;
    const auto slot = static_cast<uint16_t>(index(id));
    const uint16_t port =
        turn.state.ports.take(slot, shard, static_cast<uint16_t>(index(member.server)));
    if (port != 0) return {local->address, slot, port, Reason::none};
  }
  return {{}, 0, 0, Reason::snat_ports_exhausted};
}

/// Everything that a new flow needs. On success `packet.flow` is set.
template <typename F>
Reason open(Turn& turn, net::Packet& packet, const typename F::Tuple& tuple,
            const tables::Service& service, uint8_t shard) {
  Path::State& state = turn.state;
  const tables::Pool* pool = turn.view.pool(service.pool);
  if (pool == nullptr) return Reason::no_server;
  if (const Reason full = keep_share<F>(turn); full != Reason::none) return full;
  if (const Reason full = make_room<F>(turn); full != Reason::none) return full;
  const admit::Client client{F::address(tuple.source), net::swap16(tuple.source_port)};
  const tables::Member* member = state.scheduling.pick(turn.view, service, *pool, client);
  if (member == nullptr || member->address.family() != F::kFamily) return Reason::no_server;

  flow::Track track;
  track.service = static_cast<uint16_t>(index(service.id));
  track.server = static_cast<uint16_t>(index(member->server));
  track.shard = shard;
  track.mode = service.mode;
  track.state = tuple.protocol == net::Protocol::tcp ? Timeout::syn_sent : Timeout::udp_single;
  track.stage = flow::stage_of(track.state);
  const uint32_t ticks = service.timeouts[timeout_index(track.state)];
  track.timeout = ticks != 0 ? ticks : flow::default_timeouts()[timeout_index(track.state)];
  track.deadline = turn.tick + track.timeout;

  typename F::Half to_client{F::raw(member->address), tuple.source, net::swap16(member->port),
                             tuple.source_port};
  if (member->port == 0) to_client.source_port = tuple.destination_port;
  // A server answers a client in its own subnet past us, unless it sees an address of ours.
  const bool hairpin = service.mode == tables::Mode::nat &&
                       (to_client.source == tuple.source ||
                        turn.routes.share_subnet(tuple.instance, client.address, member->address));
  if (hairpin && !service.snats.exists()) return Reason::hairpin_refused;
  Source source;
  if (service.mode == tables::Mode::fullnat || hairpin) {
    source = take_source<F>(turn, service, shard, *member, packet.hash);
    if (source.port == 0) return source.reason;
    to_client.destination = F::raw(source.address);
    to_client.destination_port = net::swap16(source.port);
    track.snat = source.slot;
    track.mode = tables::Mode::fullnat;
    track.flags |= flow::flag::kFullNat;
  }
  const typename F::Tuple back{to_client.source,      to_client.destination,
                               to_client.source_port, to_client.destination_port,
                               tuple.instance,        tuple.protocol};
  // With `nat` a client may use one port towards two VIPs of the same server.
  const bool taken = state.flows.find(back).exists();
  const auto inserted = taken ? flow::Table::Inserted{FlowId(), Reason::flow_bucket_full}
                              : state.flows.insert(tuple, to_client, track);
  if (!inserted.id.exists()) {
    if (source.port != 0) state.ports.release(source.slot, source.port, track.server);
    return inserted.reason;
  }
  state.opened(inserted.id);
  packet.flow = inserted.id.word();
  return Reason::none;
}

void refused(Turn& turn, const tables::Service& service) {
  if (index(service.id) < turn.state.setup.sizes.services) {
    turn.state.setup.services[index(service.id)].flows_refused.add(1);
  }
}

/// A packet of a client to one of our VIPs, that no flow knows.
template <typename F>
void admit_client(Turn& turn, net::Packet& packet, const typename F::Tuple& tuple, uint8_t shard) {
  const tables::Service* service = service_for(turn.view, {F::address(tuple.destination),
                                                           tuple.instance,
                                                           net::swap16(tuple.destination_port),
                                                           tuple.protocol,
                                                           {}});
  if (service == nullptr) {
    return refuse(turn, packet, Reason::service_unknown, tables::Refusal::refuse);
  }
  if (service->enabled == 0) {
    return refuse(turn, packet, Reason::service_disabled, service->refusal);
  }
  if (tuple.protocol == net::Protocol::tcp && !is_opening(packet)) {
    return refuse(turn, packet, Reason::tcp_without_flow, service->refusal);
  }
  const Reason reason = open<F>(turn, packet, tuple, *service, shard);
  if (reason == Reason::none) return;
  refused(turn, *service);
  refuse(turn, packet, reason, service->refusal);
}

/// Nobody's: for the kernel, or what the settings say about transit.
void pass_by(Turn& turn, net::Packet& packet, const tables::LocalAddress* local) {
  if (packet.shape == net::Shape::icmp_error) return packet.drop(Reason::icmp_unmatched);
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

bool is_echo(const net::Packet& packet) {
  return packet.protocol == net::Protocol::icmp || packet.protocol == net::Protocol::icmpv6;
}

/// A ping of an address of ours is answered where it comes in, whoever owns its shard.
void answer_echo(net::Packet& packet, const tables::LocalAddress& local) {
  const bool answered = local.answers_ping != 0 && forward::reply_echo(packet);
  packet.verdict = answered ? net::Verdict::reply : net::Verdict::drop;
  packet.reason = answered ? Reason::answered : Reason::icmp_unmatched;
}

template <typename F>
void admit_one(Turn& turn, net::Packet& packet) {
  const auto tuple = F::tuple(packet);
  if (turn.admitted) {
    // An earlier packet of this burst may have opened the flow.
    packet.flow = turn.state.flows.find(tuple, packet.hash).word();
    if (packet.flow != net::kNoFlow) return;
  }
  const steer::Place place = turn.state.steering.place(tuple, turn.view);
  if (packet.shape == net::Shape::transport) {
    if (place.local != nullptr && is_echo(packet)) return answer_echo(packet, *place.local);
    if (place.local == nullptr &&
        turn.routes.is_twin_address(tuple.instance, F::address(tuple.destination))) {
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
  if (place.direction == Direction::to_client || packet.shape == net::Shape::icmp_error) {
    return pass_by(turn, packet, place.local);
  }
  admit_client<F>(turn, packet, tuple, place.shard);
}

/// True when the packet's flow is dying and this SYN makes a new one of it.
bool reopens(Turn& turn, const net::Packet& packet) {
  const FlowId id(packet.flow);
  const flow::Track& track = turn.state.flows.track(id);
  return is_opening(packet) && id.direction() == Direction::to_server &&
         packet.shape == net::Shape::transport && flow::is_dying(track.state, track.flags);
}

void admit_missing(Turn& turn) {
  for (net::Packet& packet : turn.burst.all()) {
    if (packet.verdict != net::Verdict::undecided) continue;
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
    is_v4(packet) ? admit_one<V4>(turn, packet) : admit_one<V6>(turn, packet);
    turn.admitted = true;
  }
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
