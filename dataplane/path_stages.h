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

/// Packets that are parsed while memory answers what the slice before asked for; and what the later
/// stages pass on between them, so that entries and their translations (a core keeps 64) are still
/// at hand (bench/path: 1.5 cycles a packet at 1 k flows, 5 at 1 M).
inline constexpr uint32_t kSlice = 16;

/// Parses, and asks the flow table meanwhile. The last slice has not made its guess yet.
inline uint32_t parse_and_ask(net::Burst& burst, const flow::Table& flows,
                              const net::Spaces& spaces) {
  uint32_t from = 0;
  for (;; from += kSlice) {
    const uint32_t to = std::min(from + kSlice, burst.count);
    parse::parse(burst, from, to, spaces);
    flows.ask(burst, from, to);
    if (from != 0) flows.guess(burst, from - kSlice, from);
    if (to == burst.count) return from;
  }
}

template <typename After>
inline void run_stages(Turn& turn, After after) {
  const flow::Table& flows = turn.state.flows;
  const uint32_t rest = parse_and_ask(turn.burst, flows, turn.routes.spaces());
  after(0);
  if (!turn.burst.plain) {
    answer(turn);
    fragments(turn);
  }
  after(1);
  flows.guess(turn.burst, rest, turn.burst.count);
  turn.missing += flows.confirm(turn.burst);
  after(2);
  admit(turn);
  after(3);
  for (uint32_t from = 0; from < turn.burst.count; from += kSlice) {
    turn.part = turn.burst.all().subspan(from, std::min(kSlice, turn.burst.count - from));
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
