// Rates and the layer that they count.
//
// Any thread. A frame's size is with its checksum (FCS), as RFC 2544 and buyers count it: 64 bytes
// are 60 in a buffer. On the medium 20 bytes more pass with each frame: preamble, start delimiter
// and the gap between frames.
#pragma once

#include <cstdint>

namespace nezu::generator {

inline constexpr uint32_t kFcsBytes = 4, kEthernetBytes = 14, kMediumBytes = 20;

/// Layer 1: what the medium carries.
constexpr double layer1_bits(double frames, double mean_size) {
  return frames * (mean_size + kMediumBytes) * 8;
}
/// Layer 2: frames with their checksum.
constexpr double layer2_bits(double frames, double mean_size) { return frames * mean_size * 8; }
/// Layer 3: IP packets (of untagged frames).
constexpr double layer3_bits(double frames, double mean_size) {
  return frames * (mean_size - kEthernetBytes - kFcsBytes) * 8;
}
/// Most frames a second that a medium of so many bits a second carries.
constexpr double line_rate(double bits, double mean_size) {
  return bits / ((mean_size + kMediumBytes) * 8);
}

}  // namespace nezu::generator
