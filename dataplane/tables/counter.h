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
#ifdef __SANITIZE_THREAD__
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
#else
    // The same in one instruction, which compilers do not make of an atomic (bench/path).
    asm("addq %1, %0" : "+m"(value_) : "er"(n));
#endif
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

/// Packets and bytes that went one way.
struct Traffic {
  Counter packets, bytes;

  /// One packet. Only the owning thread. (One vector addition for both would wait longer for the
  /// store of the packet before.)
  void add(uint64_t length) {
    packets.add(1);
    bytes.add(length);
  }
};

}  // namespace nezu::tables
