#include "dataplane/net/text.h"

#include <gtest/gtest.h>

#include "tests/dsl/dsl.h"

namespace nezu::net {
namespace {

using namespace dsl;

std::string text(const Frame& frame) {
  constexpr size_t kMacs = 44;  // "eth 02:... > 02:... / "
  return describe(frame.bytes()).substr(kMacs);
}

TEST(Text, OneLineForEachKindOfPacket) {
  EXPECT_EQ(
      text(eth() / vlan(5) / ipv4("192.0.2.7", "203.0.113.10").ttl(3).id(7).dont_fragment() /
           tcp(1, 2).syn().ack(9).seq(8).options({1, 1, 1, 1}) / "abc"),
      "vlan 5 / ipv4 192.0.2.7 > 203.0.113.10 ttl 3 id 7 df / tcp 1 > 2 syn ack seq 8 ack 9 win "
      "65535 options 4 bytes / 3 bytes");
  EXPECT_EQ(
      text(eth() / ipv6("2001:db8::7", "2001:db8::1").hops(9).label(5) / hop_by_hop() /
           fragment(8, true, 77).next(17) / fill(8)),
      "ipv6 2001:db8::7 > 2001:db8::1 hops 9 label 0x5 / extension 0 8 bytes / fragment at 8 more "
      "id 77 / protocol 17 / 8 bytes");
  EXPECT_EQ(text(eth() / ipv6("2001:db8::7", "2001:db8::1") / echo_request6(3, 4) / "x"),
            "ipv6 2001:db8::7 > 2001:db8::1 hops 64 / icmpv6 echo request id 3 seq 4 / 1 bytes");
  EXPECT_EQ(text(eth() / arp_request("192.0.2.7", "192.0.2.1")),
            "arp who has 192.0.2.1 tell 192.0.2.7");
  EXPECT_EQ(text(eth() / arp_reply("192.0.2.7", "192.0.2.1")),
            "arp 192.0.2.7 is at 02:00:00:00:00:01");
  EXPECT_EQ(text(eth().type(0x88cc) / fill(4)), "type 0x88cc / 4 bytes");
}

TEST(Text, SaysWhatIsWrong) {
  EXPECT_EQ(text(eth() / ipv4("192.0.2.7", "203.0.113.10").checksum(1) / udp(1, 2).checksum(2)),
            "ipv4 192.0.2.7 > 203.0.113.10 ttl 64 wrong sum 0x1 / udp 1 > 2 wrong sum 0x2");
  EXPECT_EQ(text(eth() / ipv4("192.0.2.7", "203.0.113.10") / udp(1, 2).no_checksum()),
            "ipv4 192.0.2.7 > 203.0.113.10 ttl 64 / udp 1 > 2 no sum");
}

TEST(Text, ReadsEveryPrefixOfAPacket) {
  const Frame frames[] = {
      eth() / vlan(5) / ipv4("192.0.2.7", "203.0.113.10").options(Bytes(8, 1)) /
          port_unreachable() / ipv4("203.0.113.10", "192.0.2.7") /
          tcp(1, 2).ack(1).options(Bytes(8, 1)),
      eth() / ipv6("2001:db8::7", "2001:db8::1") / hop_by_hop() / routing(0, 0) / authentication() /
          destination_options() / packet_too_big(1280) / ipv6("2001:db8::7", "2001:db8::1") /
          fragment(0, true, 1) / udp(1, 2),
  };
  for (const Frame& frame : frames) {
    for (size_t length = 0; length <= frame.size(); ++length) {
      const Bytes bytes(frame.bytes().begin(),
                        frame.bytes().begin() + static_cast<ptrdiff_t>(length));
      EXPECT_FALSE(describe(bytes).empty());
    }
  }
}

TEST(Text, HexDump) {
  EXPECT_EQ(hex_dump(Bytes{0, 1, 0xab}), "0000  00 01 ab");
  EXPECT_EQ(hex_dump(Bytes(17, 255)).substr(53), "\n0010  ff");
}

}  // namespace
}  // namespace nezu::net
