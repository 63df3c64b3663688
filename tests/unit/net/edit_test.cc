// Edit on whole packets: what comes out is what the language makes from scratch.
#include "dataplane/net/edit.h"

#include <gtest/gtest.h>

#include "tests/dsl/dsl.h"

namespace nezu::net {
namespace {

using dsl::eth;
using dsl::Frame;
using dsl::Stack;

Endpoint4 at4(const char* address, uint16_t port) {
  return {parse_address(address)->v4_raw(), swap16(port)};
}
Endpoint6 at6(const char* address, uint16_t port) {
  return {parse_address(address)->bytes, swap16(port)};
}

/// As the parser would leave it.
Packet& ready(Frame& frame, uint16_t l4, Protocol protocol, Shape shape = Shape::transport) {
  Packet& p = frame.packet();
  p.l3 = 14;
  p.l4 = l4;
  p.protocol = protocol;
  p.shape = shape;
  return p;
}

TEST(Edit4, Tcp) {
  Frame frame = eth() / dsl::ipv4("192.0.2.7", "203.0.113.10") / dsl::tcp(40000, 80).syn() / "odd";
  {
    Edit4 edit{ready(frame, 34, Protocol::tcp)};
    edit.source(at4("10.0.0.1", 5001));
    edit.destination(at4("10.0.1.5", 8080));
    edit.hop();
  }
  EXPECT_EQ(frame,
            eth() / dsl::ipv4("10.0.0.1", "10.0.1.5").ttl(63) / dsl::tcp(5001, 8080).syn() / "odd");
}

TEST(Edit4, UdpWithAndWithoutChecksum) {
  Frame frame = eth() / dsl::ipv4("192.0.2.7", "203.0.113.10") / dsl::udp(40000, 53) / "hello";
  Edit4{ready(frame, 34, Protocol::udp)}.destination(at4("10.0.1.5", 5353));
  EXPECT_EQ(frame, eth() / dsl::ipv4("192.0.2.7", "10.0.1.5") / dsl::udp(40000, 5353) / "hello");

  Frame none =
      eth() / dsl::ipv4("192.0.2.7", "203.0.113.10") / dsl::udp(40000, 53).no_checksum() / "hello";
  Edit4{ready(none, 34, Protocol::udp)}.destination(at4("10.0.1.5", 5353));
  EXPECT_EQ(none, eth() / dsl::ipv4("192.0.2.7", "10.0.1.5") / dsl::udp(40000, 5353).no_checksum() /
                      "hello");
}

TEST(Edit4, UdpChecksumThatBecomesZeroIsSentAsOnes) {
  // Walks the destination port until the sum comes out as 0, where it must be written as 0xffff.
  int ones = 0;
  for (uint32_t port = 1; port < 65536; ++port) {
    Frame frame = eth() / dsl::ipv4("192.0.2.7", "203.0.113.10") / dsl::udp(40000, 53);
    Edit4{ready(frame, 34, Protocol::udp)}.destination(
        at4("10.0.1.5", static_cast<uint16_t>(port)));
    const uint16_t sum = frame.packet().at<Udp>(34)->checksum;
    ASSERT_NE(sum, 0);
    if (sum != 0xffff) continue;
    ++ones;
    EXPECT_EQ(frame, eth() / dsl::ipv4("192.0.2.7", "10.0.1.5") /
                         dsl::udp(40000, static_cast<uint16_t>(port)));
  }
  EXPECT_EQ(ones, 1);
}

TEST(Edit4, HopAlone) {
  for (unsigned ttl = 255; ttl > 1; --ttl) {
    Frame frame = eth() / dsl::ipv4("192.0.2.7", "203.0.113.10").ttl(static_cast<uint8_t>(ttl)) /
                  dsl::tcp(1, 2).ack(1);
    Edit4{ready(frame, 34, Protocol::tcp)}.hop();
    EXPECT_EQ(frame, eth() /
                         dsl::ipv4("192.0.2.7", "203.0.113.10").ttl(static_cast<uint8_t>(ttl - 1)) /
                         dsl::tcp(1, 2).ack(1));
  }
}

TEST(Edit4, ALaterFragmentKeepsItsBytes) {
  Frame frame = eth() / dsl::ipv4("192.0.2.7", "203.0.113.10").fragment(64, false).protocol(17) /
                dsl::fill(9);
  {
    Edit4 edit{ready(frame, 34, Protocol::udp, Shape::fragment)};
    edit.source(at4("10.0.0.1", 5001));
    edit.destination(at4("10.0.1.5", 8080));
  }
  EXPECT_EQ(frame, eth() / dsl::ipv4("10.0.0.1", "10.0.1.5").fragment(64, false).protocol(17) /
                       dsl::fill(9));
}

TEST(Edit4, EchoChangesTheIdentifierOfTheSideThatAsks) {
  Frame request = eth() / dsl::ipv4("192.0.2.7", "203.0.113.10") / dsl::echo_request(7, 1) / "x";
  {
    Edit4 edit{ready(request, 34, Protocol::icmp)};
    edit.source(at4("10.0.0.1", 5001));
    edit.destination(at4("10.0.1.5", 0));
  }
  EXPECT_EQ(request, eth() / dsl::ipv4("10.0.0.1", "10.0.1.5") / dsl::echo_request(5001, 1) / "x");
  Frame reply = eth() / dsl::ipv4("10.0.1.5", "10.0.0.1") / dsl::echo_reply(5001, 1) / "x";
  {
    Edit4 edit{ready(reply, 34, Protocol::icmp)};
    edit.source(at4("203.0.113.10", 0));
    edit.destination(at4("192.0.2.7", 7));
  }
  EXPECT_EQ(reply, eth() / dsl::ipv4("203.0.113.10", "192.0.2.7") / dsl::echo_reply(7, 1) / "x");
}

TEST(Edit4, OtherFieldsOfTheTransportHeader) {
  Frame frame = eth() / dsl::ipv4("192.0.2.7", "203.0.113.10") / dsl::tcp(1, 2).seq(1).ack(5) / "x";
  {
    Packet& p = ready(frame, 34, Protocol::tcp);
    Edit4 edit{p};
    edit.transport().field(p.at<Tcp>(34)->sequence, 4'000'000'000u);
    edit.transport().field(p.at<Tcp>(34)->window, uint16_t{77});
  }
  EXPECT_EQ(frame, eth() / dsl::ipv4("192.0.2.7", "203.0.113.10") /
                       dsl::tcp(1, 2).seq(4'000'000'000u).ack(5).window(77) / "x");
}

TEST(Edit6, TcpAndUdp) {
  Frame frame =
      eth() / dsl::ipv6("2001:db8::7", "2001:db8:1::10") / dsl::tcp(40000, 80).syn() / "odd";
  {
    Edit6 edit{ready(frame, 54, Protocol::tcp)};
    edit.source(at6("fd00::1", 5001));
    edit.destination(at6("fd00:ffff:ffff:ffff:ffff:ffff:ffff:5", 8080));
    edit.hop();
  }
  EXPECT_EQ(frame, eth() / dsl::ipv6("fd00::1", "fd00:ffff:ffff:ffff:ffff:ffff:ffff:5").hops(63) /
                       dsl::tcp(5001, 8080).syn() / "odd");
  Frame udp = eth() / dsl::ipv6("2001:db8::7", "2001:db8:1::10") / dsl::udp(40000, 53) / "hello";
  Edit6{ready(udp, 54, Protocol::udp)}.source(at6("fd00::1", 5001));
  EXPECT_EQ(udp, eth() / dsl::ipv6("fd00::1", "2001:db8:1::10") / dsl::udp(5001, 53) / "hello");
}

TEST(Edit6, EchoSumsThePseudoHeader) {
  Frame frame = eth() / dsl::ipv6("2001:db8::7", "2001:db8:1::10") / dsl::echo_request6(7, 1) / "x";
  {
    Edit6 edit{ready(frame, 54, Protocol::icmpv6)};
    edit.source(at6("fd00::1", 5001));
    edit.destination(at6("fd00::2", 0));
  }
  EXPECT_EQ(frame, eth() / dsl::ipv6("fd00::1", "fd00::2") / dsl::echo_request6(5001, 1) / "x");
}

}  // namespace
}  // namespace nezu::net
