// Flows whose client and server are of different families.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>

#include "dataplane/flow/table.h"

namespace nezu::flow {
namespace {

struct Rig {
  explicit Rig(Capacity of) : capacity(of), bytes(Extent(of).bytes) {
    memory.reset(static_cast<std::byte*>(std::aligned_alloc(64, bytes)));
    std::memset(memory.get(), 0, bytes);
    start(42);
  }
  /// As a new process over the same entries, with another hash.
  void start(uint64_t seed) {
    table = std::make_unique<Table>(std::span(memory.get(), bytes), capacity, net::FlowHash(seed),
                                    net::Tick{0});
  }
  struct Free {
    void operator()(std::byte* at) const { std::free(at); }
  };
  Capacity capacity;
  size_t bytes;
  std::unique_ptr<std::byte, Free> memory;
  std::unique_ptr<Table> table;
};

constexpr uint32_t kVip4 = 0x0a71'00cbu, kServer4 = 0x0501'000au, kSnat4 = 0x0100'000au;

std::array<uint8_t, 16> six(uint8_t network, uint32_t n) {
  std::array<uint8_t, 16> address{};
  address[0] = 0x20;
  address[1] = 0x01;
  address[7] = network;
  net::store(&address[12], n);
  return address;
}
Track track() {
  Track t;
  t.mode = tables::Mode::across;
  t.stage = Stage::live;
  t.deadline = 1000;
  t.timeout = 100;
  return t;
}

/// An IPv4 client's packets to the VIP, and what the IPv6 server's answers carry.
net::Tuple4 client4(uint32_t n) {
  return {0x0000'12c6u + (n << 16),
          kVip4,
          static_cast<uint16_t>(n * 7 + 1),
          80,
          net::Instance::standard,
          net::Protocol::tcp,
          0};
}
Half6 server6(uint32_t n) { return {six(1, 5), six(2, 1), 8080, static_cast<uint16_t>(n + 1024)}; }
/// The other way round.
net::Tuple6 client6(uint32_t n) {
  return {six(3, n),
          six(4, 1),
          static_cast<uint16_t>(n * 5 + 1),
          80,
          net::Instance::standard,
          net::Protocol::tcp,
          0,
          {}};
}
Half6 server4(uint32_t n) {
  return {mapped(kServer4), mapped(kSnat4), 8080, static_cast<uint16_t>(n + 1024)};
}
net::Tuple4 answer4(uint32_t n) { return unmapped(tuple_to_client(client6(n), server4(n))); }

TEST(Mixed, AnIpv4ClientOfAnIpv6ServerIsFoundByEitherSide) {
  Rig rig({10, 10});
  const auto inserted = rig.table->insert(mapped(client4(1)), server6(1), track());
  ASSERT_TRUE(inserted.id.exists());
  EXPECT_TRUE(inserted.id.wide());
  EXPECT_TRUE(is_mixed(rig.table->wide(inserted.id)));
  EXPECT_EQ(rig.table->find(client4(1)), inserted.id);
  EXPECT_EQ(rig.table->find(mapped(client4(1))), inserted.id);
  EXPECT_EQ(rig.table->find(tuple_to_client(mapped(client4(1)), server6(1))),
            inserted.id.towards(Direction::to_client));
  EXPECT_EQ(rig.table->audit(), nullptr);
  rig.table->erase(inserted.id);
  EXPECT_FALSE(rig.table->find(client4(1)).exists());
  EXPECT_EQ(rig.table->audit(), nullptr);
}

TEST(Mixed, AnIpv6ClientOfAnIpv4ServerIsFoundByEitherSide) {
  Rig rig({10, 10});
  const auto inserted = rig.table->insert(client6(1), server4(1), track());
  ASSERT_TRUE(inserted.id.exists());
  EXPECT_TRUE(is_mixed(rig.table->wide(inserted.id)));
  EXPECT_EQ(rig.table->find(client6(1)), inserted.id);
  EXPECT_EQ(rig.table->find(answer4(1)), inserted.id.towards(Direction::to_client));
  EXPECT_EQ(rig.table->audit(), nullptr);
}

// Every field of the IPv4 side counts.
TEST(Mixed, NothingElseIsTakenForTheIpv4Side) {
  Rig rig({10, 10});
  ASSERT_TRUE(rig.table->insert(mapped(client4(1)), server6(1), track()).id.exists());
  const uint64_t hash = rig.table->hash_of(client4(1));
  for (int field = 0; field < 6; ++field) {
    net::Tuple4 other = client4(1);
    if (field == 0) other.source ^= 0x0100'0000;
    if (field == 1) other.destination ^= 1;
    if (field == 2) other.source_port ^= 1;
    if (field == 3) other.destination_port ^= 0x100;
    if (field == 4) other.instance = net::Instance{2};
    if (field == 5) other.protocol = net::Protocol::udp;
    EXPECT_FALSE(rig.table->find(other, hash).exists()) << field;
  }
  EXPECT_TRUE(rig.table->find(client4(1), hash).exists());
  // An IPv6 packet whose addresses only end like these.
  net::Tuple6 like = mapped(client4(1));
  like.source[0] = like.destination[0] = 0x20;
  EXPECT_FALSE(rig.table->find(like, hash).exists());
  // The IPv4 side of a flow that is no mixed one.
  ASSERT_TRUE(
      rig.table->insert(client6(2), Half6{six(9, 1), six(9, 2), 1, 2}, track()).id.exists());
  net::Tuple4 end;
  end.source = unmapped(client6(2).source);
  EXPECT_FALSE(rig.table->find(end, rig.table->hash_of(client6(2))).exists());
}

TEST(Mixed, TheSameTupleIsNotFiledTwice) {
  Rig rig({10, 10});
  const Half4 narrow{answer4(1).source, answer4(1).destination, answer4(1).source_port,
                     answer4(1).destination_port};
  ASSERT_TRUE(rig.table->insert(client4(1), narrow, track()).id.exists());
  EXPECT_EQ(rig.table->insert(client6(1), server4(1), track()).reason,
            net::Reason::answers_ambiguous);
  rig.table->erase(rig.table->find(client4(1)));
  ASSERT_TRUE(rig.table->insert(client6(1), server4(1), track()).id.exists());
  EXPECT_EQ(rig.table->insert(client4(1), narrow, track()).reason, net::Reason::answers_ambiguous);
  EXPECT_EQ(rig.table->audit(), nullptr);
}

/// Narrow, wide and mixed flows beside one another.
void fill(Table& table, uint32_t flows) {
  for (uint32_t n = 0; n < flows; ++n) {
    switch (n % 4) {
      case 0:
        ASSERT_TRUE(table.insert(mapped(client4(n)), server6(n), track()).id.exists());
        break;
      case 1:
        ASSERT_TRUE(table.insert(client6(n), server4(n), track()).id.exists());
        break;
      case 2:
        ASSERT_TRUE(
            table.insert(client6(n), Half6{six(9, 1), six(9, 2), 1, static_cast<uint16_t>(n)}, {})
                .id.exists());
        break;
      default:
        ASSERT_TRUE(
            table.insert(client4(n), Half4{1, 2, 3, static_cast<uint16_t>(n)}, {}).id.exists());
    }
  }
}

TEST(Mixed, BulkLookUpAgreesWithSingleOnes) {
  constexpr uint32_t kFlows = 4000;
  Rig rig({kFlows, kFlows});
  fill(*rig.table, kFlows);
  ASSERT_EQ(rig.table->audit(), nullptr);
  net::Burst burst;
  std::mt19937 random(7);
  uint32_t found = 0;
  for (int round = 0; round < 300; ++round) {
    burst.count = 64;
    for (net::Packet& packet : burst.all()) {
      const uint32_t n = random() % (kFlows + 100);
      packet.verdict = net::Verdict::undecided;
      packet.flow = net::kNoFlow;
      packet.shape = random() % 8 == 0 ? net::Shape::icmp_error : net::Shape::transport;
      packet.family = random() % 2 == 0 ? net::Family::ipv4 : net::Family::ipv6;
      const bool back = random() % 2 == 0;
      if (packet.family == net::Family::ipv4) {
        packet.tuple4 = back ? answer4(n) : client4(n);
        if (packet.shape == net::Shape::icmp_error) packet.tuple4 = packet.tuple4.mirrored();
      } else {
        packet.tuple6 = back ? tuple_to_client(mapped(client4(n)), server6(n)) : client6(n);
        if (packet.shape == net::Shape::icmp_error) packet.tuple6 = packet.tuple6.mirrored();
      }
    }
    rig.table->find(burst);
    for (const net::Packet& packet : burst.all()) {
      const bool error = packet.shape == net::Shape::icmp_error;
      const FlowId expected =
          packet.family == net::Family::ipv4
              ? rig.table->find(error ? packet.tuple4.mirrored() : packet.tuple4)
              : rig.table->find(error ? packet.tuple6.mirrored() : packet.tuple6);
      ASSERT_EQ(packet.flow, expected.word());
      found += expected.exists();
    }
  }
  EXPECT_GT(found, 5000u);
}

TEST(Mixed, RebuiltFromTheirEntriesAlone) {
  constexpr uint32_t kFlows = 1200;
  Rig rig({kFlows, kFlows});
  fill(*rig.table, kFlows);
  for (uint32_t n = 0; n < kFlows; n += 8) rig.table->erase(rig.table->find(client4(n)));
  rig.start(43);
  for (const bool wide : {false, true}) {
    for (uint32_t i = 0; i < kFlows; ++i) {
      const FlowId id(wide, i, Direction::to_server);
      if (rig.table->track(id).valid == 0) continue;
      EXPECT_TRUE(rig.table->adopt(id));
    }
  }
  EXPECT_EQ(rig.table->audit(), nullptr);
  EXPECT_EQ(rig.table->count(true) + rig.table->count(false), kFlows - kFlows / 8);
  EXPECT_FALSE(rig.table->find(client4(8)).exists());
  EXPECT_TRUE(rig.table->find(client4(4)).exists());
  EXPECT_TRUE(rig.table->find(answer4(5)).exists());
}

}  // namespace
}  // namespace nezu::flow
