// What the lines of an FTP control connection announce, and how they are told to the other side.
//
//   PORT, EPRT     the client waits at C:q. The server comes from any of its ports
//                  nat      to C:q, as the line says                     -> from VIP to C:q
//                  fullnat  to SNAT:q', q' of the slice of C:q's shard   -> from VIP to C:q
//   227, 229       the server waits at S:p. The client comes from any of its ports to VIP:p, or,
//   where
//                  that is another's, VIP:p'                             -> to S:p
//
// An active port q' is not taken from the service's ports: those are unique towards the server's
// port, and a data connection has another. Where a server always uses the same one its own kernel
// keeps two connections to one SNAT address and port apart.
#include "dataplane/path_ftp.h"
#include "dataplane/path_open.h"

namespace nezu::path {
namespace {

using alg::FtpForm;
using alg::FtpLine;
using flow::Direction;
using flow::FlowId;
using net::Reason;
using Kind = alg::FtpLine::Kind;

/// Both tuples of a control connection.
struct Control {
  net::Address client, vip, server, seen;  ///< seen: by the server, as its client
  uint16_t client_port, vip_port, server_port;
  net::Instance instance;
  const flow::Track* track;
  bool is_full() const { return (track->flags & flow::flag::kFullNat) != 0; }
  bool is_mixed() const { return client.is_v4() != server.is_v4(); }
};

template <typename Entry>
Control control_in(const Entry& entry) {
  return {address_of(entry.to_server.source),
          address_of(entry.to_server.destination),
          address_of(entry.to_client.source),
          address_of(entry.to_client.destination),
          net::swap16(entry.to_server.source_port),
          net::swap16(entry.to_server.destination_port),
          net::swap16(entry.to_client.source_port),
          entry.to_server.instance,
          &entry.track};
}
Control control_of(const Turn& turn, FlowId id) {
  return id.wide() ? control_in(turn.state.flows.wide(id))
                   : control_in(turn.state.flows.narrow(id));
}

FtpVerdict wait(Reason reason) {
  FtpVerdict verdict;
  verdict.waits = true;
  verdict.reason = reason;
  return verdict;
}
FtpVerdict whole_line(std::string_view line, FtpForm form, uint16_t port = 1) {
  return {false, Reason::none, true, 0, static_cast<uint32_t>(line.size()), form, '|', port};
}
FtpVerdict part_of(const FtpLine& line, FtpForm form, uint16_t port) {
  return {false, Reason::none, true, line.begin, line.end, form, line.delimiter, port};
}

steer::Announcement announcement_of(const Turn& turn, const Control& control) {
  steer::Announcement one;
  one.awaited.instance = control.instance;
  one.service = control.track->service;
  one.server = control.track->server;
  one.server_port = control.server_port;
  one.until = turn.tick + steer::Announcements::kLife;
  return one;
}

/// The next SNAT port for a client's data port: each of a slice in turn.
uint16_t next_active_port(Turn& turn, const Control& control, uint16_t port) {
  const steer::Steering& steering = turn.state.steering;
  const uint16_t raw = net::swap16(port);
  const uint8_t shard = control.client.is_v4() ? steering.shard_hash()(control.client.v4_raw(), raw)
                                               : steering.shard_hash()(control.client.bytes, raw);
  uint8_t& turn_of_shard = turn.state.active_ports[shard];
  turn_of_shard = static_cast<uint8_t>((turn_of_shard + 1) % tables::kSnatSlicePorts);
  return tables::snat_port(shard, turn_of_shard);
}

/// The client waits.
FtpVerdict judge_active(Turn& turn, const Control& control, const FtpLine& read,
                        std::string_view line) {
  const bool to_v4 = control.server.is_v4();
  const FtpForm plain = read.is_extended ? FtpForm::triple : FtpForm::numbers;
  const FtpForm other = to_v4 ? FtpForm::port_line : FtpForm::eprt_line;
  // A third host would be attacked by the server (RFC 2577 3): it is told none.
  if (read.address != control.client || read.port < 1024) {
    turn.state.line.reasons[static_cast<size_t>(Reason::ftp_address_refused)].add(1);
    return control.is_mixed() ? whole_line(line, other, 0) : part_of(read, plain, 0);
  }
  steer::Announcement one = announcement_of(turn, control);
  one.from_client = false;
  one.near = control.client;
  one.near_port = read.port;
  one.far = control.vip;
  one.far_port = control.vip_port;
  one.snat = control.is_full() ? control.track->snat : uint16_t{0xffff};
  one.awaited.source = control.server;
  one.awaited.destination = control.seen;
  one.awaited.port = control.is_full() ? next_active_port(turn, control, read.port) : read.port;
  if (!turn.state.announce(one, turn.tick)) return wait(Reason::announcement_full);
  if (control.is_mixed()) return whole_line(line, other, one.awaited.port);
  return control.is_full() ? part_of(read, plain, one.awaited.port) : FtpVerdict{};
}

/// A port of the VIP that leads nowhere else, the server's own if it may be; 0: none.
uint16_t passive_port(const Turn& turn, const Control& control, uint16_t port) {
  constexpr uint32_t kTries = 16, kStep = 257;
  for (uint32_t i = 0; i < kTries; ++i) {
    const auto one = static_cast<uint16_t>(
        i == 0 && port >= 1024 ? port : 1024 + (port + i * kStep) % (65536 - 1024));
    const tables::ServiceKey key{control.vip, control.instance, one, net::Protocol::tcp, {}};
    if (turn.view.service(key) != nullptr) continue;
    steer::Announcement there;
    const steer::Awaited awaited{control.client, control.vip, one, control.instance,
                                 net::Protocol::tcp};
    if (!turn.state.setup.announcements->find(awaited, turn.tick, there) ||
        (there.near == control.server && there.near_port == port)) {
      return one;
    }
  }
  return 0;
}

/// The server waits at `port`: where the client is to come; 0: `reason` of announce.
uint16_t announce_passive(Turn& turn, const Control& control, uint16_t port) {
  const tables::Service* service = turn.view.service(tables::ServiceId{control.track->service});
  if (service != nullptr && service->passive_first != 0) return port;  // declared: they all may
  if (turn.state.setup.announcements == nullptr) return 0;
  const uint16_t there = passive_port(turn, control, port);
  if (there == 0) return 0;
  steer::Announcement one = announcement_of(turn, control);
  one.translates_source = control.is_full();
  one.near = control.server;
  one.near_port = port;
  one.awaited.source = control.client;
  one.awaited.destination = control.vip;
  one.awaited.port = there;
  return turn.state.announce(one, turn.tick) ? there : uint16_t{0};
}

FtpVerdict judge_passive(Turn& turn, const Control& control, flow::Splice& splice,
                         const FtpLine& read, std::string_view line) {
  const bool numbers = read.kind == Kind::waits;
  if (read.port == 0) return {};
  const uint16_t port = announce_passive(turn, control, read.port);
  if (port == 0) return wait(Reason::announcement_full);
  const bool other = control.is_mixed() && (splice.state & ftp::kAsked) != 0;
  splice.state = static_cast<uint8_t>(splice.state & ~ftp::kAsked);
  if (other) {
    return whole_line(line, numbers ? FtpForm::waits_here_line : FtpForm::waits_line, port);
  }
  if (numbers) return control.vip.is_v4() ? part_of(read, FtpForm::numbers, port) : FtpVerdict{};
  return port != read.port ? part_of(read, FtpForm::port, port) : FtpVerdict{};
}

/// RFC 6384 6: a client asks in the words of its own family.
FtpVerdict judge_question(const Control& control, flow::Splice& splice, const FtpLine& read,
                          std::string_view line) {
  const bool fits = !control.is_mixed() || (read.kind == Kind::passive) == control.server.is_v4();
  if (read.kind == Kind::all && !fits) return whole_line(line, FtpForm::noop_line);
  if (fits) {
    splice.state = static_cast<uint8_t>(splice.state & ~ftp::kAsked);
    return {};
  }
  splice.state |= ftp::kAsked;
  return whole_line(line, read.kind == Kind::passive ? FtpForm::epsv_line : FtpForm::pasv_line);
}

}  // namespace

bool Path::State::announce(const steer::Announcement& announcement, net::Tick now) {
  return setup.announcements != nullptr &&
         setup.announcements->put(setup.worker, announcement, now);
}

net::Address address_said(const Turn& turn, FlowId id, uint16_t port) {
  const Control control = control_of(turn, id);
  const bool there = id.direction() == Direction::to_server;
  const net::Address& address = there ? control.seen : control.vip;
  if (port != 0) return address;
  return address.is_v4() ? net::Address::v4_raw(0) : net::Address{};
}

FtpVerdict judge_line(Turn& turn, FlowId id, flow::Splice& splice, std::string_view line) {
  const Control control = control_of(turn, id);
  if (id.direction() == Direction::to_server) {
    const FtpLine read = alg::read_ftp_command(line);
    if (read.kind == Kind::active) return judge_active(turn, control, read, line);
    const bool asks =
        read.kind == Kind::passive || read.kind == Kind::extended || read.kind == Kind::all;
    return asks ? judge_question(control, splice, read, line) : FtpVerdict{};
  }
  const FtpLine read = alg::read_ftp_reply(line);
  if (read.kind == Kind::secured) splice.state |= ftp::kOpaque;
  const bool waits = read.kind == Kind::waits || read.kind == Kind::waits_here;
  return waits ? judge_passive(turn, control, splice, read, line) : FtpVerdict{};
}

// --- the connections themselves
// --------------------------------------------------------------------

namespace {

/// Both sides of a data connection; ports in host order.
struct Data {
  net::Address client, vip, server, seen;
  uint16_t client_port = 0, vip_port = 0, server_port = 0, seen_port = 0;
  bool is_narrow() const { return client.is_v4() && server.is_v4(); }
};

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
    return flows.insert(there, back, track).id;
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
  return flows.insert(there, back, track).id;
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

/// A server's first packet, to where its client waits.
void begin_from_server(const steer::Announcement& one, uint16_t from, Data& d, flow::Track& track) {
  d.client = one.near;
  d.client_port = one.near_port;
  d.vip = one.far;
  // 20 for 21, as clients may look for it (RFC 959 3.2); else as the server has it.
  const bool beside = from == one.server_port - 1 || from == 20;
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
        state.ports.release(track.snat, d.seen_port, track.server);
      }
    }
  }
  if (reason != Reason::none) {
    packet.drop(reason);
    return true;
  }
  state.hold_server(track.server);
  state.opened(track);
  opening.note(packet.hash);
  packet.flow = id.towards(one.from_client ? Direction::to_server : Direction::to_client).word();
  return true;
}

template bool open_announced<V4>(Turn&, Opening&, net::Packet&, const net::Tuple4&, uint8_t);
template bool open_announced<V6>(Turn&, Opening&, net::Packet&, const net::Tuple6&, uint8_t);

/// TFTP: the server answers from another port (RFC 1350 4), which is the same worker's business.
void announce_answers(Turn& turn, FlowId id) {
  const Control control = control_of(turn, id);
  steer::Announcement one = announcement_of(turn, control);
  const uint16_t seen_port =
      net::swap16(id.wide() ? turn.state.flows.wide(id).to_client.destination_port
                            : turn.state.flows.narrow(id).to_client.destination_port);
  one.from_client = false;
  one.near = control.client;
  one.near_port = control.client_port;
  one.far = control.vip;
  one.snat = control.is_full() ? control.track->snat : uint16_t{0xffff};
  one.awaited = {control.server, control.seen, seen_port, control.instance, net::Protocol::udp};
  if (!turn.state.announce(one, turn.tick)) {
    turn.state.line.reasons[static_cast<size_t>(Reason::announcement_full)].add(1);
  }
}

}  // namespace nezu::path
