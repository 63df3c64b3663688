// Every order by load against what it is to do, and members that have enough.
#include "dataplane/admit/loads.h"

#include <gtest/gtest.h>

#include <random>

#include "dataplane/admit/limits.h"
#include "tests/unit/admit/pools.h"

namespace nezu::admit {
namespace {

using tables::Scheduler;
using tables::ServerId;

class ByLoad : public testing::Test {
 protected:
  void set(uint32_t server, uint64_t flows) {
    gauges_[server].flows_active.set(flows);
    loads_.changed(ServerId{server});
  }
  uint64_t flows(uint32_t server) const { return gauges_[server].flows_active.read(); }
  /// One flow more at whoever is picked.
  uint32_t open(PoolBlock& pool) {
    const uint32_t member = loads_.pick(*pool, 1);
    if (member != Loads::kNone) set(member, flows(member) + 1);
    return member;
  }

  std::vector<tables::ServerCounters> gauges_{2048};
  Loads loads_{sizes(), 4096, 0, gauges_.data()};
};

TEST_F(ByLoad, WlcPrefersTheHeavierOfEquals) {
  PoolBlock pool(Scheduler::wlc, {1, 4, 2});
  EXPECT_EQ(open(pool), 1u);
  for (int i = 0; i < 699; ++i) open(pool);
  EXPECT_EQ(flows(0), 100u);
  EXPECT_EQ(flows(1), 400u);
  EXPECT_EQ(flows(2), 200u);
}

TEST_F(ByLoad, SedCountsTheOneThatComes) {
  PoolBlock pool(Scheduler::sed, {1, 3});
  // (0 + 1) / 1 against (0 + 1) / 3, (1 + 1) / 3, then both 1: the first.
  EXPECT_EQ(open(pool), 1u);
  EXPECT_EQ(open(pool), 1u);
  EXPECT_EQ(open(pool), 0u);
}

TEST_F(ByLoad, NqFillsIdleServersFirst) {
  PoolBlock pool(Scheduler::nq, {1, 100});
  EXPECT_EQ(open(pool), 1u);
  EXPECT_EQ(open(pool), 0u);  // sed would give many more to the heavy one first
  EXPECT_EQ(open(pool), 1u);
  set(0, 0);
  EXPECT_EQ(open(pool), 0u);
}

TEST_F(ByLoad, FoStaysWithTheHeaviest) {
  PoolBlock pool(Scheduler::fo, {5, 9, 7});
  for (int i = 0; i < 50; ++i) EXPECT_EQ(open(pool), 1u);
  PoolBlock without(Scheduler::fo, {5, 0, 7});
  Loads other(sizes(), 4096, 0, gauges_.data());
  EXPECT_EQ(other.pick(*without, 1), 2u);
}

TEST_F(ByLoad, OvfFillsInOrderAndThenRefuses) {
  PoolBlock pool(Scheduler::ovf, {2, 3});
  for (const uint32_t expected : {1u, 1u, 1u, 0u, 0u, Loads::kNone})
    EXPECT_EQ(open(pool), expected);
  set(1, 2);
  EXPECT_EQ(open(pool), 1u);
}

TEST_F(ByLoad, OvfIsSharedByWorkers) {
  Loads half(sizes(), 4096, 0, gauges_.data(), 2);
  PoolBlock pool(Scheduler::ovf, {4, 1});
  EXPECT_EQ(half.pick(*pool, 1), 0u);
  gauges_[0].flows_active.set(2);
  half.changed(ServerId{0});
  EXPECT_EQ(half.pick(*pool, 1), 1u);
}

/// What a tree says is what a search says, for each order.
TEST_F(ByLoad, ATreeAgreesWithASearch) {
  std::minstd_rand random(5);
  for (const Scheduler scheduler : {Scheduler::lc, Scheduler::wlc, Scheduler::sed, Scheduler::nq,
                                    Scheduler::fo, Scheduler::ovf}) {
    std::vector<uint32_t> weights(37);
    for (uint32_t& weight : weights) weight = random() % 9;
    PoolBlock pool(scheduler, weights);
    pool->id = tables::PoolId{static_cast<uint32_t>(scheduler) % 8};
    for (int i = 0; i < 3000; ++i) {
      open(pool);
      const auto server = static_cast<uint32_t>(random() % weights.size());
      if (flows(server) != 0) set(server, flows(server) - 1);
      const uint32_t by_tree = loads_.pick(*pool, 1);
      const uint32_t by_search = loads_.search(*pool, [](const tables::Member&) { return true; });
      ASSERT_EQ(by_tree == Loads::kNone, by_search == Loads::kNone);
      if (by_tree == Loads::kNone) continue;
      const auto one = [&](uint32_t at) { return loads_.contestant(pool->members()[at]); };
      ASSERT_FALSE(loads_.is_better(scheduler, one(by_tree), one(by_search)));
      ASSERT_FALSE(loads_.is_better(scheduler, one(by_search), one(by_tree)));
    }
    for (uint32_t i = 0; i < weights.size(); ++i) set(i, 0);
  }
}

TEST(Limits, AThresholdCountsEveryWorkerAndHasALowerOne) {
  std::vector<tables::ServerCounters> mine(2048), theirs(2048);
  Limits limits(sizes(), {mine.data(), theirs.data()});
  tables::Member member;
  member.server = ServerId{7};
  EXPECT_FALSE(limits.is_full(member));
  member.max_flows = 4;
  member.resume_flows = 3;
  mine[7].flows_active.set(2);
  theirs[7].flows_active.set(1);
  EXPECT_FALSE(limits.is_full(member));
  theirs[7].flows_active.set(2);
  EXPECT_TRUE(limits.is_full(member));
  mine[7].flows_active.set(1);
  EXPECT_TRUE(limits.is_full(member));  // 3 is not fewer than 3
  mine[7].flows_active.set(0);
  EXPECT_FALSE(limits.is_full(member));
  mine[7].flows_active.set(1);
  EXPECT_FALSE(limits.is_full(member));
}

TEST(Limits, ABoundIsOfTheMeanByWeight) {
  std::vector<tables::ServerCounters> gauges(2048);
  Limits limits(sizes(), {gauges.data()});
  PoolBlock pool(Scheduler::mh, {1, 1, 2});
  pool->load_bound_percent = 125;
  for (uint32_t i = 0; i < 3; ++i) gauges[i].flows_active.set(100);
  const auto beyond = [&](uint32_t i) {
    static uint64_t generation = 0;
    return limits.is_beyond_share(*pool, pool->members()[i], ++generation);
  };
  // The mean is 75 for each unit of weight: 93.75 for the light ones, 187.5 for the heavy one.
  EXPECT_TRUE(beyond(0));
  EXPECT_FALSE(beyond(2));
  gauges[0].flows_active.set(80);
  EXPECT_FALSE(beyond(0));
  pool->load_bound_percent = 0;
  gauges[0].flows_active.set(1000);
  EXPECT_FALSE(beyond(0));
}

}  // namespace
}  // namespace nezu::admit
