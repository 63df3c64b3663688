// What happens when something runs out: refused, counted, and nobody else notices.
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace nezu::lab
