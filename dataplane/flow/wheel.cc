#include "dataplane/flow/wheel.h"

namespace nezu::flow {

uint32_t Wheel::next_filled(uint32_t steps, uint32_t limit) const {
  while (steps < limit) {
    const uint32_t slot = slot_after(steps);
    if (const uint64_t word = filled_[slot / 64] >> (slot % 64); word != 0) {
      return std::min(limit, steps + static_cast<uint32_t>(std::countr_zero(word)));
    }
    steps += 64 - slot % 64;
  }
  return limit;
}

uint32_t Wheel::due(net::Tick now, std::span<uint32_t> out) {
  uint32_t count = 0;
  while (count < out.size()) {
    const auto passed = static_cast<int32_t>(now - turn_);
    if (passed < static_cast<int32_t>(kSlotTicks)) break;
    const uint32_t over = static_cast<uint32_t>(passed) / kSlotTicks;
    const uint32_t steps = next_filled(0, std::min(over, kSlots));
    if (steps == std::min(over, kSlots)) {
      turn_ += over * kSlotTicks;
      break;
    }
    turn_ += steps * kSlotTicks;
    const uint32_t slot = slot_after(0), end = sentinels_ + slot;
    uint32_t node = nodes_[end].next;
    while (node != end && count < out.size()) {
      out[count++] = node;
      node = nodes_[node].next;
    }
    nodes_[end].next = node;
    nodes_[node].previous = end;
    if (node != end) break;
    mark_empty(slot);
    turn_ += kSlotTicks;
  }
  return count;
}

uint32_t Wheel::oldest() {
  for (uint32_t steps = 0; steps < kSlots;) {
    steps = next_filled(steps, kSlots);
    if (steps == kSlots) break;
    const uint32_t slot = slot_after(steps);
    if (!empty(slot)) return nodes_[sentinels_ + slot].next;
    mark_empty(slot);
  }
  return kNone;
}

uint32_t Wheel::oldest(std::span<uint32_t> out) {
  uint32_t node = oldest();
  if (node == kNone) return 0;
  uint32_t count = 0;
  for (; node < sentinels_ && count < out.size(); node = nodes_[node].next) out[count++] = node;
  return count;
}

}  // namespace nezu::flow
