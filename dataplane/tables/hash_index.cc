#include "dataplane/tables/hash_index.h"

namespace nezu::tables {

PageEntries entries_of(const HashPage* page) {
  PageEntries entries;
  if (page == nullptr) return entries;
  for (const HashBucket& bucket : page->buckets) {
    for (const HashCell& cell : bucket.cells) {
      if (cell.slot != kNoSlot) entries.push_back(cell);
    }
  }
  return entries;
}

std::optional<HashPage> page_with(const PageEntries& entries) {
  if (entries.size() > kMostPageEntries) return std::nullopt;
  HashPage page;
  for (const HashCell& entry : entries) {
    bool placed = false;
    for (uint32_t i = 0; i < kPageBuckets && !placed; ++i) {
      HashBucket& bucket = page.buckets[(entry.fingerprint + i) % kPageBuckets];
      for (HashCell& cell : bucket.cells) {
        if (cell.slot != kNoSlot) continue;
        cell = entry;
        placed = true;
        break;
      }
    }
    if (!placed) return std::nullopt;
  }
  return page;
}

}  // namespace nezu::tables
