// What a packet means to its flow: state, and how long it may be idle from now on.
#include <algorithm>

#include "dataplane/flow/sctp_track.h"
#include "dataplane/net/headers.h"
#include "dataplane/path_cookie.h"

namespace nezu::path {
namespace {

using flow::Direction;
using flow::FlowId;
using tables::Timeout;

flow::Segment segment_of(const net::Packet& packet, Direction direction) {
  const net::Tcp& tcp = *packet.at<net::Tcp>(packet.l4);
  const uint32_t headers = packet.l4 - packet.l3 + tcp.header_length();
  return {direction, packet.tcp_flags, tcp.sequence, tcp.acknowledgement,
          packet.ip_length - headers};
}

/// Nearly every segment: data or acknowledgements within an established connection.
bool is_plain(const flow::Track& track, const net::Packet& packet, Direction direction) {
  constexpr uint8_t kSpecial = net::kTcpSyn | net::kTcpFin | net::kTcpRst;
  return track.state == Timeout::established && (packet.tcp_flags & kSpecial) == 0 &&
         (track.flags & (flow::seen_flag(direction) | flow::flag::kAdopted)) ==
             flow::seen_flag(direction);
}

/// In `redirect` answers may come through us or not: the first one tells.
bool sees_one_way(const flow::Track& track) {
  return tables::is_one_way(track.mode) ||
         (track.mode == tables::Mode::redirect && (track.flags & flow::flag::kSeenToClient) == 0);
}

void track_tcp(Turn& turn, const net::Packet& packet, FlowId id, flow::Track& track) {
  const Direction direction = id.direction();
  flow::Segment segment = segment_of(packet, direction);
  if (is_plain(track, packet, direction)) [[likely]] {
    uint32_t& end = track.end[index(direction)];
    const uint32_t reached = segment.sequence + segment.payload;
    if (static_cast<int32_t>(reached - end) > 0) end = reached;
    return;
  }
  if (track.mode == tables::Mode::spliced) [[unlikely]] {
    // As the other side counts what it has sent.
    if (flow::Splice* splice = turn.state.splices.find(id)) {
      segment.acknowledgement =
          splice->of(opposite(direction)).acknowledgement(segment.acknowledgement);
      if ((splice->state & cookie::kAwaits) != 0 && direction == Direction::to_client &&
          !answers_handshake(*splice, packet.tcp_flags, segment.acknowledgement)) {
        return;
      }
    }
  }
  const flow::Tcp before{track.state, track.flags, track.end};
  const flow::Tcp after = sees_one_way(track) && direction == Direction::to_server
                              ? flow::advance_one_way(before, segment)
                              : flow::advance(before, segment);
  track.flags = after.flags;
  track.end = after.end;
  if (after.state != before.state) turn.state.set_state(id, after.state, turn.view, turn.tick);
}

void track_sctp(Turn& turn, const net::Packet& packet, FlowId id, flow::Track& track) {
  const uint32_t end = std::min<uint32_t>(packet.head_length, packet.l3 + packet.ip_length);
  const flow::SctpPacket seen =
      flow::read_sctp(packet.head + packet.l4, end - packet.l4, id.direction());
  const bool one_way = tables::is_one_way(track.mode) || track.mode == tables::Mode::redirect;
  const flow::Sctp after = flow::advance({track.state, track.flags, track.end}, seen, one_way);
  const tables::Timeout before = track.state;
  track.flags = after.flags;
  track.end = after.end;
  if (after.state != before) turn.state.set_state(id, after.state, turn.view, turn.tick);
}

/// What is tracked by nothing but its answers.
Timeout live_state_of(net::Protocol protocol) {
  if (protocol == net::Protocol::udp) return Timeout::udp;
  return net::is_icmp(protocol) ? Timeout::icmp : Timeout::other;
}

/// Datagrams: answered, or, where answers pass us by, a second one from the client.
bool becomes_live(flow::Track& track, Direction direction) {
  if (track.state != Timeout::udp_single) return false;
  if (direction == Direction::to_client) return true;
  if (!tables::is_one_way(track.mode) && track.mode != tables::Mode::redirect) return false;
  const bool again = (track.flags & flow::flag::kSeenToServer) != 0;
  track.flags |= flow::flag::kSeenToServer;
  return again;
}

void track_one(Turn& turn, const net::Packet& packet) {
  const FlowId id(packet.flow);
  flow::Track& track = turn.state.flows.track(id);
  if (packet.protocol == net::Protocol::tcp) {
    track_tcp(turn, packet, id, track);
  } else if (packet.protocol == net::Protocol::sctp) {
    track_sctp(turn, packet, id, track);
  } else if (becomes_live(track, id.direction())) {
    turn.state.set_state(id, live_state_of(packet.protocol), turn.view, turn.tick);
  }
  // `count` comes to them by and by: with very many services they are in no cache.
  const Setup& setup = turn.state.setup;
  __builtin_prefetch(setup.services + track.service, 1);
  __builtin_prefetch(setup.servers + track.server, 1);
  // A closed flow ends when its time is over, whatever still comes.
  if (track.stage == flow::Stage::closed) return;
  const net::Tick deadline = turn.tick + track.timeout;
  if (track.deadline != deadline) track.deadline = deadline;
}

}  // namespace

void track(Turn& turn) {
  for (const net::Packet& packet : turn.part) {
    if (packet.verdict != net::Verdict::undecided || packet.flow == net::kNoFlow ||
        packet.shape != net::Shape::transport) [[unlikely]] {
      continue;
    }
    track_one(turn, packet);
  }
}

}  // namespace nezu::path
