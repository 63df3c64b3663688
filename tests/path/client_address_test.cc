// Servers behind `fullnat` learn who the client is.
#include <gtest/gtest.h>

#include "tests/path/frames.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Reason;
using net::Verdict;

constexpr std::string_view kClient = "198.18.0.7", kVip = "203.0.113.10";

world::ServiceSpec telling(tables::ClientAddress how, net::Protocol protocol = net::Protocol::tcp) {
  world::ServiceSpec spec;
  spec.mode = tables::Mode::fullnat;
  spec.protocol = protocol;
  spec.servers = {{"10.0.1.5", 8080}};
  spec.snats = {"10.0.0.1"};
  spec.client_address = how;
  return spec;
}

const Bytes kOption = {254, 8, 0x9c, 0x40, 198, 18, 0, 7};

/// A client's segment as it comes in, and as the server gets it.
Frame in(const dsl::Tcp& tcp, std::string_view text = {}) {
  return text.empty() ? Frame(eth() / ipv4(kClient, kVip) / tcp)
                      : Frame(eth() / ipv4(kClient, kVip) / tcp / text);
}
Frame back(const Fate& first, const dsl::Tcp& tcp) {
  const Ends ends = ends_of(first.frame);
  (void)ends;
  return eth() / ipv4("10.0.1.5", "10.0.0.1") / tcp;
}

TEST(TcpOption, IsInTheClientsSegmentsUntilTheServerHasAnswered) {
  Lab lab(1);
  lab.world().put(telling(tables::ClientAddress::tcp_option));
  const Fate syn = lab.send(in(tcp(40000, 80).syn().seq(100)));
  ASSERT_EQ(syn.verdict, Verdict::forward);
  const uint16_t port = ends_of(syn.frame).source_port;
  const auto server = [&](const dsl::Tcp& tcp) {
    return eth().from(world::kBackMac).to("02:00:00:01:00:00") /
           ipv4("10.0.0.1", "10.0.1.5").ttl(63) / tcp;
  };
  EXPECT_EQ(syn.frame, server(tcp(port, 8080).syn().seq(100)));
  const Fate answer =
      lab.send(back(syn, tcp(8080, port).syn().seq(500).ack(101).options({2, 4, 5, 180})), 0, 1);
  // 1,460 less the option's 8 bytes.
  EXPECT_EQ(answer.frame, eth().from(world::kFrontMac).to(world::kRouterMac) /
                              ipv4(kVip, kClient).ttl(63) /
                              tcp(80, 40000).syn().seq(500).ack(101).options({2, 4, 5, 172}));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(lab.send(in(tcp(40000, 80).seq(101).ack(501))).frame,
              server(tcp(port, 8080).seq(101).ack(501).options(kOption)));
    EXPECT_EQ(lab.send(in(tcp(40000, 80).seq(101).ack(501), "hello")).frame,
              server(tcp(port, 8080).seq(101).ack(501).options(kOption)) / "hello");
  }
  lab.send(back(syn, tcp(8080, port).seq(501).ack(106)), 0, 1);
  EXPECT_EQ(lab.send(in(tcp(40000, 80).seq(106).ack(501), "more")).frame,
            server(tcp(port, 8080).seq(106).ack(501)) / "more");
  EXPECT_EQ(lab.count(&tables::WorkerLine::client_address_left_out), 0u);
}

TEST(TcpOption, SegmentsWithoutRoomGoOnAndAreCounted) {
  Lab lab(1);
  lab.world().put(telling(tables::ClientAddress::tcp_option));
  const Fate syn = lab.send(in(tcp(40000, 80).syn().seq(100)));
  const uint16_t port = ends_of(syn.frame).source_port;
  lab.send(back(syn, tcp(8080, port).syn().seq(500).ack(101)), 0, 1);
  const Fate fate = lab.send(in(tcp(40000, 80).seq(101).ack(501), std::string(1460, 'x')));
  EXPECT_EQ(fate.verdict, Verdict::forward);
  EXPECT_EQ(fate.frame.size(), 14u + 1500);
  EXPECT_EQ(lab.count(&tables::WorkerLine::client_address_left_out), 1u);
}

TEST(TcpOption, SurvivesARestartAndStopsAfterIt) {
  Lab lab(2);
  lab.world().put(telling(tables::ClientAddress::tcp_option));
  const Fate syn = lab.send(in(tcp(40000, 80).syn().seq(100)));
  const uint16_t port = ends_of(syn.frame).source_port;
  lab.send(back(syn, tcp(8080, port).syn().seq(500).ack(101)), 0, 1);
  EXPECT_EQ(lab.restart(3).kept, 1u);
  EXPECT_EQ(lab.send(in(tcp(40000, 80).seq(101).ack(501))).frame.size(), 14u + 20 + 28);
  lab.send(back(syn, tcp(8080, port).seq(501).ack(106)), 0, 1);
  EXPECT_EQ(lab.restart(1).kept, 1u);
  EXPECT_EQ(lab.send(in(tcp(40000, 80).seq(101).ack(501))).frame.size(), 14u + 20 + 20);
  EXPECT_EQ(lab.audit(), "");
}

TEST(TcpOption, AcrossFamiliesTellsTheClientsOwn) {
  Lab lab(1);
  world::ServiceSpec spec = telling(tables::ClientAddress::tcp_option);
  spec.servers = {{"fd00:1::5", 8080}};
  spec.snats = {"fd00::1"};
  lab.world().put(spec);
  const Fate syn = lab.send(in(tcp(40000, 80).syn().seq(100)));
  ASSERT_EQ(syn.verdict, Verdict::forward);
  const uint16_t port = ends_of(syn.frame).source_port;
  const Fate answer = lab.send(
      eth() / ipv6("fd00:1::5", "fd00::1") / tcp(8080, port).syn().seq(500).ack(101), 0, 1);
  ASSERT_EQ(answer.verdict, Verdict::forward);
  EXPECT_EQ(lab.send(in(tcp(40000, 80).seq(101).ack(501), "hello")).frame,
            eth().from(world::kBackMac).to("02:00:00:01:00:00") /
                ipv6("fd00::1", "fd00:1::5").hops(63) /
                tcp(port, 8080).seq(101).ack(501).options(kOption) / "hello");
  lab.send(eth() / ipv6("fd00:1::5", "fd00::1") / tcp(8080, port).seq(501).ack(106), 0, 1);
  EXPECT_EQ(lab.send(in(tcp(40000, 80).seq(106).ack(501))).frame.size(), 14u + 40 + 20);
}

const Bytes kHeader = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49,
                       0x54, 0x0a, 0x21, 0x12, 0,    12,   198,  18,   0,    7,
                       203,  0,    113,  10,   0x9c, 0x40, 0,    80};

Frame datagram(std::string_view text) {
  return eth() / ipv4(kClient, kVip).dont_fragment() / udp(40000, 80) / text;
}

TEST(ProxyOverUdp, EachDatagramCarriesTheHeader) {
  Lab lab(1);
  lab.world().put(telling(tables::ClientAddress::proxy_v2, net::Protocol::udp));
  uint16_t port = 0;
  for (const std::string text : {"one", "three"}) {
    const Fate fate = lab.send(datagram(text));
    ASSERT_EQ(fate.verdict, Verdict::forward);
    port = ends_of(fate.frame).source_port;
    Bytes payload = kHeader;
    payload.insert(payload.end(), text.begin(), text.end());
    EXPECT_EQ(fate.frame, eth().from(world::kBackMac).to("02:00:00:01:00:00") /
                              ipv4("10.0.0.1", "10.0.1.5").ttl(63).dont_fragment() /
                              udp(port, 8080) / raw(payload));
  }
  const Fate answer =
      lab.send(eth() / ipv4("10.0.1.5", "10.0.0.1") / udp(8080, port) / "answer", 0, 1);
  EXPECT_EQ(answer.frame, eth().from(world::kFrontMac).to(world::kRouterMac) /
                              ipv4(kVip, kClient).ttl(63) / udp(80, 40000) / "answer");
  EXPECT_EQ(lab.restart(2).kept, 1u);
  EXPECT_EQ(lab.send(datagram("x")).frame.size(), 14u + 28 + 28 + 1);
}

TEST(ProxyOverUdp, WhatGrowsTooLongIsToldTheMtu) {
  Lab lab(1);
  lab.world().put(telling(tables::ClientAddress::proxy_v2, net::Protocol::udp));
  EXPECT_EQ(lab.send(datagram(std::string(1444, 'x'))).verdict, Verdict::forward);
  const Fate fate = lab.send(datagram(std::string(1445, 'x')));
  EXPECT_EQ(fate.verdict, Verdict::reply);
  EXPECT_EQ(fate.reason, Reason::too_big);
  EXPECT_EQ(net::swap16(net::load<uint16_t>(&fate.frame.bytes()[14 + 20 + 6])), 1472);
}

TEST(ProxyOverUdp, FragmentsHaveNoRoomForIt) {
  Lab lab(1);
  lab.world().put(telling(tables::ClientAddress::proxy_v2, net::Protocol::udp));
  ASSERT_EQ(lab.send(datagram("x")).verdict, Verdict::forward);
  const auto piece = [](uint16_t at, bool more) {
    return ipv4(kClient, kVip).id(9).fragment(at, more);
  };
  EXPECT_EQ(lab.send(eth() / piece(0, true) / udp(40000, 80).length(72) / fill(56)).reason,
            Reason::payload_fragment);
  EXPECT_EQ(lab.send(eth() / piece(64, false).protocol(17) / fill(8)).reason,
            Reason::payload_fragment);
  EXPECT_EQ(lab.count(Reason::payload_fragment), 2u);
}

TEST(ProxyOverUdp, ARouterBehindUsTellsTheClientWhatIsLeft) {
  Lab lab(1);
  lab.world().put(telling(tables::ClientAddress::proxy_v2, net::Protocol::udp));
  const uint16_t port = ends_of(lab.send(datagram("x")).frame).source_port;
  const Fate fate = lab.send(eth() / ipv4("10.0.9.9", "10.0.0.1") / fragmentation_needed(1400) /
                                 ipv4("10.0.0.1", "10.0.1.5") / udp(port, 8080) / "quoted",
                             0, 1);
  ASSERT_EQ(fate.verdict, Verdict::forward);
  EXPECT_EQ(net::swap16(net::load<uint16_t>(&fate.frame.bytes()[14 + 20 + 6])), 1372);
}

TEST(ProxyOverUdp, AcrossFamilies) {
  Lab lab(1);
  world::ServiceSpec spec = telling(tables::ClientAddress::proxy_v2, net::Protocol::udp);
  spec.vip = "2001:db8::10";
  spec.snats = {"10.0.0.1"};
  lab.world().put(spec);
  const Fate fate =
      lab.send(eth() / ipv6("2001:db8:c::7", "2001:db8::10") / udp(40000, 80) / "hello");
  ASSERT_EQ(fate.verdict, Verdict::forward);
  ASSERT_EQ(fate.frame.size(), 14u + 20 + 8 + 52 + 5);
  const auto bytes = fate.frame.bytes();
  EXPECT_EQ(bytes[14 + 28 + 13], 0x22);
  EXPECT_EQ(net::Address::v6(&bytes[14 + 28 + 16]), world::address("2001:db8:c::7"));
  const Bytes payload(bytes.begin() + 42, bytes.end());
  const uint16_t port = ends_of(fate.frame).source_port;
  const uint16_t id = net::swap16(net::load<uint16_t>(&bytes[18]));
  EXPECT_EQ(fate.frame, eth().from(world::kBackMac).to("02:00:00:01:00:00") /
                            ipv4("10.0.0.1", "10.0.1.5").ttl(63).id(id) / udp(port, 8080) /
                            raw(payload));
}

}  // namespace
}  // namespace nezu::lab
