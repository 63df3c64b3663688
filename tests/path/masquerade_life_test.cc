// Source NAT: what becomes of its flows when rules, ports or the process go, and what the log says.
#include <set>

#include "tests/path/inside.h"

namespace nezu::lab {
namespace {

using Kind = path::NatRecord::Kind;
using world::ServiceId;

TEST(Masquerade, FlowsOfARemovedRuleGoOn) {
  Inside lab;
  const ServiceId id = lab.world().put_rule(rule());
  const uint16_t port = ends_of(lab.question(5353).frame).source_port;
  lab.world().retire_rule(id);
  EXPECT_EQ(lab.question(5354).reason, Reason::transit_refused);
  EXPECT_EQ(ends_of(lab.question(5353).frame).source_port, port);
  EXPECT_EQ(lab.back(from_outside() / ipv4(kOut, "203.0.113.1") / udp(53, port) / "a").verdict,
            Verdict::forward);
  EXPECT_EQ(lab.gauge_of_service(id), 1u);
  lab.advance(301);
  EXPECT_EQ(lab.gauge_of_service(id), 0u);
}

TEST(Masquerade, SurvivesARestartWithOtherWorkers) {
  Inside lab(2);
  const ServiceId id = lab.world().put_rule(rule());
  struct Flow {
    std::string to;
    uint16_t from, port;
  };
  std::vector<Flow> flows;
  for (uint16_t n = 0; n < 40; ++n) {
    const std::string to = client(n);
    const auto from = static_cast<uint16_t>(5000 + n);
    flows.push_back({to, from, ends_of(lab.question(from, to.c_str()).frame).source_port});
  }
  lab.out(from_host() / ipv4(kHost, kOut) / echo_request(77, 1));
  lab.out(from_host() / ipv6(kHost6, kOut6) / tcp(40000, 80).syn());
  for (const uint16_t workers : {3, 1, 1}) {
    const path::Restored restored = lab.restart(workers);
    EXPECT_EQ(restored.dropped, 0u);
    EXPECT_EQ(lab.gauge_of_service(id), 42u);
    for (const Flow& flow : flows) {
      const Fate there = lab.out(from_host() / ipv4(kHost, flow.to) / udp(flow.from, 53) / "again",
                                 static_cast<uint16_t>(flow.from % workers));
      ASSERT_EQ(ends_of(there.frame).source_port, flow.port);
      const Fate back =
          lab.back(from_outside() / ipv4(flow.to, "203.0.113.1") / udp(53, flow.port) / "answer");
      ASSERT_EQ(ends_of(back.frame).destination_port, flow.from);
    }
    // Ports that live flows have are taken.
    const uint16_t fresh = ends_of(lab.question(9, flows[0].to.c_str()).frame).source_port;
    EXPECT_NE(fresh, flows[0].port);
    lab.advance(31);  // it goes, and so do the ping and the SYN
    lab.out(from_host() / ipv4(kHost, kOut) / echo_request(77, 1));
    lab.out(from_host() / ipv6(kHost6, kOut6) / tcp(40000, 80).syn());
    EXPECT_EQ(lab.flow_count(), 42u);
  }
  EXPECT_EQ(lab.audit(), "");
}

TEST(Masquerade, ARuleThatIsGoneAtARestartLeavesItsFlows) {
  Inside lab;
  const ServiceId id = lab.world().put_rule(rule());
  const uint16_t port = ends_of(lab.question(5353).frame).source_port;
  lab.world().retire_rule(id);
  lab.world().remove(id);
  EXPECT_EQ(lab.restart(1).kept, 1u);
  EXPECT_EQ(lab.back(from_outside() / ipv4(kOut, "203.0.113.1") / udp(53, port) / "a").verdict,
            Verdict::forward);
  lab.advance(301);
  EXPECT_EQ(lab.flow_count(), 0u);
}

/// As with the tables of another version: slots mean something else, inside hosts do not.
TEST(Masquerade, ARestartFindsTheRuleByWhoIsInside) {
  Inside lab;
  const ServiceId id = lab.world().put_rule(rule());
  lab.question(5353);
  lab.world().retire_rule(id);
  lab.world().remove(id);
  const ServiceId second = lab.world().put_rule(rule());
  ASSERT_NE(id, second);
  EXPECT_EQ(lab.restart(1).kept, 1u);
  EXPECT_EQ(lab.gauge_of_service(second), 1u);
  EXPECT_EQ(lab.gauge_of_service(id), 0u);
}

TEST(NatLog, OpensAndCloses) {
  Inside lab;
  lab.world().put_rule(rule());
  lab.world().put(web(tables::Mode::fullnat));
  const uint16_t port = ends_of(lab.question(5353).frame).source_port;
  Conversation(lab, "198.51.100.9", 40000).open();  // a service's flow: no business of the log
  auto records = lab.nat_log(0);
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].kind, Kind::open);
  EXPECT_EQ(records[0].when, lab.now().nanoseconds);
  EXPECT_EQ(records[0].inside, world::address(kHost));
  EXPECT_EQ(records[0].inside_port, 5353);
  EXPECT_EQ(records[0].snat, world::address("203.0.113.1"));
  EXPECT_EQ(records[0].snat_port, port);
  EXPECT_EQ(records[0].outside, world::address(kOut));
  EXPECT_EQ(records[0].outside_port, 53);
  EXPECT_EQ(records[0].protocol, net::Protocol::udp);
  lab.advance(31);
  records = lab.nat_log(0);
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].kind, Kind::close);
  EXPECT_EQ(records[0].snat_port, port);
}

TEST(NatLog, WhatFindsNoRoomIsCounted) {
  Inside lab;
  lab.world().put_rule(rule());
  for (uint16_t n = 0; n < 70; ++n) {
    EXPECT_EQ(lab.question(static_cast<uint16_t>(2000 + n)).verdict, Verdict::forward);
  }
  EXPECT_EQ(lab.nat_log(0).size(), 64u);
  EXPECT_EQ(lab.count(&tables::WorkerLine::nat_log_lost), 6u);
}

}  // namespace
}  // namespace nezu::lab
