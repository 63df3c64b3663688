// TCP segments of the generator's own ends: a header without options, and a payload that says whose
// it is.
//
// Any thread. RFC 9293. The sums of IPv4 and TCP are made from scratch; `read_frame` has checked
// those of what comes.
#pragma once

#include <cstdint>
#include <span>

#include "bench/generator/reading.h"

namespace nezu::generator {

/// The first bytes of each request and answer; a pattern follows.
struct Words {
  uint32_t connection = 0;  ///< the client's number of it
  uint32_t turn = 0;        ///< of question and answer, from 0
  uint32_t server = 0;      ///< of an answer: the last bytes of the server's address
};
inline constexpr uint32_t kWordsBytes = 16;

struct Segment {
  Tuple flow;  ///< from its sender
  uint32_t sequence = 0, acknowledgement = 0;
  uint8_t flags = 0;
  uint16_t payload = 0;  ///< bytes; 0, or the words and a pattern
  bool is_first = true;  ///< its payload begins with the words; else it is all pattern
  Words words;
};

/// Writes a frame without FCS, padded to 60 bytes; its length. 0: `room` is too small.
uint32_t write_segment(uint8_t* to, uint32_t room, const Segment& segment, const Link& link);

/// Of a frame that is `Kind::tcp`. `words` only where the payload begins with some.
struct SeenSegment {
  Segment segment;
  bool has_words = false;
};
SeenSegment read_segment(std::span<const uint8_t> frame, const Reading& reading);

}  // namespace nezu::generator
