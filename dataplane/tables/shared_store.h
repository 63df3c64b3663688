// Every store of the writer into the region goes through here, so that a test can stop the writer
// before each of them.
//
// In a build with NEZU_CRASH_POINTS the hook runs before every store (of at most 64 bytes); in any
// other build these are plain stores.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace nezu::tables {

#ifdef NEZU_CRASH_POINTS
/// Called before each store; a test may end the process in it.
inline void (*store_hook)() = nullptr;
inline void before_store() {
  if (store_hook != nullptr) store_hook();
}
#else
inline void before_store() {}
#endif

inline void store_bytes(void* to, const void* from, size_t count) {
#ifdef NEZU_CRASH_POINTS
  constexpr size_t kPiece = 64;
  for (size_t at = 0; at < count; at += kPiece) {
    before_store();
    const size_t piece = count - at < kPiece ? count - at : kPiece;
    std::memcpy(static_cast<uint8_t*>(to) + at, static_cast<const uint8_t*>(from) + at, piece);
  }
#else
  std::memcpy(to, from, count);
#endif
}

template <typename T>
void store_word(std::atomic<T>& to, T value, std::memory_order order) {
  before_store();
  to.store(value, order);
}

}  // namespace nezu::tables
