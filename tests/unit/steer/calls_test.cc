#include "dataplane/steer/calls.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace nezu::steer {
namespace {

constexpr net::Tick kSecond = net::kTicksPerSecond;

/// The server that is found; -1: none.
int server_of(const Calls& calls, uint64_t hash, net::Tick now, std::set<uint16_t> bad = {}) {
  int found = -1;
  calls.find(hash, now, [&](uint16_t server) {
    if (bad.contains(server)) return false;
    found = server;
    return true;
  });
  return found;
}
uint64_t hash_of(int number) { return Calls::hash(7, "call " + std::to_string(number)); }

TEST(Calls, EverybodyKnowsThemUntilTheirTimeIsOver) {
  Calls calls(3);
  const net::Tick now = 1000 * kSecond;
  EXPECT_EQ(server_of(calls, hash_of(1), now), -1);
  EXPECT_TRUE(calls.put(1, hash_of(1), 42, now, 60));
  EXPECT_EQ(calls.count(1), 1u);
  EXPECT_EQ(server_of(calls, hash_of(1), now + 59 * kSecond), 42);
  EXPECT_EQ(server_of(calls, hash_of(2), now), -1);
  EXPECT_EQ(server_of(calls, hash_of(1), now + 70 * kSecond), -1);
  // Whoever speaks keeps it.
  EXPECT_TRUE(calls.put(1, hash_of(1), 42, now + 50 * kSecond, 60));
  EXPECT_EQ(server_of(calls, hash_of(1), now + 70 * kSecond), 42);
  EXPECT_EQ(calls.count(1), 1u);
  for (uint32_t i = 0; i < Calls::kPlaces; ++i) calls.expire(1, now + 200 * kSecond);
  EXPECT_EQ(calls.count(1), 0u);
}

/// A server that does not serve any more hides no other worker's choice.
TEST(Calls, TheNextBoardIsAskedWhereAServerIsNoGood) {
  Calls calls(2);
  calls.put(0, hash_of(1), 4, 1000, 60);
  calls.put(1, hash_of(1), 5, 1000, 60);
  EXPECT_EQ(server_of(calls, hash_of(1), 1000), 4);
  EXPECT_EQ(server_of(calls, hash_of(1), 1000, {4}), 5);
  EXPECT_EQ(server_of(calls, hash_of(1), 1000, {4, 5}), -1);
}

TEST(Calls, ServicesHaveCallsOfTheirOwn) {
  EXPECT_NE(Calls::hash(1, "a"), Calls::hash(2, "a"));
  EXPECT_NE(Calls::hash(1, "aaaaaaaa"), Calls::hash(1, "aaaaaaaab"));
  EXPECT_NE(Calls::hash(1, ""), Calls::hash(1, std::string_view("\0", 1)));
}

TEST(Calls, AFullBoardForgetsWhoEndsFirst) {
  Calls calls(1);
  const net::Tick now = 1000 * kSecond;
  uint32_t forgotten = 0;
  for (int i = 0; i < 40000; ++i) {
    forgotten +=
        calls.put(0, hash_of(i), static_cast<uint16_t>(i), now, i < 20000 ? 100 : 200) ? 0 : 1;
    ASSERT_EQ(server_of(calls, hash_of(i), now), static_cast<uint16_t>(i));
  }
  EXPECT_GT(forgotten, 40000 - Calls::kPlaces - 1);
  EXPECT_EQ(calls.count(0) + forgotten, 40000u);
  uint32_t early = 0, late = 0;
  for (int i = 0; i < 20000; ++i) early += server_of(calls, hash_of(i), now) == i;
  for (int i = 20000; i < 40000; ++i) late += server_of(calls, hash_of(i), now) == i;
  EXPECT_GT(late, 19000u);
  EXPECT_LT(early, 14000u);
}

/// Deadlines are 16 bits of 4 s: they come round after three days.
TEST(Calls, TheClockComesRound) {
  Calls calls(1);
  for (uint64_t hours = 0; hours < 200; hours += 5) {
    const auto now = static_cast<net::Tick>(hours * 3600 * kSecond + 16);
    calls.put(0, hash_of(1), static_cast<uint16_t>(hours), now, 3600);
    EXPECT_EQ(server_of(calls, hash_of(1), now + 3590 * kSecond), static_cast<int>(hours));
    EXPECT_EQ(server_of(calls, hash_of(1), now + 3620 * kSecond), -1);
  }
}

}  // namespace
}  // namespace nezu::steer
