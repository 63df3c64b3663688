// The table against a plain map: keys, fullness, expiry.
#include "dataplane/flow/table.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>

namespace nezu::flow {
namespace {

struct Memory {
  explicit Memory(size_t bytes) : at(static_cast<std::byte*>(std::aligned_alloc(64, bytes))) {
    std::memset(at, 0, bytes);
    span = {at, bytes};
  }
  ~Memory() { std::free(at); }
  std::byte* at;
  std::span<std::byte> span;
};

struct Rig {
  explicit Rig(Capacity capacity, net::Tick now = 0)
      : memory(Extent(capacity).bytes), table(memory.span, capacity, net::FlowHash(42), now) {}
  Memory memory;
  Table table;
};

net::Tuple4 tuple(uint32_t n) {
  return {0x0a000000 + n,          0xcb007101,        static_cast<uint16_t>(n * 7 + 1), 80,
          net::Instance::standard, net::Protocol::tcp};
}
Half4 answers(uint32_t n) {
  return {0x0a010101, 0x0a000000 + n, 8080, static_cast<uint16_t>(n * 7 + 1)};
}
Track track(Stage stage = Stage::live, net::Tick deadline = 1000) {
  Track t;
  t.stage = stage;
  t.deadline = deadline;
  t.timeout = 100;
  return t;
}

TEST(Table, FindsBothDirectionsAndNothingElse) {
  Rig rig({100, 100});
  const auto inserted = rig.table.insert(tuple(1), answers(1), track());
  ASSERT_TRUE(inserted.id.exists());
  EXPECT_EQ(rig.table.find(tuple(1)), inserted.id);
  const auto back = tuple_to_client(rig.table.narrow(inserted.id));
  EXPECT_EQ(rig.table.find(back), inserted.id.towards(Direction::to_client));
  EXPECT_FALSE(rig.table.find(tuple(2)).exists());
  net::Tuple4 other = tuple(1);
  other.instance = net::Instance{3};
  EXPECT_FALSE(rig.table.find(other).exists());
  other = tuple(1);
  other.protocol = net::Protocol::udp;
  EXPECT_FALSE(rig.table.find(other).exists());
  EXPECT_EQ(rig.table.audit(), nullptr);
}

TEST(Table, WideEntriesHaveTheirOwnPool) {
  Rig rig({1, 2});
  net::Tuple6 six;
  six.source[15] = 1;
  six.protocol = net::Protocol::udp;
  Half6 half;
  half.source[15] = 9;
  ASSERT_TRUE(rig.table.insert(six, half, track()).id.wide());
  ASSERT_TRUE(rig.table.insert(tuple(1), answers(1), track()).id.exists());
  EXPECT_EQ(rig.table.insert(tuple(2), answers(2), track()).reason, net::Reason::flow_table_full);
  EXPECT_TRUE(rig.table.find(six).wide());
  EXPECT_EQ(rig.table.audit(), nullptr);
}

TEST(Table, FillsToItsCapacityAndEmptiesAgain) {
  constexpr uint32_t kFlows = 50000;
  Rig rig({kFlows, 0});
  for (int round = 0; round < 2; ++round) {
    for (uint32_t n = 0; n < kFlows; ++n) {
      ASSERT_TRUE(rig.table.insert(tuple(n), answers(n), track()).id.exists()) << n;
    }
    EXPECT_EQ(rig.table.insert(tuple(kFlows), answers(kFlows), track()).reason,
              net::Reason::flow_table_full);
    ASSERT_EQ(rig.table.audit(), nullptr);
    for (uint32_t n = 0; n < kFlows; ++n) rig.table.erase(rig.table.find(tuple(n)));
    EXPECT_EQ(rig.table.count(false), 0u);
    ASSERT_EQ(rig.table.audit(), nullptr);
  }
}

TEST(Table, RandomInsertionsAndErasuresAgreeWithAMap) {
  Rig rig({3000, 0});
  std::map<uint32_t, FlowId> model;
  std::mt19937 random(1);
  for (int step = 0; step < 200000; ++step) {
    const uint32_t n = random() % 4000;
    const auto known = model.find(n);
    const FlowId found = rig.table.find(tuple(n));
    ASSERT_EQ(found.exists(), known != model.end());
    if (known != model.end()) {
      ASSERT_EQ(found, known->second);
      rig.table.erase(found);
      model.erase(known);
    } else if (const auto inserted = rig.table.insert(tuple(n), answers(n), track());
               inserted.id.exists()) {
      model[n] = inserted.id;
    } else {
      ASSERT_EQ(inserted.reason, net::Reason::flow_table_full);
      ASSERT_EQ(model.size(), 3000u);
    }
  }
  EXPECT_EQ(rig.table.audit(), nullptr);
}

TEST(Table, BulkLookUpAgreesWithSingleOnes) {
  Rig rig({2000, 0});
  for (uint32_t n = 0; n < 2000; n += 2) rig.table.insert(tuple(n), answers(n), track());
  net::Burst burst;
  std::mt19937 random(5);
  for (int round = 0; round < 500; ++round) {
    burst.count = 64;
    for (net::Packet& packet : burst.all()) {
      packet.verdict = net::Verdict::undecided;
      packet.shape = random() % 8 == 0 ? net::Shape::icmp_error : net::Shape::transport;
      packet.family = net::Family::ipv4;
      packet.tuple4 = tuple(random() % 2000);
      if (packet.shape == net::Shape::icmp_error) packet.tuple4 = packet.tuple4.mirrored();
    }
    rig.table.find(burst);
    for (const net::Packet& packet : burst.all()) {
      const auto key =
          packet.shape == net::Shape::icmp_error ? packet.tuple4.mirrored() : packet.tuple4;
      ASSERT_EQ(packet.flow, rig.table.find(key).word());
    }
  }
}

TEST(Table, ExpiresWhatIsIdleAndKeepsWhatWasUsed) {
  Rig rig({100, 0}, 5000);
  for (uint32_t n = 0; n < 100; ++n)
    rig.table.insert(tuple(n), answers(n), track(Stage::live, 5000 + n * 16));
  const FlowId used = rig.table.find(tuple(10));
  rig.table.track(used).deadline = 9000;  // a packet writes only this
  uint32_t ended = 0;
  for (net::Tick now = 5000; now < 5000 + 100 * 16 + 3 * Wheel::kSlotTicks; now += 4) {
    std::array<FlowId, 32> due;
    const uint32_t count = rig.table.expired(now, due);
    for (uint32_t i = 0; i < count; ++i) {
      const net::Tick deadline = rig.table.track(due[i]).deadline;
      EXPECT_TRUE(net::has_passed(deadline, now));
      EXPECT_LE(now - deadline, 2 * Wheel::kSlotTicks);
      rig.table.erase(due[i]);
      ++ended;
    }
  }
  EXPECT_EQ(ended, 99u);
  EXPECT_EQ(rig.table.find(tuple(10)), used);
  EXPECT_EQ(rig.table.audit(), nullptr);
}

TEST(Table, TimeoutsBeyondTheHorizonAndAcrossTheTickWrap) {
  constexpr net::Tick kStart = 0xffffff00u;
  Rig rig({10, 0}, kStart);
  rig.table.insert(tuple(1), answers(1), track(Stage::live, kStart + 20000));
  rig.table.insert(tuple(2), answers(2), track(Stage::live, kStart + 400));
  std::array<FlowId, 32> due;
  uint32_t after = 0;
  std::vector<uint32_t> ends;
  for (; after < 21000; after += 8) {
    const uint32_t count = rig.table.expired(kStart + after, due);
    for (uint32_t i = 0; i < count; ++i) {
      rig.table.erase(due[i]);
      ends.push_back(after);
    }
  }
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_NEAR(ends[0], 400, 16);
  EXPECT_NEAR(ends[1], 20000, 16);
}

TEST(Table, OldestIsTheOneThatEndsFirst) {
  Rig rig({10, 0}, 0);
  rig.table.insert(tuple(1), answers(1), track(Stage::closed, 800));
  const auto first = rig.table.insert(tuple(2), answers(2), track(Stage::closed, 100));
  rig.table.insert(tuple(3), answers(3), track(Stage::embryonic, 50));
  EXPECT_EQ(rig.table.oldest(false, Stage::closed), first.id);
  rig.table.erase(first.id);
  EXPECT_EQ(rig.table.oldest(false, Stage::closed), rig.table.find(tuple(1)));
  EXPECT_FALSE(rig.table.oldest(false, Stage::live).exists());
  EXPECT_FALSE(rig.table.oldest(true, Stage::closed).exists());
}

TEST(Table, RebuiltFromItsEntriesAlone) {
  const Capacity capacity{1000, 0};
  Memory memory(Extent(capacity).bytes);
  {
    Table table(memory.span, capacity, net::FlowHash(1), 0);
    for (uint32_t n = 0; n < 900; ++n) table.insert(tuple(n), answers(n), track());
    for (uint32_t n = 0; n < 900; n += 3) table.erase(table.find(tuple(n)));
  }
  Table again(memory.span, capacity, net::FlowHash(2), 0);
  for (uint32_t i = 0; i < 1000; ++i) {
    const FlowId id(false, i, Direction::to_server);
    if (again.track(id).valid == 0) continue;
    EXPECT_TRUE(again.adopt(id));
  }
  EXPECT_EQ(again.count(false), 600u);
  EXPECT_EQ(again.audit(), nullptr);
  for (uint32_t n = 0; n < 900; ++n) EXPECT_EQ(again.find(tuple(n)).exists(), n % 3 != 0);
  EXPECT_TRUE(again.insert(tuple(0), answers(0), track()).id.exists());
}

TEST(Buckets, KeysThatShareOneHomeFindPlaceElsewhere) {
  std::vector<Bucket> memory(64);
  Buckets buckets(memory.data(), 64);
  std::vector<uint64_t> hashes;
  for (uint32_t i = 0; i < 40; ++i) hashes.push_back(uint64_t{5} << 58 | (i * 977 + 3));
  uint32_t placed = 0;
  for (uint32_t i = 0; i < hashes.size(); ++i) placed += buckets.insert(hashes[i], i);
  EXPECT_GE(placed, 30u);
  for (uint32_t i = 0; i < hashes.size(); ++i) buckets.erase(hashes[i], i);
  for (const Bucket& bucket : memory) {
    EXPECT_EQ(bucket.vacant(), 0xffu);
    EXPECT_EQ(bucket.overflow, 0);
  }
}

TEST(Buckets, TheOtherBucketLeadsBack) {
  std::vector<Bucket> memory(1000);
  const Buckets buckets(memory.data(), 1000);
  for (uint32_t tag = 1; tag < 65536; tag += 7) {
    const uint32_t home = tag * 31 % 1000;
    const uint32_t other = buckets.other(home, static_cast<uint16_t>(tag));
    ASSERT_LT(other, 1000u);
    ASSERT_EQ(buckets.other(other, static_cast<uint16_t>(tag)), home);
  }
}

}  // namespace
}  // namespace nezu::flow
