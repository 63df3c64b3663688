// Every store of the writer into the region goes through here, so that a test can stop the writer
// before each of them.
//
// In a build with NEZU_CRASH_POINTS the hook runs before every store (of at most 64 bytes); in any
// other build these are plain stores. NEZU_MUTANT builds are wrong on purpose
// (tests/unit/tables/README.md).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#if NEZU_MUTANT == 4
#include <utility>
#include <vector>
#endif

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

#if NEZU_MUTANT == 4  // tests prove that they would notice: the root before what it shows
inline std::vector<std::pair<void*, std::vector<uint8_t>>> late_stores;
#endif

inline void store_bytes(void* to, const void* from, size_t count) {
#if NEZU_MUTANT == 4
  late_stores.emplace_back(to, std::vector<uint8_t>(static_cast<const uint8_t*>(from),
                                                    static_cast<const uint8_t*>(from) + count));
#elif defined(NEZU_CRASH_POINTS)
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

/// The one store that publishes. Sequentially consistent against Reader::attach, which is more than
/// the release that readers need.
inline void publish_word(std::atomic<uint64_t>& to, uint64_t value) {
  before_store();
#if NEZU_MUTANT == 3  // tests prove that they would notice
  to.store(value, std::memory_order_relaxed);
#else
  to.store(value, std::memory_order_seq_cst);
#endif
#if NEZU_MUTANT == 4
  for (const auto& [place, bytes] : late_stores) {
    before_store();
    std::memcpy(place, bytes.data(), bytes.size());
  }
  late_stores.clear();
#endif
}

}  // namespace nezu::tables
