// What the tables of these benches hold, alike for ours, the hand-written ones and the library's.
#pragma once

#include <array>
#include <vector>

#include "dataplane/net/hash.h"

namespace nezu::bench {

/// Flows and prefixes: small enough for a cache, so that the work counts and not the memory.
inline constexpr uint32_t kKeys = 4096, kPrefixes = 1000;

inline const std::vector<net::Tuple4>& keys() {
  static const std::vector<net::Tuple4> made = [] {
    std::vector<net::Tuple4> filled(kKeys);
    for (uint32_t i = 0; i < kKeys; ++i) {
      filled[i].source = static_cast<uint32_t>(net::mix64(i));
      filled[i].destination = 0x0a7100cb;
      filled[i].source_port = static_cast<uint16_t>(net::mix64(i) >> 32);
      filled[i].destination_port = 0x5000;
      filled[i].protocol = net::Protocol::udp;
    }
    return filled;
  }();
  return made;
}

/// 16 to 24 bits, host order.
struct Prefix4 {
  uint32_t address = 0;
  uint8_t length = 0;
};
inline Prefix4 prefix(uint32_t n) {
  const auto length = static_cast<uint8_t>(16 + n % 9);
  return {static_cast<uint32_t>(net::mix64(n) >> 32) & ~uint32_t{0} << (32 - length), length};
}
/// Addresses within them, host order.
inline uint32_t target(uint64_t n) {
  return prefix(static_cast<uint32_t>(n % kPrefixes)).address | static_cast<uint32_t>(n & 0x7f);
}

}  // namespace nezu::bench
