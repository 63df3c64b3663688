// Services of one family with servers of the other, by whole packets.
#include <gtest/gtest.h>

#include "tests/path/frames.h"
#include "tests/path/lab.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Reason;
using net::Verdict;

const std::string kServerMac = "02:00:00:01:00:00";
const std::string kVip4 = "203.0.113.10", kVip6 = "2001:db8::10", kClient4 = "198.51.100.7",
                  kClient6 = "2001:db8:c::7";

Eth from_client() { return eth().from("02:00:00:00:00:fe").to("02:00:00:00:00:f0"); }
Eth to_server() { return eth().from("02:00:00:00:00:b0").to(kServerMac); }
Eth from_server() { return eth().from(kServerMac).to("02:00:00:00:00:b0"); }
Eth to_client() { return eth().from("02:00:00:00:00:f0").to("02:00:00:00:00:fe"); }

/// IPv4 clients, IPv6 servers.
world::ServiceSpec to_six(net::Protocol protocol = net::Protocol::tcp) {
  world::ServiceSpec spec;
  spec.mode = tables::Mode::fullnat;
  spec.protocol = protocol;
  spec.servers = {{"fd00:1::5", 8080}};
  spec.snats = {"fd00:1::a"};
  return spec;
}
/// IPv6 clients, IPv4 servers.
world::ServiceSpec to_four(net::Protocol protocol = net::Protocol::tcp) {
  world::ServiceSpec spec;
  spec.vip = kVip6;
  spec.mode = tables::Mode::fullnat;
  spec.protocol = protocol;
  spec.servers = {{"10.0.1.5", 8080}};
  spec.snats = {"10.0.0.1"};
  return spec;
}

uint16_t port_of(const Fate& fate) { return ends_of(fate.frame).source_port; }

TEST(Family, Ipv4ClientOfAnIpv6Server) {
  Lab lab(1);
  lab.world().put(to_six());
  const Fate there =
      lab.send(from_client() / ipv4(kClient4, kVip4).tos(0x2e) / tcp(40000, 80).syn().seq(7));
  ASSERT_EQ(there.verdict, Verdict::forward) << to_string(there.reason);
  EXPECT_EQ(there.egress, 1);
  const uint16_t port = port_of(there);
  EXPECT_EQ(there.frame, to_server() / ipv6("fd00:1::a", "fd00:1::5").hops(63).traffic_class(0x2e) /
                             tcp(port, 8080).syn().seq(7));
  const Fate back = lab.send(from_server() / ipv6("fd00:1::5", "fd00:1::a").label(99) /
                                 tcp(8080, port).syn().seq(9).ack(8),
                             0, 1);
  ASSERT_EQ(back.verdict, Verdict::forward) << to_string(back.reason);
  EXPECT_EQ(back.egress, 0);
  EXPECT_EQ(back.frame,
            to_client() / ipv4(kVip4, kClient4).ttl(63).id(1) / tcp(80, 40000).syn().seq(9).ack(8));
  EXPECT_EQ(lab.audit(), "");
  EXPECT_EQ(lab.flows(0).count(true), 1u);
}

TEST(Family, Ipv6ClientOfAnIpv4Server) {
  Lab lab(1);
  lab.world().put(to_four());
  const Fate there = lab.send(from_client() / ipv6(kClient6, kVip6) / tcp(40000, 80).syn().seq(7));
  ASSERT_EQ(there.verdict, Verdict::forward) << to_string(there.reason);
  const uint16_t port = port_of(there);
  EXPECT_EQ(there.frame, to_server() / ipv4("10.0.0.1", "10.0.1.5").ttl(63).id(1) /
                             tcp(port, 8080).syn().seq(7));
  const Fate back = lab.send(
      from_server() / ipv4("10.0.1.5", "10.0.0.1") / tcp(8080, port).syn().seq(9).ack(8), 0, 1);
  ASSERT_EQ(back.verdict, Verdict::forward) << to_string(back.reason);
  EXPECT_EQ(back.frame,
            to_client() / ipv6(kVip6, kClient6).hops(63) / tcp(80, 40000).syn().seq(9).ack(8));
  EXPECT_EQ(lab.audit(), "");
}

TEST(Family, UdpBothWaysAlsoWithoutAChecksum) {
  Lab lab(1);
  lab.world().put(to_six(net::Protocol::udp));
  lab.world().put(to_four(net::Protocol::udp));
  const Fate there =
      lab.send(from_client() / ipv4(kClient4, kVip4) / udp(40000, 80).no_checksum() / "question");
  ASSERT_EQ(there.verdict, Verdict::forward) << to_string(there.reason);
  EXPECT_EQ(there.frame, to_server() / ipv6("fd00:1::a", "fd00:1::5").hops(63) /
                             udp(port_of(there), 8080) / "question");
  const Fate other = lab.send(from_client() / ipv6(kClient6, kVip6) / udp(40000, 80) / "question");
  ASSERT_EQ(other.verdict, Verdict::forward) << to_string(other.reason);
  const Fate back = lab.send(from_server() / ipv4("10.0.1.5", "10.0.0.1") /
                                 udp(8080, port_of(other)).no_checksum() / "answer",
                             0, 1);
  EXPECT_EQ(back.frame, to_client() / ipv6(kVip6, kClient6).hops(63) / udp(80, 40000) / "answer");
}

// Half of all packets come to the worker that does not own the flow.
TEST(Family, TwoWorkersServeBothDirectionsAtOnce) {
  Lab lab(2);
  lab.world().put(to_six());
  lab.world().put(to_four());
  uint32_t handed_over = 0;
  for (uint32_t n = 0; n < 64; ++n) {
    const auto worker = static_cast<uint16_t>(n % 2);
    const uint16_t from = static_cast<uint16_t>(40000 + n);
    const Fate four =
        lab.send(from_client() / ipv4(client(n), kVip4) / tcp(from, 80).syn().seq(1), worker);
    const Fate six =
        lab.send(from_client() / ipv6(client6(n), kVip6) / tcp(from, 80).syn().seq(1), worker);
    ASSERT_EQ(four.verdict, Verdict::forward) << to_string(four.reason);
    ASSERT_EQ(six.verdict, Verdict::forward) << to_string(six.reason);
    for (const uint16_t receiver : {0, 1}) {
      const Fate four_back = lab.send(
          from_server() / ipv6("fd00:1::5", "fd00:1::a") / tcp(8080, port_of(four)).seq(5).ack(2),
          receiver, 1);
      ASSERT_EQ(four_back.verdict, Verdict::forward) << to_string(four_back.reason);
      EXPECT_EQ(ends_of(four_back.frame).destination, world::address(client(n)));
      EXPECT_EQ(ends_of(four_back.frame).destination_port, from);
      const Fate six_back = lab.send(
          from_server() / ipv4("10.0.1.5", "10.0.0.1") / tcp(8080, port_of(six)).seq(5).ack(2),
          receiver, 1);
      ASSERT_EQ(six_back.verdict, Verdict::forward) << to_string(six_back.reason);
      EXPECT_EQ(ends_of(six_back.frame).destination, world::address(client6(n)));
      handed_over += four_back.handed_over + six_back.handed_over;
    }
  }
  EXPECT_EQ(handed_over, 128u);
  EXPECT_EQ(lab.flow_count(), 128u);
  EXPECT_EQ(lab.audit(), "");
}

TEST(Family, APoolOfBothFamiliesServesClientsOfBoth) {
  Lab lab(1);
  for (const std::string& vip : {kVip4, kVip6}) {
    world::ServiceSpec spec = to_six(net::Protocol::udp);
    spec.vip = vip;
    spec.servers = {{"fd00:1::5", 8080}, {"10.0.1.5", 8080}};
    spec.snats = {"10.0.0.1", "fd00:1::a"};
    lab.world().put(spec);
  }
  std::array<uint32_t, 4> seen{};
  for (uint16_t n = 0; n < 16; ++n) {
    const Fate four = lab.send(from_client() / ipv4(kClient4, kVip4) /
                               udp(static_cast<uint16_t>(1000 + n), 80) / "x");
    const Fate six = lab.send(from_client() / ipv6(kClient6, kVip6) /
                              udp(static_cast<uint16_t>(1000 + n), 80) / "x");
    ASSERT_EQ(four.verdict, Verdict::forward) << to_string(four.reason);
    ASSERT_EQ(six.verdict, Verdict::forward) << to_string(six.reason);
    ++seen[ends_of(four.frame).destination.is_v4() ? 0 : 1];
    ++seen[ends_of(six.frame).destination.is_v4() ? 2 : 3];
  }
  EXPECT_EQ(seen, (std::array<uint32_t, 4>{8, 8, 8, 8}));
  EXPECT_EQ(lab.flows(0).count(false), 8u);
  EXPECT_EQ(lab.flows(0).count(true), 24u);
  EXPECT_EQ(lab.audit(), "");
}

TEST(Family, FlowsOutliveARestartWithAnotherNumberOfWorkers) {
  Lab lab(1);
  lab.world().put(to_six());
  lab.world().put(to_four());
  const Fate four = lab.send(from_client() / ipv4(kClient4, kVip4) / tcp(40000, 80).syn().seq(7));
  const Fate six = lab.send(from_client() / ipv6(kClient6, kVip6) / tcp(40000, 80).syn().seq(7));
  for (const uint16_t workers : {1, 2, 3}) {
    const path::Restored restored = lab.restart(workers);
    EXPECT_EQ(restored.kept, 2u);
    EXPECT_EQ(restored.dropped, 0u);
    EXPECT_EQ(lab.audit(), "");
    EXPECT_EQ(lab.send(from_client() / ipv4(kClient4, kVip4) / tcp(40000, 80).seq(8).ack(1)).frame,
              to_server() / ipv6("fd00:1::a", "fd00:1::5").hops(63) /
                  tcp(port_of(four), 8080).seq(8).ack(1));
    const Fate back = lab.send(
        from_server() / ipv4("10.0.1.5", "10.0.0.1") / tcp(8080, port_of(six)).seq(9).ack(8), 0, 1);
    EXPECT_EQ(back.frame,
              to_client() / ipv6(kVip6, kClient6).hops(63) / tcp(80, 40000).seq(9).ack(8));
  }
}

TEST(Family, NatWithoutAPlaceForTheClientsAddressIsRefused) {
  Lab lab(1);
  world::ServiceSpec spec = to_six();
  spec.mode = tables::Mode::nat;
  lab.world().put(spec);
  EXPECT_EQ(lab.send(from_client() / ipv4(kClient4, kVip4) / tcp(40000, 80).syn()).reason,
            Reason::no_server);
  spec = to_four();
  spec.snats = {"fd00:1::a"};
  lab.world().put(spec);
  EXPECT_EQ(lab.send(from_client() / ipv6(kClient6, kVip6) / tcp(40000, 80).syn()).reason,
            Reason::snat_missing);
  EXPECT_EQ(lab.flow_count(), 0u);
  EXPECT_EQ(lab.audit(), "");
}

// An IPv4 packet that fits its own network does not fit the servers': 20 bytes more.
TEST(Family, WhatIsTooLongIsToldWithTheMtuOfItsSide) {
  Lab lab(1);
  lab.world().put(to_six(net::Protocol::udp));
  const auto datagram = [](size_t length) {
    return from_client() / ipv4(kClient4, kVip4).dont_fragment() / udp(40000, 80) / fill(length);
  };
  EXPECT_EQ(lab.send(datagram(1480 - 28)).verdict, Verdict::forward);
  const Fate told = lab.send(datagram(1481 - 28));
  EXPECT_EQ(told.verdict, Verdict::reply);
  EXPECT_EQ(told.reason, Reason::too_big);
  EXPECT_EQ(told.frame.bytes()[34], 3);
  EXPECT_EQ(told.frame.bytes()[35], 4);
  EXPECT_EQ(told.frame.bytes()[40] << 8 | told.frame.bytes()[41], 1480);
  // Who allows fragments is not told (split_test.cc).
  const Fate cut = lab.send(from_client() / ipv4(kClient4, kVip4) / udp(40000, 80) / fill(1453));
  EXPECT_EQ(cut.verdict, Verdict::split);
}

/// What is 1,500 bytes long there would be 1,520 at the client.
TEST(Family, AnAnswerTooLongIsToldToTheServer) {
  Lab lab(1);
  lab.world().put(to_four(net::Protocol::udp));
  const Fate there = lab.send(from_client() / ipv6(kClient6, kVip6) / udp(40000, 80) / "question");
  const uint16_t port = port_of(there);
  const auto answer = [&](size_t length) {
    return from_server() / ipv4("10.0.1.5", "10.0.0.1").dont_fragment() / udp(8080, port) /
           fill(length - 28);
  };
  const Fate fits = lab.send(answer(1480), 0, 1);
  ASSERT_EQ(fits.verdict, Verdict::forward) << to_string(fits.reason);
  EXPECT_EQ(fits.frame.size(), 14u + 1500);
  const Fate told = lab.send(answer(1500), 0, 1);
  ASSERT_EQ(told.verdict, Verdict::reply) << to_string(told.reason);
  EXPECT_EQ(told.reason, Reason::too_big);
  EXPECT_EQ(told.frame.bytes()[34], 3);
  EXPECT_EQ(told.frame.bytes()[35], 4);
  EXPECT_EQ(told.frame.bytes()[40] << 8 | told.frame.bytes()[41], 1480);
  EXPECT_EQ(ends_of(told.frame).destination, world::address("10.0.1.5"));
  // And the other way: an IPv6 server's 1,500 bytes are 1,480 to an IPv4 client.
  lab.world().put(to_six(net::Protocol::udp));
  const Fate four = lab.send(from_client() / ipv4(kClient4, kVip4) / udp(40000, 80) / "question");
  const Fate whole = lab.send(
      from_server() / ipv6("fd00:1::5", "fd00:1::a") / udp(8080, port_of(four)) / fill(1452), 0, 1);
  ASSERT_EQ(whole.verdict, Verdict::forward) << to_string(whole.reason);
  EXPECT_EQ(whole.frame.size(), 14u + 1480);
}

/// Both SYNs say what was configured, or less.
TEST(Family, SegmentSizesAreLoweredAcross) {
  const Bytes asked{2, 4, 5, 180}, left{2, 4, 5, 20}, smaller{2, 4, 2, 24};  // 1460, 1300, 536
  for (const auto& [option, told] : {std::pair{asked, left}, std::pair{smaller, smaller}}) {
    Lab lab(1);
    world::ServiceSpec six = to_six(), four = to_four();
    six.max_segment_size = four.max_segment_size = 1300;
    lab.world().put(six);
    lab.world().put(four);
    Fate fate =
        lab.send(from_client() / ipv4(kClient4, kVip4) / tcp(40000, 80).syn().options(option));
    ASSERT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
    uint16_t port = port_of(fate);
    EXPECT_EQ(fate.frame, to_server() / ipv6("fd00:1::a", "fd00:1::5").hops(63) /
                              tcp(port, 8080).syn().options(told));
    fate = lab.send(from_server() / ipv6("fd00:1::5", "fd00:1::a") /
                        tcp(8080, port).syn().ack(1).options(option),
                    0, 1);
    EXPECT_EQ(fate.frame, to_client() / ipv4(kVip4, kClient4).ttl(63).id(1) /
                              tcp(80, 40000).syn().ack(1).options(told));
    fate = lab.send(from_client() / ipv6(kClient6, kVip6) / tcp(40000, 80).syn().options(option));
    ASSERT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
    port = port_of(fate);
    EXPECT_EQ(Bytes(fate.frame.bytes().begin() + 54, fate.frame.bytes().end()), told);
    fate = lab.send(
        from_server() / ipv4("10.0.1.5", "10.0.0.1") / tcp(8080, port).syn().ack(1).options(option),
        0, 1);
    EXPECT_EQ(fate.frame, to_client() / ipv6(kVip6, kClient6).hops(63) /
                              tcp(80, 40000).syn().ack(1).options(told));
  }
}

TEST(Family, HopCountsEndHereInTheSendersFamily) {
  Lab lab(1);
  lab.world().put(to_six());
  lab.world().put(to_four());
  const Fate four = lab.send(from_client() / ipv4(kClient4, kVip4).ttl(1) / tcp(40000, 80).syn());
  EXPECT_EQ(four.verdict, Verdict::reply);
  EXPECT_EQ(four.reason, Reason::ttl_exceeded);
  EXPECT_EQ(four.frame.bytes()[34], 11);
  const Fate six = lab.send(from_client() / ipv6(kClient6, kVip6).hops(1) / tcp(40000, 80).syn());
  EXPECT_EQ(six.verdict, Verdict::reply);
  EXPECT_EQ(six.frame.bytes()[54], 3);
}

TEST(Family, FragmentsCrossWithAndWithoutTheirHeader) {
  Lab lab(1);
  lab.world().put(to_six(net::Protocol::udp));
  const auto part = ipv4(kClient4, kVip4).id(7);
  const auto datagram = udp(40000, 80).length(96);
  const Fate first = lab.send(from_client() / Ipv4(part).fragment(0, true) / datagram / fill(64));
  ASSERT_EQ(first.verdict, Verdict::forward) << to_string(first.reason);
  const Fate later =
      lab.send(from_client() / Ipv4(part).fragment(72, false) / raw(Bytes(24, 5), 17));
  ASSERT_EQ(later.verdict, Verdict::forward) << to_string(later.reason);
  const auto six = ipv6("fd00:1::a", "fd00:1::5").hops(63);
  const uint16_t port = net::swap16(net::load<uint16_t>(&first.frame.bytes()[14 + 40 + 8]));
  EXPECT_EQ(first.frame,
            to_server() / six / fragment(0, true, 7) / udp(port, 8080).length(96) / fill(64));
  EXPECT_EQ(later.frame, to_server() / six / fragment(72, false, 7) / raw(Bytes(24, 5), 17));
  // And back.
  const auto answer = ipv6("fd00:1::5", "fd00:1::a");
  const Fate back = lab.send(
      from_server() / answer / fragment(0, true, 0x10009) / udp(8080, port).length(96) / fill(64),
      0, 1);
  const Fate rest =
      lab.send(from_server() / answer / fragment(72, false, 0x10009) / raw(Bytes(24, 5), 17), 0, 1);
  const auto four = ipv4(kVip4, kClient4).ttl(63).id(9);
  EXPECT_EQ(back.frame,
            to_client() / Ipv4(four).fragment(0, true) / udp(80, 40000).length(96) / fill(64));
  EXPECT_EQ(rest.frame, to_client() / Ipv4(four).fragment(72, false) / raw(Bytes(24, 5), 17));
}

TEST(Family, ErrorsThatAreSentAreLimited) {
  Lab lab(1);
  lab.world().put(to_six());
  uint32_t told = 0;
  for (int i = 0; i < 2000; ++i) {
    told += lab.send(from_client() / ipv4(kClient4, kVip4).ttl(1) / tcp(40000, 80).syn()).verdict ==
            Verdict::reply;
  }
  EXPECT_GT(told, 0u);
  EXPECT_LE(told, 1024u);
  EXPECT_EQ(lab.count(Reason::ttl_exceeded), 2000u);
}

// RFC 7915 4.1: a source route cannot be followed, and its sender is told.
TEST(Family, ASourceRouteIsRefused) {
  Lab lab(1);
  lab.world().put(to_six());
  const Fate told =
      lab.send(from_client() / ipv4(kClient4, kVip4).options({131, 7, 4, 10, 0, 0, 1, 0}) /
               tcp(40000, 80).syn());
  EXPECT_EQ(told.verdict, Verdict::reply);
  EXPECT_EQ(told.reason, Reason::ipv4_source_route);
  EXPECT_EQ(told.frame.bytes()[34], 3);
  EXPECT_EQ(told.frame.bytes()[35], 5);
}

TEST(Family, ErrorsOfTheServersSideReachTheClientInItsFamily) {
  Lab lab(1);
  lab.world().put(to_six());
  const Fate there = lab.send(from_client() / ipv4(kClient4, kVip4) / tcp(40000, 80).syn().seq(7));
  const Fate error =
      lab.send(from_server() / ipv6("fd00:9::1", "fd00:1::a") / packet_too_big(1400) /
                   ipv6("fd00:1::a", "fd00:1::5").hops(60) / tcp(port_of(there), 8080).syn().seq(7),
               0, 1);
  ASSERT_EQ(error.verdict, Verdict::forward) << to_string(error.reason);
  EXPECT_EQ(error.frame,
            to_client() / ipv4(kVip4, kClient4).ttl(63).id(1) / fragmentation_needed(1380) /
                ipv4(kClient4, kVip4).ttl(60).dont_fragment() / tcp(40000, 80).syn().seq(7));
}

TEST(Family, ErrorsOfTheClientsSideReachTheServerInItsFamily) {
  Lab lab(1);
  lab.world().put(to_six(net::Protocol::udp));
  const Fate there = lab.send(from_client() / ipv4(kClient4, kVip4) / udp(40000, 80) / "question");
  const uint16_t port = port_of(there);
  const Fate error =
      lab.send(from_client() / ipv4("198.51.100.1", kVip4) / fragmentation_needed(1400) /
               ipv4(kVip4, kClient4).ttl(9) / udp(80, 40000) / "answer");
  ASSERT_EQ(error.verdict, Verdict::forward) << to_string(error.reason);
  EXPECT_EQ(error.frame, to_server() / ipv6("fd00:1::a", "fd00:1::5").hops(63) /
                             packet_too_big(1420) / ipv6("fd00:1::5", "fd00:1::a").hops(9) /
                             udp(8080, port) / "answer");
}

TEST(Family, TheListShowsBothFamilies) {
  Lab lab(1);
  lab.world().put(to_six());
  const Fate there = lab.send(from_client() / ipv4(kClient4, kVip4) / tcp(40000, 80).syn());
  path::Desk& desk = lab.path(0).desk();
  tables::Request request;
  request.sequence = 1;
  request.kind = tables::RequestKind::list_flows;
  ASSERT_TRUE(desk.requests.push(request));
  desk.requests.publish();
  lab.advance(1);
  tables::Reply reply;
  ASSERT_TRUE(desk.replies.pop(reply));
  EXPECT_EQ(reply.flow.client, world::address(kClient4));
  EXPECT_EQ(reply.flow.vip, world::address(kVip4));
  EXPECT_EQ(reply.flow.server, world::address("fd00:1::5"));
  EXPECT_EQ(reply.flow.snat, world::address("fd00:1::a"));
  EXPECT_EQ(reply.flow.snat_port, port_of(there));
}

TEST(Family, AFullTableOfTwoFamiliesLeavesOthersAlone) {
  Lab lab(1, {64, 4});
  lab.world().put(to_six(net::Protocol::udp));
  uint32_t refused = 0;
  for (uint16_t n = 0; n < 16; ++n) {
    refused += lab.send(from_client() / ipv4(kClient4, kVip4) /
                        udp(static_cast<uint16_t>(1000 + n), 80) / "x")
                   .verdict != Verdict::forward;
  }
  EXPECT_EQ(refused, 14u);  // half of four places are for flows that nobody has answered
  EXPECT_EQ(lab.count(Reason::embryonic_limit), 14u);
  EXPECT_EQ(lab.audit(), "");
}

// --- nat: the client's address inside a prefix (RFC 6052) ----------------------------------------

net::EmbeddingPrefix prefix(std::string_view text) {
  const auto parsed = net::parse_prefix(text);
  net::EmbeddingPrefix made;
  std::copy_n(parsed->address.bytes.begin(), made.bytes.size(), made.bytes.begin());
  made.length = parsed->length;
  return made;
}
/// Kept clients below `of`, which the whole box knows.
world::ServiceSpec kept(Lab& lab, std::string_view of,
                        net::Protocol protocol = net::Protocol::tcp) {
  tables::Settings settings;
  settings.client_prefixes[0] = prefix("2001:db8:dead::/48");
  settings.client_prefixes[1] = prefix(of);
  lab.world().settings(settings);
  world::ServiceSpec spec = to_six(protocol);
  spec.mode = tables::Mode::nat;
  spec.snats = {};
  spec.client_prefix = prefix(of);
  return spec;
}
std::string inside(std::string_view of, std::string_view client) {
  const auto address = net::embedded(prefix(of), net::parse_address(client)->v4_raw());
  return net::to_string(net::Address::v6(address.data()));
}

TEST(FamilyKept, EveryPrefixLengthThereAndBackAtWhateverWorker) {
  for (const char* of : {"2001:db8::/32", "2001:db8:100::/40", "2001:db8:122::/48",
                         "2001:db8:122:300::/56", "2001:db8:122:344::/64", "64:ff9b::/96"}) {
    Lab lab(3);
    lab.world().put(kept(lab, of));
    uint32_t handed_over = 0;
    for (uint16_t n = 0; n < 24; ++n) {
      const std::string client = "203.0." + std::to_string(n) + ".7", seen = inside(of, client);
      const Fate there =
          lab.send(from_client() / ipv4(client, kVip4) / tcp(40000, 80).syn().seq(7), n % 3);
      ASSERT_EQ(there.verdict, Verdict::forward) << to_string(there.reason);
      EXPECT_EQ(there.frame,
                to_server() / ipv6(seen, "fd00:1::5").hops(63) / tcp(40000, 8080).syn().seq(7));
      for (const uint16_t receiver : {0, 1, 2}) {
        const Fate back = lab.send(
            from_server() / ipv6("fd00:1::5", seen) / tcp(8080, 40000).seq(9).ack(8), receiver, 1);
        ASSERT_EQ(back.verdict, Verdict::forward) << of << ' ' << to_string(back.reason);
        EXPECT_EQ(ends_of(back.frame).source, world::address(kVip4));
        EXPECT_EQ(ends_of(back.frame).destination, world::address(client));
        EXPECT_EQ(ends_of(back.frame).destination_port, 40000);
        handed_over += back.handed_over;
      }
    }
    EXPECT_EQ(handed_over, 48u) << of;
    EXPECT_EQ(lab.restart(2).kept, 24u);
    EXPECT_EQ(lab.audit(), "");
  }
}

TEST(FamilyKept, TheWellKnownPrefixTakesGlobalClientsOnly) {
  Lab lab(1);
  lab.world().put(kept(lab, "64:ff9b::/96"));
  EXPECT_EQ(lab.send(from_client() / ipv4("10.9.9.9", kVip4) / tcp(40000, 80).syn()).reason,
            Reason::client_prefix_refused);
  EXPECT_EQ(lab.send(from_client() / ipv4(kClient4, kVip4) / tcp(40000, 80).syn()).verdict,
            Verdict::forward);
}

TEST(FamilyKept, ErrorsComeAndGoWithTheAddressesOfBothSides) {
  Lab lab(2);
  lab.world().put(kept(lab, "2001:db8:122::/48", net::Protocol::udp));
  const std::string seen = inside("2001:db8:122::/48", kClient4),
                    router = inside("2001:db8:122::/48", "198.51.100.1");
  for (const uint16_t worker : {0, 1}) {
    ASSERT_EQ(lab.send(from_client() / ipv4(kClient4, kVip4) / udp(40000, 80) / "question").verdict,
              Verdict::forward);
    const Fate error =
        lab.send(from_client() / ipv4("198.51.100.1", kVip4) / fragmentation_needed(1400) /
                     ipv4(kVip4, kClient4).ttl(9) / udp(80, 40000) / "answer",
                 worker);
    ASSERT_EQ(error.verdict, Verdict::forward) << to_string(error.reason);
    EXPECT_EQ(error.frame, to_server() / ipv6(router, "fd00:1::5").hops(63) / packet_too_big(1420) /
                               ipv6("fd00:1::5", seen).hops(9) / udp(8080, 40000) / "answer");
    const Fate back = lab.send(from_server() / ipv6("fd00:9::1", seen) / icmpv6(1, 4) /
                                   ipv6(seen, "fd00:1::5").hops(60) / udp(40000, 8080) / "question",
                               worker, 1);
    ASSERT_EQ(back.verdict, Verdict::forward) << to_string(back.reason);
    EXPECT_EQ(ends_of(back.frame).source, world::address(kVip4));
    EXPECT_EQ(ends_of(back.frame).destination, world::address(kClient4));
  }
}

}  // namespace
}  // namespace nezu::lab
