// SNAT ports and least-loaded members against plain models.
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>
#include <set>

#include "dataplane/admit/loads.h"
#include "dataplane/admit/scheduling.h"
#include "dataplane/admit/snat_ports.h"
#include "tests/unit/admit/pools.h"

namespace nezu::admit {
namespace {

TEST(SnatPorts, AWholeSliceThenNoneThenTheFirstFreedFirst) {
  SnatPorts ports(64);
  std::vector<uint16_t> taken;
  for (uint32_t i = 0; i < tables::kSnatSlicePorts; ++i) {
    const uint16_t port = ports.take(3, 200, 9);
    ASSERT_NE(port, 0);
    ASSERT_EQ(tables::shard_of_snat_port(port), 200u);
    taken.push_back(port);
  }
  EXPECT_EQ(std::set(taken.begin(), taken.end()).size(), tables::kSnatSlicePorts);
  EXPECT_EQ(ports.take(3, 200, 9), 0);
  EXPECT_NE(ports.take(3, 200, 10), 0);  // the same port towards another server
  EXPECT_NE(ports.take(4, 200, 9), 0);
  for (const uint16_t port : {taken[50], taken[100], taken[10]}) ports.release(3, port, 9);
  EXPECT_EQ(ports.take(3, 200, 9), taken[10]);
  EXPECT_EQ(ports.take(3, 200, 9), taken[50]);
  EXPECT_EQ(ports.take(3, 200, 9), taken[100]);
  EXPECT_EQ(ports.take(3, 200, 9), 0);
}

TEST(SnatPorts, AFreedPortRestsWhileOthersAreFree) {
  SnatPorts ports(64);
  ASSERT_NE(ports.take(0, 0, 0), 0);  // keeps the line
  const uint16_t first = ports.take(0, 0, 0);
  ports.release(0, first, 0);
  for (uint32_t i = 0; i < tables::kSnatSlicePorts - 2; ++i) {
    const uint16_t port = ports.take(0, 0, 0);
    EXPECT_NE(port, first);
    ports.release(0, port, 0);
  }
  EXPECT_EQ(ports.take(0, 0, 0), first);
}

// Servers keep the ports of closed connections for a minute.
TEST(SnatPorts, WithoutAnyOthersAPortStillRestsForAMinute) {
  constexpr net::Tick kMinute = 60 * net::kTicksPerSecond, kEvery = net::kTicksPerSecond / 2;
  SnatPorts ports(64);
  std::map<uint16_t, net::Tick> freed;
  for (net::Tick now = 1000; now < 1000 + 10 * kMinute; now += kEvery) {
    ports.note_time(now);
    const uint16_t port = ports.take(0, 7, 0);
    ASSERT_NE(port, 0);
    const auto before = freed.find(port);
    ASSERT_TRUE(before == freed.end() || now - before->second >= kMinute);
    ports.release(0, port, 0);
    freed[port] = now;
  }
  EXPECT_EQ(ports.used(), 0u);
}

// The table keeps closed flows for some seconds, and their line with them: it must not fall behind
// the clock, or what is made anew after it begins too early.
TEST(SnatPorts, ALineThatStaysRestsItsPortsForAMinuteToo) {
  constexpr net::Tick kMinute = 60 * net::kTicksPerSecond, kClosed = 10 * net::kTicksPerSecond;
  SnatPorts ports(64);
  std::map<uint16_t, net::Tick> used;
  std::deque<std::pair<net::Tick, uint16_t>> closed;
  std::mt19937 random(5);
  net::Tick now = 1000;
  for (int flow = 0; flow < 20'000; ++flow) {
    now += 4 + random() % (15 * net::kTicksPerSecond);
    ports.note_time(now);
    for (; !closed.empty() && now - closed.front().first >= kClosed; closed.pop_front()) {
      ports.release(0, closed.front().second, 0);
    }
    const uint16_t port = ports.take(0, 7, 0);
    ASSERT_NE(port, 0);
    const auto before = used.find(port);
    ASSERT_TRUE(before == used.end() || now - before->second >= kMinute)
        << (now - before->second) / net::kTicksPerSecond << " s";
    used[port] = now;
    closed.emplace_back(now, port);
  }
}

TEST(SnatPorts, EveryShardsLastPortIsWithinItsSlice) {
  SnatPorts ports(512);
  for (uint32_t shard = 0; shard < tables::kShardCount; ++shard) {
    for (uint32_t i = 0; i < tables::kSnatSlicePorts; ++i) {
      const uint16_t port = ports.take(0, static_cast<uint8_t>(shard), 0);
      ASSERT_EQ(tables::shard_of_snat_port(port), shard);
    }
  }
}

TEST(SnatPorts, RandomUseAgreesWithASet) {
  SnatPorts ports(256);
  using Key = std::tuple<uint16_t, uint16_t, uint16_t>;
  std::vector<Key> held;
  std::set<Key> model;
  std::mt19937 random(3);
  for (int step = 0; step < 300000; ++step) {
    if (random() % 2 == 0 || held.empty()) {
      const auto address = static_cast<uint16_t>(random() % 4);
      const auto server = static_cast<uint16_t>(random() % 40);
      const uint16_t port = ports.take(address, static_cast<uint8_t>(random() % 4), server);
      if (port == 0) continue;
      ASSERT_TRUE(model.insert({address, port, server}).second);
      held.push_back({address, port, server});
    } else {
      std::swap(held[random() % held.size()], held.back());
      const auto [address, port, server] = held.back();
      ports.release(address, port, server);
      model.erase(held.back());
      held.pop_back();
    }
  }
  SnatPorts again(256);
  for (const auto& [address, port, server] : held) {
    EXPECT_TRUE(again.occupy(address, port, server));
    EXPECT_FALSE(again.occupy(address, port, server));
  }
  EXPECT_EQ(again.used(), ports.used());
  for (const auto& [address, port, server] : held) ports.release(address, port, server);
  EXPECT_EQ(ports.used(), 0u);
}

TEST(SnatPorts, NoLineLeftIsARefusal) {
  SnatPorts ports(64);
  uint32_t lines = 0;
  for (uint16_t server = 0; server < 1000; ++server) lines += ports.take(0, 0, server) != 0;
  EXPECT_EQ(lines, ports.capacity());
}

TEST(Loads, FillsByWeight) {
  std::vector<tables::ServerCounters> gauges(2048);
  for (const auto scheduler : {tables::Scheduler::lc, tables::Scheduler::wlc}) {
    for (auto& gauge : gauges) gauge.flows_active.set(0);
    Loads loads(sizes(), 4096, 0, gauges.data());
    PoolBlock pool(scheduler, {1, 2, 5, 0, 2});
    for (int i = 0; i < 1000; ++i) {
      const uint32_t member = loads.pick(*pool, 1);
      ASSERT_NE(member, 3u);
      ASSERT_LT(member, 5u);
      gauges[member].flows_active.add(1);
      loads.changed(tables::ServerId{member});
    }
    const bool weighted = scheduler == tables::Scheduler::wlc;
    EXPECT_NEAR(gauges[0].flows_active.read(), weighted ? 100 : 250, 2);
    EXPECT_NEAR(gauges[2].flows_active.read(), weighted ? 500 : 250, 2);
  }
}

TEST(Loads, AgreesWithASearchWhateverHappens) {
  std::vector<tables::ServerCounters> gauges(2048);
  Loads loads(sizes(), 8192, 3, gauges.data());
  std::mt19937 random(11);
  std::vector<uint32_t> weights(777);
  for (uint32_t& weight : weights) weight = random() % 20;
  uint64_t generation = 1;
  auto pool = std::make_unique<PoolBlock>(tables::Scheduler::wlc, weights);
  for (int step = 0; step < 20000; ++step) {
    if (step % 500 == 499) {  // a push: another weight, or another size
      weights[random() % weights.size()] = random() % 20;
      if (random() % 4 == 0) weights.resize(500 + random() % 600, 3);
      pool = std::make_unique<PoolBlock>(tables::Scheduler::wlc, weights);
      ++generation;
    }
    const uint32_t member = loads.pick(**pool, generation);
    ASSERT_LT(member, weights.size());
    const auto cost = [&](uint32_t i) {
      return static_cast<double>(gauges[i].flows_active.read()) / weights[i];
    };
    double least = 1e18;
    for (uint32_t i = 0; i < weights.size(); ++i) {
      if (weights[i] != 0) least = std::min(least, cost(i));
    }
    ASSERT_NE(weights[member], 0u);
    ASSERT_LE(cost(member), least + 1e-9);
    gauges[member].flows_active.add(1);
    loads.changed(tables::ServerId{member});
    const uint32_t ends = random() % static_cast<uint32_t>(weights.size());
    if (gauges[ends].flows_active.read() != 0) {
      gauges[ends].flows_active.subtract(1);
      loads.changed(tables::ServerId{ends});
    }
  }
}

TEST(Loads, ManyPoolsInLittleRoom) {
  std::vector<tables::ServerCounters> gauges(2048);
  Loads loads(sizes(), 1024, 0, gauges.data());
  std::vector<std::unique_ptr<PoolBlock>> pools;
  for (uint32_t id = 0; id < 6; ++id) {
    pools.push_back(
        std::make_unique<PoolBlock>(tables::Scheduler::lc, std::vector<uint32_t>(300 + id, 1), id));
  }
  for (int i = 0; i < 3000; ++i) {
    const uint32_t member = loads.pick(**pools[static_cast<size_t>(i) % 6], 1);
    ASSERT_LT(member, 306u);
    gauges[member].flows_active.add(1);
    loads.changed(tables::ServerId{member});
  }
  for (uint32_t i = 0; i < 300; ++i) EXPECT_NEAR(gauges[i].flows_active.read(), 10, 1) << i;
}

TEST(Scheduling, ClientHashIsTheSameEverywhereForEver) {
  const Client client{net::Address::v4(0xc6336407), 40000};
  EXPECT_EQ(client_hash(client, false), client_hash({client.address, 1}, false));
  EXPECT_NE(client_hash(client, true), client_hash({client.address, 1}, true));
  EXPECT_EQ(client_hash(client, false), 0x6fa487b75b656750u);
  EXPECT_EQ(client_hash(client, true), 0x38e5383edd77a7c3u);
}

}  // namespace
}  // namespace nezu::admit
