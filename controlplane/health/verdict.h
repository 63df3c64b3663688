// When a server counts as up: the rise, fall and hold-down of one check.
//
// A pure value: result and time in, action out; no clock, no lock, no I/O inside.
//
//               success                               success x rise, no hold-down
//   unknown ---------------> UP <---------------------------------------------+
//      |                     |  ^                                             |
//      | failure             |  | success after the hold-down has passed;     |
//      |        failure x fall  | manual return: somebody lets it, only then  |
//      |                     |  +------------- RECOVERING                     |
//      v                     v                 |    ^                         |
//     DOWN <-----------------+                 |    | success x rise          |
//      ^ ^                        failure      |    |                         |
//      | +-------------------------------------+    |                         |
//      +--------------------------------------------+-------------------------+
//
// The first result decides alone: a server that was never seen up has nothing to lose by it and no
// hold-down to wait for. Nor has it a return that anybody would have to allow. An adopted verdict
// (a restart) is left only by its own fall or rise.
#pragma once

#include <chrono>
#include <cstdint>

namespace nezu::health {

using Time = std::chrono::steady_clock::time_point;

struct Thresholds {
  uint32_t rise = 2;
  uint32_t fall = 3;
  std::chrono::milliseconds hold_down{0};
  bool manual_return = false;
};

class Verdict {
 public:
  enum class State : uint8_t { unknown, up, down, recovering };
  enum class Result : uint8_t { success, failure };
  enum class Action : uint8_t { none, bring_up, take_down };

  Verdict() = default;
  /// The verdict of an earlier life.
  static Verdict adopted(bool up);

  Action on(Result result, Time now, const Thresholds& thresholds);
  /// Somebody lets it return; means something while it is recovering only.
  Action let_return();
  /// Counts start afresh; the verdict stays (the definition of the check changed, or what was seen
  /// meanwhile means nothing).
  void forget_counts();

  State state() const { return state_; }
  /// Good again, and only `let_return` ends it.
  bool awaits_return(const Thresholds& thresholds) const {
    return state_ == State::recovering && thresholds.manual_return && was_up_;
  }
  bool is_up() const { return state_ == State::up; }
  uint32_t successes_in_row() const { return successes_; }
  uint32_t failures_in_row() const { return failures_; }

 private:
  Action on_success(Time now, const Thresholds& thresholds);
  Action on_failure(const Thresholds& thresholds);
  Action bring_up();

  State state_ = State::unknown;
  bool was_up_ = false;  ///< an adopted one counts as such
  uint32_t successes_ = 0;
  uint32_t failures_ = 0;
  Time recovered_at_{};
};

}  // namespace nezu::health
