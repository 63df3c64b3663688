// The language itself: known bytes, and what a failure prints.
#include "tests/dsl/dsl.h"

#include <gtest/gtest.h>

#include "dataplane/net/text.h"

namespace nezu::dsl {
namespace {

TEST(Dsl, MakesTheBytesOfAKnownPacket) {
  // An echo request as ping sends it; sums worked out by hand.
  const Frame frame = eth() / ipv4("192.168.0.1", "192.168.0.199").id(0x1234) / echo_request(1, 2);
  const Bytes expected{2,    0,    0,    0,    0,    2,    2,    0,    0,    0,    0,
                       1,    0x08, 0x00, 0x45, 0x00, 0x00, 0x1c, 0x12, 0x34, 0x00, 0x00,
                       0x40, 0x01, 0xe6, 0x94, 192,  168,  0,    1,    192,  168,  0,
                       199,  8,    0,    0xf7, 0xfc, 0,    1,    0,    2};
  EXPECT_EQ(frame, Frame(expected));
}

TEST(Dsl, FailurePrintsBothDecodedAndTheFirstDifference) {
  const Frame a = eth() / ipv4("192.0.2.7", "203.0.113.10") / tcp(40000, 80).syn().seq(7) / "hello";
  const Frame b = eth() / ipv4("192.0.2.7", "203.0.113.10") / tcp(40000, 81).syn().seq(7) / "hello";
  EXPECT_FALSE(a == b);
  const std::string text = testing::PrintToString(a);
  EXPECT_NE(text.find("tcp 40000 > 80 syn seq 7 win 65535 / 5 bytes"), std::string::npos) << text;
  EXPECT_NE(text.find("first difference at byte 37 (tcp destination port): 50 and 51"),
            std::string::npos)
      << text;
}

TEST(Dsl, QuotedPacketsAreDecodedToo) {
  const Frame frame = eth() / ipv4("198.51.100.1", "203.0.113.10") /
                      port_unreachable().quoting(28) / ipv4("203.0.113.10", "192.0.2.7").ttl(3) /
                      udp(53, 4000) / "answer";
  EXPECT_EQ(net::describe(frame.bytes()),
            "eth 02:00:00:00:00:01 > 02:00:00:00:00:02 / ipv4 198.51.100.1 > 203.0.113.10 ttl 64 / "
            "icmp type 3 code 3 / about { ipv4 203.0.113.10 > 192.0.2.7 ttl 3 length 34 / udp 53 > "
            "4000 length 14 }");
}

TEST(Dsl, CopiesAreIndependent) {
  Frame a = eth() / ipv4("192.0.2.7", "203.0.113.10") / udp(1, 2);
  Frame b = a;
  b[20] ^= 1;
  EXPECT_FALSE(a == b);
  a = b;
  EXPECT_EQ(a, b);
}

}  // namespace
}  // namespace nezu::dsl
