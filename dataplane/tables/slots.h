// Which slots of one kind are in use, resting or free.
//
// Only the writer's thread, in its own memory. A slot is retired by a generation; it rests until
// all readers have passed that generation, a grace period is over (packets of new flows that one
// worker has given to another) and the workers' gauges of that slot are all zero; then it can be
// given again. Counters are never reset: whoever allocates keeps their values as a base.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <set>
#include <vector>

#include "dataplane/net/time.h"
#include "dataplane/tables/ids.h"

namespace nezu::tables {

inline constexpr uint64_t kSlotGrace = net::kNanosecondsPerSecond;

class Slots {
 public:
  /// `is_idle(slot)`: no flow counts on it any more.
  Slots(uint32_t capacity, std::function<bool(uint32_t)> is_idle)
      : used_(capacity), is_idle_(std::move(is_idle)) {
    for (uint32_t slot = 0; slot < capacity; ++slot) free_.insert(free_.end(), slot);
  }

  /// The lowest free slot; kNoSlot when there is none.
  uint32_t allocate() {
    if (free_.empty()) return kNoSlot;
    const uint32_t taken = *free_.begin();
    free_.erase(free_.begin());
    used_[taken] = true;
    return taken;
  }
  /// While a writer starts: the live root shows it. False: out of range or taken twice.
  bool adopt(uint32_t slot) {
    if (slot >= used_.size() || used_[slot]) return false;
    used_[slot] = true;
    free_.erase(slot);
    return true;
  }
  /// After all were adopted: whoever had these slots before may have left flows on them.
  void finish_adoption(uint64_t generation, net::Instant now,
                       const std::function<bool(uint32_t)>& was_used) {
    for (auto slot = free_.begin(); slot != free_.end();) {
      if (!was_used(*slot)) {
        ++slot;
        continue;
      }
      used_[*slot] = true;
      retire(*slot, generation, now);
      slot = free_.erase(slot);
    }
  }
  /// Allocated for a transaction that did not happen.
  void give_back(uint32_t slot) {
    used_[slot] = false;
    free_.insert(slot);
  }
  /// `generation` is the first that does not show it.
  void retire(uint32_t slot, uint64_t generation, net::Instant now) {
    resting_.push_back({slot, generation, now.nanoseconds + kSlotGrace});
  }
  /// `oldest_read` was looked up before the gauges are, here: a worker counts a flow before it
  /// reports that it has finished with the generation by which it opened it.
  void reclaim(uint64_t oldest_read, net::Instant now) {
    std::erase_if(resting_, [&](const Resting& rest) {
      if (rest.generation > oldest_read || rest.until > now.nanoseconds) return false;
#if NEZU_MUTANT != 2  // tests prove that they would notice: reused while flows count on it
      if (!is_idle_(rest.slot)) return false;
#endif
      give_back(rest.slot);
      return true;
    });
  }

  uint32_t capacity() const { return static_cast<uint32_t>(used_.size()); }
  size_t resting() const { return resting_.size(); }
  size_t in_use() const { return used_.size() - free_.size() - resting_.size(); }

 private:
  struct Resting {
    uint32_t slot;
    uint64_t generation;
    uint64_t until;  // boot-time ns
  };
  std::vector<bool> used_;
  std::set<uint32_t> free_;
  std::deque<Resting> resting_;
  std::function<bool(uint32_t)> is_idle_;
};

}  // namespace nezu::tables
