// Time as the packet path sees it: an argument, read once a turn from CLOCK_BOOTTIME.
//
// Any thread. `Instant` is in nanoseconds since boot; `Tick` is the coarse form kept in flow
// entries (1/16 s, wraps after 8.5 years), which outlives a process but not a reboot.
#pragma once

#include <cstdint>

namespace nezu::net {

struct Instant {
  uint64_t nanoseconds = 0;
  auto operator<=>(const Instant&) const = default;
};

inline constexpr uint64_t kNanosecondsPerSecond = 1'000'000'000;
inline constexpr uint32_t kTicksPerSecond = 16;
inline constexpr uint64_t kNanosecondsPerTick = kNanosecondsPerSecond / kTicksPerSecond;

using Tick = uint32_t;

constexpr Tick to_tick(Instant now) {
  return static_cast<Tick>(now.nanoseconds / kNanosecondsPerTick);
}
/// True when `deadline` is not after `now`, also across the wrap.
constexpr bool has_passed(Tick deadline, Tick now) {
  return static_cast<int32_t>(now - deadline) >= 0;
}
constexpr Instant after(Instant from, uint64_t nanoseconds) {
  return Instant{from.nanoseconds + nanoseconds};
}

}  // namespace nezu::net
