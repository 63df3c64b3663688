// Connections that an earlier one has announced (steer/announcements.h): their first packet comes
// from anywhere, and says by which announcement it is to go.
#include "dataplane/path_control.h"
#include "dataplane/path_ftp.h"
#include "dataplane/path_open.h"

namespace nezu::path {

using flow::Direction;
using flow::FlowId;
using net::Reason;

namespace {

template <typename Entry>
Control control_in(const Entry& entry) {
  return {address_of(entry.to_server.source),
          address_of(entry.to_server.destination),
          address_of(entry.to_client.source),
          address_of(entry.to_client.destination),
          net::swap16(entry.to_server.source_port),
          net::swap16(entry.to_server.destination_port),
          net::swap16(entry.to_client.source_port),
          net::swap16(entry.to_client.destination_port),
          entry.to_server.instance,
          &entry.track};
}

constexpr uint32_t kTries = 16;  ///< ports that are looked at for one that is free

/// The ports of the VIP that the server's `port` may be told as: itself first.
uint16_t passive_candidate(uint16_t port, uint32_t i) {
  constexpr uint32_t kStep = 257;
  return static_cast<uint16_t>(i == 0 && port >= 1024 ? port
                                                      : 1024 + (port + i * kStep) % (65536 - 1024));
}
/// The ports of an SNAT address that the client's `port` may be told as: those of even ones lie
/// below those of odd ones, so that RTP comes before RTCP where both are told in one breath.
uint16_t told_candidate(const Turn& turn, const net::Address& client, uint16_t port, uint32_t i) {
  const uint64_t hash = net::mix64(net::load<uint64_t>(&client.bytes[8]) ^
                                   net::mix64(net::load<uint64_t>(&client.bytes[0]) + port));
  constexpr uint32_t kHalf = tables::kSnatSlicePorts / 2;
  return tables::snat_port(shard_of(turn, client, port),
                           static_cast<uint32_t>((hash + i) % kHalf) + (port % 2) * kHalf);
}

/// Whether `near` and its port were announced for such a packet; nobody: `free`.
enum class Told : uint8_t { free, same, other };
Told told(const Turn& turn, const steer::Awaited& awaited, const net::Address& near,
          uint16_t port) {
  steer::Announcement there;
  const steer::Announcements* all = turn.state.setup.announcements;
  if (all == nullptr) return Told::other;
  if (!all->find(awaited, turn.tick, there)) return Told::free;
  return there.near == near && there.near_port == port ? Told::same : Told::other;
}

struct Candidate {
  uint16_t port;
  Told told;
};
/// The one that was told before; else the first that is free; 0: none.
template <typename At>
uint16_t first_port(At at) {
  uint16_t free = 0;
  for (uint32_t i = 0; i < kTries; ++i) {
    const Candidate one = at(i);
    if (one.told == Told::same) return one.port;
    if (one.told == Told::free && free == 0) free = one.port;
  }
  return free;
}

}  // namespace

Control control_of(const Turn& turn, FlowId id) {
  return id.wide() ? control_in(turn.state.flows.wide(id))
                   : control_in(turn.state.flows.narrow(id));
}

bool Path::State::announce(const steer::Announcement& announcement, net::Tick now) {
  return setup.announcements != nullptr &&
         setup.announcements->put(setup.worker, announcement, now);
}

uint8_t shard_of(const Turn& turn, const net::Address& client, uint16_t port) {
  const net::ShardHash& hash = turn.state.steering.shard_hash();
  const uint16_t raw = net::swap16(port);
  return client.is_v4() ? hash(client.v4_raw(), raw) : hash(client.bytes, raw);
}

uint16_t passive_port(const Turn& turn, const Control& control, net::Protocol protocol,
                      uint16_t port) {
  return first_port([&](uint32_t i) {
    const uint16_t one = passive_candidate(port, i);
    const tables::ServiceKey key{control.vip, control.instance, one, protocol, {}};
    if (turn.view.service(key) != nullptr) return Candidate{one, Told::other};
    const steer::Awaited awaited{control.client, control.vip, one, control.instance, protocol};
    return Candidate{one, told(turn, awaited, control.server, port)};
  });
}

uint16_t told_port(const Turn& turn, const Control& control, uint16_t port) {
  return first_port([&](uint32_t i) {
    const uint16_t one = told_candidate(turn, control.client, port, i);
    const steer::Awaited awaited{control.server, control.seen, one, control.instance,
                                 net::Protocol::udp};
    return Candidate{one, told(turn, awaited, control.client, port)};
  });
}

namespace {

steer::Announcement announcement_of(const Turn& turn, const Control& control, net::Tick life) {
  steer::Announcement one;
  one.service = control.track->service;
  one.server = control.track->server;
  one.server_port = control.server_port;
  one.snat = control.is_full() ? control.track->snat : flow::kNoSnat;
  one.until = turn.tick + life;
  return one;
}

}  // namespace

bool expect_from_server(Turn& turn, const Control& control, net::Protocol protocol, uint16_t port,
                        uint16_t told, net::Tick life) {
  steer::Announcement one = announcement_of(turn, control, life);
  one.from_client = false;
  one.near = control.client;
  one.near_port = port;
  one.far = control.vip;
  one.far_port = control.vip_port;
  one.awaited = {control.server, control.seen, told, control.instance, protocol};
  return turn.state.announce(one, turn.tick);
}

bool expect_from_client(Turn& turn, const Control& control, net::Protocol protocol, uint16_t port,
                        uint16_t told, net::Tick life) {
  steer::Announcement one = announcement_of(turn, control, life);
  one.translates_source = control.is_full();
  one.near = control.server;
  one.near_port = port;
  one.far = control.seen;
  one.awaited = {control.client, control.vip, told, control.instance, protocol};
  return turn.state.announce(one, turn.tick);
}

namespace {

/// Both sides of a data connection; ports in host order.
struct Data {
  net::Address client, vip, server, seen;
  uint16_t client_port = 0, vip_port = 0, server_port = 0, seen_port = 0;
  bool is_narrow() const { return client.is_v4() && server.is_v4(); }
};

/// Nothing: one that has the same ends is there already.
FlowId insert(Turn& turn, const Data& d, net::Instance instance, net::Protocol protocol,
              const flow::Track& track) {
  const auto swapped = [](uint16_t port) { return net::swap16(port); };
  flow::Table& flows = turn.state.flows;
  if (d.is_narrow()) {
    const net::Tuple4 there{d.client.v4_raw(),
                            d.vip.v4_raw(),
                            swapped(d.client_port),
                            swapped(d.vip_port),
                            instance,
                            protocol,
                            0};
    const flow::Half4 back{d.server.v4_raw(), d.seen.v4_raw(), swapped(d.server_port),
                           swapped(d.seen_port)};
    return flows.find(there).exists() ? FlowId() : flows.insert(there, back, track).id;
  }
  const net::Tuple6 there{d.client.bytes,
                          d.vip.bytes,
                          swapped(d.client_port),
                          swapped(d.vip_port),
                          instance,
                          protocol,
                          0,
                          {}};
  const flow::Half6 back{d.server.bytes, d.seen.bytes, swapped(d.server_port),
                         swapped(d.seen_port)};
  return flows.find(there).exists() ? FlowId() : flows.insert(there, back, track).id;
}

/// Who is on the other side of its SNAT port, as Path::State::peer_of tells of the flow.
admit::Peer peer_of(const Data& d, net::Protocol protocol, const flow::Track& track) {
  if (!flow::is_outward(track)) return {track.server};
  const uint16_t port = net::swap16(d.server_port);
  return admit::Peer::outside(
      d.is_narrow() ? outside_hash(flow::Half4{d.server.v4_raw(), 0, port, 0}, protocol)
                    : outside_hash(flow::Half6{d.server.bytes, {}, port, 0}, protocol));
}

flow::Track track_for(const Turn& turn, const steer::Announcement& one, net::Protocol protocol,
                      uint8_t shard) {
  static constexpr tables::Timeouts kDefaults = flow::default_timeouts();
  flow::Track track;
  track.service = one.service;
  track.server = one.server;
  track.shard = shard;
  // A server that opens is answered by its client's SYN-ACK, which is not taken for an opening: the
  // first segment after it is.
  track.state = protocol == net::Protocol::udp ? tables::Timeout::udp_single
                : one.from_client              ? tables::Timeout::syn_sent
                                               : tables::Timeout::syn_received;
  track.stage = flow::stage_of(track.state);
  const tables::Service* service = turn.view.service(tables::ServiceId{one.service});
  const uint32_t ticks =
      service != nullptr ? service->timeouts[timeout_index(track.state)] : net::Tick{0};
  track.timeout = ticks != 0 ? ticks : kDefaults[timeout_index(track.state)];
  track.deadline = turn.tick + track.timeout;
  return track;
}

/// What the server knows that port of the client's as; 0: it does not.
uint16_t port_told_to(const Turn& turn, const steer::Announcement& one, const net::Address& client,
                      uint16_t port) {
  for (uint32_t i = 0; i < kTries; ++i) {
    const uint16_t candidate = told_candidate(turn, client, port, i);
    const steer::Awaited awaited{one.near, one.far, candidate, one.awaited.instance,
                                 net::Protocol::udp};
    if (told(turn, awaited, client, port) == Told::same) return candidate;
  }
  return 0;
}
/// What the client knows that port of the server's as; itself where it does not.
uint16_t port_told_of(const Turn& turn, const steer::Announcement& one, uint16_t port) {
  for (uint32_t i = 0; i < kTries; ++i) {
    const uint16_t candidate = passive_candidate(port, i);
    const steer::Awaited awaited{one.near, one.far, candidate, one.awaited.instance,
                                 net::Protocol::udp};
    if (told(turn, awaited, one.awaited.source, port) == Told::same) return candidate;
  }
  return port;
}

/// The client's first packet: as any other flow of the service, but to that server and port.
Reason begin_from_client(Turn& turn, const steer::Announcement& one, const net::Packet& packet,
                         Data& d, flow::Track& track) {
  const bool mixed = d.client.is_v4() != one.near.is_v4();
  d.server = one.near;
  d.server_port = one.near_port;
  d.seen = d.client;
  d.seen_port = d.client_port;
  track.mode = tables::Mode::nat;
  const tables::Service* service = turn.view.service(tables::ServiceId{one.service});
  if (service == nullptr) return Reason::service_unknown;
  if (!one.translates_source) {
    if (!mixed) return Reason::none;
    if (!service->client_prefix.exists()) return Reason::no_server;
    d.seen = net::Address::v6(net::embedded(service->client_prefix, d.client.v4_raw()).data());
    track.mode = tables::Mode::across;
    return Reason::none;
  }
  if (one.awaited.protocol == net::Protocol::udp) {
    // The server was told where this client waits: it comes from there.
    d.seen = one.far;
    d.seen_port = port_told_to(turn, one, d.client, d.client_port);
    if (d.seen_port != 0) {
      track.snat = one.snat;
      track.mode = tables::Mode::announced;
      return Reason::none;
    }
  }
  const Source source = take_source(turn, *service, track.shard, one.near.is_v4(), one.server,
                                    source_hash(*service, d.client, packet.hash));
  if (source.port == 0) return source.reason;
  d.seen = source.address;
  d.seen_port = source.port;
  track.snat = source.slot;
  track.mode = mixed ? tables::Mode::across : tables::Mode::fullnat;
  track.flags |= flow::flag::kFullNat;
  return Reason::none;
}

/// The SNAT port that an outside host was told becomes the flow's own, towards that host's port.
bool own_port(Turn& turn, const Data& d, net::Protocol protocol, flow::Track& track) {
  track.mode = tables::Mode::masquerade;
  track.flags |= flow::flag::kFullNat;
  return turn.state.ports.occupy(track.snat, d.seen_port, peer_of(d, protocol, track));
}

/// A server's first packet, to where its client waits.
void begin_from_server(const Turn& turn, const steer::Announcement& one, uint16_t from, Data& d,
                       flow::Track& track) {
  d.client = one.near;
  d.client_port = one.near_port;
  d.vip = one.far;
  // 20 for 21, as clients may look for it (RFC 959 3.2); else as the server has it.
  // Outwards always, as the shard rests on it.
  const bool beside =
      from == one.server_port - 1 || from == ftp::kDataPort || one.server == flow::kNoServer;
  d.vip_port = one.awaited.protocol == net::Protocol::udp ? port_told_of(turn, one, from)
               : beside                                   ? static_cast<uint16_t>(one.far_port - 1)
                                                          : from;
  d.server = one.awaited.source;
  d.server_port = from;
  d.seen = one.awaited.destination;
  d.seen_port = one.awaited.port;
  track.mode = tables::Mode::announced;
  track.snat = one.snat;
}

}  // namespace

template <typename F>
bool open_announced(Turn& turn, Opening& opening, net::Packet& packet,
                    const typename F::Tuple& tuple, uint8_t shard) {
  Path::State& state = turn.state;
  if (state.setup.announcements == nullptr || !state.setup.announcements->any()) return false;
  steer::Awaited awaited{address_of(tuple.source), address_of(tuple.destination),
                         net::swap16(tuple.destination_port), tuple.instance, tuple.protocol};
  steer::Announcement one;
  if (!state.setup.announcements->find(awaited, turn.tick, one)) return false;
  opening.settle();
  Data d;
  flow::Track track = track_for(turn, one, tuple.protocol, shard);
  const uint16_t from = net::swap16(tuple.source_port);
  Reason reason = Reason::none;
  if (one.from_client) {
    d.client = awaited.source;
    d.client_port = from;
    d.vip = awaited.destination;
    d.vip_port = awaited.port;
    reason = begin_from_client(turn, one, packet, d, track);
  } else {
    begin_from_server(turn, one, from, d, track);
    if (one.server == flow::kNoServer && !own_port(turn, d, tuple.protocol, track)) {
      reason = Reason::snat_ports_exhausted;
    }
  }
  const bool wide = !d.is_narrow();
  FlowId id;
  if (reason == Reason::none) {
    const bool has_room = state.flows.count(wide) < state.flows.capacity(wide);
    if (has_room) id = insert(turn, d, tuple.instance, tuple.protocol, track);
    opening.forget_room();
    if (!id.exists()) {
      reason = has_room ? Reason::flow_bucket_full : Reason::flow_table_full;
      if ((track.flags & flow::flag::kFullNat) != 0) {
        state.ports.release(track.snat, d.seen_port, peer_of(d, tuple.protocol, track));
      }
    }
  }
  if (reason != Reason::none) {
    packet.drop(reason);
    return true;
  }
  state.hold_server(track.server);
  state.opened(track);
  if (flow::is_outward(track)) state.log(NatRecord::Kind::open, id);
  opening.note(packet.hash);
  packet.flow = id.towards(one.from_client ? Direction::to_server : Direction::to_client).word();
  return true;
}

template bool open_announced<V4>(Turn&, Opening&, net::Packet&, const net::Tuple4&, uint8_t);
template bool open_announced<V6>(Turn&, Opening&, net::Packet&, const net::Tuple6&, uint8_t);

}  // namespace nezu::path
