// Rings and hand-over: nothing lost, nothing twice, order kept. (Who owns what: tests/path.)
#include <gtest/gtest.h>

#include <thread>

#include "dataplane/net/hash.h"
#include "dataplane/steer/handover.h"
#include "dataplane/steer/steering.h"

namespace nezu::steer {
namespace {

TEST(Ring, FullAtItsCapacityAndVisibleWhenPublished) {
  Ring<int> ring(4);
  int value = 0;
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(ring.push(i));
  EXPECT_FALSE(ring.push(4));
  EXPECT_FALSE(ring.pop(value));
  ring.publish();
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(ring.pop(value));
    EXPECT_EQ(value, i);
  }
  EXPECT_FALSE(ring.pop(value));
  EXPECT_TRUE(ring.push(5));
}

TEST(Ring, TwoThreads) {
  constexpr uint64_t kCount = 300000;
  Ring<uint64_t> ring(256);
  std::thread producer([&ring] {
    for (uint64_t i = 0; i < kCount;) {
      if (ring.push(i)) {
        ++i;
      } else {
        std::this_thread::yield();
      }
      ring.publish();
    }
  });
  std::array<uint64_t, 32> out{};
  for (uint64_t expected = 0; expected < kCount;) {
    const uint32_t count = ring.pop(out);
    if (count == 0) std::this_thread::yield();
    for (uint32_t i = 0; i < count; ++i) ASSERT_EQ(out[i], expected++);
  }
  producer.join();
}

TEST(Handover, DropsWhatFindsTheRingFullAndCountsIt) {
  Handover handover(3, 8);
  tables::WorkerLine line;
  net::Burst burst;
  std::array<int, 10> buffers{};
  burst.count = 10;
  for (uint32_t i = 0; i < 10; ++i) {
    burst.packets[i].buffer = &buffers[i];
    burst.packets[i].verdict = net::Verdict::hand_over;
    burst.packets[i].owner = 2;
  }
  handover.give(0, burst, line);
  EXPECT_EQ(line.handed_over.read(), 8u);
  EXPECT_EQ(line.reasons[static_cast<size_t>(net::Reason::handover_full)].read(), 2u);
  EXPECT_EQ(burst.packets[9].verdict, net::Verdict::drop);
  std::array<Given, 16> out{};
  EXPECT_EQ(handover.take(1, out), 0u);
  ASSERT_EQ(handover.take(2, out), 8u);
  for (uint32_t i = 0; i < 8; ++i) EXPECT_EQ(out[i].buffer, &buffers[i]);
}

TEST(Steering, EveryShardHasAnOwnerAndWorkersAreEven) {
  for (uint16_t workers = 1; workers <= 32; ++workers) {
    const Steering steering(workers, 1);
    uint32_t sum = 0;
    for (uint16_t worker = 0; worker < workers; ++worker) {
      EXPECT_NEAR(steering.shards_of(worker), 256.0 / workers, 1);
      sum += steering.shards_of(worker);
    }
    EXPECT_EQ(sum, 256u);
  }
}

TEST(Steering, DefaultKeySpreadsNeighbouringClients) {
  const Steering steering(1, 1);
  std::array<uint32_t, 256> shards{};
  for (uint32_t client = 0; client < 256; ++client) {
    for (uint16_t port = 0; port < 256; ++port) {
      ++shards[steering.shard_hash()(net::swap32(0xc6336400u + client), net::swap16(1024 + port))];
    }
  }
  for (const uint32_t count : shards) EXPECT_NEAR(count, 256, 100);
}

}  // namespace
}  // namespace nezu::steer
