#include "dataplane/flow/splice.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace nezu::flow {
namespace {

TEST(Change, NumbersDifferBehindItsPlace) {
  Change change;
  change.begin(Change::Kind::text, 1000, 10, 14);
  EXPECT_EQ(change.sequence(990), 990u);
  EXPECT_EQ(change.sequence(1000), 1000u);
  EXPECT_EQ(change.sequence(1005), 1000u);  // within: its begin
  EXPECT_EQ(change.sequence(1010), 1014u);
  EXPECT_EQ(change.acknowledgement(1000), 1000u);
  EXPECT_EQ(change.acknowledgement(1013), 1000u);
  EXPECT_EQ(change.acknowledgement(1014), 1010u);
  EXPECT_EQ(change.acknowledgement(1100), 1096u);
}

TEST(Change, WhatIsPutInGoesBeforeWhatBeginsThereUntilItIsAcknowledged) {
  Change change;
  change.begin(Change::Kind::proxy_header, 101, 0, 28);
  EXPECT_EQ(change.sequence(101), 101u);
  EXPECT_EQ(change.sequence(102), 130u);
  change.hear(128);
  EXPECT_TRUE(change.is_pending());
  change.hear(129);
  EXPECT_FALSE(change.is_pending());
  EXPECT_EQ(change.sequence(101), 129u);
  EXPECT_EQ(change.sequence(100), 100u);
}

TEST(Change, ChangesAddUpAcrossTheEndOfTheNumbers) {
  std::mt19937 random(1);
  for (int round = 0; round < 1000; ++round) {
    Change change;
    uint32_t at = random();
    for (int i = 0; i < 5; ++i) {
      const auto removed = static_cast<uint8_t>(random() % 60),
                 put = static_cast<uint8_t>(random() % 60);
      const int32_t before = change.after;
      change.begin(Change::Kind::text, at, removed, put);
      EXPECT_EQ(change.before, before);
      change.hear(at + static_cast<uint32_t>(change.before) + put);
      ASSERT_FALSE(change.is_pending());
      for (int k = 0; k < 20; ++k) {
        // There and back is the identity outside of the place.
        const uint32_t number = at + removed + random() % 5000;
        EXPECT_EQ(change.acknowledgement(change.sequence(number)), number);
        const uint32_t earlier = at - random() % 5000;
        if (earlier == at) continue;
        EXPECT_EQ(change.acknowledgement(change.sequence(earlier)), earlier);
      }
      at += removed + random() % 3000;
    }
  }
}

TEST(Splices, AreFoundByTheirFlowAndSurvive) {
  std::vector<Splice> memory(8);
  const auto id = [](uint32_t n, Direction way = Direction::to_server) {
    return FlowId(n % 2 == 1, n, way);
  };
  {
    Splices splices(memory);
    for (uint32_t n = 0; n < 8; ++n) {
      Splice* splice = splices.insert(id(n));
      ASSERT_NE(splice, nullptr);
      splice->state = static_cast<uint8_t>(n);
    }
    EXPECT_EQ(splices.insert(id(9)), nullptr);
    splices.erase(id(3, Direction::to_client));
    splices.erase(id(3));
    EXPECT_EQ(splices.used(), 7u);
    EXPECT_EQ(splices.find(id(3)), nullptr);
    EXPECT_EQ(splices.find(id(5, Direction::to_client))->state, 5);
  }
  memory[0].valid = 7;  // what no process writes
  Splices again(memory);
  EXPECT_EQ(again.used(), 6u);
  EXPECT_EQ(again.find(id(7))->state, 7);
  again.keep([](FlowId flow) { return flow.wide(); });
  EXPECT_EQ(again.used(), 3u);
  EXPECT_EQ(again.find(id(4)), nullptr);
  EXPECT_NE(again.insert(id(4)), nullptr);
}

}  // namespace
}  // namespace nezu::flow
