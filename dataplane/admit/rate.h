// The generic cell rate algorithm (ITU-T I.371) in one word, for all workers.
//
// The word holds when the next one would be due if all came evenly; some may come ahead of that. It
// is changed by compare-and-swap and only by what is let in, so that what is refused writes
// nothing.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "dataplane/net/time.h"

namespace nezu::admit {

class Rate {
 public:
  /// What may come at once, by its time.
  static constexpr uint64_t kSecond = net::kNanosecondsPerSecond;

  /// False: `count` more would be more than so many a second; 0 is any number.
  bool take(uint64_t per_second, net::Instant now, uint64_t count = 1, uint64_t ahead = kSecond) {
    if (per_second == 0) return true;
    const uint64_t apart = count * net::kNanosecondsPerSecond / per_second;
    uint64_t before = due();
    while (true) {
      const uint64_t next = std::max(before, now.nanoseconds) + apart;
      if (next > now.nanoseconds + ahead) return false;
      if (due_.compare_exchange_weak(before, next, std::memory_order_relaxed)) return true;
    }
  }
  /// What was just taken was not used after all. Nothing, if somebody has reset it since.
  void give_back(uint64_t per_second, uint64_t count = 1) {
    if (per_second == 0) return;
    const uint64_t apart = count * net::kNanosecondsPerSecond / per_second;
    uint64_t before = due();
    while (before >= apart &&
           !due_.compare_exchange_weak(before, before - apart, std::memory_order_relaxed)) {
    }
  }
  /// Of what has no rate: it was asked for just now.
  void touch(net::Instant now) { due_.store(now.nanoseconds, std::memory_order_relaxed); }
  /// Boot-time ns.
  uint64_t due() const { return due_.load(std::memory_order_relaxed); }
  void reset() { due_.store(0, std::memory_order_relaxed); }
  /// As another one is now.
  void copy(const Rate& other) { due_.store(other.due(), std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> due_{0};
};

}  // namespace nezu::admit
