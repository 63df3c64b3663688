// The known-bad wire: the same seed does the same, and each harm alone does nothing else.
#include "bench/generator/impairment.h"

#include <gtest/gtest.h>

namespace nezu::generator {
namespace {

struct Outcome {
  std::vector<int> order;
  ImpairmentCounts counts;
};

Outcome run(const ImpairmentOptions& harm, int frames, uint64_t step = 10) {
  Impairment wire(harm);
  std::vector<int> numbers(static_cast<size_t>(frames));
  Outcome outcome;
  uint64_t now = 1;
  const auto arrive = [&] {
    while (void* frame = wire.due(now)) outcome.order.push_back(*static_cast<int*>(frame));
  };
  for (int i = 0; i < frames; ++i, now += step) {
    numbers[static_cast<size_t>(i)] = i;
    const auto fate = wire.receive(&numbers[static_cast<size_t>(i)], now);
    if (fate.duplicate) wire.queue_copy(&numbers[static_cast<size_t>(i)], now);
    arrive();
  }
  wire.let_go(now);
  now += harm.delay;
  arrive();
  outcome.counts = wire.counts();
  return outcome;
}

TEST(Impairment, NoneIsNone) {
  const Outcome outcome = run({}, 1000);
  EXPECT_EQ(outcome.order.size(), 1000u);
  EXPECT_TRUE(std::is_sorted(outcome.order.begin(), outcome.order.end()));
  EXPECT_EQ(outcome.counts.sent, 1000u);
}

TEST(Impairment, TheSameSeedDoesTheSame) {
  ImpairmentOptions harm;
  harm.lose = harm.duplicate = harm.swap = 0.1;
  EXPECT_EQ(run(harm, 1000).order, run(harm, 1000).order);
  const auto first = run(harm, 1000).order;
  harm.seed = 2;
  EXPECT_NE(run(harm, 1000).order, first);
}

TEST(Impairment, LosesItsShare) {
  ImpairmentOptions harm;
  harm.lose = 0.25;
  const Outcome outcome = run(harm, 10000);
  EXPECT_NEAR(static_cast<double>(outcome.counts.lost), 2500, 250);
  EXPECT_EQ(outcome.order.size(), 10000 - outcome.counts.lost);
}

TEST(Impairment, LosesAllOrNothing) {
  ImpairmentOptions harm;
  harm.lose = 1;
  EXPECT_EQ(run(harm, 100).counts.lost, 100u);
}

TEST(Impairment, LimitsByItsClockAndItsBurst) {
  ImpairmentOptions harm;
  harm.rate = 0.05;  // one in 20 units; frames come each 10
  harm.burst = 5;
  const Outcome outcome = run(harm, 1000);
  EXPECT_NEAR(static_cast<double>(outcome.order.size()), 505, 1);
  EXPECT_EQ(outcome.counts.limited, 1000 - outcome.order.size());
}

TEST(Impairment, SwapsNeighboursOnly) {
  ImpairmentOptions harm;
  harm.swap = 0.2;
  const Outcome outcome = run(harm, 1000);
  ASSERT_EQ(outcome.order.size(), 1000u);
  uint64_t out_of_order = 0;
  for (size_t i = 1; i < outcome.order.size(); ++i) {
    if (outcome.order[i] < outcome.order[i - 1]) {
      ++out_of_order;
      EXPECT_EQ(outcome.order[i], outcome.order[i - 1] - 1);
    }
  }
  EXPECT_EQ(out_of_order, outcome.counts.swapped);
  EXPECT_GT(out_of_order, 100u);
}

}  // namespace
}  // namespace nezu::generator
