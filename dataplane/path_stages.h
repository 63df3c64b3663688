// Within the path and its bench: the stages in their order.
//
// `after` is called behind each stage with its name; production passes nothing there and pays
// nothing.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

#include "dataplane/parse/parse.h"
#include "dataplane/path_turn.h"

namespace nezu::path {

inline constexpr std::array<std::string_view, 9> kStageNames = {
    "parse", "answer", "find", "admit", "track", "choose_way", "translate", "dispatch", "count"};

/// Parses, and asks the flow table meanwhile. The last slice has not made its guess yet.
inline uint32_t parse_and_ask(Turn& turn) {
  net::Burst& burst = turn.burst;
  const flow::Table& flows = turn.state.flows;
  steer::Strangers& strangers = turn.state.strangers;
  const bool recalls = strangers.begin(turn.view.generation());
  const auto recall = [&](uint32_t from, uint32_t to) {
    if (recalls) turn.strangers[from / kSlice] = strangers.recall(burst, from, to);
  };
  uint32_t from = 0;
  for (;; from += kSlice) {
    const uint32_t to = std::min(from + kSlice, burst.count);
    parse::parse(burst, from, to, turn.routes.spaces());
    flows.ask(burst, from, to);
    if (recalls) strangers.ask(burst, from, to);
    if (from != 0) {
      recall(from - kSlice, from);
      flows.guess(burst, from - kSlice, from);
    }
    if (to != burst.count) continue;
    recall(from, to);
    return from;
  }
}

template <typename After>
inline void run_stages(Turn& turn, After after) {
  const flow::Table& flows = turn.state.flows;
  const uint32_t rest = parse_and_ask(turn);
  after(0);
  if (turn.routes.has_crossings()) [[unlikely]]
    look_across(turn);
  if (!turn.burst.plain) {
    answer(turn);
    if (turn.bridged) [[unlikely]]
      spread(turn);
    fragments(turn);
  }
  after(1);
  flows.guess(turn.burst, rest, turn.burst.count);
  turn.missing += flows.confirm(turn.burst);
  after(2);
  if (turn.view.is_ready() && turn.view.root()->metered_count != 0 && !turn.is_metered) [[unlikely]]
    meter(turn);
  admit(turn);
  after(3);
  for (uint32_t from = 0; from < turn.burst.count; from += kSlice) {
    turn.part = turn.burst.all().subspan(from, std::min(kSlice, turn.burst.count - from));
    if (turn.strangers[from / kSlice] == turn.part.size())
      continue;  // they have no more to do here
    track(turn);
    after(4);
    choose_way(turn);
    after(5);
    translate(turn);
    after(6);
    dispatch(turn);
    after(7);
    count(turn);
    after(8);
  }
}

}  // namespace nezu::path
