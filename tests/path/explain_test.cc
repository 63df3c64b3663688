// Explanations: they change nothing, and what they say is what then happens. (The whole suite says
// so as well, of the frames that all tests send, when NEZU_EXPLAIN is set.)
#include <gtest/gtest.h>

#include "dataplane/path_turn.h"
#include "tests/path/frames.h"
#include "tests/path/spaces.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Reason;
using net::Verdict;
using tables::ExplainStage;
using tables::FlowOrigin;
using tables::Mode;

Stack to_vip(uint16_t from, uint16_t port = 80) {
  return eth() / ipv4("198.18.0.7", "203.0.113.10") / tcp(from, port).syn().seq(1);
}

Frame after(const tables::Explanation& told) {
  return dsl::Bytes(told.frame.begin(), told.frame.begin() + told.length);
}
const tables::ExplainedPass& last(const tables::Explanation& told) {
  return told.passes[told.pass_count - 1];
}

/// Asks three times, which changes nothing, and then lets it happen.
tables::Explanation explained(Lab& lab, const Frame& frame, uint16_t port = 0,
                              uint16_t worker = 0) {
  lab.explain(frame, worker, port);
  lab.explain(frame, worker, port);
  const tables::Explanation told = lab.explain(frame, worker, port);
  const Fate fate = lab.send(frame, worker, port);
  EXPECT_EQ(last(told).verdict, fate.verdict);
  EXPECT_EQ(net::to_string(last(told).reason), net::to_string(fate.reason));
  EXPECT_EQ(last(told).worker, fate.worker);
  if (fate.verdict == Verdict::forward) {
    EXPECT_EQ(told.egress, fate.egress);
  }
  if (told.length != 0 && told.pieces == 0) {
    EXPECT_EQ(after(told), fate.frame);
  }
  return told;
}

class Explain : public testing::TestWithParam<Mode> {};
INSTANTIATE_TEST_SUITE_P(Modes, Explain,
                         testing::Values(Mode::nat, Mode::fullnat, Mode::route, Mode::tunnel_ipip,
                                         Mode::tunnel_gre, Mode::tunnel_gue),
                         [](const auto& mode) {
                           return std::to_string(static_cast<int>(mode.param));
                         });

TEST_P(Explain, NewFlowsAndKnownOnes) {
  for (const uint16_t workers : {1, 3}) {
    Lab lab(workers);
    world::ServiceSpec spec = web(GetParam());
    if (GetParam() == Mode::route) {
      for (world::ServerSpec& server : spec.servers) server.port = 0;
    }
    const auto service = lab.world().put(spec);
    for (uint16_t n = 0; n < 12; ++n) {
      const Frame syn = to_vip(static_cast<uint16_t>(1000 + n));
      const tables::Explanation opened = explained(lab, syn);
      EXPECT_EQ(opened.origin, FlowOrigin::opened);
      EXPECT_EQ(opened.service, service);
      EXPECT_EQ(opened.mode, GetParam());
      EXPECT_TRUE(opened.is_exact);
      EXPECT_EQ(opened.flow.client, world::address("198.18.0.7"));
      const tables::Explanation known = explained(lab, syn);
      EXPECT_EQ(known.origin, FlowOrigin::known);
      EXPECT_EQ(known.flow.server_id, opened.flow.server_id);
      EXPECT_EQ(known.flow.snat_port, opened.flow.snat_port);
      EXPECT_EQ(known.owner, last(opened).worker);
    }
  }
}

TEST(Explanations, AnswersOfServersComeBack) {
  for (const Mode mode : {Mode::nat, Mode::fullnat}) {
    Lab lab(3);
    lab.world().put(web(mode));
    Conversation one(lab, "198.18.0.7", 1000);
    ASSERT_TRUE(one.open());
    const Ends& ends = one.server();
    const Frame answer = eth() /
                         ipv4(net::to_string(ends.destination), net::to_string(ends.source)) /
                         one.tcp_back().psh().seq(501).ack(101);
    const tables::Explanation told = explained(lab, answer, 1);
    EXPECT_EQ(told.origin, FlowOrigin::known);
    EXPECT_FALSE(told.is_to_server);
    EXPECT_TRUE(one.works());
  }
}

TEST(Explanations, BetweenTheFamilies) {
  Lab lab(2);
  world::ServiceSpec spec = web(Mode::fullnat);
  spec.servers = {{"fd00:1::5", 8080}};
  spec.snats = {"fd00::1"};
  lab.world().put(spec);
  spec.vip = "2001:db8::10";
  spec.servers = {{"10.0.1.5", 8080}};
  spec.snats = {"10.0.0.1"};
  lab.world().put(spec);
  EXPECT_EQ(explained(lab, to_vip(1000)).mode, Mode::across);
  explained(lab, to_vip(1000));
  const Frame six = eth() / ipv6("2001:db8:c::7", "2001:db8::10") / udp(1000, 53);
  explained(lab, six);  // no service of that port
  const Frame syn = eth() / ipv6("2001:db8:c::7", "2001:db8::10") / tcp(1000, 80).syn();
  EXPECT_EQ(explained(lab, syn).mode, Mode::across);
  EXPECT_EQ(explained(lab, syn).origin, FlowOrigin::known);
}

TEST(Explanations, SchedulersGoOnWhereTheyStood) {
  for (const tables::Scheduler scheduler :
       {tables::Scheduler::rr, tables::Scheduler::wrr, tables::Scheduler::wlc,
        tables::Scheduler::mh, tables::Scheduler::twos, tables::Scheduler::random,
        tables::Scheduler::nq}) {
    Lab lab(2);
    world::ServiceSpec spec = web();
    spec.scheduler = scheduler;
    spec.servers[0].weight = 3;
    lab.world().put(spec);
    for (uint16_t n = 0; n < 32; ++n) {
      EXPECT_EQ(explained(lab, to_vip(static_cast<uint16_t>(1000 + n))).origin, FlowOrigin::opened);
    }
  }
}

TEST(Explanations, SnatPortsAreThoseThatComeNext) {
  Lab lab(2);
  world::ServiceSpec spec = web(Mode::fullnat);
  spec.servers = {{"10.0.1.5", 8080}};
  lab.world().put(spec);
  // One client by many ports: slices of many shards, each with its own next one.
  for (uint16_t n = 0; n < 300; ++n) {
    const tables::Explanation told = explained(lab, to_vip(static_cast<uint16_t>(1000 + n)));
    EXPECT_TRUE(told.is_exact);
    EXPECT_GE(told.flow.snat_port, tables::kSnatFirstPort);
  }
}

TEST(Explanations, ClientsThatStay) {
  Lab lab(2);
  world::ServiceSpec spec = web();
  spec.persistence.timeout_s = 300;
  lab.world().put(spec);
  const tables::Explanation first = explained(lab, to_vip(1000));
  EXPECT_TRUE(first.is_persistent);
  EXPECT_FALSE(tables::is_slot(first.kept));
  for (uint16_t n = 1; n < 8; ++n) {
    const tables::Explanation next = explained(lab, to_vip(static_cast<uint16_t>(1000 + n)));
    EXPECT_EQ(next.kept, first.flow.server_id);
    EXPECT_EQ(next.flow.server_id, first.flow.server_id);
  }
  EXPECT_EQ(lab.persistence().count(), 1u);
}

TEST(Explanations, LimitsAreAskedAndNotUsed) {
  Lab lab(2);
  world::ServiceSpec spec = web();
  spec.limits.client.per_second = 3;
  spec.limits.client.at_once = 5;
  spec.traffic.all.packets_per_second = 40;
  lab.world().put(spec);
  uint32_t refused = 0;
  for (uint16_t n = 0; n < 12; ++n) {
    const Frame syn = to_vip(static_cast<uint16_t>(1000 + n));
    for (int i = 0; i < 5; ++i) lab.explain(syn);
    refused += last(explained(lab, syn)).verdict == Verdict::drop;
    if (n % 4 == 3) lab.advance(0.5);
  }
  EXPECT_GT(refused, 2u);
  EXPECT_LT(refused, 12u);
}

TEST(Explanations, SynCookiesAreNotGivenAway) {
  Lab lab(2);
  world::ServiceSpec spec = web();
  spec.cookies.enabled = 1;
  spec.cookies.above_per_second = 2;
  lab.world().put(spec);
  uint32_t cookies = 0;
  for (uint16_t n = 0; n < 8; ++n) {
    const tables::Explanation told = explained(lab, to_vip(static_cast<uint16_t>(1000 + n)));
    cookies += last(told).reason == Reason::cookie_sent;
  }
  EXPECT_EQ(cookies, 6u);
}

TEST(Explanations, WhatIsRefused) {
  Lab lab(2);
  world::ServiceSpec off = web();
  off.port = 81;
  off.servers.clear();
  off.refusal = tables::Refusal::refuse;
  lab.world().put(off);
  tables::Explanation told = explained(lab, to_vip(1000, 81));
  EXPECT_EQ(last(told).reason, Reason::no_server);
  EXPECT_EQ(last(told).verdict, Verdict::reply);
  EXPECT_EQ(last(told).decided, ExplainStage::admit);
  EXPECT_EQ(told.origin, FlowOrigin::none);
  EXPECT_TRUE(tables::is_slot(told.service));

  world::ServiceSpec limited = web();
  for (world::ServerSpec& server : limited.servers) server.max_flows = 1;
  lab.world().put(limited);
  for (uint16_t n = 0; n < 6; ++n) told = explained(lab, to_vip(static_cast<uint16_t>(1000 + n)));
  EXPECT_EQ(last(told).reason, Reason::servers_full);

  const Frame lost = eth() / ipv4("198.18.0.7", "203.0.113.10") / tcp(9, 80).seq(1).ack(1);
  EXPECT_EQ(last(explained(lab, lost)).reason, Reason::tcp_without_flow);
  told = explained(lab, to_vip(9, 8));
  EXPECT_EQ(last(told).reason, Reason::service_unknown);
  EXPECT_EQ(told.whose, tables::Whose::vip);
  EXPECT_FALSE(tables::is_slot(told.service));
}

TEST(Explanations, WhatIsForNoService) {
  Lab lab(2);
  lab.world().put(web());
  const Frame transit = eth() / ipv4("198.18.0.7", "10.0.1.5") / udp(1, 2);
  tables::Explanation told = explained(lab, transit);
  EXPECT_EQ(last(told).reason, Reason::transit_refused);
  EXPECT_EQ(told.whose, tables::Whose::somebody);
  tables::Settings settings;
  settings.transit = tables::Transit::forward;
  lab.world().settings(settings);
  EXPECT_EQ(last(explained(lab, transit)).verdict, Verdict::forward);

  told = explained(lab, eth() / arp_request("192.0.2.254", "203.0.113.10"));
  EXPECT_EQ(last(told).verdict, Verdict::reply);
  EXPECT_EQ(last(told).decided, ExplainStage::answer);
  told = explained(lab, eth() / ipv4("198.18.0.7", "203.0.113.10") / echo_request(7, 1));
  EXPECT_EQ(last(told).reason, Reason::answered);
  told = explained(lab, eth() / ipv4("198.18.0.7", "192.0.2.1") / tcp(1, 22).syn());
  EXPECT_EQ(last(told).verdict, Verdict::twin);
  EXPECT_EQ(told.whose, tables::Whose::kernel);
  told = explained(lab, eth() / vlan(77) / ipv4("198.18.0.7", "203.0.113.10") / tcp(1, 80).syn());
  EXPECT_EQ(last(told).reason, Reason::vlan_unknown);
  EXPECT_EQ(last(told).decided, ExplainStage::parse);
  EXPECT_FALSE(told.packet.is_parsed);
  const Frame cut = eth() / ipv4("198.18.0.7", "203.0.113.10").total_length(400) / tcp(1, 80);
  EXPECT_EQ(last(explained(lab, cut)).reason, Reason::ipv4_truncated);
}

TEST(Explanations, FragmentsGoWhereTheirTrainIs) {
  Lab lab(3);
  world::ServiceSpec spec = web();
  spec.protocol = net::Protocol::udp;
  lab.world().put(spec);
  for (uint16_t id = 1; id < 12; ++id) {
    const Stack ip = eth() / ipv4("198.18.0.7", "203.0.113.10").id(id).fragment(0, true);
    const Frame first =
        ip / udp(static_cast<uint16_t>(1000 + id), 80).length(48).no_checksum() / fill(32);
    const Frame later =
        eth() / ipv4("198.18.0.7", "203.0.113.10").id(id).fragment(40, false) / raw(Bytes(8), 17);
    const tables::Explanation waits = lab.explain(later, id % 3);
    EXPECT_EQ(last(waits).verdict, Verdict::kept);
    EXPECT_EQ(explained(lab, first, 0, id % 3).origin, FlowOrigin::opened);
    EXPECT_EQ(explained(lab, later, 0, id % 3).origin, FlowOrigin::known);
  }
}

TEST(Explanations, ErrorsAboutFlows) {
  Lab lab(3);
  lab.world().put(web(Mode::fullnat));
  Conversation one(lab, "198.18.0.7", 1000);
  ASSERT_TRUE(one.open());
  const Ends& ends = one.server();
  const Frame error = eth() / ipv4("10.0.1.5", net::to_string(ends.source)) / port_unreachable() /
                      ipv4(net::to_string(ends.source), net::to_string(ends.destination)) /
                      one.tcp_back().flags(16);
  explained(lab, error, 1);
  const Frame about = eth() / ipv4("10.0.1.5", net::to_string(ends.source)) / port_unreachable() /
                      ipv4(net::to_string(ends.source), net::to_string(ends.destination)) /
                      tcp(ends.source_port, ends.destination_port).seq(101).ack(501);
  const tables::Explanation told = explained(lab, about, 1);
  EXPECT_EQ(told.origin, FlowOrigin::known);
  EXPECT_EQ(told.packet.shape, net::Shape::icmp_error);
}

TEST(Explanations, PiecesOfWhatIsTooLong) {
  Lab lab(2);
  world::ServiceSpec spec = web(Mode::tunnel_ipip);
  spec.protocol = net::Protocol::udp;
  lab.world().put(spec);
  const Frame whole = eth() / ipv4("198.18.0.7", "203.0.113.10") / udp(1000, 80) / fill(1472);
  const tables::Explanation told = lab.explain(whole);
  ASSERT_GE(told.pass_count, 2);
  EXPECT_EQ(told.passes[told.pass_count - 2].verdict, Verdict::split);
  EXPECT_TRUE(last(told).is_piece);
  EXPECT_EQ(told.pieces, 2);
  lab.send(whole);
  const auto pieces = lab.pieces();
  ASSERT_EQ(pieces.size(), 2u);
  EXPECT_EQ(after(told), pieces[0].frame);
}

TEST(Explanations, ASynInPlaceOfAFlowThatHasEnded) {
  Lab lab(2);
  world::ServiceSpec spec = web();
  spec.persistence.timeout_s = 300;
  lab.world().put(spec);
  Conversation one(lab, "198.18.0.7", 1000);
  ASSERT_TRUE(one.open());
  one.send(one.tcp_there().rst().seq(101));
  const tables::Explanation told = explained(lab, to_vip(1000));
  EXPECT_EQ(told.origin, FlowOrigin::reopened);
  EXPECT_TRUE(tables::is_slot(told.kept));
}

TEST(Explanations, AFullTableIsSaid) {
  Lab lab(1, {8, 8, 8});
  lab.world().put(web());
  for (uint16_t n = 0; n < 8; ++n) {
    Conversation one(lab, client(n), 1000);
    ASSERT_TRUE(one.open());
  }
  EXPECT_TRUE(lab.explain(to_vip(5)).is_crowded);
  EXPECT_EQ(lab.send(to_vip(5)).reason, Reason::flow_table_full);
}

TEST(Explanations, WithoutTables) {
  Lab lab(2);
  const tables::Explanation told = explained(lab, to_vip(1));
  EXPECT_EQ(last(told).reason, Reason::not_ready);
  EXPECT_EQ(told.generation, 0u);
}

TEST(Explanations, AWorkerThatStandsStillIsNamed) {
  Lab lab(3);
  lab.world().put(web());
  std::vector<path::Setup> workers = lab.setups();
  std::vector<path::Desk*> desks;
  for (uint16_t worker = 0; worker < 3; ++worker) desks.push_back(&lab.path(worker).desk());
  path::Explainer explainer(workers, desks);
  tables::ExplainOrder order;
  const Frame syn = to_vip(1);
  order.length = static_cast<uint32_t>(syn.bytes().size());
  std::copy(syn.bytes().begin(), syn.bytes().end(), order.frame.begin());
  order.until = lab.now().nanoseconds + 1000;
  // More often than questions have room for.
  for (int again = 0; again < 9; ++again) {
    explainer.begin(order, 2);
    EXPECT_FALSE(explainer.turn(lab.world().view(), lab.world().routes(), lab.now()));
    EXPECT_TRUE(
        explainer.turn(lab.world().view(), lab.world().routes(), net::after(lab.now(), 2000)));
    EXPECT_EQ(explainer.told().fault, tables::ExplainFault::worker_silent);
    EXPECT_EQ(explainer.told().silent, 2);
  }
  // What it was asked before it came back is thrown away.
  for (int i = 0; i < 9; ++i) {
    path::answer_question(lab.path(2).state(), lab.world().view(), lab.now());
  }
  EXPECT_EQ(last(explained(lab, syn)).verdict, Verdict::forward);
}

}  // namespace
}  // namespace nezu::lab
