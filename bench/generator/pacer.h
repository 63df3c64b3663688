// How many frames are due.
//
// One thread. Counts from a start, so that no rounding adds up. Who could not send for a while does
// not make up for more than `most_overdue` frames: a burst that the generator's own pause made is
// no load that was asked for. What was left out is counted, and the offered rate is less.
#pragma once

#include <algorithm>
#include <cstdint>

namespace nezu::generator {

class Pacer {
 public:
  /// `rate` in frames a second, `hz` of the clock that `now` counts.
  Pacer(double rate, double hz, uint64_t start, uint64_t most_overdue)
      : per_cycle_(rate / hz), start_(start), most_overdue_(most_overdue) {}

  /// Frames that may leave now, at most `most`.
  uint32_t take(uint64_t now, uint32_t most) {
    if (now < start_) return 0;
    const auto due = static_cast<uint64_t>(static_cast<double>(now - start_) * per_cycle_);
    const uint64_t overdue = due - std::min(due, taken_ + skipped_);
    if (overdue > most_overdue_) skipped_ += overdue - most_overdue_;
    const auto count = static_cast<uint32_t>(std::min<uint64_t>({overdue, most_overdue_, most}));
    taken_ += count;
    return count;
  }
  uint64_t taken() const { return taken_; }
  uint64_t skipped() const { return skipped_; }

 private:
  double per_cycle_;
  uint64_t start_, most_overdue_;
  uint64_t taken_ = 0, skipped_ = 0;
};

}  // namespace nezu::generator
