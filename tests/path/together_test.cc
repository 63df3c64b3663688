// What meets in one packet: `redirect`, prefixes and protocols without ports together with network
// instances, source NAT, told client addresses, announced connections and idle resets.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/path/farm.h"
#include "tests/path/frames.h"
#include "tests/path/lab.h"
#include "tests/path/sctp_frames.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Instance;
using net::Protocol;
using net::Reason;
using net::Side;
using net::Verdict;
using tables::Mode;

constexpr uint16_t kFront = 0, kBack = 1;
const char* const kOrigin = "93.184.216.34";
const char* const kClient = "198.51.100.7";

world::ServiceSpec caches() { return caches_for("0.0.0.0/0", {{"10.0.1.5"}}); }
world::ServiceSpec firewalls() { return firewalls_like(caches()); }
world::RuleSpec rule() {
  world::RuleSpec spec;
  spec.networks = {"10.0.1.0/24"};
  spec.snats = {"203.0.113.1"};
  return spec;
}

/// Clients and the way out at the front, servers at the back.
struct Sided : Lab {
  explicit Sided(uint16_t workers) : Lab(workers) {
    side(kFront, Side::clients);
    side(kBack, Side::servers);
    restart(workers);
    for (const char* host : {"10.0.1.5", "10.0.1.6"}) {
      world().neighbour(world::address(host), *net::parse_mac("02:00:00:01:00:05"));
    }
    world().rebuild_routes();
  }
  Fate in(const Stack& stack) { return send(stack, turn++ % workers(), kFront); }
  Fate out(const Stack& stack) { return send(stack, turn++ % workers(), kBack); }
  uint16_t turn = 0;
};

uint16_t vlan_of(const Frame& frame) {
  const auto bytes = frame.bytes();
  return bytes[12] == 0x81 ? static_cast<uint16_t>((bytes[14] & 15) << 8 | bytes[15]) : uint16_t{0};
}

TEST(Together, RedirectInOneInstanceTakesNothingFromTheOther) {
  Sided lab(2);
  constexpr Instance kRed{10};
  lab.world().add_instance({kRed, 10, 11});
  lab.world().rebuild_routes();
  world::ServiceSpec spec = caches();
  spec.instance = kRed;
  spec.return_to_sender = true;
  lab.world().put(spec);
  const auto ask = ipv4(kClient, kOrigin);
  const Fate red = lab.in(eth() / vlan(10) / ask / tcp(4000, 80).syn());
  ASSERT_EQ(red.verdict, Verdict::forward) << to_string(red.reason);
  EXPECT_EQ(red.egress, kBack);
  EXPECT_EQ(vlan_of(red.frame), 11);
  EXPECT_EQ(lab.in(eth() / ask / tcp(4000, 80).syn()).reason, Reason::transit_refused);
  const Fate back = lab.out(eth() / vlan(11) / ipv4(kOrigin, kClient) / tcp(80, 4000).syn().ack(1));
  ASSERT_EQ(back.verdict, Verdict::forward) << to_string(back.reason);
  EXPECT_EQ(back.egress, kFront);
  EXPECT_EQ(vlan_of(back.frame), 10);
  EXPECT_EQ(lab.out(eth() / ipv4(kOrigin, kClient) / tcp(80, 4000).syn().ack(1)).reason,
            Reason::transit_refused);
  EXPECT_EQ(lab.restart(1).kept, 1u);
  EXPECT_EQ(vlan_of(lab.in(eth() / vlan(10) / ask / tcp(4000, 80).ack(2)).frame), 11);
  EXPECT_EQ(lab.audit(), "");
}

TEST(Together, CachesAskTheirOriginsThroughSourceNat) {
  for (const uint16_t workers : {1, 2}) {
    Sided lab(workers);
    lab.world().put(caches());
    lab.world().put_rule(rule());
    const Fate ask = lab.out(eth() / ipv4("10.0.1.5", kOrigin) / tcp(4000, 80).syn());
    ASSERT_EQ(ask.verdict, Verdict::forward) << to_string(ask.reason);
    const Ends seen = ends_of(ask.frame);
    EXPECT_EQ(seen.source, world::address("203.0.113.1"));
    const Fate answer =
        lab.in(eth() / ipv4(kOrigin, "203.0.113.1") / tcp(80, seen.source_port).syn().ack(1));
    ASSERT_EQ(answer.verdict, Verdict::forward) << to_string(answer.reason);
    EXPECT_EQ(ends_of(answer.frame).destination, world::address("10.0.1.5"));
    EXPECT_EQ(ends_of(answer.frame).destination_port, 4000);
    // What they say to clients stays as the origin would have said it, with a flow or without.
    ASSERT_EQ(lab.in(eth() / ipv4(kClient, kOrigin) / tcp(5000, 80).syn()).verdict,
              Verdict::forward);
    for (const uint16_t port : {5000, 5001}) {
      const Fate page = lab.out(eth() / ipv4(kOrigin, kClient) / tcp(80, port).ack(1) / "page");
      ASSERT_EQ(page.verdict, Verdict::forward) << to_string(page.reason);
      EXPECT_EQ(ends_of(page.frame).source, world::address(kOrigin));
    }
    EXPECT_EQ(lab.audit(), "");
  }
}

TEST(Together, WhatGoesBackToItsSenderIsNotTranslated) {
  Sided lab(1);
  lab.world().put(firewalls());
  lab.world().put_rule(rule());
  const Fate out = lab.out(eth() / ipv4("10.0.1.5", kOrigin) / udp(4000, 53) / "question");
  ASSERT_EQ(out.verdict, Verdict::forward) << to_string(out.reason);
  EXPECT_EQ(ends_of(out.frame).source, world::address("10.0.1.5"));
}

TEST(Together, AnIdleRedirectedConnectionIsReset) {
  for (const bool answered : {true, false}) {
    Sided lab(2);
    world::ServiceSpec spec = caches();
    spec.reset_when_idle = true;
    lab.world().put(spec);
    const auto there = ipv4(kClient, kOrigin);
    ASSERT_EQ(lab.in(eth() / there / tcp(4000, 80).syn().seq(100)).verdict, Verdict::forward);
    if (answered) {
      ASSERT_EQ(
          lab.out(eth() / ipv4(kOrigin, kClient) / tcp(80, 4000).syn().seq(500).ack(101)).verdict,
          Verdict::forward);
    }
    ASSERT_EQ(lab.in(eth() / there / tcp(4000, 80).seq(101).ack(501)).verdict, Verdict::forward);
    lab.advance(905);
    const std::vector<Fate> fates = lab.said();
    ASSERT_EQ(fates.size(), answered ? 2u : 1u);
    for (const Fate& fate : fates) {
      ASSERT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
      const Ends ends = ends_of(fate.frame);
      EXPECT_EQ(ends.source, world::address(fate.egress == kBack ? kClient : kOrigin));
      EXPECT_EQ(ends.destination, world::address(fate.egress == kBack ? kOrigin : kClient));
      EXPECT_EQ(fate.frame.bytes()[47], net::kTcpRst | net::kTcpAck);
    }
    EXPECT_EQ(lab.audit(), "");
  }
}

TEST(Together, AssociationsGoOutBySourceNat) {
  Sided lab(2);
  lab.world().put_rule(rule());
  const auto out = [&](uint32_t tag, const Bytes& chunks) {
    return lab.out(eth() / ipv4("10.0.1.5", kOrigin) / sctp(5000, 2905, tag, chunks));
  };
  EXPECT_EQ(out(7, chunk(0, 3, Bytes(4, 1))).reason, Reason::sctp_without_flow);
  const Fate init = out(0, initiation(1, 0xaaaa0001));
  ASSERT_EQ(init.verdict, Verdict::forward) << to_string(init.reason);
  EXPECT_TRUE(sctp_sums_up(init.frame));
  const Ends seen = ends_of(init.frame);
  EXPECT_EQ(seen.source, world::address("203.0.113.1"));
  const auto back = [&](uint32_t tag, const Bytes& chunks) {
    return lab.in(eth() / ipv4(kOrigin, "203.0.113.1") / sctp(2905, seen.source_port, tag, chunks));
  };
  const Fate answer = back(0xaaaa0001, initiation(2, 0xbbbb0002));
  ASSERT_EQ(answer.verdict, Verdict::forward) << to_string(answer.reason);
  EXPECT_TRUE(sctp_sums_up(answer.frame));
  EXPECT_EQ(ends_of(answer.frame).destination, world::address("10.0.1.5"));
  EXPECT_EQ(ends_of(answer.frame).destination_port, 5000);
  ASSERT_EQ(out(0xbbbb0002, chunk(10, 0, Bytes(20, 7))).verdict, Verdict::forward);
  EXPECT_EQ(lab.restart(1).kept, 1u);
  EXPECT_TRUE(sctp_sums_up(out(0xbbbb0002, chunk(0, 3, Bytes(33, 5))).frame));
  EXPECT_EQ(ends_of(out(0xbbbb0002, chunk(0, 3, Bytes(33, 5))).frame).source_port,
            seen.source_port);
  EXPECT_EQ(lab.audit(), "");
}

/// Their answers would name no host: source NAT leaves them to `transit`.
TEST(Together, ProtocolsWithoutPortsAreNotMasqueraded) {
  Sided lab(1);
  lab.world().put_rule(rule());
  const auto gre = [&] {
    return lab.out(eth() / ipv4("10.0.1.5", kOrigin) / raw({0, 0, 8, 0, 1, 2, 3, 4}, 47));
  };
  EXPECT_EQ(gre().reason, Reason::transit_refused);
  tables::Settings settings;
  settings.transit = tables::Transit::forward;
  lab.world().settings(settings);
  const Fate passed = gre();
  EXPECT_EQ(passed.verdict, Verdict::forward);
  EXPECT_EQ(ends_of(passed.frame).source, world::address("10.0.1.5"));
}

TEST(Together, AnInsideHostGetsToAPrefixOfServicesAsItIs) {
  Sided lab(2);
  world::ServiceSpec spec;
  spec.vip = "203.0.113.128/25";
  spec.port = 0;
  spec.protocol = Protocol::any;
  spec.servers = {{"10.0.2.9"}};
  lab.world().put(spec);
  lab.world().put_rule(rule());
  const Fate fate = lab.out(eth() / ipv4("10.0.1.5", "203.0.113.200") / udp(4000, 53) / "x");
  ASSERT_EQ(fate.reason, Reason::hairpin_refused) << "both are in 10.0.0.0/8";
  EXPECT_EQ(
      ends_of(lab.out(eth() / ipv4("10.0.1.5", "203.0.113.20") / udp(4000, 53) / "x").frame).source,
      world::address("203.0.113.1"));
}

/// One flow for each SNAT address lives at shard 0, whose worker its answers go to.
TEST(Together, APrefixInFullNatWithoutPorts) {
  Lab lab(3);
  world::ServiceSpec spec;
  spec.vip = "203.0.113.128/25";
  spec.port = 0;
  spec.protocol = Protocol::any;
  spec.mode = Mode::fullnat;
  spec.servers = {{"10.0.1.5"}};
  spec.snats = {"10.0.0.1", "10.0.0.2", "10.0.0.3"};
  lab.world().put(spec);
  for (uint16_t n = 0; n < 3; ++n) {
    const Fate there = lab.send(
        eth() / ipv4(client(n), "203.0.113.200") / raw({0, 0, 8, 0, 1, 2, 3, 4}, 47), n, kFront);
    ASSERT_EQ(there.verdict, Verdict::forward) << to_string(there.reason);
    const Fate back =
        lab.send(eth() / ipv4("10.0.1.5", net::to_string(ends_of(there.frame).source)) /
                     raw({0, 0, 8, 0, 4, 3, 2, 1}, 47),
                 static_cast<uint16_t>(2 - n), kBack);
    ASSERT_EQ(back.verdict, Verdict::forward) << to_string(back.reason);
    EXPECT_EQ(ends_of(back.frame).source, world::address("203.0.113.200"));
    EXPECT_EQ(ends_of(back.frame).destination, world::address(client(n)));
  }
  EXPECT_EQ(lab.restart(2).kept, 3u);
  EXPECT_EQ(lab.audit(), "");
}

TEST(Together, APrefixOfOneFamilyServedByTheOther) {
  Lab lab(2);
  world::ServiceSpec spec;
  spec.vip = "203.0.113.128/25";
  spec.port = 1;
  spec.last_port = 65535;
  spec.mode = Mode::fullnat;
  spec.servers = {{"fd00:1::5"}};
  spec.snats = {"fd00:1::a"};
  lab.world().put(spec);
  const Fate there = lab.send(eth() / ipv4(kClient, "203.0.113.200") / tcp(4000, 8443).syn());
  ASSERT_EQ(there.verdict, Verdict::forward) << to_string(there.reason);
  const Ends seen = ends_of(there.frame);
  EXPECT_EQ(seen.destination, world::address("fd00:1::5"));
  EXPECT_EQ(seen.destination_port, 8443);
  const auto answer = [&] {
    return lab.send(
        eth() / ipv6("fd00:1::5", "fd00:1::a") / tcp(8443, seen.source_port).syn().ack(1), 1,
        kBack);
  };
  for (const bool again : {false, true}) {
    const Fate back = answer();
    ASSERT_EQ(back.verdict, Verdict::forward) << to_string(back.reason);
    EXPECT_EQ(ends_of(back.frame).source, world::address("203.0.113.200"));
    EXPECT_EQ(ends_of(back.frame).source_port, 8443);
    EXPECT_EQ(ends_of(back.frame).destination, world::address(kClient));
    if (!again) {
      EXPECT_EQ(lab.restart(2).kept, 1u);
    }
  }
  EXPECT_EQ(lab.audit(), "");
}

/// The servers hold the whole prefix.
TEST(Together, APrefixByRouteAndTunnel) {
  for (const Mode mode : {Mode::route, Mode::tunnel_ipip}) {
    Lab lab(2);
    world::ServiceSpec spec;
    spec.vip = "203.0.113.128/25";
    spec.port = 0;
    spec.protocol = Protocol::any;
    spec.mode = mode;
    spec.servers = {{"10.0.1.5"}};
    lab.world().put(spec);
    const auto packet = [](uint8_t hops) {
      return eth() / ipv4(kClient, "203.0.113.200").ttl(hops) / udp(4000, 53) / "question";
    };
    const Fate there = lab.send(packet(64));
    ASSERT_EQ(there.verdict, Verdict::forward) << to_string(there.reason);
    const auto bytes = there.frame.bytes();
    const Frame expected = packet(63);
    const auto inner = expected.bytes();
    ASSERT_EQ(bytes.size(), inner.size() + (mode == Mode::route ? 0u : 20u));
    EXPECT_TRUE(std::equal(inner.begin() + 14, inner.end(), bytes.end() - inner.size() + 14));
    EXPECT_EQ(lab.restart(1).kept, 1u);
    EXPECT_EQ(lab.send(packet(64)).verdict, Verdict::forward);
    EXPECT_EQ(lab.flow_count(), 1u);
  }
}

TEST(Together, TheHeaderTellsWhichAddressOfAPrefixWasMeant) {
  Lab lab(1);
  world::ServiceSpec spec;
  spec.vip = "203.0.113.128/25";
  spec.port = 5000;
  spec.last_port = 5999;
  spec.protocol = Protocol::udp;
  spec.mode = Mode::fullnat;
  spec.servers = {{"10.0.1.5"}};
  spec.snats = {"10.0.0.1"};
  spec.client_address = tables::ClientAddress::proxy_v2;
  lab.world().put(spec);
  const Fate fate = lab.send(eth() / ipv4(kClient, "203.0.113.200") / udp(4000, 5432) / "x");
  ASSERT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
  EXPECT_EQ(ends_of(fate.frame).destination_port, 5432);
  // Signature (12), version, kind and length (4), then both addresses and both ports.
  const auto bytes = fate.frame.bytes();
  const Bytes told(bytes.begin() + 42 + 16, bytes.begin() + 42 + 28);
  EXPECT_EQ(told, (Bytes{198, 51, 100, 7, 203, 0, 113, 200, 4000 >> 8, 4000 & 255, 5432 >> 8,
                         5432 & 255}));
}

/// FTP at a VIP that has a service of every port besides.
world::ServiceSpec ftp_beside_every_port(Lab& lab) {
  world::ServiceSpec every;
  every.port = 1;
  every.last_port = 65535;
  every.servers = {{"10.0.1.9"}};
  lab.world().put(every);
  world::ServiceSpec ftp;
  ftp.port = 21;
  ftp.servers = {{"10.0.1.5", 21}};
  ftp.application = tables::Application::ftp;
  return ftp;
}
net::Address server_at(Lab& lab, uint16_t port) {
  const Frame syn = eth() / ipv4(kClient, "203.0.113.10") / tcp(40001, port).syn().seq(1);
  return ends_of(lab.send(syn).frame).destination;
}

TEST(Together, WhatFtpAnnouncesComesBeforeServicesOfEveryPort) {
  Lab lab(2);
  lab.world().put(ftp_beside_every_port(lab));
  Conversation control(lab, kClient, 40000, "203.0.113.10", 21);
  ASSERT_TRUE(control.open());
  ASSERT_EQ(control.answer(control.tcp_back().psh().seq(501).ack(101)).verdict, Verdict::forward);
  const Fate line =
      lab.send(eth() / ipv4("10.0.1.5", kClient) / tcp(21, 40000).psh().seq(501).ack(101) /
                   "227 Passive (10,0,1,5,156,64).\r\n",
               0, kBack);
  ASSERT_EQ(line.verdict, Verdict::forward) << to_string(line.reason);
  EXPECT_EQ(server_at(lab, 40000), world::address("10.0.1.5"));
  EXPECT_EQ(server_at(lab, 40002), world::address("10.0.1.9"));
}

TEST(Together, DeclaredPortsComeBeforeServicesOfEveryPort) {
  Lab lab(1);
  world::ServiceSpec ftp = ftp_beside_every_port(lab);
  ftp.scheduler = tables::Scheduler::sh;
  ftp.passive_first = 10000;
  ftp.passive_last = 10099;
  lab.world().put(ftp);
  EXPECT_EQ(server_at(lab, 10050), world::address("10.0.1.5"));
  EXPECT_EQ(server_at(lab, 10100), world::address("10.0.1.9"));
}

}  // namespace
}  // namespace nezu::lab
