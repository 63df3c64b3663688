// Network instances of path tests: their VLANs, tags, and what comes to each.
#pragma once

#include "tests/path/frames.h"

namespace nezu::lab {

inline constexpr net::Instance kRed{10}, kBlue{60000};

/// An instance with its VLANs; the standard one is untagged.
struct Space {
  net::Instance instance = net::Instance::standard;
  uint16_t front = 0, back = 0;
};
inline constexpr Space kSpaces[] = {{}, {kRed, 10, 11}, {kBlue, 20, 11 + 10}};

/// The frame with a tag of that VLAN; 0: as it is.
inline dsl::Frame tagged(const dsl::Frame& frame, uint16_t vlan) {
  if (vlan == 0) return frame;
  dsl::Bytes bytes(frame.bytes().begin(), frame.bytes().end());
  const dsl::Bytes tag{0x81, 0, static_cast<uint8_t>(vlan >> 8), static_cast<uint8_t>(vlan)};
  bytes.insert(bytes.begin() + 12, tag.begin(), tag.end());
  return bytes;
}
inline uint16_t vlan_of(const dsl::Frame& frame) {
  const auto bytes = frame.bytes();
  return bytes[12] == 0x81 && bytes[13] == 0
             ? static_cast<uint16_t>((bytes[14] & 15) << 8 | bytes[15])
             : uint16_t{0};
}
inline dsl::Frame untagged(const dsl::Frame& frame) {
  dsl::Bytes bytes(frame.bytes().begin(), frame.bytes().end());
  if (vlan_of(frame) != 0) bytes.erase(bytes.begin() + 12, bytes.begin() + 16);
  return bytes;
}

inline void add_instances(Lab& lab) {
  for (const Space& space : kSpaces) {
    if (space.instance != net::Instance::standard) {
      lab.world().add_instance({space.instance, space.front, space.back});
    }
  }
  lab.world().rebuild_routes();
}

}  // namespace nezu::lab
