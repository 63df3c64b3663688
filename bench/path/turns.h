// Within bench/path: the clock around turns, and what tells whether the core was theirs alone.
//
// On a shared machine the other thread of the core belongs to somebody else, who comes and goes
// within milliseconds and takes up to half of every cycle. A fixed piece of code, without memory,
// is timed between every few turns: where it took much longer than it can, the turns beside it are
// counted apart. What others do to caches and memory it cannot tell.
#pragma once

#include <cstdint>
#include <vector>

namespace nezu::bench {

/// What a set of turns cost, a packet.
struct Finished {
  double calm = 0;     ///< of the turns that were kept; all of them, if too few were calm
  double all = 0;      ///< of all that were not interrupted
  double share = 0;    ///< of calm ones among those
  uint32_t alone = 0;  ///< what calm meant
  bool is_calm() const { return share >= 0.1; }
};

/// Cycles of turns. Those that were interrupted (more than five times the median) count apart.
class Turns {
 public:
  /// `burst`: packets of a turn.
  explicit Turns(uint32_t burst);
  template <typename Turn>
  void time(Turn turn) {
    const uint64_t from = now();
    turn();
    add(now() - from);
  }
  void add(uint64_t cycles) {
    cycles_.push_back(static_cast<uint32_t>(cycles));
    if (cycles_.size() % kTurnsBetweenProbes == 0) probes_.push_back(probe());
  }
  /// Mean cycles of a packet; zeros without a turn. Begins anew.
  Finished finish();
  /// What was called calm in it still is: no better time of the core was seen since.
  static bool holds(const Finished& finished) {
    return finished.is_calm() && finished.alone <= kCalm * alone_;
  }
  /// Of all turns up to the last finish().
  double interrupted_share() const;
  /// Of those that were not interrupted.
  double calm_share() const;

 private:
  static constexpr uint32_t kTurnsBetweenProbes = 4;
  /// More than this times a probe that was alone: somebody else was on the core.
  static constexpr double kCalm = 1.15;

  static uint64_t now();
  /// Cycles of a fixed piece of code, about a thousand.
  static uint32_t probe();
  /// Of many probes a tenth was shorter than this, at the best time of the process: alone. The
  /// shortest ones are what the clock's grain makes of it.
  static uint32_t alone_;
  static void look_for_better(std::vector<uint32_t> probes);

  uint32_t burst_;
  std::vector<uint32_t> cycles_, probes_;  // probes_[i] precedes turn i * kTurnsBetweenProbes
  uint64_t interrupted_ = 0, calm_ = 0, all_ = 0;
};

}  // namespace nezu::bench
