#include "controlplane/health/verdict.h"

#include <algorithm>

namespace nezu::health {

Verdict Verdict::adopted(bool up) {
  Verdict verdict;
  verdict.state_ = up ? State::up : State::down;
  verdict.was_up_ = true;
  return verdict;
}

Verdict::Action Verdict::on(Result result, Time now, const Thresholds& thresholds) {
  if (result == Result::success) {
    ++successes_;
    failures_ = 0;
    return on_success(now, thresholds);
  }
  ++failures_;
  successes_ = 0;
  return on_failure(thresholds);
}

Verdict::Action Verdict::on_success(Time now, const Thresholds& thresholds) {
  switch (state_) {
    case State::up:
      return Action::none;
    case State::unknown:
      return bring_up();
    case State::down:
      if (successes_ < std::max(thresholds.rise, 1u)) {
        return Action::none;
      }
      state_ = State::recovering;
      recovered_at_ = now;
      [[fallthrough]];
    case State::recovering:
      if (awaits_return(thresholds) || now - recovered_at_ < thresholds.hold_down) {
        return Action::none;
      }
      return bring_up();
  }
  return Action::none;
}

Verdict::Action Verdict::on_failure(const Thresholds& thresholds) {
  switch (state_) {
    case State::down:
      return Action::none;
    case State::recovering:
      state_ = State::down;  // the caller already takes it as down
      return Action::none;
    case State::unknown:
      state_ = State::down;
      return Action::take_down;
    case State::up:
      if (failures_ < std::max(thresholds.fall, 1u)) {
        return Action::none;
      }
      state_ = State::down;
      return Action::take_down;
  }
  return Action::none;
}

Verdict::Action Verdict::let_return() {
  return state_ == State::recovering ? bring_up() : Action::none;
}

Verdict::Action Verdict::bring_up() {
  state_ = State::up;
  was_up_ = true;
  return Action::bring_up;
}

void Verdict::forget_counts() {
  successes_ = 0;
  failures_ = 0;
  if (state_ == State::recovering) {
    state_ = State::down;
  }
}

}  // namespace nezu::health
