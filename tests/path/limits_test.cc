// What happens when something runs out: refused, counted, and nobody else notices.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/path/frames.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Reason;
using net::Verdict;

Fate syn(Lab& lab, uint32_t n, uint16_t port = 1000) {
  return lab.send(eth() / ipv4(client(n), "203.0.113.10") / tcp(port, 80).syn().seq(1));
}

TEST(FullTable, RefusesWhenAllFlowsAreLive) {
  Lab lab(1, {64, 0});
  const auto service = lab.world().put(web());
  std::vector<Conversation> all;
  for (uint32_t n = 0; n < 64; ++n) {
    all.emplace_back(lab, client(n), 1000);
    ASSERT_TRUE(all.back().open()) << n;
  }
  for (uint32_t n = 64; n < 80; ++n) EXPECT_EQ(syn(lab, n).reason, Reason::flow_table_full);
  EXPECT_EQ(lab.count(Reason::flow_table_full), 16u);
  EXPECT_EQ(lab.world().region().services_of(0)[index(service)].flows_refused.read(), 16u);
  for (Conversation& one : all) EXPECT_TRUE(one.works());
  EXPECT_EQ(lab.count(&tables::WorkerLine::flows_recycled), 0u);
  EXPECT_EQ(lab.audit(), "");
}

TEST(FullTable, RecyclesClosedThenEmbryonic) {
  Lab lab(1, {64, 0});
  lab.world().put(web());
  std::vector<Conversation> live;
  for (uint32_t n = 0; n < 60; ++n) {
    live.emplace_back(lab, client(n), 1000);
    ASSERT_TRUE(live.back().open());
  }
  Conversation closed(lab, client(60), 1000);
  ASSERT_TRUE(closed.open());
  closed.send(closed.tcp_there().rst().seq(101));
  for (uint32_t n = 61; n < 64; ++n) EXPECT_EQ(syn(lab, n).verdict, Verdict::forward);
  // The closed one goes first, then the embryonic ones, then nothing more.
  EXPECT_EQ(syn(lab, 100).verdict, Verdict::forward);
  EXPECT_EQ(lab.flows(0).count(false, flow::Stage::closed), 0u);
  EXPECT_EQ(lab.flows(0).count(false, flow::Stage::embryonic), 4u);
  EXPECT_EQ(syn(lab, 101).verdict, Verdict::forward);
  EXPECT_EQ(lab.count(&tables::WorkerLine::flows_recycled), 2u);
  EXPECT_EQ(lab.flow_count(), 64u);
  for (Conversation& one : live) EXPECT_TRUE(one.works());
  EXPECT_EQ(lab.audit(), "");
}

TEST(FullTable, ManyNewFlowsInOneBurstRecycleOneAnother) {
  Lab lab(1, {8, 0});
  lab.world().put(web());
  tables::Settings settings;
  settings.embryonic_percent = 100;
  lab.world().settings(settings);
  std::vector<Frame> frames;
  for (uint32_t n = 0; n < 64; ++n) {
    frames.push_back(eth() / ipv4(client(n % 20), "203.0.113.10") / tcp(1000, 80).syn());
  }
  for (int round = 0; round < 4; ++round) {
    for (const Fate& fate : lab.send(frames)) {
      EXPECT_TRUE(fate.verdict == Verdict::forward || fate.reason == Reason::flow_table_full ||
                  fate.reason == Reason::embryonic_limit)
          << to_string(fate.reason);
    }
    EXPECT_EQ(lab.audit(), "");
  }
}

TEST(Embryonic, ShareIsCappedAndAFloodLeavesTheOthersAlone) {
  Lab lab(1, {200, 0});
  lab.world().put(web());
  Conversation good(lab, client(5000), 1000);
  ASSERT_TRUE(good.open());
  for (uint32_t n = 0; n < 300; ++n) syn(lab, n);
  EXPECT_EQ(lab.flows(0).count(false, flow::Stage::embryonic), 100u);
  EXPECT_EQ(lab.count(Reason::embryonic_limit), 200u);
  EXPECT_TRUE(good.works());
  // Whoever has had a second without an answer makes place for others.
  lab.advance(2);
  Conversation late(lab, client(6000), 1000);
  EXPECT_TRUE(late.open());
  EXPECT_EQ(lab.audit(), "");
}

TEST(SnatPorts, ExhaustedIsRefusedAndFreedPortsServeAgain) {
  Lab lab(1, {2048, 0});
  world::ServiceSpec spec = web(tables::Mode::fullnat);
  spec.servers = {{"10.0.1.5", 8080}};
  spec.snats = {"10.0.0.1"};
  tables::Settings settings;
  settings.embryonic_percent = 100;
  lab.world().settings(settings);
  lab.world().put(spec);
  // Clients of one shard: 252 of them use up its slice.
  const steer::Steering steering(1, 1);
  std::vector<uint32_t> same;
  for (uint32_t n = 0; same.size() < 300; ++n) {
    if (steering.shard_hash()(world::address(client(n)), net::swap16(1000)) == 7) same.push_back(n);
  }
  for (uint32_t i = 0; i < 252; ++i) ASSERT_EQ(syn(lab, same[i]).verdict, Verdict::forward) << i;
  for (uint32_t i = 252; i < 300; ++i) {
    EXPECT_EQ(syn(lab, same[i]).reason, Reason::snat_ports_exhausted);
  }
  EXPECT_EQ(lab.count(Reason::snat_ports_exhausted), 48u);
  EXPECT_EQ(lab.flow_count(), 252u);
  lab.advance(40);
  EXPECT_EQ(lab.flow_count(), 0u);
  EXPECT_EQ(syn(lab, same[299]).verdict, Verdict::forward);
  EXPECT_EQ(lab.audit(), "");
}

TEST(Refusal, RstOrSilenceAsTheServiceSays) {
  Lab lab(1);
  world::ServiceSpec spec = web();
  spec.servers = {{"10.0.1.5", 8080, 1, tables::ServerState::failed}};
  spec.refusal = tables::Refusal::refuse;
  lab.world().put(spec);
  const Fate refused = lab.send(eth() / ipv4(client(1), "203.0.113.10") / tcp(5, 80).syn().seq(9));
  EXPECT_EQ(refused.verdict, Verdict::reply);
  EXPECT_EQ(refused.reason, Reason::no_server);
  EXPECT_EQ(refused.frame.bytes()[47] & net::kTcpRst, net::kTcpRst);
  spec.refusal = tables::Refusal::drop;
  lab.world().put(spec);
  EXPECT_EQ(syn(lab, 1).verdict, Verdict::drop);
  EXPECT_EQ(lab.count(Reason::no_server), 2u);
}

TEST(Refusal, UnknownPortsMidstreamsAndTransit) {
  Lab lab(1);
  lab.world().put(web());
  EXPECT_EQ(lab.send(eth() / ipv4(client(1), "203.0.113.10") / tcp(5, 81).syn()).reason,
            Reason::service_unknown);
  EXPECT_EQ(lab.send(eth() / ipv4(client(1), "203.0.113.10") / tcp(5, 80).ack(7)).reason,
            Reason::tcp_without_flow);
  EXPECT_EQ(lab.send(eth() / ipv4(client(1), "10.9.9.9") / udp(5, 80)).reason,
            Reason::transit_refused);
  tables::Settings settings;
  settings.transit = tables::Transit::forward;
  lab.world().settings(settings);
  EXPECT_EQ(lab.send(eth() / ipv4("10.0.1.5", client(1)) / udp(5, 80), 0, 1).frame,
            eth().from("02:00:00:00:00:f0").to("02:00:00:00:00:fe") /
                ipv4("10.0.1.5", client(1)).ttl(63) / udp(5, 80));
}

TEST(TooBig, SenderIsToldBeforeAnythingIsChanged) {
  Lab lab(1);
  world::ServiceSpec spec = web();
  spec.protocol = net::Protocol::udp;
  lab.world().put(spec);
  const Frame big =
      eth() / ipv4(client(1), "203.0.113.10").dont_fragment() / udp(5, 80) / fill(1600);
  EXPECT_EQ(lab.send(big).reason, Reason::too_big);
  const Frame ends = eth() / ipv4(client(1), "203.0.113.10").ttl(1) / udp(5, 80);
  const Fate exceeded = lab.send(ends);
  EXPECT_EQ(exceeded.reason, Reason::ttl_exceeded);
  EXPECT_EQ(exceeded.verdict, Verdict::reply);
}

/// What fits the servers' link, whatever the clients' carries (tunnels: tunnel_test.cc; between the
/// families: family_test.cc).
TEST(TooBig, SaysTheMtuInEveryMode) {
  using tables::Mode;
  constexpr uint16_t kMtu = 1400;
  for (const Mode mode : {Mode::nat, Mode::fullnat, Mode::route, Mode::redirect}) {
    for (const bool v6 : {false, true}) {
      SCOPED_TRACE(std::to_string(static_cast<int>(mode)) + (v6 ? " IPv6" : " IPv4"));
      Lab lab(1);
      if (mode == Mode::redirect) {
        lab.side(0, net::Side::clients);
        lab.side(1, net::Side::servers);
        lab.restart(1);
      }
      lab.world().back_mtu(kMtu);
      world::ServiceSpec spec;
      spec.vip = v6 ? "2001:db8::10" : "203.0.113.10";
      if (mode == Mode::redirect) spec.vip = v6 ? "::/0" : "0.0.0.0/0";
      spec.protocol = net::Protocol::udp;
      spec.mode = mode;
      spec.servers = {{v6 ? "fd00:1::5" : "10.0.1.5", 80}};
      if (mode == Mode::redirect) spec.servers[0].port = 0;
      if (mode == Mode::fullnat) spec.snats = {v6 ? "fd00::1" : "10.0.0.1"};
      lab.world().put(spec);
      const std::string from = v6 ? client6(1) : client(1);
      const char* to = v6 ? "2001:db8::10" : "203.0.113.10";
      const size_t headers = v6 ? 48 : 28;
      const auto datagram = [&](size_t length) {
        return v6 ? Frame(eth() / ipv6(from, to) / udp(5, 80) / fill(length - headers))
                  : Frame(eth() / ipv4(from, to).dont_fragment() / udp(5, 80) /
                          fill(length - headers));
      };
      EXPECT_EQ(lab.send(datagram(kMtu)).verdict, Verdict::forward);
      const Fate told = lab.send(datagram(kMtu + 1));
      ASSERT_EQ(told.verdict, Verdict::reply) << to_string(told.reason);
      EXPECT_EQ(told.reason, Reason::too_big);
      const Bytes bytes(told.frame.bytes().begin(), told.frame.bytes().end());
      const size_t icmp = v6 ? 54 : 34;
      EXPECT_EQ(bytes[icmp], v6 ? 2 : 3);
      EXPECT_EQ(bytes[icmp + 1], v6 ? 0 : 4);
      EXPECT_EQ(bytes[icmp + 6] << 8 | bytes[icmp + 7], kMtu);
      EXPECT_EQ(bytes[icmp + 4] | bytes[icmp + 5], 0);
      EXPECT_EQ(ends_of(told.frame).destination, world::address(from));
      // It quotes what was sent, not what it would have become.
      const Frame sent = datagram(kMtu + 1);
      EXPECT_TRUE(std::equal(bytes.begin() + static_cast<ptrdiff_t>(icmp + 8), bytes.end(),
                             sent.bytes().begin() + 14));
      EXPECT_EQ(lab.count(Reason::too_big), 1u);
    }
  }
}

}  // namespace
}  // namespace nezu::lab
