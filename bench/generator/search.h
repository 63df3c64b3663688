// The highest rate that passes, by halving (RFC 2544 26.1, RFC 9411 7.2).
//
// One thread; pure: it is asked for the next rate and told what came of it. First short trials
// halve the range; then the highest that passed is tried for the deciding time. Where it fails
// there, rates below are decided: downwards in growing steps until one passes, then by halving
// again. So the answer has passed a deciding trial, and a rate at most `resolution` above it has
// failed one (of either length), or is the most that was to be tried.
#pragma once

#include <cstdint>

namespace nezu::generator {

struct SearchOptions {
  double least = 0;           ///< not tried itself
  double most = 0;            ///< tried first
  double resolution = 0.005;  ///< of `most`
  double short_seconds = 1, deciding_seconds = 60;
};

class Search {
 public:
  explicit Search(const SearchOptions& options);

  bool done() const { return done_; }
  /// The next trial.
  double rate() const { return rate_; }
  double seconds() const;
  bool is_deciding() const { return deciding_; }
  void tell(bool passed);

  /// When done: the highest rate that passed a deciding trial; 0: none did.
  double found() const { return found_; }
  /// All that was asked for passed: the device may do more.
  bool is_limited_by_most() const { return found_ == options_.most; }
  /// Trials until it ends, at a guess.
  uint32_t left() const;

 private:
  void tell_short(bool passed);
  void tell_deciding(bool passed);
  double tolerance() const { return options_.resolution * options_.most; }

  SearchOptions options_;
  double low_, high_;  ///< passed (or least); failed
  double rate_;
  double found_ = 0;
  double step_ = 0;
  bool deciding_ = false, done_ = false, failed_ = false;
};

}  // namespace nezu::generator
