// Source NAT: hosts behind us go out with an address of ours, byte by byte; who does not.
#include <set>

#include "tests/path/inside.h"

namespace nezu::lab {
namespace {

using world::ServiceId;

TEST(Masquerade, TcpByteByByte) {
  Inside lab;
  lab.world().put_rule(rule());
  const Fate syn = lab.out(from_host() / ipv4(kHost, kOut) / tcp(40000, 80).syn().seq(7));
  const uint16_t port = ends_of(syn.frame).source_port;
  EXPECT_GE(port, tables::kSnatFirstPort);
  expect_forward(syn, kFront,
                 to_outside() / ipv4("203.0.113.1", kOut).ttl(63) / tcp(port, 80).syn().seq(7));
  expect_forward(
      lab.back(from_outside() / ipv4(kOut, "203.0.113.1") / tcp(80, port).syn().seq(90).ack(8)),
      kBack, to_host() / ipv4(kOut, kHost).ttl(63) / tcp(80, 40000).syn().seq(90).ack(8));
  expect_forward(
      lab.out(from_host() / ipv4(kHost, kOut) / tcp(40000, 80).psh().seq(8).ack(91) / "GET"),
      kFront,
      to_outside() / ipv4("203.0.113.1", kOut).ttl(63) / tcp(port, 80).psh().seq(8).ack(91) /
          "GET");
  EXPECT_EQ(lab.audit(), "");
}

TEST(Masquerade, TcpOverIpv6ByteByByte) {
  Inside lab;
  lab.world().put_rule(rule());
  const Fate syn = lab.out(from_host() / ipv6(kHost6, kOut6) / tcp(40000, 80).syn().seq(7));
  const uint16_t port = ends_of(syn.frame).source_port;
  expect_forward(syn, kFront,
                 to_outside() / ipv6("2001:db8::1", kOut6).hops(63) / tcp(port, 80).syn().seq(7));
  expect_forward(
      lab.back(from_outside() / ipv6(kOut6, "2001:db8::1") / tcp(80, port).syn().seq(90).ack(8)),
      kBack, to_host() / ipv6(kOut6, kHost6).hops(63) / tcp(80, 40000).syn().seq(90).ack(8));
  EXPECT_EQ(lab.audit(), "");
}

TEST(Masquerade, UdpIsCountedAtItsRule) {
  Inside lab;
  const ServiceId id = lab.world().put_rule(rule());
  const Fate there = lab.question(5353);
  const uint16_t port = ends_of(there.frame).source_port;
  expect_forward(there, kFront,
                 to_outside() / ipv4("203.0.113.1", kOut).ttl(63) / udp(port, 53) / "question");
  expect_forward(lab.back(from_outside() / ipv4(kOut, "203.0.113.1") / udp(53, port) / "answer"),
                 kBack, to_host() / ipv4(kOut, kHost).ttl(63) / udp(53, 5353) / "answer");
  const auto& counters = lab.world().region().services_of(0)[index(id)];
  EXPECT_EQ(counters.traffic[0].packets.read(), 1u);
  EXPECT_EQ(counters.traffic[1].packets.read(), 1u);
  EXPECT_EQ(counters.flows_opened.read(), 1u);
  EXPECT_EQ(counters.flows_active.read(), 1u);
  lab.advance(301);
  EXPECT_EQ(lab.flow_count(), 0u);
  EXPECT_EQ(counters.flows_active.read(), 0u);
  EXPECT_EQ(counters.flows_closed.read(), 1u);
}

/// The identifier is the port. Answers find home from every worker.
TEST(Masquerade, PingGetsAnIdentifierOfOurs) {
  Inside lab(3);
  lab.world().put_rule(rule());
  for (uint16_t worker = 0; worker < 3; ++worker) {
    const uint16_t id = static_cast<uint16_t>(77 + worker);
    const Fate there =
        lab.out(from_host() / ipv4(kHost, kOut) / echo_request(id, 1) / "ping", worker);
    ASSERT_EQ(there.verdict, Verdict::forward) << to_string(there.reason);
    const auto bytes = there.frame.bytes();
    const auto ours = static_cast<uint16_t>(bytes[38] << 8 | bytes[39]);
    EXPECT_GE(ours, tables::kSnatFirstPort);
    expect_forward(
        there, kFront,
        to_outside() / ipv4("203.0.113.1", kOut).ttl(63) / echo_request(ours, 1) / "ping");
    for (uint16_t at = 0; at < 3; ++at) {
      expect_forward(
          lab.back(from_outside() / ipv4(kOut, "203.0.113.1") / echo_reply(ours, 1) / "ping", at),
          kBack, to_host() / ipv4(kOut, kHost).ttl(63) / echo_reply(id, 1) / "ping");
    }
    const Fate there6 =
        lab.out(from_host() / ipv6(kHost6, kOut6) / echo_request6(id, 1) / "ping", worker);
    ASSERT_EQ(there6.verdict, Verdict::forward) << to_string(there6.reason);
    const auto bytes6 = there6.frame.bytes();
    const auto ours6 = static_cast<uint16_t>(bytes6[58] << 8 | bytes6[59]);
    for (uint16_t at = 0; at < 3; ++at) {
      expect_forward(
          lab.back(from_outside() / ipv6(kOut6, "2001:db8::1") / echo_reply6(ours6, 1) / "ping",
                   at),
          kBack, to_host() / ipv6(kOut6, kHost6).hops(63) / echo_reply6(id, 1) / "ping");
    }
  }
  // A ping of the SNAT address itself is ours to answer; an answer that nobody waits for is
  // dropped.
  EXPECT_EQ(lab.back(from_outside() / ipv4(kOut, "203.0.113.1") / echo_request(9, 1)).verdict,
            Verdict::reply);
  EXPECT_EQ(lab.back(from_outside() / ipv4(kOut, "203.0.113.1") / echo_reply(1025, 1)).reason,
            Reason::snat_unmatched);
  lab.advance(31);
  EXPECT_EQ(lab.flow_count(), 0u);
  EXPECT_EQ(lab.audit(), "");
}

TEST(Masquerade, ErrorsAboutItsFlowsGoBothWays) {
  Inside lab;
  lab.world().put_rule(rule());
  const uint16_t port = ends_of(lab.question(5353).frame).source_port;
  // A router on the way keeps its own address.
  expect_forward(
      lab.back(from_outside() / ipv4("198.51.100.99", "203.0.113.1") / fragmentation_needed(1400) /
               ipv4("203.0.113.1", kOut).ttl(50) / udp(port, 53) / "question"),
      kBack,
      to_host() / ipv4("198.51.100.99", kHost).ttl(63) / fragmentation_needed(1400) /
          ipv4(kHost, kOut).ttl(50) / udp(5353, 53) / "question");
  // What the host says about an answer comes from the SNAT address.
  expect_forward(lab.out(from_host() / ipv4(kHost, kOut) / port_unreachable() /
                         ipv4(kOut, kHost).ttl(50) / udp(53, 5353) / "answer"),
                 kFront,
                 to_outside() / ipv4("203.0.113.1", kOut).ttl(63) / port_unreachable() /
                     ipv4(kOut, "203.0.113.1").ttl(50) / udp(53, port) / "answer");
}

TEST(Masquerade, ErrorsAboutPings) {
  Inside lab;
  lab.world().put_rule(rule());
  const Fate there = lab.out(from_host() / ipv4(kHost, kOut) / echo_request(77, 1) / "ping");
  const auto bytes = there.frame.bytes();
  const auto id = static_cast<uint16_t>(bytes[38] << 8 | bytes[39]);
  expect_forward(lab.back(from_outside() / ipv4("198.51.100.99", "203.0.113.1") / time_exceeded() /
                          ipv4("203.0.113.1", kOut).ttl(1) / echo_request(id, 1) / "ping"),
                 kBack,
                 to_host() / ipv4("198.51.100.99", kHost).ttl(63) / time_exceeded() /
                     ipv4(kHost, kOut).ttl(1) / echo_request(77, 1) / "ping");
  const Fate there6 = lab.out(from_host() / ipv6(kHost6, kOut6) / echo_request6(77, 1) / "ping");
  const auto bytes6 = there6.frame.bytes();
  const auto id6 = static_cast<uint16_t>(bytes6[58] << 8 | bytes6[59]);
  expect_forward(
      lab.back(from_outside() / ipv6("2001:db8:c::99", "2001:db8::1") / time_exceeded6() /
               ipv6("2001:db8::1", kOut6).hops(1) / echo_request6(id6, 1) / "ping"),
      kBack,
      to_host() / ipv6("2001:db8:c::99", kHost6).hops(63) / time_exceeded6() /
          ipv6(kHost6, kOut6).hops(1) / echo_request6(77, 1) / "ping");
}

TEST(Masquerade, FragmentsOfDatagramsAndPings) {
  Inside lab(2);
  lab.world().put_rule(rule());
  const auto piece = [](const char* from, const char* to, uint16_t offset, bool more) {
    return ipv4(from, to).id(9).fragment(offset, more).protocol(17);
  };
  const Fate first =
      lab.out(from_host() / piece(kHost, kOut, 0, true) / udp(5353, 53).length(24) / "8 bytes.");
  ASSERT_EQ(first.verdict, Verdict::forward) << to_string(first.reason);
  EXPECT_EQ(ends_of(first.frame).source, world::address("203.0.113.1"));
  const Fate later =
      lab.out(from_host() / piece(kHost, kOut, 16, false) / raw({1, 2, 3, 4, 5, 6, 7, 8}, 17), 1);
  ASSERT_EQ(later.verdict, Verdict::forward) << to_string(later.reason);
  EXPECT_EQ(ends_of(later.frame).source, world::address("203.0.113.1"));
  // A long ping, and its answer in two pieces.
  const auto ping = [](const char* from, const char* to, uint16_t offset, bool more) {
    return ipv4(from, to).id(10).fragment(offset, more).protocol(1);
  };
  const Fate asked =
      lab.out(from_host() / ping(kHost, kOut, 0, true) / echo_request(77, 1) / "12345678");
  ASSERT_EQ(asked.verdict, Verdict::forward) << to_string(asked.reason);
  const auto bytes = asked.frame.bytes();
  const auto id = static_cast<uint16_t>(bytes[38] << 8 | bytes[39]);
  const Fate answer = lab.back(from_outside() / ping(kOut, "203.0.113.1", 0, true) /
                               echo_reply(id, 1) / "12345678");
  ASSERT_EQ(answer.verdict, Verdict::forward) << to_string(answer.reason);
  EXPECT_EQ(ends_of(answer.frame).destination, world::address(kHost));
  const Fate rest = lab.back(
      from_outside() / ping(kOut, "203.0.113.1", 16, false) / raw({1, 2, 3, 4, 5, 6, 7, 8}, 1), 1);
  ASSERT_EQ(rest.verdict, Verdict::forward) << to_string(rest.reason);
  EXPECT_EQ(ends_of(rest.frame).destination, world::address(kHost));
}

/// Every client port at every worker: whoever receives the answer, the owner translates it.
TEST(Masquerade, AnswersFindHomeFromEveryWorker) {
  Inside lab(4);
  lab.world().put_rule(rule());
  uint64_t handed_over = 0;
  for (uint16_t n = 0; n < 64; ++n) {
    const std::string to = client(n);
    const Fate there = lab.question(static_cast<uint16_t>(5000 + n), to.c_str());
    ASSERT_EQ(there.verdict, Verdict::forward) << to_string(there.reason);
    const uint16_t port = ends_of(there.frame).source_port;
    const Fate back =
        lab.back(from_outside() / ipv4(to, "203.0.113.1") / udp(53, port) / "answer", n % 4);
    ASSERT_EQ(back.verdict, Verdict::forward) << to_string(back.reason);
    EXPECT_EQ(back.worker, there.worker);
    EXPECT_EQ(ends_of(back.frame).destination_port, 5000 + n);
    handed_over += back.handed_over;
  }
  EXPECT_GT(handed_over, 16u);
  EXPECT_EQ(lab.audit(), "");
}

/// Towards each other, towards a VIP, as answers of services, and from a VIP: all as without rules.
TEST(Masquerade, WhoIsNotMasqueraded) {
  Inside lab;
  lab.world().put(web());
  world::RuleSpec spec = rule();
  spec.networks = {"10.0.1.0/24", "10.0.2.0/24"};
  spec.except = {"198.51.100.128/25"};
  lab.world().put_rule(spec);
  tables::Settings settings;
  settings.transit = tables::Transit::forward;
  lab.world().settings(settings);
  const auto source_of = [](const Fate& fate) {
    EXPECT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
    return net::to_string(ends_of(fate.frame).source);
  };
  EXPECT_EQ(source_of(lab.question(5353)), "203.0.113.1");
  EXPECT_EQ(source_of(lab.question(5353, "10.0.2.9")), kHost);        // inside
  EXPECT_EQ(source_of(lab.question(5353, "198.51.100.200")), kHost);  // excepted
  // An inside client of a VIP keeps its address, and the server's answer finds its flow.
  const Fate hairpin = lab.out(from_host() / ipv4("10.0.2.9", "203.0.113.10") / tcp(5, 80).syn());
  EXPECT_EQ(hairpin.reason, Reason::hairpin_refused);  // they share 10.0.0.0/8 in this world
  Conversation outside(lab, "198.51.100.9", 40000);
  ASSERT_TRUE(outside.open());
  EXPECT_TRUE(outside.works());
  // A server in direct routing answers from the VIP, by us as its router.
  EXPECT_EQ(source_of(lab.out(from_host() / ipv4("203.0.113.10", kOut) / udp(53, 9) / "answer")),
            "203.0.113.10");
  // What comes from elsewhere is plain transit.
  EXPECT_EQ(source_of(lab.out(from_host() / ipv4("10.0.3.1", kOut) / udp(53, 9) / "x")),
            "10.0.3.1");
  // The answer to a ping from outside is no flow of the host's own.
  EXPECT_EQ(source_of(lab.out(from_host() / ipv4(kHost, kOut) / echo_reply(77, 1))), kHost);
  EXPECT_EQ(lab.count(&tables::WorkerLine::transit), 5u);
}

TEST(Masquerade, SegmentsOfNoFlowAreRefused) {
  Inside lab;
  world::RuleSpec spec = rule();
  spec.refusal = tables::Refusal::refuse;
  lab.world().put_rule(spec);
  const Fate fate = lab.out(from_host() / ipv4(kHost, kOut) / tcp(40000, 80).psh().seq(8).ack(91));
  EXPECT_EQ(fate.reason, Reason::tcp_without_flow);
  EXPECT_EQ(fate.verdict, Verdict::reply);  // a reset
}

TEST(Masquerade, TheLongestNetworkThenTheOrder) {
  Inside lab;
  world::RuleSpec any, net, host, second;
  any.interfaces = {"back"};
  any.snats = {"203.0.113.1"};
  net.networks = {"10.0.1.0/24"};
  net.snats = {"203.0.113.2"};
  second.networks = {"10.0.1.0/24"};
  second.snats = {"203.0.113.4"};
  host.networks = {"10.0.1.6/32"};
  host.outside = {"back"};  // does not fit: the way out is the front
  host.snats = {"203.0.113.3"};
  for (const auto& one : {any, net, second, host}) lab.world().put_rule(one);
  const auto source_of = [&](const char* from) {
    return net::to_string(ends_of(lab.question(5353, kOut, from).frame).source);
  };
  EXPECT_EQ(source_of(kHost), "203.0.113.2");
  EXPECT_EQ(source_of("10.0.1.6"), "203.0.113.2");
  EXPECT_EQ(source_of("10.0.2.9"), "203.0.113.1");
  // By interface alone: what stays behind it keeps its address; what comes by another is not meant.
  EXPECT_EQ(lab.question(5353, "10.0.3.3", "10.0.2.9").reason, Reason::transit_refused);
  EXPECT_EQ(lab.back(from_outside() / ipv4("10.9.9.9", kOut) / udp(1, 2) / "x").reason,
            Reason::transit_refused);
}

TEST(Masquerade, OneArmByNetwork) {
  Inside lab;
  world::RuleSpec spec = rule();
  spec.networks = {"192.0.2.128/25"};
  lab.world().put_rule(spec);
  const Fate fate =
      lab.send(eth().to(world::kFrontMac) / ipv4("192.0.2.200", kOut) / udp(5353, 53) / "question",
               0, kFront);
  EXPECT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
  EXPECT_EQ(fate.egress, kFront);
  EXPECT_EQ(ends_of(fate.frame).source, world::address("203.0.113.1"));
}

TEST(Masquerade, ExhaustedPortsAreRefusedAndServeAgain) {
  Inside lab;
  const ServiceId id = lab.world().put_rule(rule());
  for (uint16_t n = 0; n < tables::kSnatSlicePorts; ++n) {
    ASSERT_EQ(lab.question(static_cast<uint16_t>(2000 + n)).verdict, Verdict::forward) << n;
  }
  EXPECT_EQ(lab.question(1999).reason, Reason::snat_ports_exhausted);
  EXPECT_EQ(lab.world().region().services_of(0)[index(id)].flows_refused.read(), 1u);
  // Another outside host has ports of its own.
  EXPECT_EQ(lab.question(1999, "198.51.100.8").verdict, Verdict::forward);
  lab.advance(31);
  EXPECT_EQ(lab.question(1999).verdict, Verdict::forward);
  EXPECT_EQ(lab.audit(), "");
}

TEST(Masquerade, AHostKeepsToOneAddressAsLongAsItHasPorts) {
  Inside lab;
  world::RuleSpec spec = rule();
  spec.snats = {"203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4"};
  lab.world().put_rule(spec);
  std::set<net::Address> used;
  for (uint32_t n = 0; n < 32; ++n) {
    used.insert(
        ends_of(lab.question(static_cast<uint16_t>(2000 + n), client(n).c_str()).frame).source);
  }
  EXPECT_EQ(used.size(), 1u);
  for (uint16_t n = 0; n < tables::kSnatSlicePorts + 20; ++n) {
    used.insert(ends_of(lab.question(static_cast<uint16_t>(3000 + n)).frame).source);
  }
  EXPECT_EQ(used.size(), 2u);
}

TEST(Masquerade, WithoutAnAddressOfTheFamily) {
  Inside lab;
  world::RuleSpec spec = rule();
  spec.snats = {"203.0.113.1"};
  lab.world().put_rule(spec);
  const Fate fate = lab.out(from_host() / ipv6(kHost6, kOut6) / udp(5353, 53) / "question");
  EXPECT_EQ(fate.verdict, Verdict::drop);
  EXPECT_EQ(fate.reason, Reason::snat_missing);
  EXPECT_EQ(lab.flow_count(), 0u);
}

TEST(Masquerade, APortThatTheHostUsesAgainOpensAnew) {
  Inside lab;
  lab.world().put_rule(rule());
  const auto there = ipv4(kHost, kOut);
  const uint16_t port =
      ends_of(lab.out(from_host() / there / tcp(40000, 80).syn().seq(7)).frame).source_port;
  lab.back(from_outside() / ipv4(kOut, "203.0.113.1") / tcp(80, port).rst().seq(0).ack(8));
  const Fate again = lab.out(from_host() / there / tcp(40000, 80).syn().seq(900000));
  EXPECT_EQ(again.verdict, Verdict::forward) << to_string(again.reason);
  EXPECT_EQ(lab.flow_count(), 1u);
}

TEST(Masquerade, NoRouteAndTooBigAndTheLastHop) {
  Inside lab;
  lab.world().put_rule(rule());
  EXPECT_EQ(lab.out(from_host() / ipv4(kHost, kOut).ttl(1) / udp(5353, 53) / "x").reason,
            Reason::ttl_exceeded);
  const Fate big =
      lab.out(from_host() / ipv4(kHost, kOut).dont_fragment() / udp(5353, 53) / fill(1473));
  EXPECT_EQ(big.reason, Reason::too_big);
  EXPECT_EQ(big.verdict, Verdict::reply);
}

TEST(Masquerade, SegmentSizesAreLowered) {
  Inside lab;
  world::RuleSpec spec = rule();
  spec.max_segment_size = 1300;
  lab.world().put_rule(spec);
  const Fate syn =
      lab.out(from_host() / ipv4(kHost, kOut) / tcp(40000, 80).syn().options({2, 4, 5, 180}));
  const auto bytes = syn.frame.bytes();
  EXPECT_EQ(bytes[56] << 8 | bytes[57], 1300);
}

}  // namespace
}  // namespace nezu::lab
