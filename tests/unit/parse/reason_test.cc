// Each way to be malformed, with the reason that names it. A reason of the parser's without a
// packet here fails.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "dataplane/parse/parse.h"
#include "tests/dsl/dsl.h"

namespace nezu::parse {
namespace {

using namespace dsl;
using net::Reason;

struct Case {
  Reason reason;
  const char* what;
  Frame frame;
};

const char *kA = "192.0.2.7", *kB = "203.0.113.10", *kA6 = "2001:db8::7", *kB6 = "2001:db8:1::10";

/// Untagged IPv4 and IPv6 in front of something.
Ipv4 v4() { return ipv4(kA, kB); }
Ipv6 v6() { return ipv6(kA6, kB6); }

std::vector<Case> cases() {
  const Frame plain4 = eth() / v4() / udp(5, 53) / "hello";
  const Frame plain6 = eth() / v6() / udp(5, 53) / "hello";
  Stack nine = eth() / v6();
  for (int i = 0; i < 9; ++i) nine = nine / destination_options();
  return {
      {Reason::ethernet_truncated, "13 bytes", plain4.cut(13)},
      {Reason::ethernet_truncated, "nothing", plain4.cut(0)},
      {Reason::ethernet_truncated, "half a tag",
       Frame(eth() / vlan(5) / v4() / udp(5, 53)).cut(16)},
      {Reason::vlan_stacked, "two tags", eth() / vlan(5) / vlan(6) / v4() / udp(5, 53)},
      {Reason::vlan_stacked, "a service tag", eth().type(0x88a8) / vlan(5) / v4() / udp(5, 53)},
      {Reason::vlan_stacked, "a service tag inside",
       eth() / vlan(5).type(0x88a8) / v4() / udp(5, 53)},
      {Reason::vlan_unknown, "of nobody", eth() / vlan(7) / v4() / udp(5, 53) / "hello"},
      {Reason::vlan_unknown, "of nobody, IPv6", eth() / vlan(4095) / v6() / udp(5, 53)},
      {Reason::vlan_unknown, "of nobody, ARP", eth() / vlan(7) / arp_request(kA, kB)},

      {Reason::ipv4_truncated, "no whole header", plain4.cut(14 + 19)},
      {Reason::ipv4_truncated, "a header in two segments", plain4.split(14 + 19)},
      {Reason::ipv4_truncated, "cut payload", plain4.cut(plain4.size() - 1)},
      {Reason::ipv4_truncated, "options cut off",
       Frame(eth() / v4().options(Bytes(40, 1))).cut(60)},
      {Reason::ipv4_header_invalid, "version 5", eth() / v4().version(5) / udp(5, 53)},
      {Reason::ipv4_header_invalid, "4 words",
       eth() / v4().header_words(4) / udp(5, 53) / fill(30)},
      {Reason::ipv4_header_invalid, "total below header",
       eth() / v4().total_length(19) / udp(5, 53)},
      {Reason::ipv4_checksum, "a wrong sum", eth() / v4().checksum(0x1234) / udp(5, 53) / fill(30)},
      {Reason::ipv4_checksum, "a flipped bit in the options",
       Frame(eth() / v4().options({1, 1, 1, 1}) / udp(5, 53)).with(14 + 20, 2)},

      {Reason::ipv6_truncated, "no whole header", plain6.cut(14 + 39)},
      {Reason::ipv6_truncated, "a header in two segments", plain6.split(14 + 39)},
      {Reason::ipv6_truncated, "cut payload", plain6.cut(plain6.size() - 1)},
      {Reason::ipv6_header_invalid, "version 4", eth() / v6().version(4) / udp(5, 53)},
      {Reason::ipv6_extensions_limit, "nine extension headers", nine / udp(5, 53)},
      {Reason::ipv6_extension_truncated, "none there", eth() / v6().next(0)},
      {Reason::ipv6_extension_truncated, "too long",
       eth() / v6() / destination_options().length(9) / udp(5, 53)},
      {Reason::ipv6_extension_truncated, "in two segments",
       Frame(eth() / v6() / destination_options() / udp(5, 53)).split(14 + 44)},
      {Reason::ipv6_extension_order, "hop-by-hop second",
       eth() / v6() / destination_options() / hop_by_hop() / udp(5, 53)},
      {Reason::ipv6_extension_order, "fragmented twice",
       eth() / v6() / fragment(0, false, 1) / fragment(0, false, 2) / udp(5, 53)},
      {Reason::ipv6_routing_header, "type 0 with a segment left",
       eth() / v6() / routing(0, 1) / udp(5, 53)},

      {Reason::address_invalid, "source multicast", eth() / ipv4("224.0.0.1", kB) / udp(5, 53)},
      {Reason::address_invalid, "source broadcast",
       eth() / ipv4("255.255.255.255", kB) / udp(5, 53)},
      {Reason::address_invalid, "source loopback", eth() / ipv4("127.0.0.1", kB) / udp(5, 53)},
      {Reason::address_invalid, "destination loopback",
       eth() / ipv4(kA, "127.0.0.1") / tcp(5, 53).syn()},
      {Reason::address_invalid, "source 0", eth() / ipv4("0.0.0.0", kB) / udp(5, 53)},
      {Reason::address_invalid, "destination 0", eth() / ipv4(kA, "0.0.0.0") / udp(5, 53)},
      {Reason::address_invalid, "class E", eth() / ipv4(kA, "240.0.0.1") / udp(5, 53)},
      {Reason::address_invalid, "source multicast, IPv6",
       eth() / ipv6("ff02::1", kB6) / udp(5, 53)},
      {Reason::address_invalid, "source loopback, IPv6", eth() / ipv6("::1", kB6) / udp(5, 53)},
      {Reason::address_invalid, "destination loopback, IPv6",
       eth() / ipv6(kA6, "::1") / udp(5, 53)},
      {Reason::address_invalid, "source ::", eth() / ipv6("::", kB6) / udp(5, 53)},
      {Reason::address_invalid, "destination ::", eth() / ipv6(kA6, "::") / udp(5, 53)},
      {Reason::address_invalid, "IPv4-mapped", eth() / ipv6("::ffff:192.0.2.7", kB6) / udp(5, 53)},

      {Reason::fragment_invalid, "beyond 65,535", eth() / v4().fragment(65528, false) / fill(100)},
      {Reason::fragment_invalid, "not whole units", eth() / v4().fragment(64, true) / fill(33)},
      {Reason::fragment_invalid, "empty and more", eth() / v4().fragment(64, true)},
      {Reason::fragment_invalid, "not whole units, IPv6",
       eth() / v6() / fragment(64, true, 1) / fill(33)},
      {Reason::fragment_invalid, "beyond 65,535, IPv6",
       eth() / v6() / fragment(65528, false, 1) / fill(100)},

      {Reason::transport_truncated, "short TCP", eth() / v4().protocol(6) / fill(19)},
      {Reason::transport_truncated, "TCP within padding",
       Frame(eth() / v4().protocol(6) / fill(8)).padded(60)},
      {Reason::transport_truncated, "short UDP", eth() / v4().protocol(17) / fill(7)},
      {Reason::transport_truncated, "short ICMP", eth() / v4().protocol(1) / fill(7)},
      {Reason::transport_truncated, "short ICMPv6", eth() / v6().next(58) / fill(7)},
      {Reason::transport_truncated, "TCP options in another segment",
       Frame(eth() / v4() / tcp(5, 80).syn().options(Bytes(20, 1)) / fill(100))
           .split(14 + 20 + 30)},
      {Reason::transport_truncated, "tiny first fragment",
       eth() / v4().fragment(0, true).protocol(6) / fill(8)},
      {Reason::tcp_header_invalid, "offset 4", eth() / v4() / tcp(5, 80).syn().offset_words(4)},
      {Reason::tcp_header_invalid, "offset beyond the packet",
       Frame(eth() / v4() / tcp(5, 80).syn().offset_words(8)).padded(80)},
      {Reason::udp_length_invalid, "length 7", eth() / v4() / udp(5, 53).length(7) / fill(30)},
      {Reason::udp_length_invalid, "beyond the packet",
       eth() / v4() / udp(5, 53).length(39) / fill(30)},
      {Reason::udp_length_invalid, "within padding",
       Frame(eth() / v4() / udp(5, 53).length(12)).padded(60)},
      {Reason::port_zero, "TCP source", eth() / v4() / tcp(0, 80).syn()},
      {Reason::port_zero, "TCP destination", eth() / v4() / tcp(5, 0).syn()},
      {Reason::port_zero, "UDP source", eth() / v4() / udp(0, 80) / fill(30)},
      {Reason::port_zero, "UDP destination", eth() / v6() / udp(5, 0)},
      {Reason::tcp_flags_invalid, "none", eth() / v4() / tcp(5, 80)},
      {Reason::tcp_flags_invalid, "SYN and FIN", eth() / v4() / tcp(5, 80).syn().fin()},
      {Reason::tcp_flags_invalid, "SYN and RST", eth() / v6() / tcp(5, 80).syn().rst()},
      {Reason::tcp_flags_invalid, "FIN alone", eth() / v4() / tcp(5, 80).fin()},
      {Reason::tcp_flags_invalid, "all", eth() / v4() / tcp(5, 80).flags(0x3f)},

      {Reason::icmp_inner_invalid, "nothing inside", eth() / v4() / port_unreachable()},
      {Reason::icmp_inner_invalid, "half a header",
       eth() / v4() / port_unreachable().quoting(19) / ipv4(kB, kA) / udp(53, 5)},
      {Reason::icmp_inner_invalid, "7 bytes of UDP",
       eth() / v4() / port_unreachable().quoting(27) / ipv4(kB, kA) / udp(53, 5)},
      {Reason::icmp_inner_invalid, "IPv6 inside",
       eth() / v4() / port_unreachable() / v6() / udp(53, 5)},
      {Reason::icmp_inner_invalid, "inner header of 4 words",
       eth() / v4() / port_unreachable() / ipv4(kB, kA).header_words(4) / udp(53, 5)},
      {Reason::icmp_inner_invalid, "half a header, IPv6",
       eth() / v6() / port_unreachable6().quoting(39) / ipv6(kB6, kA6) / udp(53, 5)},
      {Reason::icmp_inner_invalid, "7 bytes of UDP, IPv6",
       eth() / v6() / port_unreachable6().quoting(47) / ipv6(kB6, kA6) / udp(53, 5)},
      {Reason::icmp_inner_invalid, "IPv4 inside",
       eth() / v6() / port_unreachable6() / v4() / udp(53, 5) / fill(30)},
      {Reason::icmp_inner_invalid, "an extension header cut off",
       eth() / v6() / port_unreachable6().quoting(44) / v6() / destination_options() / udp(53, 5)},
  };
}

/// VLANs 5 and 6 of the port are somebody's.
net::Spaces spaces() {
  net::Spaces spaces;
  for (const uint16_t vlan : {5, 6}) spaces.set(0, vlan, net::Instance{vlan});
  return spaces;
}

TEST(ParseReason, EachMalformedPacketEndsWithItsReason) {
  const net::Spaces some = spaces();
  for (Case& each : cases()) {
    parse(each.frame.packet(), some);
    EXPECT_EQ(net::to_string(each.frame.packet().reason), net::to_string(each.reason))
        << each.what << ": " << testing::PrintToString(each.frame);
    EXPECT_EQ(each.frame.packet().verdict, net::Verdict::drop) << each.what;
  }
}

TEST(ParseReason, EachReasonOfTheParserHasAPacketHere) {
  std::map<Reason, int> tested;
  for (const Case& each : cases()) ++tested[each.reason];
  for (size_t i = 0; i < net::kReasonCount; ++i) {
    const auto reason = static_cast<Reason>(i);
    const bool parsers = std::ranges::find(kReasons, reason) != kReasons.end();
    EXPECT_EQ(tested.contains(reason), parsers) << net::to_string(reason);
  }
}

TEST(ParseReason, TheGeneralWayGivesTheSame) {
  const net::Spaces some = spaces();
  for (Case& each : cases()) {
    parse_generally(each.frame.packet(), some);
    EXPECT_EQ(net::to_string(each.frame.packet().reason), net::to_string(each.reason)) << each.what;
  }
}

}  // namespace
}  // namespace nezu::parse
