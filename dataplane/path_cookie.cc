// SYN cookies: nothing is kept of a SYN until its client has shown that it is where it says.
//
//   client            us                       server
//   SYN       ---->
//             <----   SYN-ACK, cookie, window 0         nothing is kept
//   ACK       ---->   SYN, of the same number  ---->    one flow
//             <----   ACK, window      <----   SYN-ACK
//                     ACK              ---->
//
// The client's numbers stay as they are. The server's differ from the cookie by a constant, its
// timestamps from our clock, its window scale from the one we told: flow::Splice holds all that.
// What the client sends before the server has answered becomes the SYN again; if it sends nothing,
// the SYN leaves again after 1, 2, 4 and 8 seconds, and then the client is told.
#include "dataplane/path_cookie.h"

#include <algorithm>

#include "dataplane/admit/syn_guard.h"
#include "dataplane/forward/handshake.h"
#include "dataplane/forward/reply.h"
#include "dataplane/forward/segment.h"
#include "dataplane/path_farewell.h"
#include "dataplane/path_open.h"

namespace nezu::path {
namespace {

using flow::Direction;
using flow::FlowId;
using flow::Splice;
using net::Handshake;
using net::kNoScale;
using net::Reason;

/// RFC 7323 2.3: windows up to 8 MiB.
constexpr uint8_t kScale = 7;
constexpr uint16_t kTries = 4;

// Where a Splice keeps what a handshake needs. None of it serves two purposes: connections whose
// lines are read get no cookies.
uint32_t& first_of(Splice& splice) { return splice.heard[index(Direction::to_server)]; }
uint32_t first_of(const Splice& splice) { return splice.heard[index(Direction::to_server)]; }
uint32_t& cookie_of(Splice& splice) { return splice.heard[index(Direction::to_client)]; }
uint32_t& client_window(Splice& splice) { return splice.of(Direction::to_server).said; }
uint32_t& client_time(Splice& splice) { return splice.of(Direction::to_client).said; }
uint16_t& tries_of(Splice& splice) { return splice.of(Direction::to_client).removed; }
/// What our clock is ahead of the server's timestamps.
uint32_t& ahead_of_server(Splice& splice) { return splice.read[index(Direction::to_client)]; }
uint32_t ahead_of_server(const Splice& splice) { return splice.read[index(Direction::to_client)]; }

/// Two bytes that scales take when the server has answered.
void keep(Splice& splice, const Handshake& says) {
  splice.phase[0] = static_cast<uint8_t>(says.window_scale | (says.sack ? 0x10 : 0) |
                                         (says.timestamps ? 0x20 : 0));
  const auto& sizes = admit::SynCookies::kSizes;
  splice.phase[1] = static_cast<uint8_t>(std::find(sizes.begin(), sizes.end(), says.segment_size) -
                                         sizes.begin());
}
Handshake kept(const Splice& splice) {
  const auto& sizes = admit::SynCookies::kSizes;
  return {sizes[std::min<size_t>(splice.phase[1], sizes.size() - 1)],
          static_cast<uint8_t>(splice.phase[0] & 0xf), (splice.phase[0] & 0x10) != 0,
          (splice.phase[0] & 0x20) != 0};
}

/// What clients may send: what fits an Ethernet frame, also where the servers may be of IPv6.
uint16_t offered_size(const Turn& turn, const net::Packet& packet, const tables::Service& service) {
  uint16_t size = service.max_segment_size;
  if (size == 0) {
    const tables::SnatSet* snats = turn.view.snats(service.snats);
    const bool may_cross =
        service.client_prefix.exists() || (snats != nullptr && snats->count != snats->ipv4_count);
    size = is_v4(packet) && !may_cross ? 1460 : 1440;
  }
  if (service.client_address == tables::ClientAddress::proxy_v2) {
    size = static_cast<uint16_t>(size - forward::proxy_bytes(packet.family));
  }
  return size;
}

/// What may be promised for the servers: they have not been asked.
Handshake within(const tables::Service& service, Handshake says) {
  if (service.max_segment_size != 0) {
    says.segment_size = std::min(says.segment_size, service.max_segment_size);
  }
  if (service.cookies.timestamps == 0) says.timestamps = false;
  if (!says.timestamps) says.window_scale = kNoScale;
  return says;
}

/// A zero-window probe repeats the number before the one that comes next.
template <typename Tuple>
std::optional<Handshake> read_cookie(const Turn& turn, const net::Packet& packet,
                                     const Tuple& tuple, const tables::Service& service,
                                     uint32_t& first) {
  const net::Tcp& tcp = *packet.at<net::Tcp>(packet.l4);
  const uint32_t cookie = tcp.acknowledgement - 1;
  std::optional<uint32_t> echoed;
  if (service.cookies.timestamps != 0) {
    if (const auto stamps = forward::timestamps_of(packet)) echoed = stamps->echo;
  }
  const admit::SynCookies& cookies = turn.state.setup.syn_guard->cookies();
  first = tcp.sequence - 1;
  if (auto says = cookies.read(tuple, first, cookie, echoed, turn.now)) return says;
  first = tcp.sequence;
  return cookies.read(tuple, first, cookie, echoed, turn.now);
}

}  // namespace

template <typename Tuple>
bool answer_by_cookie(Turn& turn, net::Packet& packet, const Tuple& tuple,
                      const tables::Service& service) {
  admit::SynGuard* guard = turn.state.setup.syn_guard;
  const tables::Pool* pool = turn.view.pool(service.pool);
  // Whom nobody would serve is told so, as always.
  if (guard == nullptr || service.enabled == 0 || pool == nullptr || pool->ready_count == 0 ||
      why_denied(turn, service, tuple.instance, address_of(tuple.source)) != Reason::none ||
      !guard->answers(service, turn.now)) {
    return false;
  }
  const forward::SynOffer offer = forward::offer_of(packet);
  const Handshake says = within(service, offer.handshake);
  const uint32_t first = packet.at<net::Tcp>(packet.l4)->sequence;
  const auto cookie = guard->cookies().make(tuple, first, says, turn.now);
  forward::TcpOptions options;
  options.add_segment_size(offered_size(turn, packet, service));
  if (says.timestamps) {
    options.add_timestamps(cookie.timestamp, offer.timestamp, says.sack);
  } else if (says.sack) {
    options.add_sack_allowed();
  }
  if (says.window_scale != kNoScale) options.add_window_scale(kScale);
  // What cannot be answered must not open a flow instead.
  if (packet.first_fragment) {
    packet.drop(Reason::fragment_unsupported);
  } else if (forward::reply_syn_ack(packet, cookie.sequence, options)) {
    packet.reason = Reason::cookie_sent;
  } else {
    packet.drop(Reason::buffer_missing);
  }
  return true;
}

template <typename Tuple>
Reason why_no_cookie(const Turn& turn, const net::Packet& packet, const Tuple& tuple,
                     const tables::Service& service) {
  const admit::SynGuard* guard = turn.state.setup.syn_guard;
  if (guard == nullptr || (packet.tcp_flags & (net::kTcpAck | net::kTcpRst)) != net::kTcpAck ||
      !brings_cookie(packet) || packet.first_fragment ||
      !guard->may_have_answered(service, turn.tick)) {
    return Reason::tcp_without_flow;
  }
  uint32_t first = 0;
  return read_cookie(turn, packet, tuple, service, first) ? Reason::none : Reason::cookie_invalid;
}

void begin_handshake(const Turn& turn, const net::Packet& packet, const tables::Service& service,
                     Splice& splice) {
  uint32_t first = 0;
  const auto says = is_v4(packet) ? read_cookie(turn, packet, packet.tuple4, service, first)
                                  : read_cookie(turn, packet, packet.tuple6, service, first);
  const net::Tcp& tcp = *packet.at<net::Tcp>(packet.l4);
  splice.state |= cookie::kTaken | cookie::kAwaits;
  first_of(splice) = first;
  cookie_of(splice) = tcp.acknowledgement - 1;
  client_window(splice) = tcp.window;
  const auto stamps = forward::timestamps_of(packet);
  client_time(splice) = stamps ? stamps->value : 0;
  keep(splice, says.value_or(Handshake{}));
}

namespace {

/// The end of the client's side of the handshake, as it would have sent it; through the stages.
forward::Segment ending(Splice& splice, const Handshake& says, uint32_t echo) {
  forward::Segment segment;
  segment.sequence = first_of(splice) + 1;
  segment.acknowledgement = cookie_of(splice) + 1;
  segment.flags = net::kTcpAck;
  segment.window = static_cast<uint16_t>(client_window(splice));
  if (says.timestamps) segment.timestamps = {client_time(splice), echo};
  return segment;
}

/// What both sides' scales make of each other's windows.
void relate_scales(const net::Packet& packet, const Handshake& says, Splice& splice) {
  splice.phase = {};
  if (says.window_scale == kNoScale) return;
  const uint32_t at = forward::find_tcp_option(packet, forward::tcp_option::kWindowScale, 3);
  const int server = at != 0 ? std::min<int>(packet.head[packet.l4 + at + 2], 14) : 0;
  splice.phase[index(Direction::to_client)] = static_cast<uint8_t>(server - kScale);
  splice.phase[index(Direction::to_server)] = at != 0 ? 0 : says.window_scale;
}

/// A server that cannot keep what its client was promised.
void part(Turn& turn, net::Packet& packet, FlowId id, Splice& splice) {
  const net::Tcp& tcp = *packet.at<net::Tcp>(packet.l4);
  if (turn.state.farewells.has_room()) {
    forward::Segment reset;
    reset.sequence = first_of(splice) + 1;
    reset.acknowledgement = tcp.sequence + 1;
    say_as(turn.state, turn.routes, id, Direction::to_server, reset);
    reset.sequence = tcp.sequence + 1;
    reset.acknowledgement = first_of(splice) + 1;
    say_as(turn.state, turn.routes, id, Direction::to_client, reset);
  }
  packet.drop(Reason::cookie_no_timestamps);
}

bool hear_server(Turn& turn, net::Packet& packet, FlowId id, Splice& splice) {
  const Handshake says = kept(splice);
  const net::Tcp& tcp = *packet.at<net::Tcp>(packet.l4);
  const auto stamps = forward::timestamps_of(packet);
  if (says.timestamps && !stamps) {
    part(turn, packet, id, splice);
    return false;
  }
  flow::Change& theirs = splice.of(Direction::to_client);
  theirs.before = theirs.after = static_cast<int32_t>(cookie_of(splice) - tcp.sequence);
  theirs.removed = 0;
  const uint32_t clock = admit::SynCookies::clock(turn.now);
  ahead_of_server(splice) = stamps ? clock - stamps->value : 0;
  splice.state = static_cast<uint8_t>(splice.state & ~cookie::kAwaits);
  // Without room the server asks again, and the client answers.
  if (turn.state.farewells.has_room()) {
    say_as(turn.state, turn.routes, id, Direction::to_server, ending(splice, says, clock));
  }
  relate_scales(packet, says, splice);
  forward::become_window(packet, says.window_scale != kNoScale ? kScale : 0);
  turn.state.line.cookies_taken.add(1);
  return true;
}

/// The server refuses, or we do: the client takes it at the number that it waits for.
void hear_reset(Turn& turn, const net::Packet& packet, FlowId id, Splice& splice) {
  flow::Change& theirs = splice.of(Direction::to_client);
  const uint32_t sequence = packet.at<net::Tcp>(packet.l4)->sequence;
  theirs.before = theirs.after = static_cast<int32_t>(cookie_of(splice) + 1 - sequence);
  turn.state.set_state(id, tables::Timeout::closed, turn.view, turn.tick);
}

}  // namespace

bool answers_handshake(const Splice& splice, uint8_t flags, uint32_t acknowledgement) {
  return (flags & net::kTcpAck) != 0 && acknowledgement == first_of(splice) + 1;
}

bool is_sound_handshake(const Splice& splice) {
  if ((splice.state & cookie::kTaken) == 0) return true;
  if ((splice.state & cookie::kAwaits) != 0) return true;  // `kept` takes any bytes
  return std::ranges::all_of(splice.phase, [](uint8_t phase) {
    const auto shift = static_cast<int8_t>(phase);
    return -14 <= shift && shift <= 14;
  });
}

bool await_server(Turn& turn, net::Packet& packet, FlowId id, Splice& splice) {
  const net::Tcp& tcp = *packet.at<net::Tcp>(packet.l4);
  const uint8_t flags = packet.tcp_flags;
  if (id.direction() == Direction::to_server) {
    if ((flags & net::kTcpRst) != 0) return true;
    if ((flags & net::kTcpSyn) != 0) {
      // It begins anew: its next SYN opens another flow.
      turn.state.set_state(id, tables::Timeout::closed, turn.view, turn.tick);
      packet.drop(Reason::cookie_invalid);
      return false;
    }
    if (const auto stamps = forward::timestamps_of(packet)) client_time(splice) = stamps->value;
    client_window(splice) = tcp.window;
    if (forward::become_syn(packet, first_of(splice), kept(splice))) return true;
    packet.drop(Reason::buffer_missing);
    return false;
  }
  const bool answers = answers_handshake(splice, flags, tcp.acknowledgement);
  if (answers && (flags & net::kTcpRst) != 0) {
    hear_reset(turn, packet, id, splice);
    return true;
  }
  if (answers && (flags & net::kTcpSyn) != 0) return hear_server(turn, packet, id, splice);
  // Of an earlier connection: the client, which knows nothing of it, would have reset it (RFC 9293
  // 3.10.7.3).
  packet.drop(Reason::tcp_without_flow);
  packet.verdict = net::Verdict::undecided;
  const bool told = turn.state.replies.take(turn.now) && forward::reply_reset(packet);
  packet.verdict = told ? net::Verdict::reply : net::Verdict::drop;
  return false;
}

void follow_handshake(net::Packet& packet, Direction direction, const Splice& splice,
                      bool is_scaled) {
  const uint32_t ahead = ahead_of_server(splice);
  const bool to_client = direction == Direction::to_client;
  if (ahead != 0) {
    forward::change_timestamps(packet, [&](forward::Timestamps stamps) {
      return to_client ? forward::Timestamps{stamps.value + ahead, stamps.echo}
                       : forward::Timestamps{stamps.value, stamps.echo - ahead};
    });
  }
  // A SYN-ACK that comes again has no scale.
  if (!is_scaled || (packet.tcp_flags & net::kTcpSyn) != 0) return;
  forward::scale_window(packet, static_cast<int8_t>(splice.phase[index(direction)]));
}

bool asks_again(Path::State& state, const route::Routes& routes, FlowId id, net::Tick now) {
  flow::Track& track = state.flows.track(id);
  if (track.mode != tables::Mode::spliced || track.state != tables::Timeout::syn_sent) {
    return false;
  }
  Splice* splice = state.splices.find(id);
  if (splice == nullptr || (splice->state & cookie::kAwaits) == 0 || tries_of(*splice) > kTries) {
    return false;
  }
  const auto wait = [&](uint32_t ticks) {
    track.timeout = ticks;
    track.deadline = now + ticks;
    state.flows.move(id, track.stage);
  };
  if (!state.farewells.has_room()) {  // its turn comes
    wait(1);
    return true;
  }
  if (++tries_of(*splice) <= kTries) {
    wait(kFirstWait << tries_of(*splice));
    say_as(state, routes, id, Direction::to_server, ending(*splice, kept(*splice), 0));
    return true;
  }
  wait(kFirstWait);
  forward::Segment reset;
  reset.acknowledgement = first_of(*splice) + 1;
  say_as(state, routes, id, Direction::to_client, reset);
  return true;
}

template bool answer_by_cookie(Turn&, net::Packet&, const net::Tuple4&, const tables::Service&);
template bool answer_by_cookie(Turn&, net::Packet&, const net::Tuple6&, const tables::Service&);
template Reason why_no_cookie(const Turn&, const net::Packet&, const net::Tuple4&,
                              const tables::Service&);
template Reason why_no_cookie(const Turn&, const net::Packet&, const net::Tuple6&,
                              const tables::Service&);

}  // namespace nezu::path
