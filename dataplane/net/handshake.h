// What the ends of a TCP connection agree on when it begins.
#pragma once

#include <cstdint>

namespace nezu::net {

inline constexpr uint8_t kNoScale = 15;  ///< of a window; RFC 7323 2.3 knows 0 to 14

/// What a SYN offers.
struct Handshake {
  uint16_t segment_size = 536;
  uint8_t window_scale = kNoScale;
  bool sack = false;
  bool timestamps = false;
  bool operator==(const Handshake&) const = default;
};

}  // namespace nezu::net
