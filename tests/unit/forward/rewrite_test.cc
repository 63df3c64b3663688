// nat, full nat and ICMP errors: one sentence in, one sentence out.
#include <gtest/gtest.h>

#include "dataplane/forward/full_nat.h"
#include "dataplane/forward/icmp_error.h"
#include "dataplane/forward/nat.h"
#include "dataplane/parse/parse.h"
#include "tests/dsl/dsl.h"

namespace nezu::forward {
namespace {

using namespace dsl;
using net::Endpoint4;
using net::Endpoint6;
using net::Reason;
using net::Verdict;

Endpoint4 at4(const char* address, uint16_t port) {
  return {net::parse_address(address)->v4_raw(), net::swap16(port)};
}
Endpoint6 at6(const char* address, uint16_t port) {
  return {net::parse_address(address)->bytes, net::swap16(port)};
}
net::Packet& parsed(Frame& frame) {
  parse::parse(frame.packet());
  EXPECT_EQ(frame.packet().verdict, Verdict::undecided) << net::to_string(frame.packet().reason);
  return frame.packet();
}

// One flow, seen from all sides.
const char *kClient = "192.0.2.7", *kVip = "203.0.113.10", *kSnat = "10.0.0.1",
           *kServer = "10.0.1.5";
const char *kClient6 = "2001:db8::7", *kVip6 = "2001:db8:1::10", *kSnat6 = "fd00::1",
           *kServer6 = "fd00:1::5";
const char *kRouter = "198.51.100.1", *kRouter6 = "2001:db8:9::1", *kInside = "10.0.9.1";

const Translation4 kNatToServer{at4(kClient, 40000), at4(kServer, 8080)};
const Translation4 kNatToClient{at4(kVip, 80), at4(kClient, 40000)};
const Translation4 kFullToServer{at4(kSnat, 5001), at4(kServer, 8080)};
const Translation6 kFullToServer6{at6(kSnat6, 5001), at6(kServer6, 8080)};
const Translation6 kFullToClient6{at6(kVip6, 80), at6(kClient6, 40000)};

TEST(Nat, ToServerAndBack) {
  Frame there = eth() / ipv4(kClient, kVip) / tcp(40000, 80).syn().seq(7) / "hello";
  EXPECT_TRUE(nat_to_server(parsed(there), at4(kServer, 8080)));
  EXPECT_EQ(there,
            eth() / ipv4(kClient, kServer).ttl(63) / tcp(40000, 8080).syn().seq(7) / "hello");
  Frame back = eth() / ipv4(kServer, kClient) / tcp(8080, 40000).syn().ack(8) / "hi";
  EXPECT_TRUE(nat_to_client(parsed(back), at4(kVip, 80)));
  EXPECT_EQ(back, eth() / ipv4(kVip, kClient).ttl(63) / tcp(80, 40000).syn().ack(8) / "hi");
}

TEST(Nat, UdpOverIpv6WithExtensionHeaders) {
  Frame there = eth() / ipv6(kClient6, kVip6) / hop_by_hop() / udp(40000, 53) / "hello";
  EXPECT_TRUE(nat_to_server(parsed(there), at6(kServer6, 5353)));
  EXPECT_EQ(there,
            eth() / ipv6(kClient6, kServer6).hops(63) / hop_by_hop() / udp(40000, 5353) / "hello");
  Frame back = eth() / ipv6(kServer6, kClient6) / udp(5353, 40000) / "hi";
  EXPECT_TRUE(nat_to_client(parsed(back), at6(kVip6, 53)));
  EXPECT_EQ(back, eth() / ipv6(kVip6, kClient6).hops(63) / udp(53, 40000) / "hi");
}

TEST(Nat, OptionsAndTagsStay) {
  Frame frame = eth() / vlan(5) / ipv4(kClient, kVip).options(Bytes(8, 1)).tos(0xb8) /
                tcp(40000, 80).syn().options({2, 4, 5, 0xb4});
  EXPECT_TRUE(nat_to_server(parsed(frame), at4(kServer, 8080)));
  EXPECT_EQ(frame, eth() / vlan(5) / ipv4(kClient, kServer).options(Bytes(8, 1)).tos(0xb8).ttl(63) /
                       tcp(40000, 8080).syn().options({2, 4, 5, 0xb4}));
}

TEST(FullNat, BothSides) {
  Frame frame = eth() / ipv4(kClient, kVip) / udp(40000, 80) / "hello";
  EXPECT_TRUE(full_nat(parsed(frame), kFullToServer));
  EXPECT_EQ(frame, eth() / ipv4(kSnat, kServer).ttl(63) / udp(5001, 8080) / "hello");
  Frame six = eth() / ipv6(kClient6, kVip6) / tcp(40000, 80).ack(1) / "hello";
  EXPECT_TRUE(full_nat(parsed(six), kFullToServer6));
  EXPECT_EQ(six, eth() / ipv6(kSnat6, kServer6).hops(63) / tcp(5001, 8080).ack(1) / "hello");
}

TEST(FullNat, FragmentsFirstAndLater) {
  // The sum of a first fragment is over bytes that it does not hold; it changes all the same.
  Frame whole = eth() / ipv4(kClient, kVip) / udp(40000, 80) / fill(40);
  Frame expected = eth() / ipv4(kSnat, kServer).ttl(63) / udp(5001, 8080) / fill(40);
  const uint16_t before = whole.packet().at<net::Udp>(34)->checksum;
  const uint16_t after = expected.packet().at<net::Udp>(34)->checksum;
  Frame first = eth() / ipv4(kClient, kVip).fragment(0, true) /
                udp(40000, 80).length(48).checksum(before) / fill(16);
  EXPECT_TRUE(full_nat(parsed(first), kFullToServer));
  EXPECT_EQ(first, eth() / ipv4(kSnat, kServer).ttl(63).fragment(0, true) /
                       udp(5001, 8080).length(48).checksum(after) / fill(16));
  Frame later = eth() / ipv6(kClient6, kVip6) / fragment(24, false, 9).next(17) / fill(16);
  EXPECT_TRUE(full_nat(parsed(later), kFullToServer6));
  EXPECT_EQ(later,
            eth() / ipv6(kSnat6, kServer6).hops(63) / fragment(24, false, 9).next(17) / fill(16));
}

TEST(Hop, EndsAtOne) {
  for (const uint8_t hops : {0, 1}) {
    Frame frame = eth() / ipv4(kClient, kVip).ttl(hops) / udp(40000, 80) / "hello";
    const Frame before = frame;
    EXPECT_FALSE(nat_to_server(parsed(frame), at4(kServer, 8080)));
    EXPECT_EQ(frame.packet().reason, Reason::ttl_exceeded);
    EXPECT_EQ(frame, before);
    Frame six = eth() / ipv6(kClient6, kVip6).hops(hops) / udp(40000, 80) / "hello";
    EXPECT_FALSE(full_nat(parsed(six), kFullToServer6));
    EXPECT_EQ(six.packet().reason, Reason::ttl_exceeded);
  }
}

TEST(IcmpError, NatFromTheClientsSide) {
  // A router towards the client says that the answer was too big: the server learns it, and who
  // said so.
  Frame frame = eth() / ipv4(kRouter, kVip) / fragmentation_needed(1400) /
                ipv4(kVip, kClient).ttl(60).dont_fragment() / tcp(80, 40000).ack(1) / "data";
  EXPECT_TRUE(icmp_error(parsed(frame), kNatToServer));
  EXPECT_EQ(frame, eth() / ipv4(kRouter, kServer).ttl(63) / fragmentation_needed(1400) /
                       ipv4(kServer, kClient).ttl(60).dont_fragment() / tcp(8080, 40000).ack(1) /
                       "data");
}

TEST(IcmpError, NatFromTheServersSide) {
  Frame frame = eth() / ipv4(kServer, kClient) / port_unreachable() /
                ipv4(kClient, kServer).ttl(63) / udp(40000, 8080) / "hello";
  EXPECT_TRUE(icmp_error(parsed(frame), kNatToClient));
  EXPECT_EQ(frame, eth() / ipv4(kVip, kClient).ttl(63) / port_unreachable() /
                       ipv4(kClient, kVip).ttl(63) / udp(40000, 80) / "hello");
}

TEST(IcmpError, ARouterBehindUsIsHidden) {
  Frame frame = eth() / ipv4(kInside, kClient) / time_exceeded() / ipv4(kClient, kServer).ttl(1) /
                udp(40000, 8080).no_checksum();
  EXPECT_TRUE(icmp_error(parsed(frame), kNatToClient));
  EXPECT_EQ(frame, eth() / ipv4(kVip, kClient).ttl(63) / time_exceeded() /
                       ipv4(kClient, kVip).ttl(1) / udp(40000, 80).no_checksum());
}

TEST(IcmpError, FullNat) {
  Frame frame = eth() / ipv4(kRouter, kVip) / port_unreachable() / ipv4(kVip, kClient).ttl(60) /
                udp(80, 40000) / "answer";
  EXPECT_TRUE(icmp_error(parsed(frame), kFullToServer));
  EXPECT_EQ(frame, eth() / ipv4(kSnat, kServer).ttl(63) / port_unreachable() /
                       ipv4(kServer, kSnat).ttl(60) / udp(8080, 5001) / "answer");
}

TEST(IcmpError, EightBytesOfTcpSuffice) {
  Frame frame = eth() / ipv4(kRouter, kVip) / time_exceeded().quoting(28) /
                ipv4(kVip, kClient).ttl(1) / tcp(80, 40000).ack(1).seq(99);
  EXPECT_TRUE(icmp_error(parsed(frame), kFullToServer));
  EXPECT_EQ(frame, eth() / ipv4(kSnat, kServer).ttl(63) / time_exceeded().quoting(28) /
                       ipv4(kServer, kSnat).ttl(1) / tcp(8080, 5001).ack(1).seq(99));
}

TEST(IcmpError, Ipv6BothWays) {
  Frame there = eth() / ipv6(kRouter6, kVip6) / packet_too_big(1280) / ipv6(kVip6, kClient6) /
                tcp(80, 40000).ack(1) / "data";
  EXPECT_TRUE(icmp_error(parsed(there), kFullToServer6));
  EXPECT_EQ(there, eth() / ipv6(kSnat6, kServer6).hops(63) / packet_too_big(1280) /
                       ipv6(kServer6, kSnat6) / tcp(8080, 5001).ack(1) / "data");
  Frame back = eth() / ipv6(kServer6, kSnat6) / port_unreachable6() / ipv6(kSnat6, kServer6) /
               hop_by_hop() / udp(5001, 8080) / "hello";
  EXPECT_TRUE(icmp_error(parsed(back), kFullToClient6));
  EXPECT_EQ(back, eth() / ipv6(kVip6, kClient6).hops(63) / port_unreachable6() /
                      ipv6(kClient6, kVip6) / hop_by_hop() / udp(40000, 80) / "hello");
}

TEST(IcmpError, Ipv6KeepsTheRouterWhereTheClientIsKept) {
  Frame frame =
      eth() / ipv6(kRouter6, kVip6) / time_exceeded6() / ipv6(kVip6, kClient6) / udp(80, 40000);
  EXPECT_TRUE(icmp_error(parsed(frame), Translation6{at6(kClient6, 40000), at6(kServer6, 8080)}));
  EXPECT_EQ(frame, eth() / ipv6(kRouter6, kServer6).hops(63) / time_exceeded6() /
                       ipv6(kServer6, kClient6) / udp(8080, 40000));
}

TEST(IcmpError, WhatHasNoPortsIsUnmatched) {
  Frame fragment = eth() / ipv4(kRouter, kVip) / time_exceeded() /
                   ipv4(kVip, kClient).fragment(64, false).protocol(17) / fill(8);
  EXPECT_FALSE(icmp_error(parsed(fragment), kFullToServer));
  EXPECT_EQ(fragment.packet().reason, Reason::icmp_unmatched);
}

/// A request has the identifier of the side that asks, an answer that of the side that asked.
TEST(IcmpError, OfAPingTheIdentifierIsThePort) {
  const Translation4 back{at4(kRouter, 0), at4(kServer, 77)};
  Frame request =
      eth() / ipv4(kRouter, kSnat) / time_exceeded() / ipv4(kSnat, kRouter) / echo_request(5001, 1);
  EXPECT_TRUE(icmp_error(parsed(request), back));
  EXPECT_EQ(request, eth() / ipv4(kRouter, kServer).ttl(63) / time_exceeded() /
                         ipv4(kServer, kRouter) / echo_request(77, 1));
  const Translation4 there{at4(kSnat, 5001), at4(kRouter, 0)};
  Frame answer =
      eth() / ipv4(kServer, kRouter) / time_exceeded() / ipv4(kRouter, kServer) / echo_reply(77, 1);
  EXPECT_TRUE(icmp_error(parsed(answer), there));
  EXPECT_EQ(answer, eth() / ipv4(kSnat, kRouter).ttl(63) / time_exceeded() / ipv4(kRouter, kSnat) /
                        echo_reply(5001, 1));
}

TEST(IcmpError, EndsWithItsOwnTtl) {
  Frame frame =
      eth() / ipv4(kRouter, kVip).ttl(1) / time_exceeded() / ipv4(kVip, kClient) / udp(80, 40000);
  EXPECT_FALSE(icmp_error(parsed(frame), kFullToServer));
  EXPECT_EQ(frame.packet().reason, Reason::ttl_exceeded);
}

}  // namespace
}  // namespace nezu::forward
