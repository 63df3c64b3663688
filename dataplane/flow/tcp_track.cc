#include "dataplane/flow/tcp_track.h"

namespace nezu::flow {
namespace {

using tables::Timeout;

/// What a segment means to the machine, beside FINs and resets.
enum class Event : uint8_t { client_syn, server_syn_ack, client_ack, server_ack, none };
constexpr size_t kEvents = 5;
constexpr size_t kStates = 7;
static_assert(static_cast<size_t>(Timeout::closed) == kStates - 1);

constexpr Timeout kSent = Timeout::syn_sent, kReceived = Timeout::syn_received,
                  kOpen = Timeout::established, kFin = Timeout::fin_wait,
                  kClosing = Timeout::close_wait, kWait = Timeout::time_wait,
                  kReset = Timeout::closed;

// Rows: the states of tables::Timeout in their order. What is not drawn above changes nothing.
constexpr std::array<std::array<Timeout, kEvents>, kStates> kNext = {{
    // client_syn  server_syn_ack  client_ack  server_ack  none
    {kSent, kReceived, kSent, kSent, kSent},              // syn_sent
    {kReceived, kReceived, kOpen, kReceived, kReceived},  // syn_received
    {kOpen, kOpen, kOpen, kOpen, kOpen},                  // established
    {kFin, kFin, kFin, kFin, kFin},                       // fin_wait
    {kClosing, kClosing, kClosing, kClosing, kClosing},   // close_wait
    {kWait, kWait, kWait, kWait, kWait},                  // time_wait
    {kReset, kReset, kReset, kReset, kReset},             // closed
}};

Event event_of(const Segment& segment) {
  const bool syn = (segment.flags & net::kTcpSyn) != 0, ack = (segment.flags & net::kTcpAck) != 0;
  if (segment.direction == Direction::to_server) {
    return syn && !ack ? Event::client_syn : ack && !syn ? Event::client_ack : Event::none;
  }
  return syn && ack ? Event::server_syn_ack : ack && !syn ? Event::server_ack : Event::none;
}

constexpr uint8_t fin_flag(Direction way) {
  return way == Direction::to_server ? flag::kFinToServer : flag::kFinToClient;
}
constexpr uint8_t acked_flag(Direction way) {
  return way == Direction::to_server ? flag::kAckedToServer : flag::kAckedToClient;
}
constexpr uint8_t kFins = flag::kFinToServer | flag::kFinToClient;
constexpr uint8_t kSeen = flag::kSeenToServer | flag::kSeenToClient;
constexpr uint8_t kAcks = flag::kAckedToServer | flag::kAckedToClient;

/// How far `a` lies ahead of `b` (RFC 9293 3.4: modulo 2^32).
int32_t ahead(uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b); }

bool fits(const Tcp& tcp, const Segment& reset) {
  const Direction way = reset.direction;
  if ((tcp.flags & flag::kAdopted) != 0) return true;
  // A server that refuses a SYN has sent nothing yet: its acknowledgement must be ours (RFC 9293
  // 3.5.2).
  if ((tcp.flags & seen_flag(way)) == 0) {
    return (reset.flags & net::kTcpAck) == 0 ||
           reset.acknowledgement == tcp.end[index(opposite(way))];
  }
  const uint32_t from = tcp.end[index(way)] - kResetBehind;
  return reset.sequence - from <= kResetBehind + kResetAhead;
}

void remember_end(Tcp& tcp, const Segment& segment) {
  const Direction way = segment.direction;
  const bool fin = (segment.flags & net::kTcpFin) != 0;
  const uint32_t end = segment.sequence + segment.payload +
                       ((segment.flags & net::kTcpSyn) != 0 ? 1 : 0) + (fin ? 1 : 0);
  uint32_t& known = tcp.end[index(way)];
  const bool first = (tcp.flags & seen_flag(way)) == 0;
  const bool opens = (segment.flags & net::kTcpSyn) != 0 && tcp.state <= Timeout::syn_received;
  if ((tcp.flags & fin_flag(way)) == 0 && (first || opens || ahead(end, known) > 0)) known = end;
  tcp.flags |= seen_flag(way);
  if ((tcp.flags & kSeen) == kSeen) tcp.flags = static_cast<uint8_t>(tcp.flags & ~flag::kAdopted);
  if (fin && tcp.state >= Timeout::syn_received) tcp.flags |= fin_flag(way);
}

/// The other side's FIN is acknowledged by a segment that reaches beyond it.
void remember_acknowledged(Tcp& tcp, const Segment& segment) {
  const Direction theirs = opposite(segment.direction);
  if ((segment.flags & net::kTcpAck) != 0 && (tcp.flags & fin_flag(theirs)) != 0 &&
      ahead(segment.acknowledgement, tcp.end[index(theirs)]) >= 0) {
    tcp.flags |= acked_flag(theirs);
  }
}

Timeout state_after_fins(Timeout state, uint8_t flags) {
  if (state > Timeout::time_wait || (flags & kFins) == 0) return state;
  if ((flags & kFins) != kFins) return kFin;
  return (flags & kAcks) == kAcks ? kWait : kClosing;
}

}  // namespace

namespace {

/// Resets, and what comes after one. False: nothing more to do.
bool outlives_reset(Tcp& tcp, const Segment& segment) {
  const Direction way = segment.direction;
  if ((segment.flags & net::kTcpRst) != 0) {
    if (!fits(tcp, segment)) return false;
    tcp.state = kReset;
    // From here on the FIN flags tell who has reset.
    tcp.flags = static_cast<uint8_t>((tcp.flags & ~(kFins | kAcks)) | fin_flag(way));
    return false;
  }
  if (tcp.state == kReset) {
    const bool goes_on = (tcp.flags & fin_flag(way)) != 0 && (segment.flags & net::kTcpSyn) == 0;
    if (!goes_on) return false;
    tcp.state = kOpen;
    tcp.flags = static_cast<uint8_t>(tcp.flags & ~(kFins | kAcks));
  }
  return true;
}

}  // namespace

Tcp advance(Tcp tcp, const Segment& segment) {
  if (!outlives_reset(tcp, segment)) return tcp;
  remember_end(tcp, segment);
  remember_acknowledged(tcp, segment);
  tcp.state = kNext[static_cast<size_t>(tcp.state)][static_cast<size_t>(event_of(segment))];
  tcp.state = state_after_fins(tcp.state, tcp.flags);
  return tcp;
}

Tcp advance_one_way(Tcp tcp, const Segment& segment) {
  if (!outlives_reset(tcp, segment)) return tcp;
  if (tcp.state <= Timeout::syn_received && event_of(segment) == Event::client_ack) {
    tcp.state = kOpen;
  }
  remember_end(tcp, segment);
  // The other half will never be seen.
  tcp.flags = static_cast<uint8_t>(tcp.flags & ~flag::kAdopted);
  tcp.state = state_after_fins(tcp.state, tcp.flags);
  return tcp;
}

}  // namespace nezu::flow
