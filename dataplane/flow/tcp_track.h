// TCP as a middle sees it: state and one segment in, state out. A pure value machine.
//
// RFC 9293 for what the segments mean, RFC 5961 for whom to believe a reset. Nothing is refused
// here: both ends check for themselves; what does not fit merely changes nothing.
//
//             SYN           SYN-ACK             client's ACK
//   (none) ---------> syn_sent ------> syn_received ------> established
//                        |                  |                   |
//                        |                  +---- first FIN ----+----> fin_wait
//                        |                                             |
//                        |                               other FIN     v
//                        |                  both FINs acknowledged  close_wait
//                        |                                             |
//                        |   RST that fits (from every state)          v
//                        +-------------------------------> closed   time_wait
//
//   closed -> established   when the side that "reset" goes on sending: it was not its own reset
//
// Where only the client's half is seen (`advance_one_way`), its ACK stands for the server's answer:
//
//             SYN           client's ACK               client's FIN
//   (none) ---------> syn_sent ------> established ------> fin_wait    and RST that fits: closed
//
// A SYN of the client in a flow that is dying (`is_dying`) opens a new flow: the port was reused.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/flow/entry.h"
#include "dataplane/tables/blocks.h"

namespace nezu::flow {

/// Track::end of that way is known.
constexpr uint8_t seen_flag(Direction way) {
  return way == Direction::to_server ? flag::kSeenToServer : flag::kSeenToClient;
}

struct Segment {
  Direction direction = Direction::to_server;
  uint8_t flags = 0;
  uint32_t sequence = 0;
  uint32_t acknowledgement = 0;
  uint32_t payload = 0;  ///< bytes
};

/// What the machine remembers of a connection: a part of flow::Track.
struct Tcp {
  tables::Timeout state = tables::Timeout::syn_sent;
  uint8_t flags = 0;
  std::array<uint32_t, 2> end{};
  bool operator==(const Tcp&) const = default;
};

Tcp advance(Tcp tcp, const Segment& segment);
/// Of a flow whose answers pass us by; `segment` is the client's.
Tcp advance_one_way(Tcp tcp, const Segment& segment);

/// A reset is believed when it lies that near to what its side has sent: one that was sent blindly
/// has to hit 1 of 3,800.
inline constexpr uint32_t kResetBehind = 1 << 20, kResetAhead = 1 << 16;

constexpr Stage stage_of(tables::Timeout state) {
  using tables::Timeout;
  switch (state) {
    case Timeout::syn_sent:
    case Timeout::syn_received:
    case Timeout::udp_single:
      return Stage::embryonic;
    case Timeout::time_wait:
    case Timeout::closed:
      return Stage::closed;
    case Timeout::established:
    case Timeout::fin_wait:
    case Timeout::close_wait:
    case Timeout::udp:
    case Timeout::icmp:
    case Timeout::other:
      break;
  }
  return Stage::live;
}

/// The client has closed its side (or was reset): a SYN from there is a new connection.
constexpr bool is_dying(tables::Timeout state, uint8_t flags) {
  using tables::Timeout;
  return state == Timeout::time_wait || state == Timeout::closed || state == Timeout::close_wait ||
         (state == Timeout::fin_wait && (flags & flag::kFinToServer) != 0);
}

/// Used for flows whose service is gone. LVS's defaults, in ticks.
constexpr tables::Timeouts default_timeouts() {
  using tables::Timeout;
  tables::Timeouts all{};
  const auto set = [&all](Timeout state, uint32_t seconds) {
    all[static_cast<size_t>(state)] = seconds * net::kTicksPerSecond;
  };
  set(Timeout::syn_sent, 30);
  set(Timeout::syn_received, 30);
  set(Timeout::established, 900);
  set(Timeout::fin_wait, 120);
  set(Timeout::close_wait, 60);
  set(Timeout::time_wait, 10);
  set(Timeout::closed, 10);
  set(Timeout::udp_single, 30);
  set(Timeout::udp, 300);
  set(Timeout::icmp, 30);
  set(Timeout::other, 300);
  return all;
}

}  // namespace nezu::flow
