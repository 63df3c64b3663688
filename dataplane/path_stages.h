// Within the path and its bench: the stages in their order.
//
// `after` is called behind each stage with its name; production passes nothing there and pays
// nothing.
#pragma once

#include <array>
#include <string_view>

#include "dataplane/parse/parse.h"
#include "dataplane/path_turn.h"

namespace nezu::path {

inline constexpr std::array<std::string_view, 9> kStageNames = {
    "parse", "answer", "find", "admit", "track", "choose_way", "translate", "dispatch", "count"};

template <typename After>
inline void run_stages(Turn& turn, After after) {
  parse::parse(turn.burst);
  after(0);
  answer(turn);
  after(1);
  turn.state.flows.find(turn.burst);
  after(2);
  admit(turn);
  after(3);
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

}  // namespace nezu::path
