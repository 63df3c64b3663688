// The writer's side of a paged copy-on-write hash (HashDirectory, HashPage): which keys are filed,
// and how a page looks after a change.
//
// Only the writer's thread. Pure but for the member map: pages are built as values.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "dataplane/tables/blocks.h"

namespace nezu::tables {

/// Slots and hashes of one page, in the order in which they were filed.
using PageEntries = std::vector<HashCell>;

/// Most entries of a page (of 256 cells): beyond it the directory doubles.
inline constexpr size_t kMostPageEntries = 192;
inline constexpr uint32_t kMostHashPages = 4096;

PageEntries entries_of(const HashPage* page);
/// Nothing when there are too many.
std::optional<HashPage> page_with(const PageEntries& entries);

struct HashChange {
  uint64_t hash = 0;
  uint32_t slot = kNoSlot;
  bool added = true;
};

}  // namespace nezu::tables
