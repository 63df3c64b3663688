// The search finds what a made-up device can do, whatever that is.
#include "bench/generator/search.h"

#include <gtest/gtest.h>

#include <cmath>

namespace nezu::generator {
namespace {

struct Outcome {
  double found;
  uint32_t trials = 0, deciding = 0;
};

/// A device that passes short trials up to `shortly` and long ones up to `longly`.
Outcome run(SearchOptions options, double shortly, double longly) {
  Search search(options);
  Outcome run{};
  double passed = 0;
  while (!search.done()) {
    EXPECT_LT(run.trials, 100u);
    if (run.trials++ == 100) break;
    EXPECT_GT(search.rate(), 0);
    EXPECT_LE(search.rate(), options.most);
    const bool passes = search.rate() <= (search.is_deciding() ? longly : shortly);
    if (search.is_deciding()) ++run.deciding;
    if (search.is_deciding() && passes) passed = std::max(passed, search.rate());
    search.tell(passes);
  }
  run.found = search.found();
  EXPECT_EQ(run.found, passed) << "the answer has passed a deciding trial";
  return run;
}

SearchOptions options() {
  SearchOptions options;
  options.most = 1'000'000;
  options.resolution = 0.002;
  options.short_seconds = 1;
  options.deciding_seconds = 60;
  return options;
}

TEST(Search, FindsEveryLimitWithinItsResolution) {
  for (double limit = 5000; limit < 1'000'000; limit += 7919) {
    const Outcome one = run(options(), limit, limit);
    EXPECT_LE(one.found, limit);
    EXPECT_GE(one.found, limit - 2000);
    EXPECT_EQ(one.deciding, 1u);
    EXPECT_LE(one.trials, 11u);
  }
}

TEST(Search, AllThatWasAskedForIsSaid) {
  Search search(options());
  search.tell(true);
  EXPECT_TRUE(search.is_deciding());
  search.tell(true);
  EXPECT_TRUE(search.done());
  EXPECT_EQ(search.found(), 1'000'000);
  EXPECT_TRUE(search.is_limited_by_most());
}

TEST(Search, ADeviceThatTiresIsFoundLowerDown) {
  for (const double longly : {799'000.0, 700'000.0, 300'000.0, 10'000.0}) {
    const Outcome one = run(options(), 800'000, longly);
    EXPECT_LE(one.found, longly);
    EXPECT_GE(one.found, longly - 2000);
  }
}

TEST(Search, ADeviceThatPassesNothingEndsIt) {
  const Outcome one = run(options(), 0, 0);
  EXPECT_EQ(one.found, 0);
  EXPECT_LE(one.trials, 14u);
}

TEST(Search, EqualLengthsNeedNoSecondTrial) {
  SearchOptions same = options();
  same.short_seconds = same.deciding_seconds;
  const Outcome one = run(same, 654'321, 654'321);
  EXPECT_NEAR(one.found, 654'321, 2000);
  EXPECT_EQ(one.deciding, one.trials);
}

}  // namespace
}  // namespace nezu::generator
