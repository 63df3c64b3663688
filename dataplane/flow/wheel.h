// Timing wheels: every flow hangs in the slot of the deadline that it had when it was last looked
// at. Packets only write a later deadline into the entry; whoever is found in a slot that has come
// and is not due yet is hung up again where it belongs. So a packet costs no relinking, and a flow
// that lives is touched once per horizon.
//
// One worker. Lists are circular through sentinel nodes, so that a node leaves its list without
// knowing which it is; new ones go to the end, so that a slot's first is its oldest.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <span>

#include "dataplane/net/time.h"

namespace nezu::flow {

struct Links {
  uint32_t previous = 0, next = 0;
};

class Wheel {
 public:
  static constexpr uint32_t kSlots = 1024;
  static constexpr uint32_t kSlotTicks = 8;  ///< half a second: how late an expiry may be
  static constexpr uint32_t kNone = 0xffffffffu;

  Wheel() = default;
  /// `nodes`: of all entries, with kSlots sentinels from `sentinels` on.
  Wheel(Links* nodes, uint32_t sentinels, net::Tick now) : nodes_(nodes), sentinels_(sentinels) {
    for (uint32_t i = 0; i < kSlots; ++i) nodes_[sentinels + i] = {sentinels + i, sentinels + i};
    turn_ = now - now % kSlotTicks;
  }

  /// A deadline beyond the horizon goes to the last slot, one in the past to the current one.
  void link(uint32_t node, net::Tick deadline) {
    const auto ahead = static_cast<int32_t>(deadline - turn_);
    const uint32_t steps =
        ahead < 0 ? 0 : std::min(static_cast<uint32_t>(ahead) / kSlotTicks, kSlots - 1);
    const uint32_t slot = slot_after(steps);
    const uint32_t end = sentinels_ + slot;
    const uint32_t last = nodes_[end].previous;
    nodes_[node] = {last, end};
    nodes_[last].next = node;
    nodes_[end].previous = node;
    filled_[slot / 64] |= uint64_t{1} << (slot % 64);
  }
  void unlink(uint32_t node) {
    const Links at = nodes_[node];
    nodes_[at.previous].next = at.next;
    nodes_[at.next].previous = at.previous;
  }
  void prefetch(uint32_t node) const { __builtin_prefetch(&nodes_[node]); }

  /// A slot's time is over: `due` has something to do.
  bool has_due(net::Tick now) const {
    return static_cast<int32_t>(now - turn_) >= static_cast<int32_t>(kSlotTicks);
  }
  /// Takes nodes out of slots whose time is over: to be expired, or linked again. At most
  /// `out.size()`.
  uint32_t due(net::Tick now, std::span<uint32_t> out);

  /// The node with about the earliest deadline; kNone: the wheel is empty.
  uint32_t oldest();
  /// It and those that hang behind it, up to `out.size()`; they stay where they are.
  uint32_t oldest(std::span<uint32_t> out);

 private:
  bool empty(uint32_t slot) const { return nodes_[sentinels_ + slot].next == sentinels_ + slot; }
  uint32_t slot_after(uint32_t steps) const { return (turn_ / kSlotTicks + steps) % kSlots; }
  /// Steps to the first slot that may hold something, from `steps` on; `limit`: none before that.
  uint32_t next_filled(uint32_t steps, uint32_t limit) const;
  void mark_empty(uint32_t slot) { filled_[slot / 64] &= ~(uint64_t{1} << (slot % 64)); }

  Links* nodes_ = nullptr;
  uint32_t sentinels_ = 0;
  net::Tick turn_ = 0;  ///< where the first slot begins that has not been emptied yet
  std::array<uint64_t, kSlots / 64> filled_{};
};

}  // namespace nezu::flow
