// Between IPv4 and IPv6, RFC 7915: one sentence in, one sentence out. RFC7915.md names these tests.
#include "dataplane/forward/family.h"

#include <gtest/gtest.h>

#include "dataplane/parse/parse.h"
#include "tests/dsl/dsl.h"

namespace nezu::forward {
namespace {

using namespace dsl;
using net::Reason;
using net::Verdict;

net::Endpoint4 at4(const char* address, uint16_t port) {
  return {net::parse_address(address)->v4_raw(), net::swap16(port)};
}
net::Endpoint6 at6(const char* address, uint16_t port) {
  return {net::parse_address(address)->bytes, net::swap16(port)};
}
net::Packet& parsed(Frame& frame) {
  parse::parse(frame.packet());
  EXPECT_EQ(frame.packet().verdict, Verdict::undecided) << net::to_string(frame.packet().reason);
  return frame.packet();
}

// An IPv4 client of an IPv6 server, and the answers.
const char *kClient = "192.0.2.7", *kVip = "203.0.113.10", *kSnat6 = "fd00::1",
           *kServer6 = "fd00:1::5";
const Translation6 kToSix{at6(kSnat6, 5001), at6(kServer6, 8080)};
const Translation4 kToFour{at4(kVip, 80), at4(kClient, 40000)};

Ipv4 there() { return ipv4(kClient, kVip); }
Ipv6 there_six() { return ipv6(kSnat6, kServer6).hops(63); }
Ipv6 back() { return ipv6(kServer6, kSnat6); }
Ipv4 back_four() { return ipv4(kVip, kClient).ttl(63).id(9); }

#define EXPECT_BECOMES(frame, worked, expected) \
  EXPECT_TRUE(worked);                          \
  EXPECT_EQ(frame, expected)

TEST(ToIpv6, HeaderFields) {
  Frame frame = eth() / there().tos(0xb9).ttl(17).id(77) / tcp(40000, 80).syn().seq(7) / "hello";
  EXPECT_BECOMES(frame, to_ipv6(parsed(frame), kToSix),
                 eth() / ipv6(kSnat6, kServer6).hops(16).traffic_class(0xb9).label(0) /
                     tcp(5001, 8080).syn().seq(7) / "hello");
  EXPECT_EQ(frame.packet().family, net::Family::ipv6);
  EXPECT_EQ(frame.packet().ip_length, frame.size() - 14);
}

TEST(ToIpv6, WhatIsWholeGetsNoFragmentHeader) {
  for (const bool dont_fragment : {false, true}) {
    Ipv4 ip = there().id(77);
    if (dont_fragment) ip.dont_fragment();
    Frame frame = eth() / ip / udp(40000, 80) / fill(1400);
    EXPECT_BECOMES(frame, to_ipv6(parsed(frame), kToSix),
                   eth() / there_six() / udp(5001, 8080) / fill(1400));
  }
}

TEST(ToIpv6, OptionsAreLeftOut) {
  Frame frame = eth() / there().options({7, 7, 4, 0, 0, 0, 0, 1}) / tcp(40000, 80).syn() / "x";
  EXPECT_BECOMES(frame, to_ipv6(parsed(frame), kToSix),
                 eth() / there_six() / tcp(5001, 8080).syn() / "x");
}

TEST(ToIpv6, ASourceRouteIsRefused) {
  for (const uint8_t kind : {131, 137}) {
    Frame frame =
        eth() / there().options({1, kind, 7, 4, 10, 0, 0, 1}) / tcp(40000, 80).syn() / "x";
    const Frame before = frame;
    EXPECT_FALSE(to_ipv6(parsed(frame), kToSix));
    EXPECT_EQ(frame.packet().reason, Reason::ipv4_source_route);
    EXPECT_EQ(frame, before);
  }
}

TEST(ToIpv6, ASpentSourceRouteIsAnOptionLikeOthers) {
  Frame frame = eth() / there().options({131, 7, 8, 10, 0, 0, 1, 0}) / tcp(40000, 80).syn();
  EXPECT_BECOMES(frame, to_ipv6(parsed(frame), kToSix),
                 eth() / there_six() / tcp(5001, 8080).syn());
}

TEST(ToIpv6, FragmentsGetAFragmentHeader) {
  Frame first = eth() / there().id(0xabcd).fragment(0, true) / udp(40000, 80) / fill(64);
  EXPECT_BECOMES(first, to_ipv6(parsed(first), kToSix),
                 eth() / there_six() / fragment(0, true, 0xabcd) / udp(5001, 8080) / fill(64));
  for (const bool more : {true, false}) {
    Frame later = eth() / there().id(0xabcd).fragment(1480, more) / raw(Bytes(16, 5), 17);
    EXPECT_BECOMES(later, to_ipv6(parsed(later), kToSix),
                   eth() / there_six() / fragment(1480, more, 0xabcd) / raw(Bytes(16, 5), 17));
  }
}

TEST(ToIpv6, FragmentedIcmpIsRefused) {
  Frame frame = eth() / there().id(1).fragment(0, true) / echo_request(5, 1) / fill(64);
  EXPECT_FALSE(to_ipv6(parsed(frame), kToSix));
  EXPECT_EQ(frame.packet().reason, Reason::family_untranslatable);
}

TEST(ToIpv6, AUdpChecksumIsMadeWhereThereWasNone) {
  for (const size_t length : {0, 1, 2, 63, 1200}) {
    Frame frame = eth() / there() / udp(40000, 80).no_checksum() / fill(length);
    EXPECT_BECOMES(frame, to_ipv6(parsed(frame), kToSix),
                   eth() / there_six() / udp(5001, 8080) / fill(length));
  }
}

TEST(ToIpv6, AUdpChecksumOverSegmentsIsLeftToThePort) {
  const Frame whole = eth() / there() / udp(40000, 80).no_checksum() / fill(900);
  Frame frame = whole.split(128);
  EXPECT_TRUE(to_ipv6(parsed(frame), kToSix));
  EXPECT_TRUE(frame.packet().sum_l4);
  EXPECT_EQ(frame, eth() / there_six() / udp(5001, 8080).checksum(0) / fill(900));
}

TEST(ToIpv6, AFragmentWithoutUdpChecksumIsRefused) {
  Frame frame = eth() / there().id(1).fragment(0, true) / udp(40000, 80).no_checksum() / fill(64);
  EXPECT_FALSE(to_ipv6(parsed(frame), kToSix));
  EXPECT_EQ(frame.packet().reason, Reason::udp_checksum_missing);
}

// RFC 768: a sum of 0 says "none", so that a right one of 0 is sent as 0xffff.
TEST(ToIpv6, AUdpChecksumNeverComesOutAsNone) {
  for (uint32_t n = 0; n < 0x10000; n += 1) {
    const Bytes payload{static_cast<uint8_t>(n >> 8), static_cast<uint8_t>(n)};
    Frame frame = eth() / there() / udp(40000, 80) / raw(payload);
    ASSERT_TRUE(to_ipv6(parsed(frame), kToSix));
    const auto sum = net::load<uint16_t>(frame.packet().head + frame.packet().l4 + 6);
    if (sum != 0xffff && n % 997 != 0) {
      ASSERT_NE(sum, 0);
      continue;
    }
    ASSERT_EQ(frame, eth() / there_six() / udp(5001, 8080) / raw(payload));
  }
}

TEST(ToIpv6, Echo) {
  Frame request = eth() / there() / echo_request(5, 9) / "ping!";
  const Translation6 asked{at6(kSnat6, 77), at6(kServer6, 0)};
  EXPECT_BECOMES(request, to_ipv6(parsed(request), asked),
                 eth() / there_six() / echo_request6(77, 9) / "ping!");
  Frame reply = eth() / there() / echo_reply(5, 9) / "pong";
  const Translation6 answered{at6(kSnat6, 0), at6(kServer6, 78)};
  EXPECT_BECOMES(reply, to_ipv6(parsed(reply), answered),
                 eth() / there_six() / echo_reply6(78, 9) / "pong");
}

TEST(ToIpv6, TheTtlEndsHere) {
  Frame frame = eth() / there().ttl(1) / tcp(40000, 80).syn();
  const Frame before = frame;
  EXPECT_FALSE(to_ipv6(parsed(frame), kToSix));
  EXPECT_EQ(frame.packet().reason, Reason::ttl_exceeded);
  EXPECT_EQ(frame, before);
}

TEST(ToIpv6, ATagStaysAndPaddingGoes) {
  const Frame bare = eth() / vlan(5) / there() / tcp(40000, 80).syn();
  Frame frame = bare.padded(60);
  EXPECT_BECOMES(frame, to_ipv6(parsed(frame), kToSix),
                 eth() / vlan(5) / there_six() / tcp(5001, 8080).syn());
}

TEST(ToIpv4, HeaderFields) {
  Frame frame = eth() / back().traffic_class(0xb9).label(0xabcde).hops(9) /
                tcp(8080, 5001).seq(3).ack(4) / "hello";
  EXPECT_BECOMES(
      frame, to_ipv4(parsed(frame), kToFour, 9),
      eth() / ipv4(kVip, kClient).ttl(8).id(9).tos(0xb9) / tcp(80, 40000).seq(3).ack(4) / "hello");
  EXPECT_EQ(frame.packet().family, net::Family::ipv4);
}

// So that whoever sends longer ones learns the path's MTU, and shorter ones pass any.
TEST(ToIpv4, DontFragmentFrom1261BytesOn) {
  for (const size_t length : {1260, 1261}) {
    Frame frame = eth() / back() / udp(8080, 5001) / fill(length - 28);
    Ipv4 ip = back_four();
    if (length > 1260) ip.dont_fragment();
    EXPECT_BECOMES(frame, to_ipv4(parsed(frame), kToFour, 9),
                   eth() / ip / udp(80, 40000) / fill(length - 28));
  }
}

TEST(ToIpv4, ExtensionHeadersAreLeftOut) {
  Frame frame = eth() / back() / hop_by_hop() / destination_options() / routing(0, 0) /
                tcp(8080, 5001).ack(1) / "x";
  EXPECT_BECOMES(frame, to_ipv4(parsed(frame), kToFour, 9),
                 eth() / back_four() / tcp(80, 40000).ack(1) / "x");
}

TEST(ToIpv4, ARoutingHeaderWithSegmentsLeftIsRefused) {
  Frame frame = eth() / back() / routing(0, 1) / tcp(8080, 5001).ack(1);
  parse::parse(frame.packet());
  EXPECT_EQ(frame.packet().reason, Reason::ipv6_routing_header);
}

TEST(ToIpv4, AnAuthenticationHeaderIsRefused) {
  Frame frame = eth() / back() / authentication() / tcp(8080, 5001).ack(1);
  EXPECT_FALSE(to_ipv4(parsed(frame), kToFour, 9));
  EXPECT_EQ(frame.packet().reason, Reason::family_untranslatable);
}

TEST(ToIpv4, AFragmentHeaderBecomesFields) {
  Frame first =
      eth() / back() / hop_by_hop() / fragment(0, true, 0x1234abcd) / udp(8080, 5001) / fill(64);
  EXPECT_BECOMES(
      first, to_ipv4(parsed(first), kToFour, 9),
      eth() / ipv4(kVip, kClient).ttl(63).id(0xabcd).fragment(0, true) / udp(80, 40000) / fill(64));
  for (const bool more : {true, false}) {
    Frame later = eth() / back() / fragment(1448, more, 0x1234abcd) / raw(Bytes(1400, 5), 17);
    EXPECT_BECOMES(later, to_ipv4(parsed(later), kToFour, 9),
                   eth() / ipv4(kVip, kClient).ttl(63).id(0xabcd).fragment(1448, more) /
                       raw(Bytes(1400, 5), 17));
  }
}

TEST(ToIpv4, OptionsBehindAFragmentHeaderAreRefused) {
  Frame frame =
      eth() / back() / fragment(0, true, 1) / destination_options() / udp(8080, 5001) / fill(64);
  EXPECT_FALSE(to_ipv4(parsed(frame), kToFour, 9));
  EXPECT_EQ(frame.packet().reason, Reason::family_untranslatable);
}

TEST(ToIpv4, FragmentedIcmpIsRefused) {
  Frame frame = eth() / back() / fragment(0, true, 1) / echo_reply6(5, 1) / fill(64);
  EXPECT_FALSE(to_ipv4(parsed(frame), kToFour, 9));
  EXPECT_EQ(frame.packet().reason, Reason::family_untranslatable);
}

TEST(ToIpv4, UdpWithoutChecksumIsRefused) {
  Frame frame = eth() / back() / udp(8080, 5001).checksum(0) / "x";
  EXPECT_FALSE(to_ipv4(parsed(frame), kToFour, 9));
  EXPECT_EQ(frame.packet().reason, Reason::udp_checksum_missing);
}

TEST(ToIpv4, Echo) {
  Frame request = eth() / back() / echo_request6(5, 9) / "ping!";
  EXPECT_BECOMES(request, to_ipv4(parsed(request), {at4(kVip, 77), at4(kClient, 0)}, 9),
                 eth() / back_four() / echo_request(77, 9) / "ping!");
  Frame reply = eth() / back() / echo_reply6(5, 9) / "pong";
  EXPECT_BECOMES(reply, to_ipv4(parsed(reply), {at4(kVip, 0), at4(kClient, 78)}, 9),
                 eth() / back_four() / echo_reply(78, 9) / "pong");
}

TEST(ToIpv4, TheHopLimitEndsHere) {
  Frame frame = eth() / back().hops(1) / tcp(8080, 5001).ack(1);
  const Frame before = frame;
  EXPECT_FALSE(to_ipv4(parsed(frame), kToFour, 9));
  EXPECT_EQ(frame.packet().reason, Reason::ttl_exceeded);
  EXPECT_EQ(frame, before);
}

TEST(Growth, IsWhatThePacketBecomesLonger) {
  Frame four = eth() / there().options(Bytes(8, 1)) / udp(40000, 80) / "x";
  EXPECT_EQ(family_growth(parsed(four)), 12);
  Frame part = eth() / there().fragment(0, true) / udp(40000, 80) / fill(64);
  EXPECT_EQ(family_growth(parsed(part)), 28);
  Frame six = eth() / back() / hop_by_hop() / udp(8080, 5001) / "x";
  EXPECT_EQ(family_growth(parsed(six)), -28);
}

}  // namespace
}  // namespace nezu::forward
