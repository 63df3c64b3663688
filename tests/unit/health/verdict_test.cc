// The rise, fall and hold-down machine: a row of results in, a row of actions out.
#include "controlplane/health/verdict.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace nezu::health {
namespace {

using std::chrono::milliseconds;

constexpr Thresholds kRise2Fall3{.rise = 2, .fall = 3, .hold_down = milliseconds{0}};
constexpr Thresholds kHeldDown{.rise = 2, .fall = 2, .hold_down = milliseconds{1000}};

/// Feeds "+" (success) and "-" (failure), 100 ms apart; answers "." for no action, "U" up, "D"
/// down.
std::string actions(Verdict& verdict, std::string_view results, const Thresholds& thresholds,
                    int start_ms = 0) {
  std::string out;
  Time now{milliseconds{start_ms}};
  for (const char result : results) {
    const auto action = verdict.on(
        result == '+' ? Verdict::Result::success : Verdict::Result::failure, now, thresholds);
    out += action == Verdict::Action::bring_up    ? 'U'
           : action == Verdict::Action::take_down ? 'D'
                                                  : '.';
    now += milliseconds{100};
  }
  return out;
}

TEST(Verdict, the_first_result_decides) {
  Verdict good;
  EXPECT_EQ(actions(good, "+", kRise2Fall3), "U");
  Verdict bad;
  EXPECT_EQ(actions(bad, "-", kRise2Fall3), "D");
}

TEST(Verdict, falls_only_by_failures_in_a_row) {
  Verdict verdict = Verdict::adopted(true);
  EXPECT_EQ(actions(verdict, "--+--+---", kRise2Fall3), "........D");
  EXPECT_EQ(actions(verdict, "----", kRise2Fall3), "....");
}

TEST(Verdict, rises_only_by_successes_in_a_row) {
  Verdict verdict = Verdict::adopted(false);
  EXPECT_EQ(actions(verdict, "+-+-++", kRise2Fall3), ".....U");
  EXPECT_EQ(actions(verdict, "+++", kRise2Fall3), "...");
}

TEST(Verdict, an_adopted_verdict_is_left_by_its_own_count_only) {
  Verdict up = Verdict::adopted(true);
  EXPECT_EQ(actions(up, "+++--", kRise2Fall3), ".....");
  EXPECT_EQ(actions(up, "-", kRise2Fall3), "D");
  Verdict down = Verdict::adopted(false);
  EXPECT_EQ(actions(down, "---+", kRise2Fall3), "....");
  EXPECT_EQ(actions(down, "+", kRise2Fall3), "U");
}

TEST(Verdict, a_recovered_server_waits_for_its_hold_down) {
  Verdict verdict = Verdict::adopted(false);
  // The second success recovers it at 100 ms; 1000 ms later, at 1100 ms, it is back.
  EXPECT_EQ(actions(verdict, "++++++++++++", kHeldDown), "...........U");
  EXPECT_TRUE(verdict.is_up());
}

TEST(Verdict, a_failure_while_held_down_starts_the_recovery_anew) {
  Verdict verdict = Verdict::adopted(false);
  EXPECT_EQ(actions(verdict, "+++++-", kHeldDown), "......");
  EXPECT_EQ(verdict.state(), Verdict::State::down);
  EXPECT_EQ(actions(verdict, "++++++++++++", kHeldDown, 600), "...........U");
}

TEST(Verdict, a_manual_return_waits_for_whoever_lets_it) {
  constexpr Thresholds kManual{
      .rise = 2, .fall = 2, .hold_down = milliseconds{100}, .manual_return = true};
  Verdict verdict = Verdict::adopted(false);
  EXPECT_EQ(verdict.let_return(), Verdict::Action::none);  // nobody knows that it is good
  EXPECT_EQ(actions(verdict, "+-++++++++", kManual), "..........");
  EXPECT_EQ(verdict.state(), Verdict::State::recovering);
  EXPECT_EQ(actions(verdict, "-", kManual, 1000), ".");
  EXPECT_EQ(verdict.let_return(), Verdict::Action::none);  // good no more
  EXPECT_EQ(actions(verdict, "++", kManual, 1100), "..");
  EXPECT_EQ(verdict.let_return(), Verdict::Action::bring_up);
  EXPECT_TRUE(verdict.is_up());
  EXPECT_EQ(verdict.let_return(), Verdict::Action::none);
  EXPECT_EQ(actions(verdict, "+--", kManual, 1300), "..D");
  Verdict fresh;
  EXPECT_EQ(actions(fresh, "+", kManual), "U");
  Verdict late;  // never up, so that nobody can have taken its place
  EXPECT_EQ(actions(late, "--+++", kManual), "D...U");
  EXPECT_EQ(actions(late, "--++++", kManual, 1000), ".D....");
}

TEST(Verdict, a_server_never_seen_up_has_no_hold_down_to_wait_for) {
  Verdict verdict;
  EXPECT_EQ(actions(verdict, "+", kHeldDown), "U");
}

TEST(Verdict, forgotten_counts_keep_the_verdict) {
  Verdict verdict = Verdict::adopted(true);
  EXPECT_EQ(actions(verdict, "--", kRise2Fall3), "..");
  verdict.forget_counts();
  EXPECT_EQ(actions(verdict, "--", kRise2Fall3), "..");
  EXPECT_EQ(actions(verdict, "-", kRise2Fall3), "D");

  Verdict recovering = Verdict::adopted(false);
  actions(recovering, "++", kHeldDown);
  EXPECT_EQ(recovering.state(), Verdict::State::recovering);
  recovering.forget_counts();
  EXPECT_EQ(recovering.state(), Verdict::State::down);
}

TEST(Verdict, thresholds_of_zero_count_as_one) {
  Verdict verdict = Verdict::adopted(true);
  EXPECT_EQ(actions(verdict, "-+", Thresholds{.rise = 0, .fall = 0, .hold_down = {}}), "DU");
}

}  // namespace
}  // namespace nezu::health
