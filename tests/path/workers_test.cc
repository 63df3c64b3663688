// Several workers: one owner for each flow, whoever receives its packets.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "tests/path/frames.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Verdict;

class Workers : public testing::TestWithParam<std::tuple<uint16_t, tables::Mode>> {};

TEST_P(Workers, EveryFlowHasOneOwnerBothWays) {
  const auto [workers, mode] = GetParam();
  Lab lab(workers, {4096, 64}, world::World::small_sizes(workers));
  const auto service = lab.world().put(web(mode));
  const uint32_t flows = std::max(200u, 16u * workers);
  for (uint32_t n = 0; n < flows; ++n) {
    Conversation one(lab, client(n), static_cast<uint16_t>(20000 + n * 7));
    ASSERT_TRUE(one.open()) << n;
    ASSERT_TRUE(one.works()) << n;
  }
  EXPECT_EQ(lab.flow_count(), flows);
  EXPECT_EQ(lab.gauge_of_service(service), flows);
  EXPECT_EQ(lab.audit(), "");
  const uint64_t given = lab.count(&tables::WorkerLine::handed_over);
  EXPECT_EQ(given, lab.count(&tables::WorkerLine::taken_over));
  // Each of five packets a flow comes in at a worker that has nothing to do with its shard.
  if (workers == 1) {
    EXPECT_EQ(given, 0u);
  } else {
    EXPECT_GT(given, 5 * flows * (workers - 1) / workers * 7 / 10);
  }
  std::set<uint16_t> owners;
  for (uint16_t worker = 0; worker < workers; ++worker) {
    if (lab.flows(worker).count(false) != 0) owners.insert(worker);
  }
  EXPECT_EQ(owners.size(), workers);
}

INSTANTIATE_TEST_SUITE_P(All, Workers,
                         testing::Combine(testing::Values(1, 2, 3, 8, 32),
                                          testing::Values(tables::Mode::nat,
                                                          tables::Mode::fullnat)));

// What a packet writes that another core reads, at the most workers: its handle in a ring, and its
// share of the lines that make handles visible and give their places back.
TEST(Handover, SharedLinesAreWrittenOnceForEachPairAndBurst) {
  constexpr uint16_t kWorkers = 32;
  constexpr uint32_t kBursts = 64;
  Lab lab(kWorkers, {4096, 64}, world::World::small_sizes(kWorkers));
  world::ServiceSpec spec = web();
  spec.protocol = net::Protocol::udp;
  lab.world().put(spec);
  std::mt19937 random(7);
  uint64_t pairs = 0, given = 0;
  for (uint32_t n = 0; n < kBursts; ++n) {
    std::vector<Frame> frames;
    for (uint32_t i = 0; i < net::kBurstCapacity; ++i) {
      const auto port = static_cast<uint16_t>(1024 + random() % 60000);
      frames.push_back(eth() / ipv4(client(n), "203.0.113.10") / udp(port, 80));
    }
    const auto receiver = static_cast<uint16_t>(n % kWorkers);
    std::set<uint16_t> owners;
    for (const Fate& fate : lab.send(frames, receiver)) {
      ASSERT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
      if (fate.worker == receiver) continue;
      owners.insert(fate.worker);
      ++given;
    }
    pairs += owners.size();
  }
  EXPECT_EQ(given, lab.count(&tables::WorkerLine::handed_over));
  EXPECT_EQ(lab.audit(), "");
  // 31 of 32 packets are handed over, a burst to nearly all others: two packets a line.
  const double packets = kBursts * net::kBurstCapacity;
  EXPECT_NEAR(static_cast<double>(given) / packets, 31.0 / 32, 0.01);
  EXPECT_NEAR(static_cast<double>(given) / static_cast<double>(pairs), 2.3, 0.2);
}

TEST(Handover, OnceHandedOverNeverAgain) {
  Lab lab(2);
  lab.world().put(web());
  // A packet of nobody's that claims to have been handed over ends here.
  for (uint32_t n = 0; n < 16; ++n) {
    Frame frame = eth() / ipv4(client(n), "203.0.113.10") / tcp(5, 80).syn();
    net::Burst burst;
    burst.count = 1;
    net::Packet& from = frame.packet();
    burst.packets[0].arrive(from.head, &frame, from.head_length, from.length, from.room, 0);
    lab.path(0).take(burst, lab.world().view(), lab.world().routes(), lab.now());
    EXPECT_NE(burst.packets[0].verdict, Verdict::hand_over);
    EXPECT_TRUE(burst.packets[0].verdict == Verdict::forward ||
                burst.packets[0].reason == net::Reason::handover_again);
  }
  EXPECT_GT(lab.count(net::Reason::handover_again), 0u);
}

// What a worker remembers of other workers' packets is right as long as the tables are.
TEST(Handover, WhosePacketsAreFollowsTheTables) {
  Lab lab(8);
  lab.world().put(web());
  world::ServiceSpec other = web();
  other.vip = "203.0.113.99";
  other.protocol = net::Protocol::udp;
  const auto send = [&lab](uint32_t n) {
    return lab.send(
        eth() / ipv4(client(n), "203.0.113.99") / udp(static_cast<uint16_t>(5000 + n), 80),
        static_cast<uint16_t>(n % 8), 0);
  };
  for (int again = 0; again < 3; ++again) {
    for (uint32_t n = 0; n < 64; ++n) EXPECT_EQ(send(n).reason, net::Reason::transit_refused);
  }
  lab.world().put(other);  // now the client tells whose they are
  for (int again = 0; again < 3; ++again) {
    std::set<uint16_t> owners;
    for (uint32_t n = 0; n < 64; ++n) {
      const Fate fate = send(n);
      ASSERT_EQ(fate.verdict, Verdict::forward) << n << " " << to_string(fate.reason);
      owners.insert(fate.worker);
    }
    EXPECT_EQ(owners.size(), 8u);
  }
  EXPECT_EQ(lab.flow_count(), 64u);
}

TEST(Spread, RandomClientsOverServersAndWorkers) {
  constexpr uint32_t kClients = 65536;
  for (const tables::Scheduler scheduler :
       {tables::Scheduler::rr, tables::Scheduler::wlc, tables::Scheduler::mh}) {
    Lab lab(4, {20000, 64});
    world::ServiceSpec spec = web();
    spec.protocol = net::Protocol::udp;
    spec.scheduler = scheduler;
    spec.servers.push_back({"10.0.1.8", 8080});
    lab.world().put(spec);
    tables::Settings settings;
    settings.embryonic_percent = 100;
    lab.world().settings(settings);
    std::mt19937 random(7);
    for (uint32_t n = 0; n < kClients;) {
      std::vector<Frame> frames;
      for (; n < kClients && frames.size() < net::kBurstCapacity; ++n) {
        const auto port = static_cast<uint16_t>(1024 + random() % 60000);
        frames.push_back(eth() / ipv4(client(n), "203.0.113.10") / udp(port, 80));
      }
      for (const Fate& fate : lab.send(frames, static_cast<uint16_t>(random() % 4))) {
        ASSERT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
      }
    }
    EXPECT_EQ(lab.flow_count(), kClients);
    for (uint16_t worker = 0; worker < 4; ++worker) {
      EXPECT_NEAR(lab.flows(worker).count(false), kClients / 4, kClients / 4 * 0.05);
    }
    for (const char* server : {"10.0.1.5", "10.0.1.6", "10.0.1.7", "10.0.1.8"}) {
      const auto id = lab.world().server_id(server, 8080, net::Protocol::udp);
      const double off = scheduler == tables::Scheduler::mh ? 0.05 : 0.001;
      EXPECT_NEAR(lab.gauge_of_server(id), kClients / 4, kClients / 4 * off + 8) << server;
    }
    EXPECT_EQ(lab.audit(), "");
  }
}

}  // namespace
}  // namespace nezu::lab
