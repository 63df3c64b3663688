// Within flow/: the index from a tuple's hash to a flow, one cache line for eight keys.
//
// A key lives in its home bucket, or when that is full in its other one, which follows from home
// and tag and leads back by the same sum; so a key can be moved without its tuple. `overflow` tells
// at home whether anyone lives elsewhere: nearly all look-ups, also those that find nothing, read
// one line.
#pragma once

#include <emmintrin.h>

#include <array>
#include <cstdint>

#include "dataplane/flow/entry.h"

namespace nezu::flow {

struct alignas(64) Bucket {
  static constexpr uint32_t kCells = 8;

  std::array<uint16_t, kCells> tags{};  ///< 0: free
  std::array<uint32_t, kCells> words{};
  uint8_t away = 0;      ///< bit of a cell: its home is the other bucket
  uint8_t overflow = 0;  ///< keys of this home that live in their other bucket; 255 sticks
  std::array<uint8_t, 14> reserved{};

  /// A bit for each cell.
  uint32_t matching(uint16_t tag) const {
    const __m128i all = _mm_load_si128(reinterpret_cast<const __m128i*>(tags.data()));
    const __m128i hits = _mm_cmpeq_epi16(all, _mm_set1_epi16(static_cast<int16_t>(tag)));
    return static_cast<uint32_t>(_mm_movemask_epi8(_mm_packs_epi16(hits, _mm_setzero_si128())));
  }
  uint32_t vacant() const { return matching(0); }
};
static_assert(sizeof(Bucket) == 64);

constexpr uint16_t tag_of(uint64_t hash) {
  return static_cast<uint16_t>(hash | 1);  // 0 is a free cell
}

class Buckets {
 public:
  Buckets() = default;
  Buckets(Bucket* buckets, uint32_t count) : buckets_(buckets), count_(count) {}

  /// Two keys a flow in cells of which about six of ten are taken when the table is full.
  static uint32_t count_for(uint64_t flows) {
    return static_cast<uint32_t>(flows * 2 * 10 / (Bucket::kCells * 6) + 8);
  }

  uint32_t home(uint64_t hash) const { return scaled(static_cast<uint32_t>(hash >> 32)); }
  uint32_t other(uint32_t bucket, uint16_t tag) const {
    const uint32_t sum = scaled(tag * 0x9e3779b1u);
    return sum >= bucket ? sum - bucket : sum + count_ - bucket;
  }
  Bucket& operator[](uint32_t index) { return buckets_[index]; }
  const Bucket& operator[](uint32_t index) const { return buckets_[index]; }
  void prefetch(uint64_t hash) const { __builtin_prefetch(&buckets_[home(hash)]); }

  /// False: no key with this hash.
  bool may_hold(uint64_t hash) const {
    const Bucket& bucket = buckets_[home(hash)];
    return bucket.overflow != 0 || bucket.matching(tag_of(hash)) != 0;
  }
  /// False: no cell in either bucket, nor one that moving a single key would free.
  bool insert(uint64_t hash, uint32_t word);
  /// False: not there.
  bool erase(uint64_t hash, uint32_t word);
  void clear();
  uint32_t count() const { return count_; }

 private:
  uint32_t scaled(uint32_t hash) const {
    return static_cast<uint32_t>(uint64_t{hash} * count_ >> 32);
  }
  void place(uint32_t bucket, uint32_t cell, uint16_t tag, uint32_t word, bool away);
  bool displace(uint32_t bucket);
  bool erase_in(uint32_t bucket, uint16_t tag, uint32_t word, uint32_t home);
  void left_home(uint32_t home) {
    if (buckets_[home].overflow != 255) ++buckets_[home].overflow;
  }
  void came_home(uint32_t home) {
    if (buckets_[home].overflow != 255) --buckets_[home].overflow;
  }

  Bucket* buckets_ = nullptr;
  uint32_t count_ = 0;
};

}  // namespace nezu::flow
