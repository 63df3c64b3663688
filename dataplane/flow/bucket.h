// Within flow/: the index from a tuple's hash to a flow, one cache line for eight keys.
//
// A key lives in its home bucket, or when that is full in its other one, which follows from home
// and tag and leads back by the same sum; so a key can be moved without its tuple. `overflow` tells
// at home whether anyone lives elsewhere: nearly all look-ups, also those that find nothing, read
// one line.
#pragma once

#include <emmintrin.h>

#include <array>
#include <bit>
#include <cstdint>

#include "dataplane/flow/entry.h"

namespace nezu::flow {

struct alignas(64) Bucket {
  static constexpr uint32_t kCells = 8;

  std::array<uint16_t, kCells> tags{};  ///< 0: free, and then `away` has no bit there
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
  /// The home bucket is known to hold no key with this hash: is there none at all?
  bool stays_home(uint64_t hash) const { return buckets_[home(hash)].overflow == 0; }

  /// False: no cell in either bucket, nor one that moving a single key would free.
  bool insert(uint64_t hash, uint32_t word) {
    Bucket& at = buckets_[home(hash)];
    const uint32_t vacant = at.vacant();
    if (vacant == 0) [[unlikely]]
      return insert_elsewhere(hash, word);
    const auto cell = static_cast<uint32_t>(std::countr_zero(vacant));
    at.tags[cell] = tag_of(hash);
    at.words[cell] = word;
    return true;
  }
  /// False: not there.
  bool erase(uint64_t hash, uint32_t word) {
    Bucket& at = buckets_[home(hash)];
    for (uint32_t hits = at.matching(tag_of(hash)); hits != 0; hits &= hits - 1) {
      const auto cell = static_cast<uint32_t>(std::countr_zero(hits));
      if (at.words[cell] != word || (at.away >> cell & 1) != 0) continue;
      at.tags[cell] = 0;
      return true;
    }
    return erase_elsewhere(hash, word);
  }
  void clear();
  uint32_t count() const { return count_; }

 private:
  uint32_t scaled(uint32_t hash) const {
    return static_cast<uint32_t>(uint64_t{hash} * count_ >> 32);
  }
  void place(uint32_t bucket, uint32_t cell, uint16_t tag, uint32_t word, bool away);
  bool insert_elsewhere(uint64_t hash, uint32_t word);
  bool erase_elsewhere(uint64_t hash, uint32_t word);
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
