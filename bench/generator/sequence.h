// Which numbers of one group have come: once, twice, out of order.
//
// One thread. A frame is out of order when one with a higher number came before it (RFC 4737 3.3).
// The last 2^20 numbers are remembered one by one; what comes later than that cannot be told from a
// duplicate and counts for neither.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace nezu::generator {

class Sequence {
 public:
  enum class Seen : uint8_t { in_order, reordered, duplicate, beyond };

  Seen note(uint32_t number) {
    if (seen_.empty()) seen_.resize(kWindow / 64);
    // Numbers wrap: the nearest one to what is expected is meant.
    const auto distance = static_cast<int32_t>(number - static_cast<uint32_t>(expected_));
    if (distance >= 0) {
      const uint64_t end = expected_ + static_cast<uint32_t>(distance) + 1;
      clear(expected_, end);
      expected_ = end;
      mark(end - 1);
      return Seen::in_order;
    }
    const uint64_t behind = static_cast<uint64_t>(-static_cast<int64_t>(distance));
    if (behind > kWindow || behind > expected_) return Seen::beyond;
    const uint64_t at = expected_ - behind;
    if (is_marked(at)) return Seen::duplicate;
    mark(at);
    extent_ = std::max(extent_, behind);
    return Seen::reordered;
  }

  /// How far behind the highest number the latest one was (RFC 4737 4.2.2, in numbers).
  uint64_t extent() const { return extent_; }

 private:
  static constexpr uint64_t kWindow = 1 << 20;
  void mark(uint64_t at) { seen_[at % kWindow / 64] |= uint64_t{1} << at % 64; }
  bool is_marked(uint64_t at) const { return (seen_[at % kWindow / 64] >> at % 64 & 1) != 0; }
  /// What is skipped has not come yet.
  void clear(uint64_t from, uint64_t to) {
    if (to - from >= kWindow) {
      std::fill(seen_.begin(), seen_.end(), 0);
      return;
    }
    for (uint64_t at = from; at < to; ++at) {
      seen_[at % kWindow / 64] &= ~(uint64_t{1} << at % 64);
    }
  }

  std::vector<uint64_t> seen_;
  uint64_t expected_ = 0;  ///< one more than the highest that came
  uint64_t extent_ = 0;
};

}  // namespace nezu::generator
