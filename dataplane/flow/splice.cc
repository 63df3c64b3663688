#include "dataplane/flow/splice.h"

#include <algorithm>
#include <atomic>
#include <bit>

namespace nezu::flow {

Splices::Splices(std::span<Splice> records)
    : records_(records),
      slots_(std::bit_ceil(std::max<size_t>(records.size(), 1))),
      heads_(std::make_unique<uint32_t[]>(slots_)),
      next_(std::make_unique<uint32_t[]>(records.size())),
      free_(std::make_unique<uint32_t[]>(records.size())) {
  std::fill_n(heads_.get(), slots_, kEnd);
  // Those in use first, so that the stack of free ones lies above them.
  for (uint32_t i = 0; i < capacity(); ++i) {
    Splice& record = records_[i];
    if (record.valid == 0) continue;
    if (record.valid != 1 || record.flow == net::kNoFlow || find(FlowId(record.flow)) != nullptr) {
      record.valid = 0;
      continue;
    }
    link(i);
    ++used_;
  }
  uint32_t at = used_;
  for (uint32_t i = 0; i < capacity(); ++i) {
    if (records_[i].valid == 0) free_[at++] = i;
  }
}

void Splices::link(uint32_t at) {
  uint32_t& head = heads_[slot_of(FlowId(records_[at].flow))];
  next_[at] = head;
  head = at;
}

Splice* Splices::insert(FlowId id) {
  if (used_ == capacity()) return nullptr;
  const uint32_t at = free_[used_++];
  Splice& record = records_[at];
  record = Splice{};
  record.flow = key_of(id);
  std::atomic_ref(record.valid).store(1, std::memory_order_release);
  link(at);
  return &record;
}

void Splices::erase(FlowId id) {
  uint32_t* from = &heads_[slot_of(id)];
  while (*from != kEnd && records_[*from].flow != key_of(id)) from = &next_[*from];
  if (*from == kEnd) return;
  const uint32_t at = *from;
  *from = next_[at];
  std::atomic_ref(records_[at].valid).store(0, std::memory_order_relaxed);
  free_[--used_] = at;
}

}  // namespace nezu::flow
