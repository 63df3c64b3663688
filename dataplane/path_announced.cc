// Connections that an earlier one has announced (steer/announcements.h): their first packet comes
// from anywhere, and says by which announcement it is to go.
#include "dataplane/path_ftp.h"
#include "dataplane/path_open.h"

namespace nezu::path {

using flow::Direction;
using flow::FlowId;
using net::Reason;

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
void begin_from_server(const steer::Announcement& one, uint16_t from, Data& d, flow::Track& track) {
  d.client = one.near;
  d.client_port = one.near_port;
  d.vip = one.far;
  // 20 for 21, as clients may look for it (RFC 959 3.2); else as the server has it.
  // Outwards always, as the shard rests on it.
  const bool beside =
      from == one.server_port - 1 || from == ftp::kDataPort || one.server == flow::kNoServer;
  d.vip_port = beside && one.awaited.protocol == net::Protocol::tcp
                   ? static_cast<uint16_t>(one.far_port - 1)
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
    begin_from_server(one, from, d, track);
    if (one.server == flow::kNoServer && !own_port(turn, d, tuple.protocol, track)) {
      reason = Reason::snat_ports_exhausted;
    }
  }
  const bool wide = !d.is_narrow();
  FlowId id;
  if (reason == Reason::none) {
    if (state.flows.count(wide) < state.flows.capacity(wide)) {
      id = insert(turn, d, tuple.instance, tuple.protocol, track);
    }
    if (!id.exists()) {
      reason = Reason::flow_table_full;
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
