// Packets in tunnels, byte by byte: lengths and checksums are the DSL's, made from scratch.
#include <gtest/gtest.h>

#include "dataplane/forward/tunnel.h"
#include "dataplane/net/headers.h"
#include "dataplane/parse/parse.h"
#include "tests/dsl/dsl.h"

namespace nezu::forward {
namespace {

using namespace dsl;
using net::Family;
using tables::Mode;

const char *kClient = "192.0.2.7", *kVip = "203.0.113.10", *kUs = "10.0.0.1", *kServer = "10.0.1.5";
const char *kClient6 = "2001:db8::7", *kVip6 = "2001:db8:1::10", *kUs6 = "fd00::1",
           *kServer6 = "fd00:1::5";
constexpr uint64_t kHash = 0x123456789abcdef0;
constexpr uint32_t kLabel = 0x6789a;  // 20 bits of it
constexpr uint16_t kPort = 0xc000 | (kLabel & 0x3fff);

void encapsulate_in(net::Packet& packet, Mode mode, Family outer) {
  const bool v4 = outer == Family::ipv4;
  const net::Address from = *net::parse_address(v4 ? kUs : kUs6),
                     to = *net::parse_address(v4 ? kServer : kServer6);
  if (v4) {
    encapsulate(packet, Ipv4Tunnel{mode, 6080, from.v4_raw(), to.v4_raw(), kHash});
  } else {
    encapsulate(packet, Ipv6Tunnel{mode, 6080, from.bytes, to.bytes, kHash});
  }
}

Frame through(Frame frame, Mode mode, Family outer) {
  parse::parse(frame.packet());
  EXPECT_EQ(frame.packet().verdict, net::Verdict::undecided);
  encapsulate_in(frame.packet(), mode, outer);
  EXPECT_EQ(frame.packet().l3 + uint32_t{frame.packet().ip_length}, frame.packet().length);
  EXPECT_EQ(frame.packet().family, outer);
  return frame;
}

Ipv4 outer4(uint8_t service = 0) { return ipv4(kUs, kServer).dont_fragment().tos(service); }
Ipv6 outer6(uint8_t service = 0) {
  return ipv6(kUs6, kServer6).label(kLabel).traffic_class(service);
}
const auto kIn4 = ipv4(kClient, kVip);
const auto kIn6 = ipv6(kClient6, kVip6);
Payload gre(uint16_t type) {
  return raw({0, 0, static_cast<uint8_t>(type >> 8), static_cast<uint8_t>(type)}, 47);
}
Payload gue(uint8_t protocol) { return raw({0, protocol, 0, 0}); }

TEST(Tunnel, IpInIpInAllFamilies) {
  const auto text = tcp(40000, 80).psh().seq(5).ack(6);
  EXPECT_EQ(through(eth() / kIn4 / text / "hello", Mode::tunnel_ipip, Family::ipv4),
            eth() / outer4() / kIn4 / text / "hello");
  EXPECT_EQ(through(eth() / kIn6 / text / "hello", Mode::tunnel_ipip, Family::ipv4),
            eth() / outer4() / kIn6 / text / "hello");
  EXPECT_EQ(through(eth() / kIn4 / text / "hello", Mode::tunnel_ipip, Family::ipv6),
            eth() / outer6() / kIn4 / text / "hello");
  EXPECT_EQ(through(eth() / kIn6 / text / "hello", Mode::tunnel_ipip, Family::ipv6),
            eth() / outer6() / kIn6 / text / "hello");
}

TEST(Tunnel, GreInAllFamilies) {
  const auto text = udp(40000, 53);
  EXPECT_EQ(through(eth() / kIn4 / text / "hello", Mode::tunnel_gre, Family::ipv4),
            eth() / outer4() / gre(0x0800) / kIn4 / text / "hello");
  EXPECT_EQ(through(eth() / kIn6 / text / "hello", Mode::tunnel_gre, Family::ipv4),
            eth() / outer4() / gre(0x86dd) / kIn6 / text / "hello");
  EXPECT_EQ(through(eth() / kIn4 / text / "hello", Mode::tunnel_gre, Family::ipv6),
            eth() / outer6() / gre(0x0800) / kIn4 / text / "hello");
  EXPECT_EQ(through(eth() / kIn6 / text / "hello", Mode::tunnel_gre, Family::ipv6),
            eth() / outer6() / gre(0x86dd) / kIn6 / text / "hello");
}

TEST(Tunnel, GueOverIpv4HasNoChecksum) {
  const auto way = udp(kPort, 6080).no_checksum();
  EXPECT_EQ(through(eth() / kIn4 / udp(40000, 53) / "hello", Mode::tunnel_gue, Family::ipv4),
            eth() / outer4() / way / gue(4) / kIn4 / udp(40000, 53) / "hello");
  EXPECT_EQ(through(eth() / kIn6 / tcp(40000, 80).syn(), Mode::tunnel_gue, Family::ipv4),
            eth() / outer4() / way / gue(41) / kIn6 / tcp(40000, 80).syn());
}

// The checksum comes from the headers alone; the DSL sums all bytes.
TEST(Tunnel, GueOverIpv6HasARightChecksum) {
  const auto way = udp(kPort, 6080);
  for (const size_t length : {0, 1, 2, 7, 100, 1301}) {
    const auto check = [&](const Stack& inner, uint8_t number) {
      Stack sent = eth() / outer6() / way / gue(number);
      const Bytes bytes = inner.bytes();
      EXPECT_EQ(through(Frame(inner), Mode::tunnel_gue, Family::ipv6),
                sent / raw(Bytes(bytes.begin() + 14, bytes.end())))
          << length;
    };
    check(eth() / kIn4 / udp(40000, 53) / fill(length), 4);
    check(eth() / kIn4 / tcp(40000, 80).psh().seq(77).ack(3) / fill(length), 4);
    check(eth() / ipv4(kClient, kVip).options({1, 1, 1, 0}) / udp(40000, 53) / fill(length), 4);
    check(eth() / kIn6 / udp(40000, 53) / fill(length), 41);
    check(eth() / kIn6 / tcp(40000, 80).psh().seq(77).ack(3) / fill(length), 41);
    check(eth() / kIn6 / destination_options() / udp(40000, 53) / fill(length), 41);
    // Errors about a server's answers.
    check(eth() / kIn4 / fragmentation_needed(1400) / ipv4(kVip, kClient) / tcp(80, 40000) /
              fill(length),
          4);
    check(
        eth() / kIn6 / packet_too_big(1400) / ipv6(kVip6, kClient6) / tcp(80, 40000) / fill(length),
        41);
    // These sums say nothing about their bytes: all are added up.
    check(eth() / kIn4 / udp(40000, 53).no_checksum() / fill(length), 4);
    check(eth() / kIn4 / udp(40000, 53).length(8) / fill(length), 4);
  }
}

TEST(Tunnel, GueOverIpv6WithoutChecksumWhereBytesAreElsewhere) {
  Frame frame = Frame(eth() / kIn4 / udp(40000, 53).no_checksum() / fill(900)).split(200);
  parse::parse(frame.packet());
  encapsulate_in(frame.packet(), Mode::tunnel_gue, Family::ipv6);
  EXPECT_EQ(frame.packet().head_length, 200u + kMostTunnelBytes);
  EXPECT_EQ(frame.packet().length, 14u + 20 + 8 + 900 + kMostTunnelBytes);
  EXPECT_EQ(frame.packet().at<net::Udp>(14 + 40)->checksum, 0);
}

// RFC 6040 4.1, normal mode: DSCP and ECN as they are inside.
TEST(Tunnel, ServiceIsCopied) {
  for (const uint8_t service : {0x00, 0x01, 0x02, 0x03, 0xb8, 0xff}) {
    const auto in4 = ipv4(kClient, kVip).tos(service);
    const auto in6 = ipv6(kClient6, kVip6).traffic_class(service).label(0xfffff);
    EXPECT_EQ(through(eth() / in4 / udp(5, 6) / "x", Mode::tunnel_ipip, Family::ipv4),
              eth() / outer4(service) / in4 / udp(5, 6) / "x");
    EXPECT_EQ(through(eth() / in6 / udp(5, 6) / "x", Mode::tunnel_ipip, Family::ipv4),
              eth() / outer4(service) / in6 / udp(5, 6) / "x");
    EXPECT_EQ(through(eth() / in4 / udp(5, 6) / "x", Mode::tunnel_ipip, Family::ipv6),
              eth() / outer6(service) / in4 / udp(5, 6) / "x");
    EXPECT_EQ(through(eth() / in6 / udp(5, 6) / "x", Mode::tunnel_ipip, Family::ipv6),
              eth() / outer6(service) / in6 / udp(5, 6) / "x");
  }
}

TEST(Tunnel, TagsStayAndPaddingGoes) {
  const Frame padded = Frame(eth() / vlan(5).priority(3) / kIn4 / udp(5, 6) / "x").padded(64);
  EXPECT_EQ(through(padded, Mode::tunnel_gre, Family::ipv6),
            eth() / vlan(5).priority(3) / outer6() / gre(0x0800) / kIn4 / udp(5, 6) / "x");
}

TEST(Tunnel, BytesInFront) {
  EXPECT_EQ(tunnel_bytes(Mode::tunnel_ipip, Family::ipv4), 20u);
  EXPECT_EQ(tunnel_bytes(Mode::tunnel_gre, Family::ipv4), 24u);
  EXPECT_EQ(tunnel_bytes(Mode::tunnel_gue, Family::ipv4), 32u);
  EXPECT_EQ(tunnel_bytes(Mode::tunnel_ipip, Family::ipv6), 40u);
  EXPECT_EQ(tunnel_bytes(Mode::tunnel_gre, Family::ipv6), 44u);
  EXPECT_EQ(tunnel_bytes(Mode::tunnel_gue, Family::ipv6), 52u);
}

}  // namespace
}  // namespace nezu::forward
