// What the Transport lines of RTSP announce, and how they are told to the other side.
//
// Each port for itself (steer/announcements.h):
//
//   client_port=q   the client waits at C:q     nat      as it is
//                                               fullnat  SNAT:q', q' of the slice of C:q's shard
//   server_port=p   the server waits at S:p     VIP:p, or, where that is another's, VIP:p'
//   the other side's ports, said back           as it had said them
//   source, destination                         VIP and server; client and what is seen of it
//
// RTP has the even port and RTCP the next one as clients and servers say them; q' of either is what
// its own slice gives, so that both ways of a stream have one owner.
#include "dataplane/alg/rtsp.h"
#include "dataplane/path_control.h"
#include "dataplane/path_rtsp.h"

namespace nezu::path {
namespace {

using alg::RtspPlace;
using alg::RtspTransports;
using flow::Direction;
using flow::FlowId;
using net::Reason;

/// From SETUP to the first datagram.
constexpr net::Tick kMediaLife = 200 * net::kTicksPerSecond;
constexpr uint16_t kLeastPort = 1024;  ///< below: nobody's media

bool says_same(const RtspPlace& a, const RtspPlace& b) {
  return a.first == b.first && a.last == b.last && a.is_pair == b.is_pair && a.address == b.address;
}

/// A Transport line on its way to the other side.
class Transport {
 public:
  Transport(Turn& turn, const Control& control, bool to_server, std::string_view line)
      : turn_(turn), control_(control), to_server_(to_server), line_(line) {}

  /// Announces what it says; `told`: in the words of the other side. False: there is no place.
  bool announce(const RtspTransports& read, RtspTransports& told);
  /// From the first to the last place that changes. False: there is no room.
  bool write(const RtspTransports& read, const RtspTransports& told, std::span<char> room,
             TransportSaid& said) const;

 private:
  bool is_senders(RtspPlace::Kind kind) const {
    return to_server_ ==
           (kind == RtspPlace::Kind::client_port || kind == RtspPlace::Kind::destination);
  }
  const net::Address& sender() const { return to_server_ ? control_.client : control_.server; }
  bool is_elsewhere(const RtspTransports& read, uint8_t transport) const;
  bool tell(uint16_t& port);
  uint16_t said_by_other(uint16_t port) const;
  net::Address named(const RtspPlace& place) const;

  Turn& turn_;
  const Control& control_;
  const bool to_server_;
  const std::string_view line_;
};

/// The sender's datagrams go to or come from another host than itself.
bool Transport::is_elsewhere(const RtspTransports& read, uint8_t transport) const {
  return std::any_of(
      read.places.begin(), read.places.begin() + read.count, [&](const RtspPlace& one) {
        const bool host =
            one.kind == RtspPlace::Kind::source || one.kind == RtspPlace::Kind::destination;
        return host && one.transport == transport && is_senders(one.kind) &&
               (!one.is_literal || (one.address != sender() && !one.address.is_unspecified()));
      });
}

/// The port becomes the one that the receiver is told; false: there is no place.
bool Transport::tell(uint16_t& port) {
  const net::Protocol udp = net::Protocol::udp;
  if (to_server_) {
    const uint16_t told = control_.is_full() ? told_port(turn_, control_, port) : port;
    if (told == 0 || !expect_from_server(turn_, control_, udp, port, told, kMediaLife)) {
      return false;
    }
    port = told;
    return true;
  }
  const uint16_t told = passive_port(turn_, control_, udp, port);
  if (told == 0 || !expect_from_client(turn_, control_, udp, port, told, kMediaLife)) return false;
  port = told;
  return true;
}

/// A port that the sender was told, as the receiver had said it; itself where nobody told it.
uint16_t Transport::said_by_other(uint16_t port) const {
  const steer::Awaited awaited = to_server_ ? steer::Awaited{control_.client, control_.vip, port,
                                                             control_.instance, net::Protocol::udp}
                                            : steer::Awaited{control_.server, control_.seen, port,
                                                             control_.instance, net::Protocol::udp};
  steer::Announcement there;
  const steer::Announcements* all = turn_.state.setup.announcements;
  const bool found = all != nullptr && all->find(awaited, turn_.tick, there);
  return found && there.near == (to_server_ ? control_.server : control_.client) ? there.near_port
                                                                                 : port;
}

net::Address Transport::named(const RtspPlace& place) const {
  const Control& c = control_;
  if (place.kind == RtspPlace::Kind::source) {
    if (to_server_) return place.address == c.vip ? c.server : place.address;
    return place.address == c.server ? c.vip : place.address;
  }
  if (to_server_) return place.address == c.client ? c.seen : place.address;
  return place.address == c.seen ? c.client : place.address;
}

bool Transport::announce(const RtspTransports& read, RtspTransports& told) {
  bool left = read.is_broken;
  for (uint32_t i = 0; i < read.count; ++i) {
    RtspPlace& place = told.places[i];
    const bool ports =
        place.kind == RtspPlace::Kind::client_port || place.kind == RtspPlace::Kind::server_port;
    if (is_elsewhere(read, place.transport)) {
      left = true;
    } else if (!ports) {
      place.address = named(place);
    } else if (!is_senders(place.kind)) {
      const bool one = place.first == place.last;
      place.first = said_by_other(place.first);
      place.last = one ? place.first : said_by_other(place.last);
    } else if (std::min(place.first, place.last) < kLeastPort) {
      left = true;
    } else {
      const uint16_t last = place.last;
      const bool one = place.first == last;
      if (!tell(place.first) || (!one && !tell(place.last))) return false;
      if (one) place.last = place.first;
      // What was one port alone has RTCP at the next one, unless it is said.
      place.is_pair = place.is_pair || (!one && place.last != place.first + 1);
    }
  }
  if (left) turn_.state.line.reasons[static_cast<size_t>(Reason::rtsp_transport_left)].add(1);
  return true;
}

bool Transport::write(const RtspTransports& read, const RtspTransports& told, std::span<char> room,
                      TransportSaid& said) const {
  alg::Writer to(room);
  size_t from = 0, length = 0;
  for (uint32_t i = 0; i < read.count; ++i) {
    const RtspPlace &was = read.places[i], &place = told.places[i];
    if (says_same(was, place)) continue;
    std::array<char, 48> text;
    alg::Writer one(text);
    if (place.kind == RtspPlace::Kind::client_port || place.kind == RtspPlace::Kind::server_port) {
      alg::write_rtsp_ports(one, place.first, place.last, place.is_pair);
    } else {
      const bool bracket = place.is_bracketed && !place.address.is_v4();
      if (bracket) one.character('[');
      one.address(place.address);
      if (bracket) one.character(']');
    }
    if (said.end == 0) said.begin = place.begin;
    if (said.end != 0) to.text(line_.substr(from, place.begin - from));
    to.text(one.view());
    from = said.end = place.end;
    length = to.length();
  }
  said.put = {room.data(), length};
  return to.fits();
}

}  // namespace

TransportSaid say_transport(Turn& turn, FlowId id, std::string_view line, uint32_t value,
                            std::span<char> room) {
  const RtspTransports read = alg::read_rtsp_transports(line, value);
  RtspTransports told = read;
  const Control control = control_of(turn, id);
  Transport transport(turn, control, id.direction() == Direction::to_server, line);
  TransportSaid said;
  said.has_place = transport.announce(read, told);
  if (said.has_place && !transport.write(read, told, room, said)) {
    said.put = {};
    turn.state.line.reasons[static_cast<size_t>(Reason::rtsp_line_too_long)].add(1);
  }
  return said;
}

}  // namespace nezu::path
