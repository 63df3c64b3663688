// What the generator writes into the payload of each frame, and finds there again: which trial and
// group it belongs to, its number in that group, and when it left. Behind the stamp the payload is
// a fixed pattern, so that a changed byte is seen wherever it is.
//
// Any thread. 18 bytes, which is what a frame of 64 bytes has room for behind IPv4 and UDP:
//
//   0 'N' 'z'   2 trial   3 group   4 number (32 bits)   8 time (64 bits, TSC)   16 check (16 bits)
#pragma once

#include <nmmintrin.h>

#include <array>
#include <cstdint>
#include <cstring>

#include "dataplane/net/endian.h"

namespace nezu::generator {

struct Stamp {
  uint8_t trial = 0;    ///< frames of an earlier trial that come late are not counted
  uint8_t group = 0;    ///< see group_of
  uint32_t number = 0;  ///< from 0, of this trial and group; wraps
  uint64_t time = 0;    ///< TSC when it was given to the port
};

inline constexpr uint32_t kStampBytes = 18;

/// Trial of the frames that make flows known to the device; their number is the flow's.
inline constexpr uint8_t kLearning = 0;

/// Which way a frame goes.
enum class Way : uint8_t { to_right = 0, to_left = 1 };
constexpr Way opposite(Way way) { return way == Way::to_right ? Way::to_left : Way::to_right; }

/// A group is a way and one of the sizes of the mix.
inline constexpr uint32_t kMostSizes = 32, kGroups = 2 * kMostSizes;
constexpr uint8_t group_of(Way way, uint32_t size) {
  return static_cast<uint8_t>(static_cast<uint32_t>(way) * kMostSizes + size);
}
constexpr Way way_of(uint8_t group) { return group < kMostSizes ? Way::to_right : Way::to_left; }

/// 16 bits over the first 16 bytes of a stamp.
inline uint16_t stamp_check(const uint8_t* stamp) {
  uint64_t sum = _mm_crc32_u64(0x4e7a, net::load<uint64_t>(stamp));
  sum = _mm_crc32_u64(sum, net::load<uint64_t>(stamp + 8));
  return static_cast<uint16_t>(sum ^ (sum >> 16));
}

inline void write_stamp(uint8_t* to, const Stamp& stamp) {
  to[0] = 'N';
  to[1] = 'z';
  to[2] = stamp.trial;
  to[3] = stamp.group;
  net::store(to + 4, stamp.number);
  net::store(to + 8, stamp.time);
  net::store(to + 16, stamp_check(to));
}

/// False where there is none, or a damaged one.
inline bool read_stamp(const uint8_t* from, Stamp& out) {
  if (from[0] != 'N' || from[1] != 'z' || net::load<uint16_t>(from + 16) != stamp_check(from) ||
      from[3] >= kGroups) {
    return false;
  }
  out = {from[2], from[3], net::load<uint32_t>(from + 4), net::load<uint64_t>(from + 8)};
  return true;
}

/// The longest Ethernet frame that is sent, with its checksum.
inline constexpr uint32_t kLongestFrame = 16000;

/// The pattern behind the stamp.
inline const std::array<uint8_t, kLongestFrame>& filler() {
  static const auto bytes = [] {
    std::array<uint8_t, kLongestFrame> all{};
    for (uint32_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint8_t>(i * 167 + (i >> 8));
    return all;
  }();
  return bytes;
}

}  // namespace nezu::generator
