// Who gets new flows, through the whole path: the spread of each order, servers that have enough.
#include <gtest/gtest.h>

#include <map>

#include "tests/path/frames.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Reason;
using net::Verdict;
using tables::Scheduler;

constexpr const char* kServers[] = {"10.0.1.5", "10.0.1.6", "10.0.1.7"};

world::ServiceSpec names(Scheduler scheduler, std::vector<uint32_t> weights) {
  world::ServiceSpec spec = web();
  spec.protocol = net::Protocol::udp;
  spec.scheduler = scheduler;
  spec.servers.clear();
  for (size_t i = 0; i < weights.size(); ++i) {
    spec.servers.push_back({kServers[i], 8080, weights[i]});
  }
  return spec;
}

/// Sends the first datagram of so many clients, at the workers in turn; flows by server, and those
/// that were refused under "".
std::map<std::string, uint32_t> spread(Lab& lab, uint32_t clients, uint32_t from = 0) {
  std::map<std::string, uint32_t> flows;
  for (uint32_t n = from; n < from + clients; ++n) {
    const Frame frame = eth() / ipv4(client(n), "203.0.113.10") / udp(1000, 80) / "question";
    const Fate fate = lab.send(frame, static_cast<uint16_t>(n % lab.workers()));
    if (fate.verdict == Verdict::forward) {
      ++flows[net::to_string(ends_of(fate.frame).destination)];
    } else {
      EXPECT_EQ(fate.reason, Reason::servers_full);
      ++flows[""];
    }
  }
  return flows;
}

TEST(Schedulers, SpreadByWeight) {
  for (const Scheduler scheduler :
       {Scheduler::wrr, Scheduler::wlc, Scheduler::sed, Scheduler::random, Scheduler::twos}) {
    Lab lab(2, {8192, 64, 64});
    lab.world().put(names(scheduler, {1, 2, 3}));
    auto flows = spread(lab, 6000);
    const bool chance = scheduler == Scheduler::random;
    EXPECT_NEAR(flows[kServers[0]], 1000, chance ? 120 : 60) << static_cast<int>(scheduler);
    EXPECT_NEAR(flows[kServers[1]], 2000, chance ? 150 : 60);
    EXPECT_NEAR(flows[kServers[2]], 3000, chance ? 150 : 60);
    EXPECT_EQ(lab.audit(), "");
  }
}

TEST(Schedulers, FoTakesTheHeaviestAndOvfGoesOn) {
  Lab lab(1);
  lab.world().put(names(Scheduler::fo, {1, 9, 3}));
  EXPECT_EQ(spread(lab, 50)[kServers[1]], 50u);
  Lab other(1);
  other.world().put(names(Scheduler::ovf, {1, 9, 3}));
  auto flows = spread(other, 20);
  EXPECT_EQ(flows[kServers[1]], 9u);
  EXPECT_EQ(flows[kServers[2]], 3u);
  EXPECT_EQ(flows[kServers[0]], 1u);
  EXPECT_EQ(flows[""], 7u);
  EXPECT_EQ(other.count(Reason::servers_full), 7u);
}

TEST(Schedulers, ThresholdsHoldOverAllWorkersAndEveryOrder) {
  for (const Scheduler scheduler :
       {Scheduler::rr, Scheduler::wrr, Scheduler::lc, Scheduler::wlc, Scheduler::sh, Scheduler::mh,
        Scheduler::sed, Scheduler::nq, Scheduler::twos, Scheduler::random}) {
    Lab lab(2);
    world::ServiceSpec spec = names(scheduler, {1, 1, 1});
    spec.servers[0].max_flows = 10;
    lab.world().put(spec);
    auto flows = spread(lab, 300);
    EXPECT_EQ(flows[kServers[0]], 10u) << static_cast<int>(scheduler);
    EXPECT_EQ(flows[""], 0u);
    uint32_t room = 0;
    for (size_t i = 0; i < spec.servers.size(); ++i) {
      spec.servers[i].max_flows = 160;
      // The lab's rings are turns in order: who comes next takes all that one does not.
      EXPECT_LT(flows[kServers[i]], tables::has_ring(scheduler) ? 200u : 160u)
          << static_cast<int>(scheduler);
      room += 160 - std::min(160u, flows[kServers[i]]);
    }
    lab.world().put(spec);
    flows = spread(lab, 300, 300);
    EXPECT_EQ(flows[""], 300 - room) << static_cast<int>(scheduler);
    EXPECT_EQ(lab.audit(), "");
    lab.advance(400);  // all flows have ended
    EXPECT_EQ(lab.flow_count(), 0u);
    EXPECT_EQ(spread(lab, 50, 1000)[""], 0u);
  }
}

TEST(Schedulers, AKnownFlowOfAFullServerGoesOn) {
  Lab lab(1);
  world::ServiceSpec spec = web();
  spec.servers = {{"10.0.1.5", 8080}};
  spec.servers[0].max_flows = 1;
  lab.world().put(spec);
  Conversation first(lab, client(1), 1000), second(lab, client(2), 1000);
  ASSERT_TRUE(first.open());
  EXPECT_FALSE(second.open());
  EXPECT_EQ(lab.count(Reason::servers_full), 1u);
  EXPECT_TRUE(first.works());
}

TEST(Schedulers, ABoundKeepsAHashFromCrowdingOneServer) {
  // All from one client address: without ports in the hash one server would get them all.
  const auto crowd = [](uint16_t bound) {
    Lab lab(1);
    world::ServiceSpec spec = names(Scheduler::mh, {1, 1, 1});
    spec.load_bound_percent = bound;
    lab.world().put(spec);
    std::map<net::Address, uint32_t> flows;
    for (uint16_t port = 1; port <= 300; ++port) {
      const Fate fate =
          lab.send(eth() / ipv4(client(1), "203.0.113.10") / udp(port, 80) / "question");
      ++flows[ends_of(fate.frame).destination];
    }
    uint32_t most = 0;
    for (const auto& [server, count] : flows) most = std::max(most, count);
    return most;
  };
  EXPECT_EQ(crowd(0), 300u);
  EXPECT_LE(crowd(125), 130u);
  EXPECT_LE(crowd(200), 205u);
  EXPECT_GE(crowd(200), 190u);
}

}  // namespace
}  // namespace nezu::lab
