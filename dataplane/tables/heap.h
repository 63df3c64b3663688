// Who uses which bytes of the region's heap. Lives in the writer's own memory and is rebuilt from
// the live root when a writer starts: the region holds no list that a crash could tear.
//
// Only the writer's thread. A block goes: allocated -> (published) -> retired at generation G, the
// first that does not reach it -> reusable when every reader has reported G or later.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "dataplane/tables/region.h"

namespace nezu::tables {

class Heap {
 public:
  explicit Heap(const Region& region);

  /// Whether these bytes lie in it as a block would.
  bool contains(uint64_t offset, uint64_t bytes) const;
  /// While a writer starts: this block is reachable. False: it was reached before, or leaves the
  /// heap.
  bool adopt(uint64_t offset, uint64_t bytes);
  /// After all were adopted: what else was ever used counts as retired at `generation`. False: two
  /// blocks overlap.
  bool finish_adoption(uint64_t generation);

  /// 0 when there is no room. 64-byte aligned; the bytes are not cleared.
  uint64_t allocate(uint64_t bytes);
  /// For blocks that were never published.
  void free_unpublished(uint64_t offset);
  /// `generation` is the first that does not reach it.
  void retire(uint64_t offset, uint64_t generation);
  /// Frees what was retired at `oldest_read` or before.
  void reclaim(uint64_t oldest_read);

  /// Writes what follows into the header, for people.
  void show() const;

  bool has_retired() const { return !retired_.empty(); }
  uint64_t used_bytes() const { return used_; }  ///< retired ones included
  uint64_t retired_bytes() const { return retired_bytes_; }
  uint64_t free_bytes() const { return end_ - start_ - used_; }

 private:
  struct Retired {
    uint64_t generation, offset, bytes;
  };
  void retire_range(uint64_t generation, uint64_t from, uint64_t to);
  void give_back(uint64_t offset, uint64_t bytes);
  void add_free(uint64_t offset, uint64_t bytes);
  void remove_free(std::map<uint64_t, uint64_t>::iterator range);

  const Region& region_;
  uint64_t start_, end_;
  std::unordered_map<uint64_t, uint64_t> allocated_;  // offset -> bytes
  std::map<uint64_t, uint64_t> free_;                 // offset -> bytes, never adjacent
  std::set<std::pair<uint64_t, uint64_t>> by_size_;   // (bytes, offset) of the same
  std::deque<Retired> retired_;                       // generations ascend
  uint64_t used_ = 0, retired_bytes_ = 0;
};

}  // namespace nezu::tables
