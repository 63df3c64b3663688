// ICMP errors between IPv4 and IPv6, RFC 7915 4.2, 4.3, 5.2, 5.3. RFC7915.md names these tests.
#include <gtest/gtest.h>

#include <optional>

#include "dataplane/forward/family.h"
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

const char *kClient = "192.0.2.7", *kVip = "203.0.113.10", *kRouter = "198.51.100.1",
           *kSnat6 = "fd00::1", *kServer6 = "fd00:1::5", *kRouter6 = "fd00:9::1";
const Translation6 kToSix{at6(kSnat6, 5001), at6(kServer6, 8080)};
const Translation4 kToFour{at4(kVip, 80), at4(kClient, 40000)};
const HopMtus kWide{9000, 9000};

// What the client got and complains about; what the server sent.
Stack answer4(Stack stack) {
  return std::move(stack) / ipv4(kVip, kClient).ttl(50).tos(3) / udp(80, 40000) / "answer";
}
Stack answer6(Stack stack) {
  return std::move(stack) / ipv6(kServer6, kSnat6).hops(50).traffic_class(3) / udp(8080, 5001) /
         "answer";
}
// What the server got and complains about; what the client sent.
Stack question6(Stack stack) {
  return std::move(stack) / ipv6(kSnat6, kServer6).hops(40) / tcp(5001, 8080).seq(7).ack(8);
}
Stack question4(Stack stack) {
  return std::move(stack) / ipv4(kClient, kVip).ttl(40).dont_fragment() /
         tcp(40000, 80).seq(7).ack(8);
}
Stack from_client(const Icmp& icmp) {
  return answer4(Stack{} / eth() / ipv4(kRouter, kVip).tos(0xc0) / icmp);
}
Stack to_server(const Icmp& icmp) {
  return answer6(Stack{} / eth() / ipv6(kSnat6, kServer6).hops(63).traffic_class(0xc0) / icmp);
}
Stack from_server(const Icmp& icmp) {
  return question6(Stack{} / eth() / ipv6(kRouter6, kSnat6) / icmp);
}
Stack to_client(const Icmp& icmp) {
  return question4(Stack{} / eth() / ipv4(kVip, kClient).ttl(63).id(9) / icmp);
}

bool six(Frame& frame, HopMtus mtus = kWide) {
  parse::parse(frame.packet());
  EXPECT_EQ(frame.packet().shape, net::Shape::icmp_error);
  return icmp_error_to_ipv6(frame.packet(), kToSix, kToSix.source.address, mtus);
}
bool four(Frame& frame, HopMtus mtus = kWide) {
  parse::parse(frame.packet());
  EXPECT_EQ(frame.packet().shape, net::Shape::icmp_error);
  return icmp_error_to_ipv4(frame.packet(), kToFour, kToFour.source.address, mtus, 9);
}
void expect_six(const Icmp& icmp, const std::optional<Icmp>& expected, HopMtus mtus = kWide) {
  Frame frame = from_client(icmp);
  const Frame before = frame;
  if (expected) {
    EXPECT_TRUE(six(frame, mtus));
    EXPECT_EQ(frame, to_server(*expected));
  } else {
    EXPECT_FALSE(six(frame, mtus));
    EXPECT_EQ(frame.packet().reason, Reason::family_untranslatable);
    EXPECT_EQ(frame, before);
  }
}
void expect_four(const Icmp& icmp, const std::optional<Icmp>& expected, HopMtus mtus = kWide) {
  Frame frame = from_server(icmp);
  const Frame before = frame;
  if (expected) {
    EXPECT_TRUE(four(frame, mtus));
    EXPECT_EQ(frame, to_client(*expected));
  } else {
    EXPECT_FALSE(four(frame, mtus));
    EXPECT_EQ(frame.packet().reason, Reason::family_untranslatable);
    EXPECT_EQ(frame, before);
  }
}

TEST(IcmpToIpv6, Unreachable) {
  const std::optional<Icmp> nothing, no_route = icmpv6(1, 0), prohibited = icmpv6(1, 1);
  for (const uint8_t code : {0, 1, 5, 6, 7, 8, 11, 12}) expect_six(icmp(3, code), no_route);
  for (const uint8_t code : {9, 10, 13, 15}) expect_six(icmp(3, code), prohibited);
  expect_six(icmp(3, 2), icmpv6(4, 1).rest(6));
  expect_six(icmp(3, 3), icmpv6(1, 4));
  expect_six(icmp(3, 14), nothing);
  expect_six(icmp(3, 16), nothing);
}

TEST(IcmpToIpv6, FragmentationNeeded) {
  expect_six(fragmentation_needed(1400), packet_too_big(1420));
  expect_six(fragmentation_needed(600), packet_too_big(1280));
  // Never more than either side carries.
  expect_six(fragmentation_needed(9000), packet_too_big(1500), {9000, 1500});
  expect_six(fragmentation_needed(9000), packet_too_big(1520), {1500, 9000});
}

// RFC 1191's plateaus, for routers that do not say the MTU.
TEST(IcmpToIpv6, FragmentationNeededByARouterThatDoesNotSay) {
  const auto about = [](uint16_t total) {
    return Stack{} / eth() / ipv4(kRouter, kVip) / fragmentation_needed(0) /
           ipv4(kVip, kClient).ttl(50).total_length(total) / udp(80, 40000).length(20).checksum(7) /
           "answer";
  };
  for (const auto& [total, mtu] : {std::pair<uint16_t, uint32_t>{9000, 8166},
                                   {4353, 4352},
                                   {4352, 2002},
                                   {1500, 1492},
                                   {1492, 1280},
                                   {60, 1280}}) {
    Frame frame = about(total);
    ASSERT_TRUE(six(frame));
    EXPECT_EQ(net::swap32(net::load<uint32_t>(frame.packet().head + frame.packet().l4 + 4)), mtu)
        << total;
  }
}

TEST(IcmpToIpv6, TimeExceeded) {
  expect_six(icmp(11, 0), icmpv6(3, 0));
  expect_six(icmp(11, 1), icmpv6(3, 1));
}

TEST(IcmpToIpv6, ParameterProblem) {
  constexpr int kNone = -1;
  // RFC 7915 figure 3.
  const int pointers[] = {0,     1, 4, 4, kNone, kNone, kNone, kNone, 7,  6,    kNone,
                          kNone, 8, 8, 8, 8,     24,    24,    24,    24, kNone};
  for (uint32_t at = 0; at < std::size(pointers); ++at) {
    for (const uint8_t code : {0, 2}) {
      std::optional<Icmp> expected;
      if (pointers[at] != kNone) expected = icmpv6(4, 0).rest(static_cast<uint32_t>(pointers[at]));
      expect_six(icmp(12, code).rest(at << 24), expected);
    }
  }
  expect_six(icmp(12, 1), std::nullopt);
}

TEST(IcmpToIpv6, EightQuotedBytesSuffice) {
  Frame frame = Stack{} / eth() / ipv4(kRouter, kVip) / icmp(3, 3).quoting(28) /
                ipv4(kVip, kClient).ttl(50) / tcp(80, 40000).seq(7) / "answer";
  ASSERT_TRUE(six(frame));
  EXPECT_EQ(frame, eth() / ipv6(kSnat6, kServer6).hops(63) / icmpv6(1, 4).quoting(48) /
                       ipv6(kServer6, kSnat6).hops(50) / tcp(8080, 5001).seq(7) / "answer");
}

TEST(IcmpToIpv6, AQuotedFragmentGetsAFragmentHeader) {
  Frame frame = Stack{} / eth() / ipv4(kRouter, kVip) / icmp(11, 1) /
                ipv4(kVip, kClient).ttl(50).id(77).fragment(0, true).options({7, 4, 4, 0}) /
                udp(80, 40000) / fill(64);
  ASSERT_TRUE(six(frame));
  EXPECT_EQ(frame, eth() / ipv6(kSnat6, kServer6).hops(63) / icmpv6(3, 1) /
                       ipv6(kServer6, kSnat6).hops(50) / fragment(0, true, 77) / udp(8080, 5001) /
                       fill(64));
}

TEST(IcmpToIpv6, AQuotedUdpChecksumOfNoneStays) {
  Frame frame = Stack{} / eth() / ipv4(kRouter, kVip) / icmp(3, 3) / ipv4(kVip, kClient).ttl(50) /
                udp(80, 40000).no_checksum() / "answer";
  ASSERT_TRUE(six(frame));
  EXPECT_EQ(frame, eth() / ipv6(kSnat6, kServer6).hops(63) / icmpv6(1, 4) /
                       ipv6(kServer6, kSnat6).hops(50) / udp(8080, 5001).checksum(0) / "answer");
}

TEST(IcmpToIpv6, AnErrorAboutAnErrorIsNotTranslated) {
  Frame frame = Stack{} / eth() / ipv4(kRouter, kVip) / icmp(3, 3) / ipv4(kVip, kClient) /
                icmp(3, 3) / ipv4(kClient, kVip) / udp(40000, 80) / "x";
  parse::parse(frame.packet());
  EXPECT_EQ(frame.packet().shape, net::Shape::control);  // belongs to no flow
}

TEST(IcmpToIpv6, OtherTypesBelongToNoFlow) {
  for (const uint8_t type : {4, 5, 6, 9, 10, 13, 14, 15, 16, 17, 18, 30}) {
    Frame frame = from_client(icmp(type));
    parse::parse(frame.packet());
    EXPECT_EQ(frame.packet().shape, net::Shape::control) << int{type};
  }
}

TEST(IcmpToIpv6, AWrongSumStaysWrong) {
  Frame frame = from_client(icmp(3, 3));
  frame[frame.size() - 1] ^= 0x40;
  ASSERT_TRUE(six(frame));
  frame[frame.size() - 1] ^= 0x40;
  EXPECT_EQ(frame, to_server(icmpv6(1, 4)));
}

/// The quote filled up to `length`, and an extension of 8 bytes behind it (RFC 4884 7).
Bytes with_extension(const Stack& quote, size_t length) {
  const Frame frame = quote;
  Bytes bytes(frame.bytes().begin() + 14, frame.bytes().end());
  bytes.resize(length);
  for (const uint8_t byte : {0x20, 0, 0xdf, 0xff, 0, 4, 1, 1}) bytes.push_back(byte);
  return bytes;
}
Bytes ip_bytes(const Frame& frame) {
  return Bytes(frame.bytes().begin() + 14, frame.bytes().end());
}

// The quote grows by 20 bytes and is filled up to whole units of 8.
TEST(IcmpToIpv6, ExtensionsKeepTheirPlace) {
  const Bytes quote = with_extension(answer4(Stack{} / eth()), 128);
  Frame frame = eth() / ipv4(kRouter, kVip) / icmp(11, 0).rest(32u << 16) / raw(quote);
  ASSERT_TRUE(six(frame));
  const Bytes expected = with_extension(answer6(Stack{} / eth()), 152);
  EXPECT_EQ(frame,
            eth() / ipv6(kSnat6, kServer6).hops(63) / icmpv6(3, 0).rest(19u << 24) / raw(expected));
}

// A parameter problem of ICMPv6 has no place for the length.
TEST(IcmpToIpv6, ExtensionsOfAParameterProblemAreLeftOut) {
  const Bytes quote = with_extension(answer4(Stack{} / eth()), 128);
  Frame frame = eth() / ipv4(kRouter, kVip) / icmp(12, 0).rest(8u << 24 | 32u << 16) / raw(quote);
  ASSERT_TRUE(six(frame));
  Bytes expected = ip_bytes(answer6(Stack{} / eth()));
  expected.resize(148);
  EXPECT_EQ(frame, eth() / ipv6(kSnat6, kServer6).hops(63) / icmpv6(4, 0).rest(7) / raw(expected));
}

TEST(IcmpToIpv4, Unreachable) {
  for (const uint8_t code : {0, 2, 3}) expect_four(icmpv6(1, code), icmp(3, 1));
  expect_four(icmpv6(1, 1), icmp(3, 10));
  expect_four(icmpv6(1, 4), icmp(3, 3));
  expect_four(icmpv6(1, 5), std::nullopt);
  expect_four(icmpv6(1, 6), std::nullopt);
}

TEST(IcmpToIpv4, PacketTooBig) {
  expect_four(packet_too_big(1400), fragmentation_needed(1380));
  expect_four(packet_too_big(9000), fragmentation_needed(1480), {9000, 1500});
  expect_four(packet_too_big(9000), fragmentation_needed(1500), {1500, 9000});
  expect_four(packet_too_big(0xffffffff), fragmentation_needed(8980));
  expect_four(packet_too_big(0), fragmentation_needed(20));
}

TEST(IcmpToIpv4, TimeExceeded) {
  expect_four(icmpv6(3, 0), icmp(11, 0));
  expect_four(icmpv6(3, 1), icmp(11, 1));
}

TEST(IcmpToIpv4, ParameterProblem) {
  constexpr int kNone = -1;
  // RFC 7915 figure 6.
  for (uint32_t at = 0; at < 42; ++at) {
    int pointer = at >= 40 ? kNone : at >= 24 ? 16 : 12;
    if (at < 8) pointer = std::array{0, 1, kNone, kNone, 2, 2, 9, 8}[at];
    std::optional<Icmp> expected;
    if (pointer != kNone) expected = icmp(12, 0).rest(static_cast<uint32_t>(pointer) << 24);
    expect_four(icmpv6(4, 0).rest(at), expected);
  }
  expect_four(icmpv6(4, 0).rest(0x01000000), std::nullopt);
  expect_four(icmpv6(4, 1).rest(6), icmp(3, 2));
  expect_four(icmpv6(4, 2), std::nullopt);
}

TEST(IcmpToIpv4, AQuotedFragmentKeepsItsFields) {
  Frame frame = Stack{} / eth() / ipv6(kRouter6, kSnat6) / icmpv6(3, 1) /
                ipv6(kSnat6, kServer6).hops(40) / hop_by_hop() / fragment(0, true, 0x50077) /
                udp(5001, 8080) / fill(64);
  ASSERT_TRUE(four(frame));
  EXPECT_EQ(frame, eth() / ipv4(kVip, kClient).ttl(63).id(9) / icmp(11, 1) /
                       ipv4(kClient, kVip).ttl(40).id(0x77).fragment(0, true) / udp(40000, 80) /
                       fill(64));
}

TEST(IcmpToIpv4, AQuotedAuthenticationHeaderIsRefused) {
  Frame frame = Stack{} / eth() / ipv6(kRouter6, kSnat6) / icmpv6(3, 0) /
                ipv6(kSnat6, kServer6).hops(40) / authentication() / udp(5001, 8080) / fill(64);
  EXPECT_FALSE(four(frame));
  EXPECT_EQ(frame.packet().reason, Reason::family_untranslatable);
}

TEST(IcmpToIpv4, OtherTypesBelongToNoFlow) {
  for (const uint8_t type : {100, 127, 130, 133, 134, 135, 136, 137, 143, 200}) {
    Frame frame = from_server(icmpv6(type));
    parse::parse(frame.packet());
    EXPECT_EQ(frame.packet().shape, net::Shape::control) << int{type};
  }
}

TEST(IcmpToIpv4, ExtensionsKeepTheirPlace) {
  const Bytes quote = with_extension(question6(Stack{} / eth()), 160);
  Frame frame = eth() / ipv6(kRouter6, kSnat6) / icmpv6(1, 4).rest(20u << 24) / raw(quote);
  ASSERT_TRUE(four(frame));
  const Bytes expected = with_extension(question4(Stack{} / eth()), 140);
  EXPECT_EQ(frame,
            eth() / ipv4(kVip, kClient).ttl(63).id(9) / icmp(3, 3).rest(35u << 16) / raw(expected));
}

TEST(IcmpToIpv4, TheHopLimitEndsHere) {
  Frame frame = question6(Stack{} / eth() / ipv6(kRouter6, kSnat6).hops(1) / icmpv6(3, 0));
  EXPECT_FALSE(four(frame));
  EXPECT_EQ(frame.packet().reason, Reason::ttl_exceeded);
}

}  // namespace
}  // namespace nezu::forward
