// How often each duration came, with an error below 1/128 of its value, in a fixed memory.
//
// One thread. Shape: values below 256 have a cell each; each doubling above has 128. Units are the
// caller's (the engine counts TSC cycles).
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace nezu::generator {

class Histogram {
 public:
  Histogram() : cells_(kCells) {}

  void note(uint64_t value) {
    ++cells_[cell(value)];
    ++count_;
    sum_ += static_cast<double>(value);
    least_ = std::min(least_, value);
    most_ = std::max(most_, value);
  }
  void add(const Histogram& other) {
    for (uint32_t i = 0; i < kCells; ++i) cells_[i] += other.cells_[i];
    count_ += other.count_;
    sum_ += other.sum_;
    least_ = std::min(least_, other.least_);
    most_ = std::max(most_, other.most_);
  }

  uint64_t count() const { return count_; }
  uint64_t least() const { return count_ == 0 ? 0 : least_; }  ///< exact
  uint64_t most() const { return most_; }                      ///< exact
  double mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }

  /// The value that `share` (0 to 1) of all do not exceed, by nearest rank; 0 when there are none.
  uint64_t percentile(double share) const {
    const double wanted = std::max(1.0, share * static_cast<double>(count_));
    double seen = 0;
    for (uint32_t i = 0; i < kCells; ++i) {
      seen += static_cast<double>(cells_[i]);
      if (seen + 1e-6 >= wanted) return std::clamp(highest(i), least_, most_);
    }
    return most_;
  }

 private:
  static constexpr uint32_t kBits = 7, kCells = (64 - kBits + 1) << kBits;
  static uint32_t cell(uint64_t value) {
    if (value < (1u << kBits)) return static_cast<uint32_t>(value);
    const uint32_t shift = 63 - kBits - static_cast<uint32_t>(std::countl_zero(value));
    return (shift << kBits) + static_cast<uint32_t>(value >> shift);
  }
  /// The highest value that lies in a cell.
  static uint64_t highest(uint32_t cell) {
    if (cell < (2u << kBits)) return cell;
    const uint32_t shift = (cell >> kBits) - 1;
    return ((uint64_t{cell} - (uint64_t{shift} << kBits) + 1) << shift) - 1;
  }

  std::vector<uint64_t> cells_;
  uint64_t count_ = 0, least_ = ~uint64_t{0}, most_ = 0;
  double sum_ = 0;
};

}  // namespace nezu::generator
