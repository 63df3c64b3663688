// Between IPv4 and IPv6 on random packets: what comes out is what the same packet would be if it
// were written in the other family, with every sum from scratch; there and back is the identity but
// for hops, options, the identification and sums that were missing.
#include "dataplane/forward/family.h"

#include <gtest/gtest.h>

#include "dataplane/parse/parse.h"
#include "tests/property/packets.h"

namespace nezu::property {
namespace {

using dsl::Frame;

constexpr int kRounds = 20'000;
constexpr uint16_t kId = 77;  ///< what Shape gives IPv4 packets

net::Endpoint4 end4(const Side& side) {
  return {net::parse_address(side.address)->v4_raw(), net::swap16(side.port)};
}
net::Endpoint6 end6(const Side& side) {
  return {net::parse_address(side.address)->bytes, net::swap16(side.port)};
}

/// Into the family that `shape` is not of.
bool across(const Shape& shape, Frame& frame, const Side& source, const Side& destination) {
  parse::parse(frame.packet());
  return shape.v6 ? forward::to_ipv4(frame.packet(), {end4(source), end4(destination)}, kId)
                  : forward::to_ipv6(frame.packet(), {end6(source), end6(destination)});
}
/// The same packet of the other family.
Shape other(Shape shape) {
  shape.v6 = !shape.v6;
  shape.options = shape.no_sum = false;
  return shape;
}

TEST(FamilyProperty, AcrossIsAPacketWrittenFromScratch) {
  Dice dice(11);
  for (int i = 0; i < kRounds; ++i) {
    const Shape shape = Shape::random(dice);
    const Side client = dice.side(shape.v6), service = dice.side(shape.v6);
    const Side snat = dice.side(!shape.v6), server = dice.side(!shape.v6);
    Frame frame = shape.frame(client, service);
    ASSERT_TRUE(across(shape, frame, snat, server)) << testing::PrintToString(frame);
    ASSERT_EQ(frame, other(shape).frame(snat, server, 1)) << "round " << i;
    // And it is one that the parser takes, with what it says about it unchanged.
    const net::Packet said = frame.packet();
    parse::parse(frame.packet());
    ASSERT_EQ(frame.packet().verdict, net::Verdict::undecided);
    ASSERT_EQ(frame.packet().l4, said.l4);
    ASSERT_EQ(frame.packet().ip_length, said.ip_length);
    ASSERT_EQ(frame.packet().family, said.family);
    ASSERT_EQ(frame.packet().protocol, said.protocol);
  }
}

TEST(FamilyProperty, ThereAndBackIsTheIdentityButForWhatTheRfcLoses) {
  Dice dice(12);
  for (int i = 0; i < kRounds; ++i) {
    Shape shape = Shape::random(dice);
    shape.hops = static_cast<uint8_t>(3 + dice.below(253));
    const Side client = dice.side(shape.v6), service = dice.side(shape.v6);
    const Side snat = dice.side(!shape.v6), server = dice.side(!shape.v6);
    Frame frame = shape.frame(client, service);
    ASSERT_TRUE(across(shape, frame, snat, server));
    ASSERT_TRUE(across(other(shape), frame, client, service));
    shape.options = shape.no_sum = false;
    ASSERT_EQ(frame, shape.frame(client, service, 2)) << "round " << i;
  }
}

TEST(FamilyProperty, AWrongSumStaysWrongByAsMuch) {
  Dice dice(13);
  for (int i = 0; i < kRounds; ++i) {
    Shape shape = Shape::random(dice);
    shape.no_sum = false;
    if (shape.payload.empty()) shape.payload = {0};
    const Side client = dice.side(shape.v6), service = dice.side(shape.v6);
    const Side snat = dice.side(!shape.v6), server = dice.side(!shape.v6);
    Frame frame = shape.frame(client, service);
    const auto flip = static_cast<uint8_t>(1u << dice.below(8));
    frame[frame.size() - 1] ^= flip;
    ASSERT_TRUE(across(shape, frame, snat, server));
    frame[frame.size() - 1] ^= flip;
    ASSERT_EQ(frame, other(shape).frame(snat, server, 1)) << "round " << i;
  }
}

/// An ICMP error around the beginning of a packet.
Frame error_frame(const Shape& shape, const std::string& from, const std::string& to, uint8_t hop,
                  const Side& inner_from, const Side& inner_to, size_t quoted) {
  const auto left = static_cast<uint8_t>(shape.hops - hop);
  dsl::Stack stack = shape.ethernet();
  stack =
      shape.v6
          ? stack / dsl::ipv6(from, to).hops(left) / dsl::port_unreachable6().quoting(quoted)
          : stack / dsl::ipv4(from, to).ttl(left).id(kId) / dsl::port_unreachable().quoting(quoted);
  return shape.behind(stack, inner_from, inner_to);
}

TEST(FamilyProperty, IcmpErrorsAreWrittenFromScratchOutsideAndInside) {
  Dice dice(14);
  for (int i = 0; i < kRounds; ++i) {
    Shape shape = Shape::random(dice);
    shape.no_sum = false;
    const Side client = dice.side(shape.v6), service = dice.side(shape.v6);
    const Side snat = dice.side(!shape.v6), server = dice.side(!shape.v6);
    const std::string router = dice.side(shape.v6).address;
    const size_t headers = (shape.v6 ? 40u : 20u) + (shape.options ? (shape.v6 ? 16u : 8u) : 0u);
    size_t carried = 8 + dice.below(80);
    if (carried == 17) ++carried;  // half of a TCP checksum cannot be kept right
    Frame frame =
        error_frame(shape, router, service.address, 0, service, client, headers + carried);
    parse::parse(frame.packet());
    const Shape becomes = other(shape);
    if (shape.v6) {
      const forward::Translation4 to{end4(snat), end4(server)};
      ASSERT_TRUE(forward::icmp_error_to_ipv4(frame.packet(), to, to.source.address, {}, kId));
    } else {
      const forward::Translation6 to{end6(snat), end6(server)};
      ASSERT_TRUE(forward::icmp_error_to_ipv6(frame.packet(), to, to.source.address, {}));
    }
    // What is quoted of an IPv6 packet had no identification and could not be fragmented.
    Frame expected = error_frame(becomes, snat.address, server.address, 1, server, snat,
                                 (becomes.v6 ? 40u : 20u) + carried);
    if (shape.v6) {
      const size_t inner = frame.packet().l4 + 8u;
      expected[inner + 4] = expected[inner + 5] = 0;
      expected[inner + 6] = 0x40;
      // The sum of its header and the one around it, over what was just written.
      for (const auto& [at, length, sum] :
           {std::tuple{inner, size_t{20}, inner + 10},
            std::tuple{inner - 8, expected.size() - (inner - 8), inner - 6}}) {
        expected[sum] = expected[sum + 1] = 0;
        uint32_t total = 0;
        for (size_t byte = 0; byte < length; ++byte) {
          total += byte % 2 == 0 ? expected[at + byte] << 8 : expected[at + byte];
        }
        total = (total & 0xffff) + (total >> 16);
        total = (total & 0xffff) + (total >> 16);
        expected[sum] = static_cast<uint8_t>(~total >> 8);
        expected[sum + 1] = static_cast<uint8_t>(~total);
      }
    }
    ASSERT_EQ(frame, expected) << "round " << i;
  }
}

}  // namespace
}  // namespace nezu::property
