#include "dataplane/path_open.h"
#include "dataplane/path_cookie.h"

#include "dataplane/forward/reply.h"
#include "dataplane/path_ftp.h"
#include "dataplane/path_lines.h"

namespace nezu::path {

using flow::FlowId;
using net::Reason;
using tables::Timeout;

namespace {

/// Whether its flows change in length.
bool splices_flows(const tables::Service& service, net::Protocol protocol) {
  return protocol == net::Protocol::tcp &&
         (service.client_address == tables::ClientAddress::proxy_v2 ||
          lines::state_of(service.application) != 0);
}

/// Likewise of a rule of source NAT: control connections are known by their port.
template <typename Tuple>
bool splices_outward(const tables::Service& rule, const Tuple& tuple) {
  return rule.application == tables::Application::ftp && tuple.protocol == net::Protocol::tcp &&
         net::swap16(tuple.destination_port) == ftp::kPort;
}

/// FTP: a declared port other than the service's own.
template <typename Tuple>
bool is_passive_port(const tables::Service& service, const Tuple& tuple) {
  return service.passive_first != 0 && net::swap16(tuple.destination_port) != service.key.port;
}

/// How its servers are told who the client is.
tables::Mode mode_told(const tables::Service& service, net::Protocol protocol) {
  if (service.client_address == tables::ClientAddress::tcp_option) return tables::Mode::tagged;
  return protocol == net::Protocol::tcp ? tables::Mode::spliced : tables::Mode::prefixed;
}

}  // namespace

void refuse(Turn& turn, net::Packet& packet, Reason reason, tables::Refusal refusal) {
  if (refusal == tables::Refusal::pass) return;  // on without a flow, as routes lead
  packet.drop(reason);
  if (packet.first_fragment) return;  // what it answers is not all here
  if (net::is_icmp(packet.protocol)) return;
  if (refusal != tables::Refusal::refuse || !turn.state.replies.take(turn.now)) return;
  packet.verdict = net::Verdict::undecided;
  const bool sent = packet.protocol == net::Protocol::tcp    ? forward::reply_reset(packet)
                    : packet.protocol == net::Protocol::sctp ? forward::reply_abort(packet)
                                                             : forward::reply_unreachable(packet);
  packet.verdict = sent ? net::Verdict::reply : net::Verdict::drop;
  packet.reason = reason;
}

void Opening::refused(net::Packet& packet, const tables::Service& service, Reason reason,
                      tables::Refusal refusal) {
  if (index(service.id) < turn_->state.setup.sizes.services) {
    turn_->state.setup.services[index(service.id)].flows_refused.add(1);
  }
  refuse(*turn_, packet, reason, refusal);
}

template <typename F>
const Opening::Target& Opening::target(const net::Packet& packet, const typename F::Tuple& tuple) {
  Queue<F>& queue = this->queue<F>();
  const auto is_like = [&](const typename F::Tuple& other) {
    return tuple.destination == other.destination &&
           tuple.destination_port == other.destination_port && tuple.instance == other.instance &&
           tuple.protocol == other.protocol;
  };
  if (queue.known && is_like(queue.like)) [[likely]]
    return queue.target;
  const uint16_t port = net::swap16(tuple.destination_port);
  const net::Address client = address_of(tuple.source);
  const Target found =
      tables::match(turn_->view, tuple.instance, address_of(tuple.destination), tuple.protocol,
                    port, {&client, interface_of(*turn_, packet.port, packet.vlan)});
  // Answers go to one client after another: they leave what is known of the service alone.
  static constexpr Target kNobody;
  if (found.local == nullptr && found.prefix == nullptr) return kNobody;
  queue.like = tuple;
  queue.known = !found.asked_who;
  queue.target = found;
  const tables::LocalAddress* local = found.local;
  if (local != nullptr && local->passive_last != 0 && port >= local->passive_first &&
      port <= local->passive_last && tuple.protocol == net::Protocol::tcp &&
      (found.service == nullptr || !found.service->key.is_exact())) [[unlikely]] {
    queue.target.service = turn_->view.service(local->passive_service);
  }
  return queue.target;
}

template <typename F>
Reason Opening::begin(const typename F::Tuple& tuple, const tables::Service& service, uint8_t shard,
                      Timeout state, Waiting<F>& out, bool proven) {
  uint32_t& room = room_[F::kWide];
  if (room == 0) room = room_for(*turn_, F::kWide, queue<F>().count);
  if (room != 0) [[likely]] {
    --room;
  } else if (const Reason full = make_room(*turn_, F::kWide, queue<F>().count, proven);
             full != Reason::none) {
    return full;
  }
  out.service = &service;
  out.tuple = tuple;
  out.snat_port = 0;
  out.wants_source = false;
  flow::Track& track = out.track = {};
  track.service = static_cast<uint16_t>(index(service.id));
  track.shard = shard;
  track.state = state;
  track.stage = flow::stage_of(state);
  const uint32_t ticks = service.timeouts[timeout_index(state)];
  track.timeout = ticks != 0 ? ticks : flow::default_timeouts()[timeout_index(state)];
  track.deadline = turn_->tick + track.timeout;
  return Reason::none;
}

template <typename F>
Reason Opening::begin_flow(const typename F::Tuple& tuple, const tables::Service& service,
                           uint8_t shard, const tables::Member* member, Waiting<F>& out,
                           bool proven) {
  const bool connects =
      tuple.protocol == net::Protocol::tcp || tuple.protocol == net::Protocol::sctp;
  const Reason full = begin<F>(tuple, service, shard,
                               connects ? Timeout::syn_sent : Timeout::udp_single, out, proven);
  out.track.server =
      member != nullptr ? static_cast<uint16_t>(index(member->server)) : flow::kNoServer;
  out.track.mode = service.mode;
  return full;
}

/// Both tuples are as the packets have them.
template <typename F>
Reason Opening::decide_redirect(const net::Packet& packet, const typename F::Tuple& tuple,
                                const tables::Service& service, const tables::Member* member,
                                Waiting<F>& out) {
  out.to_client = {tuple.destination, tuple.source, tuple.destination_port, tuple.source_port};
  const bool off_link =
      out.track.mode == tables::Mode::redirect &&
      turn_->routes.port_of_neighbour(tuple.instance, member->address) == route::kNoPort;
  if (off_link) return Reason::server_off_link;
  return hold_relay(*turn_, packet, service, member, out.track);
}

template <typename F>
void Opening::want_source(const tables::Service& service, uint64_t hash, Waiting<F>& one) {
  one.wants_source = true;
  one.source_hash = hash;
  ask_for_source(*turn_, service, one.track.shard, address_of(one.to_client.source).is_v4(),
                 one.peer(), hash);
}

template <typename F>
Reason Opening::decide(const net::Packet& packet, const typename F::Tuple& tuple,
                       const tables::Service& service, uint8_t shard, const tables::Member& member,
                       Waiting<F>& out) {
  const bool by_cookie = brings_cookie(packet);
  if (const Reason full = begin_flow<F>(tuple, service, shard, &member, out, by_cookie);
      full != Reason::none) {
    return full;
  }
  const bool spliced =
      by_cookie || (splices_flows(service, tuple.protocol) && !is_passive_port(service, tuple));
  if (spliced && turn_->state.splices.used() + spliced_ >= turn_->state.splices.capacity()) {
    return Reason::splice_table_full;
  }
  const net::Address client = address_of(tuple.source);
  const bool across = F::kWide && client.family() != member.address.family();
  if (service.mode == tables::Mode::redirect) [[unlikely]] {
    return across ? Reason::no_server : decide_redirect<F>(packet, tuple, service, &member, out);
  }
  if (across && service.mode != tables::Mode::fullnat && !tables::is_tunnel(service.mode)) {
    if (service.mode != tables::Mode::nat || !client.is_v4() || !service.client_prefix.exists()) {
      return Reason::no_server;
    }
    // RFC 6052 3.1
    if (net::is_well_known(service.client_prefix) && !net::is_global_v4(client.v4_host())) {
      return Reason::client_prefix_refused;
    }
  }

  flow::Track& track = out.track;
  typename F::Half& to_client = out.to_client;
  to_client = {F::raw(member.address), tuple.source, net::swap16(member.port), tuple.source_port};
  if (member.port == 0 || is_passive_port(service, tuple)) {
    to_client.source_port = tuple.destination_port;
  }
  if constexpr (F::kWide) {
    if (across && service.mode == tables::Mode::nat) {
      to_client.destination = net::embedded(service.client_prefix, client.v4_raw());
      track.mode = tables::Mode::across;
    }
  }
  if (service.mode == tables::Mode::route &&
      turn_->routes.port_of_neighbour(tuple.instance, member.address) == route::kNoPort) {
    return Reason::server_off_link;
  }
  const route::ServerWay& way =
      turn_->state.ways.to(turn_->routes, index(member.server), tuple.instance, member.address);
  if (way.hop != route::kNoRoute) [[likely]] {
    track.routes_version = way.version;
    track.hops[index(flow::Direction::to_server)] = way.hop;
  }
  if (service.mode == tables::Mode::tunnel_gue) track.snat = service.gue_port;
  // A server answers a client in its own subnet past us, unless it sees an address of ours.
  const bool hairpin =
      service.mode == tables::Mode::nat &&
      (to_client.source == tuple.source ||
       (way.may_share_subnet(client) && answers_past_us(*turn_, packet, client, member.address)));
  if (hairpin && !service.snats.exists()) return Reason::hairpin_refused;
  if (service.mode == tables::Mode::fullnat || hairpin) {
    const bool has_port = net::has_ports(tuple.protocol) || net::is_icmp(tuple.protocol);
    if (has_port) {
      want_source(service, source_hash(service, client, packet.hash), out);
    } else {
      const Source source = take_whole_source<F>(*turn_, service, tuple, member, packet.hash);
      if (source.reason != Reason::none) return source.reason;
      to_client.destination = F::raw(source.address);
      to_client.destination_port = 0;
      track.snat = source.slot;
    }
    track.mode = across ? tables::Mode::across : tables::Mode::fullnat;
    if (service.client_address != tables::ClientAddress::none) {
      track.mode = mode_told(service, tuple.protocol);
    }
    track.flags |= flow::flag::kFullNat;
  }
  if (spliced) track.mode = tables::Mode::spliced;
  if (by_cookie) {
    track.stage = flow::Stage::live;  // its client has answered: no flood of others ends it
    track.timeout = kFirstWait;
    track.deadline = turn_->tick + kFirstWait;
  }
  if (service.application == tables::Application::sip) track.mode = tables::Mode::spoken;
  return Reason::none;
}

namespace {

template <typename F>
const tables::Member* scheduled(Turn& turn, const typename F::Tuple& tuple,
                                const tables::Service& service, const tables::Pool& pool) {
  const auto client = [&] {
    return pool.hash_destination != 0
               ? admit::Client{address_of(tuple.destination), net::swap16(tuple.destination_port)}
               : admit::Client{address_of(tuple.source), net::swap16(tuple.source_port)};
  };
  // Only rings ask who the client is.
  return turn.state.scheduling.pick(turn.view, service, pool,
                                    tables::has_ring(pool.scheduler) ? client() : admit::Client{});
}

Reason why_nobody(const tables::Pool& pool) {
  return pool.ready_count != 0 ? Reason::servers_full : Reason::no_server;
}

}  // namespace

void Opening::nobody(net::Packet& packet, const tables::Service& service,
                     const tables::Pool& pool) {
  refused(packet, service, why_nobody(pool));
}

template <typename F>
const tables::Member* Opening::would_choose(const typename F::Tuple& tuple,
                                            const tables::Service& service,
                                            const tables::Pool& pool) {
  return is_local(pool) ? pick_near<F>(tuple, service, pool)
                        : scheduled<F>(*turn_, tuple, service, pool);
}

template <typename F>
const tables::Member* Opening::choose(net::Packet& packet, const typename F::Tuple& tuple,
                                      const tables::Service& service, const tables::Pool& pool) {
  const tables::Member* member = would_choose<F>(tuple, service, pool);
  if (member == nullptr) nobody(packet, service, pool);
  return member;
}

template <typename F>
void Opening::prepare(net::Packet& packet, const typename F::Tuple& tuple,
                      const tables::Service& service, uint8_t shard) {
  const tables::Pool* pool = turn_->view.pool(service.pool);
  if (pool == nullptr) return refused(packet, service, Reason::no_server);
  const tables::Member* member = nullptr;
  if (persists(service)) [[unlikely]] {
    member = pick_again<F>(packet, tuple, service, *pool);
    if (member == nullptr) return;
  } else if (is_local(*pool)) [[unlikely]] {
    member = choose<F>(packet, tuple, service, *pool);
    if (member == nullptr) return;
  } else {
    member = scheduled<F>(*turn_, tuple, service, *pool);
    if (member == nullptr) return nobody(packet, service, *pool);
  }
  prepare_for<F>(packet, tuple, service, shard, *member);
}

template <typename F>
void Opening::prepare_for(net::Packet& packet, const typename F::Tuple& tuple,
                          const tables::Service& service, uint8_t shard,
                          const tables::Member& member) {
  if constexpr (!F::kWide) {
    if (!member.address.is_v4()) [[unlikely]] {
      return prepare_entry<V6>(packet, flow::mapped(tuple), service, shard, member);
    }
  }
  prepare_entry<F>(packet, tuple, service, shard, member);
}

template <typename F>
void Opening::prepare_entry(net::Packet& packet, const typename F::Tuple& tuple,
                            const tables::Service& service, uint8_t shard,
                            const tables::Member& member) {
  Queue<F>& queue = this->queue<F>();
  // Without ports, whether a source address is taken shows in the table only.
  const bool shows_late = service.mode == tables::Mode::fullnat && !net::has_ports(tuple.protocol);
  if (queue.count == kMost || (queue.count != 0 && shows_late)) settle();
  Waiting<F>& next = queue.waiting[queue.count];
  if (const Reason reason = decide<F>(packet, tuple, service, shard, member, next);
      reason != Reason::none) {
    return refused(packet, service, reason);
  }
  // The next one that asks who has the least load counts this one.
  turn_->state.hold_server(next.track.server);
  let_wait<F>(packet, next);
}

template <typename F>
void Opening::prepare_returned(net::Packet& packet, const typename F::Tuple& tuple,
                               const tables::Service& service, uint8_t shard) {
  Queue<F>& queue = this->queue<F>();
  if (queue.count == kMost) settle();
  Waiting<F>& next = queue.waiting[queue.count];
  const tables::Member* member = sending_member(*turn_, packet, tuple.instance, service);
  if (begin_flow<F>(tuple, service, shard, member, next) != Reason::none) return;
  next.track.mode = tables::Mode::returned;
  if (decide_redirect<F>(packet, tuple, service, member, next) != Reason::none) return;
  if (next.track.server != flow::kNoServer) turn_->state.hold_server(next.track.server);
  let_wait<F>(packet, next);
}

template <typename F>
void Opening::let_wait(net::Packet& packet, Waiting<F>& next) {
  Queue<F>& queue = this->queue<F>();
  flow::Table& flows = turn_->state.flows;
  next.packet = &packet;
  if (!next.wants_source) {
    next.back = flows.hash_of(tuple_to_client(next.tuple, next.to_client));
    flows.prefetch_for_insert(F::kWide, next.back, queue.count);
  }
  note(packet.hash);
  ++queue.count;
  if (next.track.mode == tables::Mode::spliced) ++spliced_;
}

template <typename F>
void Opening::prepare_outward(net::Packet& packet, const typename F::Tuple& tuple,
                              const tables::Service& rule, uint8_t shard) {
  Queue<F>& queue = this->queue<F>();
  if (queue.count == kMost) settle();
  Waiting<F>& next = queue.waiting[queue.count];
  if (const Reason reason = decide_outward<F>(tuple, rule, shard, next); reason != Reason::none) {
    return refused(packet, rule, reason);
  }
  let_wait<F>(packet, next);
}

template <typename F>
Reason Opening::decide_outward(const typename F::Tuple& tuple, const tables::Service& rule,
                               uint8_t shard, Waiting<F>& out) {
  const bool spliced = splices_outward(rule, tuple);
  if (spliced && turn_->state.splices.used() + spliced_ >= turn_->state.splices.capacity()) {
    return Reason::splice_table_full;
  }
  const Timeout state = net::is_icmp(tuple.protocol)           ? Timeout::icmp
                        : tuple.protocol == net::Protocol::udp ? Timeout::udp_single
                                                               : Timeout::syn_sent;
  if (const Reason full = begin<F>(tuple, rule, shard, state, out); full != Reason::none) {
    return full;
  }
  out.track.server = flow::kNoServer;
  out.track.mode = spliced ? tables::Mode::spliced : tables::Mode::masquerade;
  out.track.flags = flow::flag::kFullNat;
  out.to_client = {tuple.destination, {}, tuple.destination_port, 0};
  // An inside host keeps to one SNAT address as long as it has ports (RFC 4787 REQ-2).
  want_source(rule, tables::key_hash(address_of(tuple.source), index(rule.id), 0), out);
  return Reason::none;
}

template const Opening::Target& Opening::target<V4>(const net::Packet&, const net::Tuple4&);
template const Opening::Target& Opening::target<V6>(const net::Packet&, const net::Tuple6&);
template void Opening::prepare<V4>(net::Packet&, const net::Tuple4&, const tables::Service&,
                                   uint8_t);
template void Opening::prepare<V6>(net::Packet&, const net::Tuple6&, const tables::Service&,
                                   uint8_t);
template void Opening::prepare_returned<V4>(net::Packet&, const net::Tuple4&,
                                            const tables::Service&, uint8_t);
template void Opening::prepare_returned<V6>(net::Packet&, const net::Tuple6&,
                                            const tables::Service&, uint8_t);
template const tables::Member* Opening::choose<V4>(net::Packet&, const net::Tuple4&,
                                                   const tables::Service&, const tables::Pool&);
template const tables::Member* Opening::choose<V6>(net::Packet&, const net::Tuple6&,
                                                   const tables::Service&, const tables::Pool&);
template const tables::Member* Opening::would_choose<V4>(const net::Tuple4&, const tables::Service&,
                                                         const tables::Pool&);
template const tables::Member* Opening::would_choose<V6>(const net::Tuple6&, const tables::Service&,
                                                         const tables::Pool&);
template void Opening::prepare_for<V4>(net::Packet&, const net::Tuple4&, const tables::Service&,
                                       uint8_t, const tables::Member&);
template void Opening::prepare_for<V6>(net::Packet&, const net::Tuple6&, const tables::Service&,
                                       uint8_t, const tables::Member&);
template void Opening::prepare_outward<V4>(net::Packet&, const net::Tuple4&, const tables::Service&,
                                           uint8_t);
template void Opening::prepare_outward<V6>(net::Packet&, const net::Tuple6&, const tables::Service&,
                                           uint8_t);

}  // namespace nezu::path
