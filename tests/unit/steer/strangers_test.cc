#include "dataplane/steer/strangers.h"

#include <gtest/gtest.h>

#include <random>

namespace nezu::steer {
namespace {

class StrangersTest : public testing::Test {
 protected:
  StrangersTest() { strangers_.begin(1); }
  /// Whom a packet of that hash goes to, or -1.
  int owner(uint64_t hash) {
    burst_.count = 1;
    net::Packet& packet = burst_.packets[0];
    packet.hash = hash;
    packet.verdict = net::Verdict::undecided;
    packet.owner = 0xffff;
    const uint32_t known = strangers_.recall(burst_, 0, 1);
    EXPECT_EQ(known, packet.verdict == net::Verdict::hand_over ? 1u : 0u);
    return known != 0 ? packet.owner : -1;
  }

  Strangers strangers_{64};
  net::Burst burst_;
  net::Packet& packet_ = burst_.packets[0];
};

TEST_F(StrangersTest, AnswersWhatItWasTold) {
  packet_.shape = net::Shape::transport;
  std::mt19937_64 random(1);
  for (int i = 0; i < 1000; ++i) {
    const uint64_t hash = random();
    EXPECT_EQ(owner(hash), -1);
    strangers_.remember(hash, static_cast<uint16_t>(i % 64));
    EXPECT_EQ(owner(hash), i % 64);
    for (uint32_t bit = 8; bit < 64; ++bit) {
      ASSERT_EQ(owner(hash ^ uint64_t{1} << bit), -1) << bit;
    }
  }
}

TEST_F(StrangersTest, ForgetsWhenTheTablesChange) {
  packet_.shape = net::Shape::transport;
  strangers_.remember(0x1234'5678'9abc'def0, 3);
  strangers_.begin(1);
  EXPECT_EQ(owner(0x1234'5678'9abc'def0), 3);
  strangers_.begin(2);
  EXPECT_EQ(owner(0x1234'5678'9abc'def0), -1);
}

TEST_F(StrangersTest, LeavesAloneWhatMustBeLookedAt) {
  packet_.shape = net::Shape::transport;
  strangers_.remember(7, 3);
  packet_.first_fragment = true;
  EXPECT_EQ(owner(7), -1);
  packet_.first_fragment = false;
  packet_.handed_over = true;
  EXPECT_EQ(owner(7), -1);
  packet_.handed_over = false;
  for (const auto shape :
       {net::Shape::icmp_error, net::Shape::fragment, net::Shape::other, net::Shape::control}) {
    packet_.shape = shape;
    EXPECT_EQ(owner(7), -1);
  }
  packet_.shape = net::Shape::transport;
  packet_.hash = 7;
  packet_.verdict = net::Verdict::drop;
  EXPECT_EQ(strangers_.recall(burst_, 0, 1), 0u);
  EXPECT_EQ(packet_.verdict, net::Verdict::drop);
  EXPECT_EQ(owner(7), 3);
}

TEST_F(StrangersTest, IsAskedOnlyWhileItHasAnswers) {
  packet_.shape = net::Shape::transport;
  EXPECT_FALSE(strangers_.begin(1));
  strangers_.remember(7, 3);
  int asked = 0;
  for (; asked < 1000 && strangers_.begin(1); ++asked) owner(0x100);
  EXPECT_EQ(asked, 64);
  strangers_.remember(7, 3);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(strangers_.begin(1));
    owner(7);
  }
}

}  // namespace
}  // namespace nezu::steer
