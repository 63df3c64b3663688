#include "dataplane/flow/bucket.h"

#include <cstring>

namespace nezu::flow {

void Buckets::place(uint32_t bucket, uint32_t cell, uint16_t tag, uint32_t word, bool away) {
  Bucket& at = buckets_[bucket];
  at.tags[cell] = tag;
  at.words[cell] = word;
  const auto bit = static_cast<uint8_t>(1u << cell);
  at.away = static_cast<uint8_t>(away ? at.away | bit : at.away & ~bit);
}

bool Buckets::insert_elsewhere(uint64_t hash, uint32_t word) {
  const uint16_t tag = tag_of(hash);
  const uint32_t at_home = home(hash);
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (const uint32_t vacant = buckets_[at_home].vacant(); vacant != 0) {
      place(at_home, static_cast<uint32_t>(std::countr_zero(vacant)), tag, word, false);
      return true;
    }
    const uint32_t elsewhere = other(at_home, tag);
    if (const uint32_t vacant = buckets_[elsewhere].vacant(); elsewhere != at_home && vacant != 0) {
      place(elsewhere, static_cast<uint32_t>(std::countr_zero(vacant)), tag, word, true);
      left_home(at_home);
      return true;
    }
    if (!displace(at_home) && !displace(elsewhere)) return false;
  }
  return false;
}

/// Moves one key of a full bucket to where else it may live.
bool Buckets::displace(uint32_t bucket) {
  Bucket& full = buckets_[bucket];
  for (uint32_t cell = 0; cell < Bucket::kCells; ++cell) {
    const uint16_t tag = full.tags[cell];
    const uint32_t to = other(bucket, tag);
    const uint32_t vacant = buckets_[to].vacant();
    if (to == bucket || vacant == 0) continue;
    const bool was_away = (full.away >> cell & 1) != 0;
    place(to, static_cast<uint32_t>(std::countr_zero(vacant)), tag, full.words[cell], !was_away);
    place(bucket, cell, 0, 0, false);
    was_away ? came_home(to) : left_home(bucket);
    return true;
  }
  return false;
}

bool Buckets::erase_in(uint32_t bucket, uint16_t tag, uint32_t word, uint32_t home) {
  for (uint32_t hits = buckets_[bucket].matching(tag); hits != 0; hits &= hits - 1) {
    const auto cell = static_cast<uint32_t>(std::countr_zero(hits));
    if (buckets_[bucket].words[cell] != word) continue;
    if ((buckets_[bucket].away >> cell & 1) != 0) came_home(home);
    place(bucket, cell, 0, 0, false);
    return true;
  }
  return false;
}

/// Also a key of this hash whose home is the other bucket, when that is the same one.
bool Buckets::erase_elsewhere(uint64_t hash, uint32_t word) {
  const uint16_t tag = tag_of(hash);
  const uint32_t at_home = home(hash);
  return erase_in(at_home, tag, word, at_home) || erase_in(other(at_home, tag), tag, word, at_home);
}

void Buckets::clear() {
  std::memset(static_cast<void*>(buckets_), 0, size_t{count_} * sizeof(Bucket));
}

}  // namespace nezu::flow
