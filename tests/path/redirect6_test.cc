// Mode `redirect` over IPv6, and ICMP errors about what it has redirected.
#include <gtest/gtest.h>

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

const char* const kClient = "2001:db8:c::7";
const char* const kOrigin = "2a00:1450::1";
const char* const kInside = "2001:db8:f::99";
constexpr std::string_view kClientMac = "02:00:00:00:00:c1", kFirewallMac = "02:00:00:01:00:01";

world::ServiceSpec caches() { return caches_for("::/0", {{"fd00:1::5"}, {"fd00:1::6"}}); }
world::ServiceSpec firewalls() { return firewalls_like(caches()); }

struct Rig : Lab {
  explicit Rig(uint16_t workers) : Lab(workers) {
    side(0, Side::clients);
    side(1, Side::servers);
    restart(workers);
  }
  Fate in(const Stack& stack) { return send(stack, turn++ % workers(), 0); }
  Fate out(const Stack& stack) { return send(stack, turn++ % workers(), 1); }
  uint16_t turn = 0;
};
Eth from_client() { return eth().from(kClientMac).to(world::kFrontMac); }
Eth from_farm(std::string_view mac) { return eth().from(mac).to(world::kBackMac); }
Eth to_client() { return eth().from(world::kFrontMac).to(kClientMac); }
Eth to_server(uint32_t n) {
  return eth().from(world::kBackMac).to(net::to_string(world::server_mac(n)));
}

TEST(Redirect6, AnswersGoBackToWhoAskedAlsoAfterARestart) {
  Rig rig(1);
  rig.world().put(firewalls());
  const Fate there = rig.in(from_client() / ipv6(kClient, kOrigin) / udp(4000, 53) / "question");
  ASSERT_EQ(there.verdict, Verdict::forward) << to_string(there.reason);
  const auto answer = [&] {
    return rig.out(from_farm("02:00:00:01:00:00") / ipv6(kOrigin, kClient) / udp(53, 4000) / "a");
  };
  const Frame expected = to_client() / ipv6(kOrigin, kClient).hops(63) / udp(53, 4000) / "a";
  EXPECT_EQ(answer().frame, expected);
  EXPECT_EQ(rig.restart(2).kept, 1u);
  EXPECT_EQ(answer().frame, expected);
  EXPECT_EQ(rig.audit(), "");
}

TEST(Redirect6, WhatAFirewallOpenedGoesBackThroughItAlsoAPing) {
  for (const uint16_t workers : {1, 2}) {
    Rig rig(workers);
    rig.world().put(firewalls());
    ASSERT_EQ(
        rig.out(from_farm(kFirewallMac) / ipv6(kClient, kInside) / tcp(4000, 80).syn()).egress, 0);
    EXPECT_EQ(rig.in(from_client() / ipv6(kInside, kClient) / tcp(80, 4000).syn().ack(1)).frame,
              to_server(1) / ipv6(kInside, kClient).hops(63) / tcp(80, 4000).syn().ack(1));
    ASSERT_EQ(
        rig.out(from_farm(kFirewallMac) / ipv6(kClient, kInside) / echo_request6(7, 1)).egress, 0);
    EXPECT_EQ(rig.in(from_client() / ipv6(kInside, kClient) / echo_reply6(7, 1)).frame,
              to_server(1) / ipv6(kInside, kClient).hops(63) / echo_reply6(7, 1));
    EXPECT_EQ(rig.audit(), "");
  }
}

TEST(Redirect6, ByDestinationAndWithoutAServer) {
  Rig rig(2);
  world::ServiceSpec spec = caches();
  spec.scheduler = tables::Scheduler::mh;
  spec.hash_destination = true;
  rig.world().put(spec);
  std::optional<uint8_t> cache;
  for (uint32_t n = 0; n < 8; ++n) {
    const Fate fate = rig.in(from_client() / ipv6(client6(n), kOrigin) / tcp(4000, 80).syn());
    ASSERT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
    EXPECT_EQ(cache.value_or(fate.frame.bytes()[5]), fate.frame.bytes()[5]);
    cache = fate.frame.bytes()[5];
  }
  for (world::ServerSpec& server : spec.servers) server.state = tables::ServerState::failed;
  rig.world().put(spec);
  const Fate passed = rig.in(from_client() / ipv6(client6(99), kOrigin) / tcp(4000, 80).syn());
  ASSERT_EQ(passed.verdict, Verdict::forward) << to_string(passed.reason);
  EXPECT_EQ(passed.egress, 0);
  spec.refusal = tables::Refusal::refuse;
  rig.world().put(spec);
  const Fate refused = rig.in(from_client() / ipv6(client6(98), kOrigin) / tcp(4000, 80).syn());
  EXPECT_EQ(refused.verdict, Verdict::reply);
  EXPECT_EQ(refused.reason, Reason::no_server);
}

TEST(Redirect6, WhatCachesAskForPassesAndOneHalfIsEnough) {
  Rig rig(2);
  rig.world().put(caches());
  const Fate asked =
      rig.out(from_farm("02:00:00:01:00:00") / ipv6("fd00:1::5", kOrigin) / tcp(4000, 80).syn());
  EXPECT_EQ(asked.egress, 0) << to_string(asked.reason);
  EXPECT_EQ(rig.flow_count(), 0u);
  const auto there = ipv6(kClient, kOrigin);
  ASSERT_EQ(rig.in(from_client() / there / tcp(4000, 80).syn().seq(1)).egress, 1);
  ASSERT_EQ(rig.in(from_client() / there / tcp(4000, 80).seq(2).ack(10)).egress, 1);
  rig.advance(600);
  EXPECT_EQ(rig.flow_count(), 1u);
}

TEST(Redirect6, ErrorsAboutAnswersReachTheServerThatGaveThem) {
  Rig rig(2);
  rig.world().put(caches());
  world::ServiceSpec four = caches();
  four.vip = "0.0.0.0/0";
  four.servers = {{"10.0.1.5"}};
  rig.world().put(four);
  ASSERT_EQ(rig.in(from_client() / ipv6(kClient, kOrigin) / tcp(4000, 80).syn()).egress, 1);
  const auto with6 = [](const Stack& outer) {
    return outer / packet_too_big(1300) / ipv6(kOrigin, kClient) / tcp(80, 4000).seq(1);
  };
  const Fate told = rig.in(with6(from_client() / ipv6("2001:db8:f::77", kOrigin)));
  ASSERT_EQ(told.verdict, Verdict::forward) << to_string(told.reason);
  EXPECT_EQ(told.frame, with6(to_server(0) / ipv6("2001:db8:f::77", kOrigin).hops(63)));
  ASSERT_EQ(rig.in(from_client() / ipv4("198.51.100.7", "93.1.2.3") / tcp(4000, 80).syn()).egress,
            1);
  const auto with4 = [](const Stack& outer) {
    return outer / fragmentation_needed(1300) / ipv4("93.1.2.3", "198.51.100.7") /
           tcp(80, 4000).seq(1);
  };
  const Fate told4 = rig.in(with4(from_client() / ipv4("192.0.2.77", "93.1.2.3")));
  ASSERT_EQ(told4.verdict, Verdict::forward) << to_string(told4.reason);
  EXPECT_EQ(told4.frame, with4(to_server(2) / ipv4("192.0.2.77", "93.1.2.3").ttl(63)));
  // About what passed without a flow: to whom it tells.
  const Fate passed =
      rig.in(from_client() / ipv4("192.0.2.77", "10.0.1.5") / fragmentation_needed(1300) /
             ipv4("10.0.1.5", "93.1.2.3") / tcp(4000, 80).seq(1));
  EXPECT_EQ(passed.verdict, Verdict::forward) << to_string(passed.reason);
  EXPECT_EQ(passed.egress, 1);
}

}  // namespace
}  // namespace nezu::lab
