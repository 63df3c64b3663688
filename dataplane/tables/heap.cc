#include "dataplane/tables/heap.h"

#include <algorithm>
#include <vector>

#include "dataplane/tables/shared_store.h"

namespace nezu::tables {
namespace {

constexpr uint64_t kUnit = 64;
uint64_t rounded(uint64_t bytes) { return (bytes + kUnit - 1) / kUnit * kUnit; }

}  // namespace

Heap::Heap(const Region& region)
    : region_(region),
      start_(region.header().heap_offset),
      end_(start_ + region.header().sizes.heap_bytes / kUnit * kUnit) {}

bool Heap::contains(uint64_t offset, uint64_t bytes) const {
  return offset >= start_ && offset % kUnit == 0 && bytes <= end_ && offset <= end_ - bytes;
}

bool Heap::adopt(uint64_t offset, uint64_t bytes) {
  bytes = rounded(bytes);
  if (!contains(offset, bytes)) return false;
  if (!allocated_.emplace(offset, bytes).second) return false;
  used_ += bytes;
  return true;
}

bool Heap::finish_adoption(uint64_t generation) {
  std::vector<std::pair<uint64_t, uint64_t>> blocks(allocated_.begin(), allocated_.end());
  std::sort(blocks.begin(), blocks.end());
  const uint64_t top =
      std::clamp(region_.header().heap_top.load(std::memory_order_relaxed), start_, end_);
  uint64_t at = start_;
  for (const auto& [offset, bytes] : blocks) {
    if (offset < at) return false;
    if (offset > at) retire_range(generation, at, offset);
    at = offset + bytes;
  }
  if (top > at) {
    retire_range(generation, at, top);
    at = top;
  }
  if (at < end_) add_free(at, end_ - at);
  show();
  return true;
}

void Heap::retire_range(uint64_t generation, uint64_t from, uint64_t to) {
  retired_.push_back({generation, from, to - from});
  retired_bytes_ += to - from;
  used_ += to - from;
}

uint64_t Heap::allocate(uint64_t bytes) {
  bytes = rounded(std::max<uint64_t>(bytes, 1));
  const auto fit = by_size_.lower_bound({bytes, 0});
  if (fit == by_size_.end()) return 0;
  const auto [room, offset] = *fit;
  remove_free(free_.find(offset));
  if (room > bytes) add_free(offset + bytes, room - bytes);
  allocated_.emplace(offset, bytes);
  used_ += bytes;
  auto& top = region_.header().heap_top;
  if (offset + bytes > top.load(std::memory_order_relaxed)) {
    // Before the first store into it: the next writer must know that it was used.
    store_word(top, offset + bytes, std::memory_order_release);
  }
  return offset;
}

void Heap::free_unpublished(uint64_t offset) {
  const auto block = allocated_.find(offset);
  if (block == allocated_.end()) return;
  const uint64_t bytes = block->second;
  allocated_.erase(block);
  give_back(offset, bytes);
}

void Heap::retire(uint64_t offset, uint64_t generation) {
  const auto block = allocated_.find(offset);
  if (block == allocated_.end()) return;
  retired_.push_back({generation, offset, block->second});
  retired_bytes_ += block->second;
  allocated_.erase(block);
}

void Heap::reclaim(uint64_t oldest_read) {
#if NEZU_MUTANT == 1  // tests prove that they would notice: reused one generation too early
  oldest_read += 1;
#endif
  while (!retired_.empty() && retired_.front().generation <= oldest_read) {
    const Retired block = retired_.front();
    retired_.pop_front();
    retired_bytes_ -= block.bytes;
    give_back(block.offset, block.bytes);
  }
  show();
}

void Heap::give_back(uint64_t offset, uint64_t bytes) {
  used_ -= bytes;
  auto next = free_.lower_bound(offset);
  if (next != free_.end() && offset + bytes == next->first) {
    bytes += next->second;
    const auto joined = next++;
    remove_free(joined);
  }
  if (next != free_.begin()) {
    const auto before = std::prev(next);
    if (before->first + before->second == offset) {
      offset = before->first;
      bytes += before->second;
      remove_free(before);
    }
  }
  add_free(offset, bytes);
}

void Heap::add_free(uint64_t offset, uint64_t bytes) {
  free_.emplace(offset, bytes);
  by_size_.emplace(bytes, offset);
}

void Heap::remove_free(std::map<uint64_t, uint64_t>::iterator range) {
  by_size_.erase({range->second, range->first});
  free_.erase(range);
}

void Heap::show() const {
  store_word(region_.header().heap_used, used_, std::memory_order_relaxed);
  store_word(region_.header().heap_retired, retired_bytes_, std::memory_order_relaxed);
}

}  // namespace nezu::tables
