// Mode `redirect`: web caches and firewalls for other people's addresses.
#include <gtest/gtest.h>

#include <map>

#include "dataplane/path_turn.h"
#include "tests/path/farm.h"
#include "tests/path/frames.h"
#include "tests/path/lab.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Protocol;
using net::Reason;
using net::Side;
using net::Verdict;
using tables::Mode;

constexpr std::string_view kClientMac = "02:00:00:00:00:c1";
Eth from(std::string_view mac) { return eth().from(mac).to(world::kFrontMac); }
Eth from_back(std::string_view mac) { return eth().from(mac).to(world::kBackMac); }
Eth to_server(uint32_t n) {
  return eth().from(world::kBackMac).to(net::to_string(world::server_mac(n)));
}
Eth to_router() { return eth().from(world::kFrontMac).to(world::kRouterMac); }

world::ServiceSpec caches(std::string_view prefix = "0.0.0.0/0") {
  return caches_for(prefix, {{"10.0.1.5"}, {"10.0.1.6"}});
}
world::ServiceSpec firewalls() {
  world::ServiceSpec spec = firewalls_like(caches());
  spec.refusal = tables::Refusal::drop;
  return spec;
}

/// Clients and the way out at port 0, the farm at port 1.
struct Rig {
  explicit Rig(uint16_t workers) : lab(workers) {
    lab.side(0, Side::clients);
    lab.side(1, Side::servers);
    lab.restart(workers);
  }
  Fate from_client(const Stack& sent) { return lab.send(sent, turn++ % lab.workers(), 0); }
  Fate from_farm(const Stack& sent) { return lab.send(sent, turn++ % lab.workers(), 1); }
  Lab lab;
  uint16_t turn = 0;
};

TEST(Redirect, OnlyTheMacChangesAndAnswersGoToTheClient) {
  Rig rig(2);
  rig.lab.world().put(caches());
  for (uint16_t n = 0; n < 16; ++n) {
    const auto port = static_cast<uint16_t>(4000 + n);
    const Fate there = rig.from_client(from(kClientMac) / ipv4("198.51.100.7", "93.184.216.34") /
                                       tcp(port, 80).syn().seq(1));
    ASSERT_EQ(there.verdict, Verdict::forward) << to_string(there.reason);
    EXPECT_EQ(there.egress, 1);
    const bool first = there.frame.bytes()[5] == 0;
    EXPECT_EQ(there.frame, to_server(first ? 0 : 1) /
                               ipv4("198.51.100.7", "93.184.216.34").ttl(63) /
                               tcp(port, 80).syn().seq(1));
    const Fate back =
        rig.from_farm(from_back("02:00:00:01:00:00") / ipv4("93.184.216.34", "198.51.100.7") /
                      tcp(80, port).syn().seq(9).ack(2));
    ASSERT_EQ(back.verdict, Verdict::forward) << to_string(back.reason);
    EXPECT_EQ(back.frame, to_router() / ipv4("93.184.216.34", "198.51.100.7").ttl(63) /
                              tcp(80, port).syn().seq(9).ack(2));
  }
  EXPECT_EQ(rig.lab.flow_count(), 16u);
  EXPECT_EQ(rig.lab.audit(), "");
}

TEST(Redirect, Ipv6) {
  Rig rig(1);
  world::ServiceSpec spec = caches("::/0");
  spec.servers = {{"fd00:1::5"}};
  rig.lab.world().put(spec);
  const Fate there = rig.from_client(from(kClientMac) / ipv6("2001:db8:c::7", "2a00:1450::1") /
                                     tcp(4000, 80).syn());
  ASSERT_EQ(there.verdict, Verdict::forward) << to_string(there.reason);
  EXPECT_EQ(there.frame,
            to_server(0) / ipv6("2001:db8:c::7", "2a00:1450::1").hops(63) / tcp(4000, 80).syn());
}

TEST(Redirect, ByDestinationEveryClientGetsTheSameCache) {
  Rig rig(2);
  world::ServiceSpec spec = caches();
  spec.scheduler = tables::Scheduler::mh;
  spec.hash_destination = true;
  rig.lab.world().put(spec);
  std::map<uint8_t, int> used;
  for (uint32_t site = 0; site < 32; ++site) {
    const std::string origin = "93.184.216." + std::to_string(site + 1);
    std::optional<uint8_t> cache;
    for (uint32_t n = 0; n < 8; ++n) {
      const Fate fate =
          rig.from_client(from(kClientMac) / ipv4(client(n), origin) / tcp(4000, 80).syn());
      ASSERT_EQ(fate.verdict, Verdict::forward);
      const uint8_t now = fate.frame.bytes()[5];
      EXPECT_EQ(cache.value_or(now), now);
      cache = now;
    }
    ++used[*cache];
  }
  EXPECT_EQ(used.size(), 2u);
}

TEST(Redirect, WhatTheCachesAskForThemselvesPasses) {
  Rig rig(2);
  rig.lab.world().put(caches());
  // Also with `transit: drop`.
  const Fate there = rig.from_farm(from_back("02:00:00:01:00:00") /
                                   ipv4("10.0.1.5", "93.184.216.34") / tcp(4000, 80).syn());
  ASSERT_EQ(there.verdict, Verdict::forward) << to_string(there.reason);
  EXPECT_EQ(there.frame,
            to_router() / ipv4("10.0.1.5", "93.184.216.34").ttl(63) / tcp(4000, 80).syn());
  const Fate back = rig.from_client(from(world::kRouterMac) / ipv4("93.184.216.34", "10.0.1.5") /
                                    tcp(80, 4000).syn().ack(1));
  ASSERT_EQ(back.verdict, Verdict::forward) << to_string(back.reason);
  EXPECT_EQ(back.frame,
            to_server(0) / ipv4("93.184.216.34", "10.0.1.5").ttl(63) / tcp(80, 4000).syn().ack(1));
  EXPECT_EQ(rig.lab.flow_count(), 0u);
  // Nothing else does.
  EXPECT_EQ(rig.from_farm(from_back("02:00:00:01:00:00") / ipv4("10.0.1.5", "93.184.216.34") /
                          tcp(4000, 443).syn())
                .reason,
            Reason::transit_refused);
}

TEST(Redirect, WhatACacheAsksByTheClientsAddressIsNotSentBackToIt) {
  Rig rig(1);
  rig.lab.world().put(caches());
  const auto packet = [] { return ipv4("198.51.100.7", "93.184.216.34"); };
  ASSERT_EQ(rig.from_client(from(kClientMac) / packet() / tcp(4000, 80).syn()).egress, 1);
  for (int i = 0; i < 3; ++i) {
    const Fate fate =
        rig.from_farm(from_back("02:00:00:01:00:00") / packet() / tcp(4000, 80).syn());
    ASSERT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
    EXPECT_EQ(fate.egress, 0);
    EXPECT_EQ(fate.frame, to_router() / packet().ttl(63) / tcp(4000, 80).syn());
    // The flow's own way is not forgotten over it, nor after new routes.
    rig.lab.world().rebuild_routes();
  }
  EXPECT_EQ(rig.from_client(from(kClientMac) / packet() / tcp(4000, 80).seq(1).ack(1)).egress, 1);
}

TEST(Redirect, AllCachesDead) {
  for (const auto refusal : {tables::Refusal::pass, tables::Refusal::refuse}) {
    Rig rig(2);
    world::ServiceSpec spec = caches();
    spec.refusal = refusal;
    rig.lab.world().put(spec);
    const auto send = [&](uint16_t port, const dsl::Tcp& tcp) {
      (void)port;
      return rig.from_client(from(kClientMac) / ipv4("198.51.100.7", "93.184.216.34") / tcp);
    };
    EXPECT_EQ(send(1, tcp(1, 80).syn()).egress, 1);
    for (world::ServerSpec& server : spec.servers) server.state = tables::ServerState::failed;
    rig.lab.world().put(spec);
    EXPECT_EQ(send(1, tcp(1, 80).seq(1).ack(1)).egress, 1);  // a flow stays where it is
    const Fate fresh = send(2, tcp(2, 80).syn());
    if (refusal == tables::Refusal::refuse) {
      EXPECT_EQ(fresh.verdict, Verdict::reply);
      EXPECT_EQ(fresh.reason, Reason::no_server);
      continue;
    }
    ASSERT_EQ(fresh.verdict, Verdict::forward) << to_string(fresh.reason);
    EXPECT_EQ(fresh.egress, 0);
    EXPECT_EQ(fresh.frame,
              to_router() / ipv4("198.51.100.7", "93.184.216.34").ttl(63) / tcp(2, 80).syn());
    // When caches are back, a connection that went past them goes on past them.
    for (world::ServerSpec& server : spec.servers) server.state = tables::ServerState::ready;
    rig.lab.world().put(spec);
    EXPECT_EQ(send(2, tcp(2, 80).seq(1).ack(1)).egress, 0);
    EXPECT_EQ(send(3, tcp(3, 80).syn()).egress, 1);
  }
}

TEST(Redirect, AVipOfOursAndATwinsAddressAreNeverRedirected) {
  Rig rig(1);
  rig.lab.world().put(firewalls());
  rig.lab.world().put(web());
  EXPECT_EQ(rig.from_client(from(kClientMac) / ipv4("198.51.100.7", "192.0.2.1") / tcp(1, 22).syn())
                .verdict,
            Verdict::twin);
  EXPECT_EQ(
      rig.from_client(from(kClientMac) / ipv4("198.51.100.7", "203.0.113.10") / tcp(1, 443).syn())
          .reason,
      Reason::service_unknown);
  const Fate ours =
      rig.from_client(from(kClientMac) / ipv4("198.51.100.7", "203.0.113.10") / tcp(1, 80).syn());
  EXPECT_EQ(ends_of(ours.frame).destination_port, 8080);
}

TEST(Redirect, WithoutASideNothingIsRedirected) {
  Lab lab(1);
  lab.world().put(caches());
  EXPECT_EQ(
      lab.send(from(kClientMac) / ipv4("198.51.100.7", "93.184.216.34") / tcp(1, 80).syn()).reason,
      Reason::transit_refused);
}

TEST(Redirect, AFlowOfWhichOnlyTheClientsHalfIsSeenLives) {
  Rig rig(1);
  rig.lab.world().put(caches());
  const auto send = [&](const dsl::Tcp& tcp) {
    return rig.from_client(from(kClientMac) / ipv4("198.51.100.7", "93.184.216.34") / tcp);
  };
  send(tcp(1, 80).syn().seq(1));
  send(tcp(1, 80).seq(2).ack(500));
  rig.lab.advance(600);
  EXPECT_EQ(rig.lab.flow_count(), 1u);
  send(tcp(1, 80).fin().seq(2).ack(500));
  rig.lab.advance(130);
  EXPECT_EQ(rig.lab.flow_count(), 0u);
}

TEST(Redirect, AFlowOfWhichBothHalvesAreSeenEndsWithBoth) {
  Rig rig(1);
  rig.lab.world().put(caches());
  const auto there = [&](const dsl::Tcp& tcp) {
    rig.from_client(from(kClientMac) / ipv4("198.51.100.7", "93.184.216.34") / tcp);
  };
  const auto back = [&](const dsl::Tcp& tcp) {
    rig.from_farm(from_back("02:00:00:01:00:00") / ipv4("93.184.216.34", "198.51.100.7") / tcp);
  };
  there(tcp(1, 80).syn().seq(1));
  back(tcp(80, 1).syn().seq(500).ack(2));
  there(tcp(1, 80).seq(2).ack(501));
  there(tcp(1, 80).fin().seq(2).ack(501));
  back(tcp(80, 1).fin().seq(501).ack(3));
  there(tcp(1, 80).seq(3).ack(502));
  rig.lab.advance(12);
  EXPECT_EQ(rig.lab.flow_count(), 0u);
}

TEST(ReturnToSender, AnswersLeaveToTheMacThatAsked) {
  for (const uint16_t workers : {1, 2}) {
    Rig rig(workers);
    rig.lab.world().put(firewalls());
    for (const std::string_view router : {"02:00:00:00:0a:01", "02:00:00:00:0a:02"}) {
      const auto port = static_cast<uint16_t>(router.back() * 10);
      const Fate there = rig.from_client(from(router) / ipv4("198.51.100.7", "10.9.9.9") /
                                         udp(port, 53) / "question");
      ASSERT_EQ(there.verdict, Verdict::forward) << to_string(there.reason);
      EXPECT_EQ(there.egress, 1);
      const Fate back = rig.from_farm(from_back("02:00:00:01:00:00") /
                                      ipv4("10.9.9.9", "198.51.100.7") / udp(53, port) / "answer");
      ASSERT_EQ(back.verdict, Verdict::forward) << to_string(back.reason);
      EXPECT_EQ(back.egress, 0);
      EXPECT_EQ(back.frame, eth().from(world::kFrontMac).to(router) /
                                ipv4("10.9.9.9", "198.51.100.7").ttl(63) / udp(53, port) /
                                "answer");
    }
    EXPECT_EQ(rig.lab.audit(), "");
  }
}

/// What comes out of a firewall for a host behind us goes back through that firewall, also a ping.
TEST(ReturnToSender, AFlowThatAFirewallOpenedGoesBackThroughIt) {
  for (const uint16_t workers : {1, 2}) {
    Rig rig(workers);
    rig.lab.world().put(firewalls());
    const std::vector<std::pair<std::string_view, uint32_t>> both = {{"02:00:00:01:00:00", 0},
                                                                     {"02:00:00:01:00:01", 1}};
    for (const auto& [mac, number] : both) {
      const auto port = static_cast<uint16_t>(4000 + number);
      const Fate there = rig.from_farm(from_back(mac) / ipv4("198.51.100.7", "192.0.2.99") /
                                       tcp(port, 80).syn().seq(1));
      EXPECT_EQ(there.egress, 0) << to_string(there.reason);
      EXPECT_TRUE(there.verdict == Verdict::forward || there.verdict == Verdict::hold);
      const Fate back = rig.from_client(from(kClientMac) / ipv4("192.0.2.99", "198.51.100.7") /
                                        tcp(80, port).syn().seq(5).ack(2));
      ASSERT_EQ(back.verdict, Verdict::forward) << to_string(back.reason);
      EXPECT_EQ(back.egress, 1);
      EXPECT_EQ(back.frame, to_server(number) / ipv4("192.0.2.99", "198.51.100.7").ttl(63) /
                                tcp(80, port).syn().seq(5).ack(2));
      const Fate ping = rig.from_farm(from_back(mac) / ipv4("198.51.100.8", "192.0.2.99") /
                                      echo_request(port, 1));
      EXPECT_EQ(ping.egress, 0);
      const Fate pong = rig.from_client(from(kClientMac) / ipv4("192.0.2.99", "198.51.100.8") /
                                        echo_reply(port, 1));
      EXPECT_EQ(pong.frame, to_server(number) / ipv4("192.0.2.99", "198.51.100.8").ttl(63) /
                                echo_reply(port, 1));
    }
    const auto server = rig.lab.world().server_id("10.0.1.6", 0, Protocol::any);
    EXPECT_EQ(rig.lab.gauge_of_server(server), 2u);
    EXPECT_EQ(rig.lab.flow_count(), 4u);
    EXPECT_EQ(rig.lab.audit(), "");
  }
}

class RedirectRestart : public testing::TestWithParam<std::pair<uint16_t, uint16_t>> {};

TEST_P(RedirectRestart, FlowsKeepTheirServerAndTheirSender) {
  const auto [before, after] = GetParam();
  Rig rig(before);
  world::ServiceSpec spec = firewalls();
  rig.lab.world().put(spec);
  std::map<uint16_t, uint8_t> chosen;
  for (uint16_t port = 1; port <= 64; ++port) {
    const Fate fate = rig.from_client(from("02:00:00:00:0a:07") / ipv4("198.51.100.7", "10.9.9.9") /
                                      udp(port, 53) / "question");
    ASSERT_EQ(fate.verdict, Verdict::forward);
    chosen[port] = fate.frame.bytes()[5];
    ASSERT_EQ(rig.from_farm(from_back("02:00:00:01:00:01") / ipv4("198.51.100.99", "192.0.2.99") /
                            udp(port, 99) / "x")
                  .egress,
              0);
  }
  spec.servers.push_back({"10.0.1.7"});
  rig.lab.world().put(spec);
  const path::Restored restored = rig.lab.restart(after);
  EXPECT_EQ(restored.kept, 128u);
  EXPECT_EQ(restored.dropped, 0u);
  for (const auto& [port, server] : chosen) {
    const Fate there = rig.from_client(from("02:00:00:00:0a:08") /
                                       ipv4("198.51.100.7", "10.9.9.9") / udp(port, 53) / "more");
    EXPECT_EQ(there.frame.bytes()[5], server);
    const Fate back = rig.from_farm(from_back("02:00:00:01:00:00") /
                                    ipv4("10.9.9.9", "198.51.100.7") / udp(53, port) / "answer");
    EXPECT_EQ(back.frame, eth().from(world::kFrontMac).to("02:00:00:00:0a:07") /
                              ipv4("10.9.9.9", "198.51.100.7").ttl(63) / udp(53, port) / "answer");
    const Fate returned = rig.from_client(from(kClientMac) / ipv4("192.0.2.99", "198.51.100.99") /
                                          udp(99, port) / "y");
    EXPECT_EQ(returned.frame,
              to_server(1) / ipv4("192.0.2.99", "198.51.100.99").ttl(63) / udp(99, port) / "y");
  }
  EXPECT_EQ(rig.lab.flow_count(), 128u);
  EXPECT_EQ(rig.lab.audit(), "");
  rig.lab.advance(400);
  EXPECT_EQ(rig.lab.flow_count(), 0u);
  for (uint16_t worker = 0; worker < after; ++worker) {
    EXPECT_EQ(rig.lab.path(worker).state().relays.used(), 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(All, RedirectRestart,
                         testing::Values(std::pair<uint16_t, uint16_t>(1, 1),
                                         std::pair<uint16_t, uint16_t>(2, 2),
                                         std::pair<uint16_t, uint16_t>(1, 3),
                                         std::pair<uint16_t, uint16_t>(4, 2)));

TEST(Redirect, AServerOffOurLinksIsRefused) {
  Rig rig(1);
  world::ServiceSpec spec = caches();
  spec.refusal = tables::Refusal::drop;
  rig.lab.world().put(spec);
  rig.lab.world().rebuild_routes(0, 0, false);
  EXPECT_EQ(
      rig.from_client(from(kClientMac) / ipv4("198.51.100.7", "93.184.216.34") / tcp(1, 80).syn())
          .reason,
      Reason::server_off_link);
}

TEST(Redirect, FragmentsFollowTheirFirst) {
  Rig rig(1);
  world::ServiceSpec spec = caches();
  spec.protocol = Protocol::udp;
  rig.lab.world().put(spec);
  const Fate first = rig.from_client(from(kClientMac) /
                                     ipv4("198.51.100.7", "93.184.216.34").id(7).fragment(0, true) /
                                     udp(1, 80).length(24) / fill(8));
  ASSERT_EQ(first.egress, 1) << to_string(first.reason);
  const Fate last = rig.from_client(
      from(kClientMac) /
      ipv4("198.51.100.7", "93.184.216.34").id(7).fragment(16, false).protocol(17) / fill(8));
  EXPECT_EQ(last.verdict, Verdict::forward) << to_string(last.reason);
  EXPECT_EQ(last.egress, 1);
}

}  // namespace
}  // namespace nezu::lab
