// One value that one process leaves for another in the region, with a number of its own.
//
// One writer; anybody reads, and nobody waits: whoever reads while it is written finds the number
// changed and has read nothing. The value is plain bytes, and whoever reads it judges them.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace nezu::tables {

template <typename Value>
class Letter {
  static_assert(std::is_trivially_copyable_v<Value> && sizeof(Value) % 8 == 0);

 public:
  /// The writer. `number`: of no letter before, not 0.
  void write(uint64_t number, const Value& value) {
    number_.store(0, std::memory_order_relaxed);
    std::array<uint64_t, kWords> words;
    std::memcpy(words.data(), &value, sizeof value);
    // Whoever reads a word of it and has begun before finds another number behind it: each word is
    // released after that. (ThreadSanitizer knows no fences.)
    for (size_t i = 0; i < kWords; ++i) words_[i].store(words[i], std::memory_order_release);
    number_.store(number, std::memory_order_release);
  }

  /// 0: none, or it is being written.
  uint64_t number() const { return number_.load(std::memory_order_relaxed); }
  /// The number of what was read into `value`; 0: none, or it was being written.
  uint64_t read(Value& value) const {
    const uint64_t number = number_.load(std::memory_order_acquire);
    std::array<uint64_t, kWords> words;
    for (size_t i = 0; i < kWords; ++i) words[i] = words_[i].load(std::memory_order_acquire);
    if (number_.load(std::memory_order_relaxed) != number) return 0;
    std::memcpy(static_cast<void*>(&value), words.data(), sizeof value);
    return number;
  }

 private:
  static constexpr size_t kWords = sizeof(Value) / 8;
  alignas(64) std::atomic<uint64_t> number_{0};
  alignas(64) std::array<std::atomic<uint64_t>, kWords> words_{};
};

}  // namespace nezu::tables
