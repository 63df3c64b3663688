// Mode `route`: the servers hold the VIP; only the MAC changes, and only the client's half of a
// flow is seen.
#include <gtest/gtest.h>

#include "tests/path/frames.h"
#include "tests/path/lab.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Reason;
using net::Verdict;
using tables::Timeout;

Eth from_client() { return eth().from("02:00:00:00:00:fe").to("02:00:00:00:00:f0"); }
Eth to_server() { return eth().from("02:00:00:00:00:b0").to("02:00:00:01:00:00"); }
Eth to_server6() { return to_server().to("02:00:00:01:00:01"); }

world::ServiceSpec routed(net::Protocol protocol, bool v6 = false) {
  world::ServiceSpec spec;
  spec.mode = tables::Mode::route;
  spec.protocol = protocol;
  spec.vip = v6 ? "2001:db8::10" : "203.0.113.10";
  spec.servers = {{v6 ? "fd00:1::5" : "10.0.1.5", 80}};
  return spec;
}

/// The state of the only flow.
Timeout state_of(Lab& lab, bool wide = false) {
  const flow::Table& flows = lab.flows(0);
  EXPECT_EQ(lab.flow_count(), 1u);
  for (uint32_t i = 0; i < flows.capacity(wide); ++i) {
    const flow::FlowId id(wide, i, flow::Direction::to_server);
    if (flows.track(id).valid != 0) return flows.track(id).state;
  }
  return Timeout::other;
}

const auto kEnds = ipv4("198.51.100.7", "203.0.113.10");
const auto kEnds6 = ipv6("2001:db8:c::7", "2001:db8::10");

TEST(Route, OnlyTheMacAndTheHopCountChange) {
  Lab lab(1);
  for (const net::Protocol protocol : {net::Protocol::tcp, net::Protocol::udp}) {
    lab.world().put(routed(protocol));
    lab.world().put(routed(protocol, true));
  }
  const auto expect = [&](const Stack& sent, const Stack& left) {
    const Fate fate = lab.send(sent);
    EXPECT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
    EXPECT_EQ(fate.egress, 1);
    EXPECT_EQ(fate.frame, left);
  };
  const auto nearer = ipv4("198.51.100.7", "203.0.113.10").ttl(63);
  const auto nearer6 = ipv6("2001:db8:c::7", "2001:db8::10").hops(63);
  expect(from_client() / kEnds / tcp(40000, 80).syn().seq(7),
         to_server() / nearer / tcp(40000, 80).syn().seq(7));
  expect(from_client() / kEnds / udp(40000, 80) / "question",
         to_server() / nearer / udp(40000, 80) / "question");
  expect(from_client() / kEnds6 / tcp(40000, 80).syn(),
         to_server6() / nearer6 / tcp(40000, 80).syn());
  expect(from_client() / kEnds6 / udp(40000, 80) / "question",
         to_server6() / nearer6 / udp(40000, 80) / "question");
  // What is not ours to check stays as it came: no checksum, options, odd lengths.
  expect(from_client() / kEnds / udp(40000, 80).no_checksum() / "abc",
         to_server() / nearer / udp(40000, 80).no_checksum() / "abc");
  expect(from_client() / ipv4("198.51.100.7", "203.0.113.10").options({1, 1, 1, 0}).tos(0xb9) /
             tcp(40000, 80).psh().seq(8).ack(1) / "x",
         to_server() /
             ipv4("198.51.100.7", "203.0.113.10").options({1, 1, 1, 0}).tos(0xb9).ttl(63) /
             tcp(40000, 80).psh().seq(8).ack(1) / "x");
  expect(from_client() / kEnds6 / hop_by_hop() / udp(40000, 80) / "x",
         to_server6() / nearer6 / hop_by_hop() / udp(40000, 80) / "x");
  EXPECT_EQ(lab.audit(), "");
}

TEST(Route, OneArm) {
  Lab lab(1);
  lab.world().put(routed(net::Protocol::udp));
  const Fate there =
      lab.send(eth().to(world::kBackMac) / kEnds / udp(40000, 80) / "question", 0, 1);
  EXPECT_EQ(there.verdict, Verdict::forward) << to_string(there.reason);
  EXPECT_EQ(there.egress, 1);
  EXPECT_EQ(there.frame, to_server() / ipv4("198.51.100.7", "203.0.113.10").ttl(63) /
                             udp(40000, 80) / "question");
}

TEST(Route, HopCountEndsHereWithAnAnswer) {
  Lab lab(1);
  lab.world().put(routed(net::Protocol::udp));
  const Fate fate =
      lab.send(from_client() / ipv4("198.51.100.7", "203.0.113.10").ttl(1) / udp(40000, 80) / "x");
  EXPECT_EQ(fate.verdict, Verdict::reply);
  EXPECT_EQ(fate.reason, Reason::ttl_exceeded);
  world::ServiceSpec six = routed(net::Protocol::udp);
  six.vip = "2001:db8::10";
  six.servers = {{"fd00:1::5", 80}};
  lab.world().put(six);
  const auto asked = ipv6("2001:db8:c::7", "2001:db8::10").hops(1);
  const Fate told = lab.send(from_client() / asked / udp(40000, 80) / "x");
  ASSERT_EQ(told.verdict, Verdict::reply) << to_string(told.reason);
  EXPECT_EQ(told.reason, Reason::ttl_exceeded);
  EXPECT_EQ(told.frame, eth().from("02:00:00:00:00:f0").to("02:00:00:00:00:fe") /
                            ipv6("2001:db8:f::1", "2001:db8:c::7").hops(64).traffic_class(0xc0) /
                            time_exceeded6() / asked / udp(40000, 80) / "x");
}

TEST(Route, TooBigIsAnsweredWithTheWholeMtu) {
  Lab lab(1);
  lab.world().put(routed(net::Protocol::udp));
  const Fate fate = lab.send(from_client() / ipv4("198.51.100.7", "203.0.113.10").dont_fragment() /
                             udp(40000, 80) / fill(1473));
  EXPECT_EQ(fate.verdict, Verdict::reply);
  EXPECT_EQ(fate.reason, Reason::too_big);
  const auto bytes = fate.frame.bytes();
  EXPECT_EQ(bytes[34], 3);  // unreachable: fragmentation needed, at 1500
  EXPECT_EQ(bytes[35], 4);
  EXPECT_EQ(bytes[40] << 8 | bytes[41], 1500);
}

TEST(Route, TcpIsTrackedByTheClientsHalf) {
  Lab lab(1);
  lab.world().put(routed(net::Protocol::tcp));
  const auto send = [&](const dsl::Tcp& tcp) {
    EXPECT_EQ(lab.send(from_client() / kEnds / tcp).verdict, Verdict::forward);
  };
  send(tcp(40000, 80).syn().seq(100));
  EXPECT_EQ(state_of(lab), Timeout::syn_sent);
  send(tcp(40000, 80).syn().seq(100));
  EXPECT_EQ(state_of(lab), Timeout::syn_sent);
  send(tcp(40000, 80).seq(101).ack(501));
  EXPECT_EQ(state_of(lab), Timeout::established);
  send(tcp(40000, 80).fin().seq(101).ack(501));
  EXPECT_EQ(state_of(lab), Timeout::fin_wait);
  // Half closed: what the server sends is still acknowledged.
  lab.advance(100);
  send(tcp(40000, 80).seq(102).ack(90000));
  lab.advance(100);
  EXPECT_EQ(state_of(lab), Timeout::fin_wait);
  lab.advance(30);
  EXPECT_EQ(lab.flow_count(), 0u);
}

TEST(Route, ASynAloneIsSoonForgotten) {
  Lab lab(1);
  world::ServiceSpec spec = routed(net::Protocol::tcp);
  lab.world().put(spec);
  lab.send(from_client() / kEnds / tcp(40000, 80).syn());
  lab.advance(29);
  EXPECT_EQ(lab.flow_count(), 1u);
  lab.advance(2);
  EXPECT_EQ(lab.flow_count(), 0u);
}

TEST(Route, AResetThatFitsClosesAndTheSamePortOpensAnew) {
  Lab lab(1);
  lab.world().put(routed(net::Protocol::tcp));
  const auto send = [&](const dsl::Tcp& tcp) { return lab.send(from_client() / kEnds / tcp); };
  send(tcp(40000, 80).syn().seq(100));
  send(tcp(40000, 80).seq(101).ack(501));
  send(tcp(40000, 80).rst().seq(0x40000000));
  EXPECT_EQ(state_of(lab), Timeout::established);
  send(tcp(40000, 80).rst().seq(101));
  EXPECT_EQ(state_of(lab), Timeout::closed);
  EXPECT_EQ(send(tcp(40000, 80).syn().seq(7000)).verdict, Verdict::forward);
  EXPECT_EQ(state_of(lab), Timeout::syn_sent);
  EXPECT_EQ(lab.count(&tables::WorkerLine::flows_recycled), 1u);
  EXPECT_EQ(lab.audit(), "");
}

TEST(Route, UdpLivesOnTheSecondDatagram) {
  Lab lab(1);
  lab.world().put(routed(net::Protocol::udp, true));
  lab.send(from_client() / kEnds6 / udp(40000, 80) / "1");
  EXPECT_EQ(state_of(lab, true), Timeout::udp_single);
  lab.send(from_client() / kEnds6 / udp(40000, 80) / "2");
  EXPECT_EQ(state_of(lab, true), Timeout::udp);
  lab.advance(290);
  EXPECT_EQ(lab.flow_count(), 1u);
}

TEST(Route, OnePortTowardsTwoVipsOfOneServer) {
  Lab lab(1);
  lab.world().put(routed(net::Protocol::udp));
  world::ServiceSpec other = routed(net::Protocol::udp);
  other.vip = "203.0.113.11";
  lab.world().put(other);
  for (const char* vip : {"203.0.113.10", "203.0.113.11"}) {
    const Fate fate = lab.send(from_client() / ipv4("198.51.100.7", vip) / udp(40000, 80) / "x");
    EXPECT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
  }
  EXPECT_EQ(lab.flow_count(), 2u);
  EXPECT_EQ(lab.audit(), "");
  const path::Restored restored = lab.restart(1);
  EXPECT_EQ(restored.kept, 2u);
  EXPECT_EQ(restored.dropped, 0u);
  EXPECT_EQ(lab.audit(), "");
}

TEST(Route, AServerBehindARouterIsRefusedByName) {
  Lab lab(1);
  world::ServiceSpec spec = routed(net::Protocol::tcp);
  spec.servers = {{"198.18.0.5", 80}};  // by the default route
  spec.refusal = tables::Refusal::refuse;
  lab.world().put(spec);
  const Fate fate = lab.send(from_client() / kEnds / tcp(40000, 80).syn());
  EXPECT_EQ(fate.verdict, Verdict::reply);
  EXPECT_EQ(fate.reason, Reason::server_off_link);
  EXPECT_EQ(lab.count(Reason::server_off_link), 1u);
  EXPECT_EQ(lab.flow_count(), 0u);
}

TEST(Route, AServerThatLeavesTheLinkIsNotReachedByARouter) {
  Lab lab(1);
  lab.world().put(routed(net::Protocol::udp));
  EXPECT_EQ(lab.send(from_client() / kEnds / udp(40000, 80) / "1").verdict, Verdict::forward);
  lab.world().rebuild_routes(0, 0, false);
  const Fate fate = lab.send(from_client() / kEnds / udp(40000, 80) / "2");
  EXPECT_EQ(fate.verdict, Verdict::drop);
  EXPECT_EQ(fate.reason, Reason::server_off_link);
  lab.world().rebuild_routes();
  EXPECT_EQ(lab.send(from_client() / kEnds / udp(40000, 80) / "3").verdict, Verdict::forward);
}

TEST(Route, AnUnknownNeighbourIsWaitedForByTheServersAddress) {
  Lab lab(1);
  lab.world().put(routed(net::Protocol::udp));
  const auto hop = static_cast<uint16_t>(
      lab.world().routes().find(net::Instance::standard, world::address("10.0.1.5"), 0));
  lab.world().hops().set_state(hop, route::HopState::asking);
  const Fate fate = lab.send(from_client() / kEnds / udp(40000, 80) / "x");
  EXPECT_EQ(fate.verdict, Verdict::hold);
  EXPECT_EQ(fate.awaited, world::address("10.0.1.5"));
}

// A router between a server and a client complains to the VIP: the flow's server must hear it.
TEST(Route, ErrorsAboutTheServersAnswersReachThatServerUnchanged) {
  Lab lab(2);
  for (const bool v6 : {false, true}) {
    world::ServiceSpec spec = routed(net::Protocol::tcp, v6);
    if (v6) {
      spec.servers = {{"fd00:1::5", 80}, {"fd00:1::6", 80}, {"fd00:1::7", 80}};
    } else {
      spec.servers = {{"10.0.1.5", 80}, {"10.0.1.6", 80}, {"10.0.1.7", 80}};
    }
    lab.world().put(spec);
  }
  for (uint16_t n = 0; n < 12; ++n) {
    const auto port = static_cast<uint16_t>(40000 + n);
    const Stack syn = n % 2 == 0 ? from_client() / kEnds / tcp(port, 80).syn()
                                 : from_client() / kEnds6 / tcp(port, 80).syn();
    const auto mac = [](const Fate& fate) {
      return std::vector<uint8_t>(fate.frame.bytes().begin(), fate.frame.bytes().begin() + 6);
    };
    const Fate there = lab.send(syn, n % 2);
    ASSERT_EQ(there.verdict, Verdict::forward);
    const auto error = [&](uint8_t hops) {
      return n % 2 == 0 ? from_client() / ipv4("192.0.2.254", "203.0.113.10").ttl(hops) /
                              fragmentation_needed(1400) /
                              ipv4("203.0.113.10", "198.51.100.7").dont_fragment() /
                              tcp(80, port).seq(1) / fill(64)
                        : from_client() / ipv6("2001:db8:f::fe", "2001:db8::10").hops(hops) /
                              packet_too_big(1400) / ipv6("2001:db8::10", "2001:db8:c::7") /
                              tcp(80, port).seq(1) / fill(64);
    };
    const Fate fate = lab.send(error(64), (n / 2) % 2);
    ASSERT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
    EXPECT_EQ(fate.egress, 1);
    EXPECT_EQ(mac(fate), mac(there));
    // Behind the Ethernet header, only the hop has been counted.
    const Frame expected = error(63);
    EXPECT_TRUE(std::equal(fate.frame.bytes().begin() + 14, fate.frame.bytes().end(),
                           expected.bytes().begin() + 14));
  }
}

TEST(Route, SurvivesARestartWithOtherWorkersAtTheSameServer) {
  Lab lab(1);
  world::ServiceSpec spec = routed(net::Protocol::tcp);
  spec.servers = {{"10.0.1.5", 80}, {"10.0.1.6", 80}, {"10.0.1.7", 80}};
  lab.world().put(spec);
  std::vector<std::vector<uint8_t>> macs;
  const auto talk = [&](uint32_t n, const dsl::Tcp& tcp) {
    const Fate fate = lab.send(from_client() / ipv4(client(n), "203.0.113.10") / tcp,
                               static_cast<uint16_t>(n % lab.workers()));
    EXPECT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
    return std::vector<uint8_t>(fate.frame.bytes().begin(), fate.frame.bytes().begin() + 6);
  };
  for (uint32_t n = 0; n < 64; ++n) {
    macs.push_back(talk(n, tcp(40000, 80).syn().seq(1)));
    talk(n, tcp(40000, 80).seq(2).ack(9));
  }
  const path::Restored restored = lab.restart(2);
  EXPECT_EQ(restored.kept, 64u);
  EXPECT_EQ(restored.dropped, 0u);
  for (uint32_t n = 0; n < 64; ++n) EXPECT_EQ(talk(n, tcp(40000, 80).seq(2).ack(9)), macs[n]);
  EXPECT_GT(lab.count(&tables::WorkerLine::handed_over), 0u);
  EXPECT_EQ(lab.flow_count(), 64u);
  EXPECT_EQ(lab.audit(), "");
}

// Our own gateway's answers: what servers send through us from the VIP is transit.
TEST(Route, AnswersThroughUsFollowTheRuleOfTransit) {
  Lab lab(1);
  lab.world().put(routed(net::Protocol::udp));
  lab.send(from_client() / kEnds / udp(40000, 80) / "question");
  const auto answer = eth() / ipv4("203.0.113.10", "198.51.100.7") / udp(80, 40000) / "answer";
  EXPECT_EQ(lab.send(answer, 0, 1).reason, Reason::transit_refused);
  tables::Settings settings;
  settings.transit = tables::Transit::forward;
  lab.world().settings(settings);
  const Fate fate = lab.send(answer, 0, 1);
  EXPECT_EQ(fate.verdict, Verdict::forward);
  EXPECT_EQ(ends_of(fate.frame).source, world::address("203.0.113.10"));
}

}  // namespace
}  // namespace nezu::lab
