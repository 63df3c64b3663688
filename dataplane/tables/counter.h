// A counter or gauge with exactly one writing thread and any number of readers in any process.
//
// The writer pays a plain load, add and store; nobody ever sees a torn value.
#pragma once

#include <atomic>
#include <cstdint>

namespace nezu::tables {

class Counter {
 public:
  /// Only the owning thread.
  void add(uint64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  /// Only the owning thread; for gauges.
  void subtract(uint64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) - n, std::memory_order_relaxed);
  }
  /// Only the owning thread; for gauges.
  void set(uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  /// Any thread.
  uint64_t read() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};
static_assert(sizeof(Counter) == 8 && std::atomic<uint64_t>::is_always_lock_free);

}  // namespace nezu::tables
