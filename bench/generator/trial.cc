#include "bench/generator/trial.h"

namespace nezu::generator {
namespace {

/// Of what was asked for; RFC 2544 knows no tolerance, a clock and a last frame need some.
constexpr double kEnough = 0.995;

uint64_t sum(const std::vector<GroupCounts>& groups, uint64_t GroupCounts::*count) {
  uint64_t all = 0;
  for (const GroupCounts& group : groups) all += group.*count;
  return all;
}

double ways(const TrialPlan& plan) { return plan.to_right && plan.to_left ? 2 : 1; }

}  // namespace

uint64_t TrialResult::sent() const { return sum(groups, &GroupCounts::sent); }
uint64_t TrialResult::delivered() const { return sum(groups, &GroupCounts::delivered); }
uint64_t TrialResult::silent() const { return sum(groups, &GroupCounts::silent); }
double TrialResult::loss() const {
  return sent() == 0 ? 0 : static_cast<double>(lost()) / static_cast<double>(sent());
}
double TrialResult::offered_rate() const {
  return seconds <= 0 ? 0 : static_cast<double>(sent()) / seconds / ways(plan);
}
double TrialResult::delivered_rate() const {
  return seconds <= 0 ? 0 : static_cast<double>(delivered()) / seconds / ways(plan);
}
bool TrialResult::is_short() const {
  if (plan.rate == 0) return false;
  const auto all = static_cast<double>(sent() + skipped);
  return static_cast<double>(sent()) < kEnough * all ||
         offered_rate() < kEnough * kEnough * plan.rate;
}

}  // namespace nezu::generator
