// Trains of fragments: what is held comes out once, in order, and never more than there is room.
#include "dataplane/steer/trains.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>

namespace nezu::steer {
namespace {

using net::Reason;

constexpr net::Tick kNow = 1000;

net::Tuple6 key(uint16_t n) {
  net::Tuple6 key;
  key.source[15] = 1;
  key.source_port = n;
  return key;
}
/// All of a small table fall into one of its sets, or each into the next.
uint64_t hash(uint16_t n) { return uint64_t{n} << 8; }

void* buffer(uint64_t n) { return reinterpret_cast<void*>(n + 1); }

TEST(Trains, GivePortsToThoseThatComeLaterAndToThoseThatWaited) {
  Trains trains({.trains = 8, .held = 8});
  uint32_t ports = 0;
  EXPECT_FALSE(trains.find(key(1), hash(1), kNow, ports));
  EXPECT_EQ(trains.hold(key(1), hash(1), buffer(10), kNow), Reason::none);
  EXPECT_EQ(trains.hold(key(1), hash(1), buffer(11), kNow), Reason::none);
  EXPECT_FALSE(trains.find(key(1), hash(1), kNow, ports)) << "nobody has told";
  trains.learn(key(1), hash(1), 0x1234, kNow);
  ASSERT_TRUE(trains.find(key(1), hash(1), kNow, ports));
  EXPECT_EQ(ports, 0x1234u);
  std::array<Given, 4> out;
  ASSERT_EQ(trains.release(out), 2u);
  for (uint32_t i = 0; i < 2; ++i) {
    EXPECT_EQ(out[i].buffer, buffer(10 + i));
    EXPECT_EQ(out[i].ports, 0x1234u);
    EXPECT_TRUE(out[i].knows_ports);
    EXPECT_EQ(out[i].reason, Reason::none);
  }
  EXPECT_FALSE(trains.find(key(1), hash(1), kNow + 5 * net::kTicksPerSecond, ports)) << "too old";
}

TEST(Trains, NobodyWaitsLongerThanASecond) {
  Trains trains({.trains = 8, .held = 8});
  trains.hold(key(1), hash(1), buffer(1), kNow);
  trains.hold(key(1), hash(1), buffer(2), kNow + net::kTicksPerSecond - 1);
  trains.expire(kNow + net::kTicksPerSecond - 1);
  EXPECT_EQ(trains.held(), 2u);
  trains.expire(kNow + net::kTicksPerSecond);
  std::array<Given, 4> out;
  ASSERT_EQ(trains.release(out), 2u);
  EXPECT_EQ(out[0].reason, Reason::fragment_timeout);
  EXPECT_FALSE(out[0].knows_ports);
  EXPECT_EQ(trains.held(), 0u);
}

TEST(Trains, AFullSetLosesTheTrainForWhichNobodyWaits) {
  Trains trains({.trains = 4, .held = 8});
  for (uint16_t n = 1; n <= 3; ++n) trains.hold(key(n), 0, buffer(n), kNow);
  trains.learn(key(4), 0, 4, kNow);
  trains.learn(key(5), 0, 5, kNow);
  uint32_t ports = 0;
  EXPECT_FALSE(trains.find(key(4), 0, kNow, ports));
  EXPECT_TRUE(trains.find(key(5), 0, kNow, ports));
  EXPECT_EQ(trains.held(), 3u);
  trains.hold(key(6), 0, buffer(6), kNow);  // in the place of 5
  trains.hold(key(7), 0, buffer(7), kNow);  // now somebody must go
  std::array<Given, 4> out;
  ASSERT_EQ(trains.release(out), 1u);
  EXPECT_EQ(out[0].reason, Reason::fragment_table_full);
}

TEST(Trains, ATickThatHasComeRoundIsNotOld) {
  Trains trains({.trains = 8, .held = 8});
  const net::Tick late = ~net::Tick{0} - 3;
  uint32_t ports = 0;
  trains.learn(key(1), hash(1), 7, late);
  EXPECT_TRUE(trains.find(key(1), hash(1), late + 10, ports));
  trains.hold(key(2), hash(2), buffer(2), late);
  trains.expire(late + 10);
  EXPECT_EQ(trains.held(), 1u);
  trains.expire(late + net::kTicksPerSecond);
  EXPECT_EQ(trains.held(), 0u);
}

TEST(Trains, EveryBufferComesOutOnceAndInItsTrainsOrder) {
  std::mt19937 random(7);
  for (const uint32_t size : {4u, 16u, 64u}) {
    const Trains::Limits limits{.trains = size, .held = 32, .held_each = 4};
    Trains trains(limits);
    std::map<uint16_t, std::deque<void*>> waiting;
    std::map<void*, uint16_t> train_of;
    uint64_t next = 0, taken = 0, given = 0;
    net::Tick now = kNow;
    const auto fetch = [&](uint32_t most) {
      std::array<Given, 8> out;
      const uint32_t count = trains.release(std::span(out).first(most));
      for (uint32_t i = 0; i < count; ++i) {
        ASSERT_TRUE(train_of.contains(out[i].buffer));
        auto& queue = waiting[train_of[out[i].buffer]];
        ASSERT_EQ(queue.front(), out[i].buffer);
        queue.pop_front();
        train_of.erase(out[i].buffer);
        ++given;
      }
    };
    for (int step = 0; step < 20'000; ++step) {
      const auto n = static_cast<uint16_t>(random() % 24);
      uint32_t ports = 0;
      switch (random() % 8) {
        case 0:
          trains.learn(key(n), hash(n), n, now);
          break;
        case 1:
          trains.expire(now += static_cast<net::Tick>(random() % 12));
          break;
        case 2:
          fetch(1 + random() % 8);
          break;
        default:
          if (trains.find(key(n), hash(n), now, ports)) {
            ASSERT_EQ(ports, n);
          } else if (trains.hold(key(n), hash(n), buffer(next), now) == Reason::none) {
            waiting[n].push_back(buffer(next));
            train_of[buffer(next)] = n;
            ++taken;
          }
          ++next;
      }
      ASSERT_LE(trains.held(), limits.held);
      ASSERT_LE(taken - given, limits.held) << "those that wait to be fetched count too";
    }
    trains.expire(now + net::kTicksPerSecond);
    while (given < taken) {
      const uint64_t before = given;
      fetch(8);
      ASSERT_GT(given, before) << "lost";
    }
    EXPECT_GT(taken, 500u);
  }
}

}  // namespace
}  // namespace nezu::steer
