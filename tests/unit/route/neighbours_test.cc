// Events and time in, things to do out.
#include "dataplane/route/neighbours.h"

#include <gtest/gtest.h>

namespace nezu::route {
namespace {

using net::Reason;

constexpr uint64_t kSecond = net::kNanosecondsPerSecond;
constexpr net::MacAddress kMac{{2, 0, 0, 0, 0, 0x11}}, kOther{{2, 0, 0, 0, 0, 0x12}};

class NeighboursTest : public testing::Test {
 protected:
  static NeighbourKey key(uint32_t last) { return {1, net::Address::v4(0x0a000000 + last)}; }
  static void* packet(uintptr_t number) { return reinterpret_cast<void*>(number); }
  net::Instant at(double seconds) {
    return net::Instant{static_cast<uint64_t>((100 + seconds) * static_cast<double>(kSecond))};
  }
  Reason hold(uint32_t last, uintptr_t number, double seconds = 0) {
    return neighbours_.hold(key(last), link_, packet(number), at(seconds));
  }
  void hear(uint32_t last, Heard heard, double seconds = 0, net::MacAddress mac = kMac) {
    neighbours_.hear({key(last), mac, heard}, at(seconds));
  }
  /// How many times it was asked for since the last call.
  size_t asked() {
    const size_t count = neighbours_.asks.size();
    neighbours_.asks.clear();
    return count;
  }
  HopState state(uint32_t last) { return hops_.at(*hops_.find(1, key(last).address)).state(); }

  Hops hops_{16};
  Link link_{.port = 1};
  Neighbours neighbours_{hops_, {}};
};

TEST_F(NeighboursTest, HeldPacketsLeaveInOrderWhenItAnswers) {
  EXPECT_EQ(hold(1, 1), Reason::none);
  EXPECT_EQ(hold(1, 2), Reason::none);
  EXPECT_TRUE(neighbours_.added);
  EXPECT_EQ(asked(), 1u) << "once for all that wait";
  hear(1, Heard::asking);
  EXPECT_TRUE(neighbours_.sends.empty());
  hear(1, Heard::usable);
  ASSERT_EQ(neighbours_.sends.size(), 2u);
  EXPECT_EQ(neighbours_.sends[0].buffer, packet(1));
  EXPECT_EQ(neighbours_.sends[1].buffer, packet(2));
  EXPECT_EQ(hops_.mac(neighbours_.sends[0].hop), kMac);
  EXPECT_EQ(neighbours_.packets_held(), 0u);
  EXPECT_EQ(hold(1, 3), Reason::none) << "a late one leaves at once";
  EXPECT_EQ(neighbours_.sends.size(), 3u);
}

TEST_F(NeighboursTest, QueuesAreBounded) {
  for (uintptr_t i = 0; i < 8; ++i) EXPECT_EQ(hold(1, i), Reason::none);
  EXPECT_EQ(hold(1, 9), Reason::neighbour_queue_full);
  EXPECT_EQ(neighbours_.packets_held(), 8u);
}

TEST_F(NeighboursTest, TrafficMakesUsAskForSoManyASecondOnly) {
  Hops many(100);
  Neighbours::Limits limits;
  limits.new_per_second = 10;
  Neighbours neighbours(many, limits);
  const auto hold = [&](uint32_t last, double seconds) {
    return neighbours.hold(key(last), link_, packet(1), at(seconds));
  };
  for (uint32_t i = 0; i < 10; ++i) EXPECT_EQ(hold(i, 0), Reason::none);
  EXPECT_EQ(hold(10, 0.5), Reason::neighbour_queue_full);
  EXPECT_EQ(hold(10, 1.1), Reason::none);
}

TEST_F(NeighboursTest, WithoutFreeHopsItIsRefused) {
  for (uint32_t i = 0; i < 16; ++i) EXPECT_EQ(hold(i, 1), Reason::none);
  EXPECT_EQ(hold(16, 1), Reason::neighbour_queue_full);
}

TEST_F(NeighboursTest, SilenceEndsPacketsAndIsAskedAgain) {
  hold(1, 1);
  EXPECT_EQ(asked(), 1u);
  neighbours_.tick(at(1));
  EXPECT_EQ(asked(), 1u);
  EXPECT_TRUE(neighbours_.drops.empty());
  neighbours_.tick(at(3));
  ASSERT_EQ(neighbours_.drops.size(), 1u);
  EXPECT_EQ(neighbours_.drops[0].reason, Reason::neighbour_unresolved);
}

TEST_F(NeighboursTest, FailureStopsTheHopUntilItAnswersAgain) {
  hold(1, 1);
  hear(1, Heard::failed);
  EXPECT_EQ(neighbours_.drops.size(), 1u);
  EXPECT_EQ(neighbours_.failures.size(), 1u);
  EXPECT_EQ(hold(1, 2), Reason::neighbour_unresolved);
  EXPECT_EQ(state(1), HopState::failed);
  asked();
  neighbours_.tick(at(1));
  EXPECT_EQ(asked(), 1u);
  hear(1, Heard::usable, 2);
  EXPECT_EQ(state(1), HopState::ready);
}

TEST_F(NeighboursTest, WhatTheKernelForgetsStaysUsableAndIsAskedForAtOnce) {
  hold(1, 1);
  hear(1, Heard::usable);
  asked();
  hear(1, Heard::gone, 2);
  EXPECT_EQ(state(1), HopState::ready);
  neighbours_.tick(at(2));
  EXPECT_EQ(asked(), 1u);
  hear(1, Heard::asking, 2.1);
  EXPECT_EQ(state(1), HopState::ready);
  hear(1, Heard::failed, 5);
  EXPECT_EQ(state(1), HopState::failed);
}

TEST_F(NeighboursTest, KnownOnesAreKeptAlive) {
  hold(1, 1);
  hear(1, Heard::usable);
  asked();
  neighbours_.tick(at(4));
  EXPECT_EQ(asked(), 0u);
  neighbours_.tick(at(5));
  EXPECT_EQ(asked(), 1u);
}

TEST_F(NeighboursTest, ANeighbourMovesByOneStore) {
  hold(1, 1);
  hear(1, Heard::usable);
  neighbours_.added = false;
  hear(1, Heard::usable, 1, kOther);
  EXPECT_EQ(hops_.mac(*hops_.find(1, key(1).address)), kOther);
  EXPECT_FALSE(neighbours_.added) << "nothing is rebuilt";
}

TEST_F(NeighboursTest, TheDeadAreForgottenButNotGateways) {
  hold(1, 1);
  neighbours_.gateway(key(2), link_, at(0));
  hear(1, Heard::failed);
  hear(2, Heard::failed);
  neighbours_.tick(at(61));
  EXPECT_EQ(neighbours_.forgotten.size(), 1u);
  EXPECT_FALSE(neighbours_.knows(key(1)));
  EXPECT_TRUE(neighbours_.knows(key(2)));
  neighbours_.start_gateways();
  neighbours_.tick(at(62));
  EXPECT_FALSE(neighbours_.knows(key(2))) << "no route names it any more";
  // It comes back before its index was released.
  EXPECT_EQ(hold(1, 2, 63), Reason::none);
  EXPECT_EQ(state(1), HopState::asking);
}

TEST_F(NeighboursTest, SoAreThoseThatTheKernelNeverSpokeAbout) {
  hold(1, 1);
  for (double seconds = 1; seconds < 60; ++seconds) neighbours_.tick(at(seconds));
  EXPECT_TRUE(neighbours_.knows(key(1)));
  neighbours_.tick(at(61));
  EXPECT_FALSE(neighbours_.knows(key(1)));
}

TEST_F(NeighboursTest, RememberedOnesForwardBeforeTheKernelSpeaks) {
  neighbours_.remember(key(1), link_, kMac, at(0));
  EXPECT_EQ(state(1), HopState::ready);
  EXPECT_EQ(asked(), 1u);
}

TEST_F(NeighboursTest, TicksGoOnWhereTheyStopped) {
  for (uint32_t i = 0; i < 10; ++i) neighbours_.remember(key(i), link_, kMac, at(0));
  asked();
  for (int i = 0; i < 5; ++i) neighbours_.tick(at(10), 2);
  EXPECT_EQ(asked(), 10u);
}

}  // namespace
}  // namespace nezu::route
