// What a received frame is: one of ours, intact or not, a question, a TCP segment, or something
// else.
//
// Any thread. Deliberately not the data plane's parser: a judge does not ask the judged. Every sum
// that a receiver would check is checked: of the IPv4 header, of UDP, the stamp's own, and the
// pattern behind it. Reads any bytes; never beyond `frame`.
#pragma once

#include <cstdint>
#include <span>

#include "bench/generator/frame.h"

namespace nezu::generator {

enum class Kind : uint8_t {
  stamped,    ///< one of ours, intact
  corrupted,  ///< UDP in IP with something changed; it counts as not delivered
  neighbour,  ///< ARP, NDP, a ping: for whoever answers and resolves
  tcp,        ///< for the connections' ends
  icmp,       ///< what a device says when it does not want a packet
  other,
};

struct Reading {
  Kind kind = Kind::other;
  Stamp stamp;       ///< stamped
  uint16_t l3 = 0;   ///< all but `other`
  uint16_t l4 = 0;   ///< stamped, tcp
  uint16_t end = 0;  ///< tcp: where the IP packet ends
  bool is_v4 = true;
};

Reading read_frame(std::span<const uint8_t> frame);

/// Of a frame that is `stamped` or `tcp`.
Tuple tuple_of(std::span<const uint8_t> frame, const Reading& reading);

}  // namespace nezu::generator
