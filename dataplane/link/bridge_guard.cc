#include "dataplane/link/bridge_guard.h"

#include <algorithm>

namespace nezu::link {

void BridgeGuard::hear(const Hello& hello, BridgeSide at, net::Instant now) {
  if (hello.listens) return;  // it claims nothing
  if (hello.id == id_) {
    if (hello.side != at) came_back_ = now;
    return;
  }
  const auto last = [](const Other& one) { return std::max(one.heard[0], one.heard[1]); };
  auto other = std::ranges::find(others_, hello.id, &Other::id);
  if (other == others_.end()) {
    other = std::ranges::min_element(others_, {}, last);
    *other = {hello.id, {}};
  }
  other->heard[static_cast<size_t>(at)] = now;
}

void BridgeGuard::set_links(bool both_up, net::Instant now) {
  links_up_ = both_up;
  look(now);
}

bool BridgeGuard::tick(net::Instant now) {
  look(now);
  if (!says_ && said_.nanoseconds != 0 && now < net::after(said_, interval())) return false;
  says_ = false;
  said_ = now;
  return true;
}

bool BridgeGuard::find_better(net::Instant now) {
  const Other* best = nullptr;
  for (const Other& other : others_) {
    if (!within(other.heard[0], hold_, now) || !within(other.heard[1], hold_, now)) continue;
    if (!other.id.is_better_than(best != nullptr ? best->id : id_)) continue;
    best = &other;
  }
  if (best != nullptr) better_ = best->id;
  return best != nullptr;
}

void BridgeGuard::go(State state, net::Instant now) {
  state_ = state;
  since_ = now;
  says_ = true;
}

void BridgeGuard::look(net::Instant now) {
  if (!links_up_) {
    if (state_ != State::down) go(State::down, now);
    return;
  }
  const bool is_over = now >= net::after(since_, hold_);
  const bool has_better = find_better(now);
  switch (state_) {
    case State::none:
    case State::down:
      others_ = {};
      came_back_ = {};
      return go(State::listening, now);
    case State::listening:
      if (is_over) go(has_better ? State::standing_by : State::claiming, now);
      return;
    case State::claiming:
      if (has_better) return go(State::standing_by, now);
      if (within(came_back_, 2 * interval(), now)) {
        if (is_over) go(State::loop, now);
      } else if (now >= net::after(since_, 2 * interval())) {
        go(State::bridging, now);
      }
      return;
    case State::bridging:
      if (has_better) return go(State::standing_by, now);
      // Also one whose lease has run out while it did not run: others may bridge by now.
      if (came_back_ > since_ || now >= open_until()) go(State::claiming, now);
      return;
    case State::standing_by:
      if (!has_better) go(State::bridging, now);
      return;
    case State::loop:
      if (has_better) return go(State::standing_by, now);
      if (!within(came_back_, hold_, now)) go(State::listening, now);
      return;
  }
}

}  // namespace nezu::link
