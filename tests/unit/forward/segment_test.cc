// Segments out of nothing against the DSL's, which makes sums by other code.
#include "dataplane/forward/segment.h"

#include <gtest/gtest.h>

#include "tests/dsl/dsl.h"

namespace nezu::forward {
namespace {

using namespace dsl;

template <typename Tuple>
Frame written(const Tuple& way, const Segment& segment) {
  std::array<uint8_t, kLongestSegment> bytes;
  bytes.fill(0xee);
  const uint32_t length = write_segment(bytes, way, segment);
  return Frame(Bytes(bytes.begin(), bytes.begin() + length));
}

Segment reset(uint16_t vlan, uint32_t sequence, uint32_t acknowledgement) {
  Segment segment;
  segment.vlan = vlan;
  segment.sequence = sequence;
  segment.acknowledgement = acknowledgement;
  return segment;
}

Eth nobody() { return eth().from("00:00:00:00:00:00").to("00:00:00:00:00:00"); }

TEST(Segment, IsAsTheEndWouldHaveSentIt) {
  const net::Tuple4 way{net::parse_address("192.0.2.7")->v4_raw(),
                        net::parse_address("203.0.113.10")->v4_raw(),
                        net::swap16(40000),
                        net::swap16(80),
                        net::Instance::standard,
                        net::Protocol::tcp,
                        0};
  const auto segment = tcp(40000, 80).rst().seq(0xfffffff0).ack(7).window(0);
  const auto ip = ipv4("192.0.2.7", "203.0.113.10").dont_fragment();
  EXPECT_EQ(written(way, reset(0, 0xfffffff0, 7)), nobody() / ip / segment);
  EXPECT_EQ(written(way, reset(9, 0xfffffff0, 7)), nobody() / vlan(9) / ip / segment);
}

TEST(Segment, TheSameOverIpv6) {
  const net::Tuple6 way{net::parse_address("2001:db8::7")->bytes,
                        net::parse_address("2001:db8:1::10")->bytes,
                        net::swap16(40000),
                        net::swap16(80),
                        net::Instance::standard,
                        net::Protocol::tcp,
                        0,
                        {}};
  const auto segment = tcp(40000, 80).rst().seq(1).ack(0xffffffff).window(0);
  const auto ip = ipv6("2001:db8::7", "2001:db8:1::10");
  EXPECT_EQ(written(way, reset(0, 1, 0xffffffff)), nobody() / ip / segment);
  EXPECT_EQ(written(way, reset(4094, 1, 0xffffffff)), nobody() / vlan(4094) / ip / segment);
}

TEST(Segment, MayAcknowledgeWithTimestamps) {
  const net::Tuple4 way{net::parse_address("192.0.2.7")->v4_raw(),
                        net::parse_address("203.0.113.10")->v4_raw(),
                        net::swap16(40000),
                        net::swap16(80),
                        net::Instance::standard,
                        net::Protocol::tcp,
                        0};
  Segment says = reset(0, 5, 6);
  says.flags = net::kTcpAck;
  says.window = 502;
  says.timestamps = {0x01020304, 0xfffefdfc};
  EXPECT_EQ(written(way, says), nobody() / ipv4("192.0.2.7", "203.0.113.10").dont_fragment() /
                                    tcp(40000, 80).seq(5).ack(6).window(502).options(
                                        {1, 1, 8, 10, 1, 2, 3, 4, 0xff, 0xfe, 0xfd, 0xfc}));
}

}  // namespace
}  // namespace nezu::forward
