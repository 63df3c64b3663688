// Rewrites on random packets: every sum is what a full sum gives, and there and back is the
// identity.
#include <gtest/gtest.h>

#include "dataplane/forward/full_nat.h"
#include "dataplane/forward/icmp_error.h"
#include "dataplane/forward/nat.h"
#include "dataplane/parse/parse.h"
#include "tests/property/packets.h"

namespace nezu::property {
namespace {

using dsl::Frame;
using forward::Translation4;
using forward::Translation6;

constexpr int kRounds = 20'000;

net::Endpoint4 end4(const Side& side) {
  return {net::parse_address(side.address)->v4_raw(), net::swap16(side.port)};
}
net::Endpoint6 end6(const Side& side) {
  return {net::parse_address(side.address)->bytes, net::swap16(side.port)};
}

net::Packet& parsed(Frame& frame) {
  parse::parse(frame.packet());
  return frame.packet();
}

bool full_nat(bool v6, Frame& frame, const Side& source, const Side& destination) {
  net::Packet& packet = parsed(frame);
  return v6 ? forward::full_nat(packet, Translation6{end6(source), end6(destination)})
            : forward::full_nat(packet, Translation4{end4(source), end4(destination)});
}
bool to_server(bool v6, Frame& frame, const Side& server) {
  net::Packet& packet = parsed(frame);
  return v6 ? forward::nat_to_server(packet, end6(server))
            : forward::nat_to_server(packet, end4(server));
}
bool to_client(bool v6, Frame& frame, const Side& service) {
  net::Packet& packet = parsed(frame);
  return v6 ? forward::nat_to_client(packet, end6(service))
            : forward::nat_to_client(packet, end4(service));
}
bool icmp_error(bool v6, Frame& frame, const Side& source, const Side& destination) {
  net::Packet& packet = parsed(frame);
  return v6 ? forward::icmp_error(packet, Translation6{end6(source), end6(destination)})
            : forward::icmp_error(packet, Translation4{end4(source), end4(destination)});
}

TEST(Rewrite, FullNatIsAPacketWrittenFromScratch) {
  Dice dice(1);
  for (int i = 0; i < kRounds; ++i) {
    const Shape shape = Shape::random(dice);
    const Side client = dice.side(shape.v6), service = dice.side(shape.v6);
    const Side snat = dice.side(shape.v6), server = dice.side(shape.v6);
    Frame frame = shape.frame(client, service);
    ASSERT_TRUE(full_nat(shape.v6, frame, snat, server)) << testing::PrintToString(frame);
    ASSERT_EQ(frame, shape.frame(snat, server, 1)) << "round " << i;
  }
}

TEST(Rewrite, NatIsAPacketWrittenFromScratch) {
  Dice dice(2);
  for (int i = 0; i < kRounds; ++i) {
    const Shape shape = Shape::random(dice);
    const Side client = dice.side(shape.v6), service = dice.side(shape.v6);
    const Side server = dice.side(shape.v6);
    Frame there = shape.frame(client, service);
    ASSERT_TRUE(to_server(shape.v6, there, server));
    ASSERT_EQ(there, shape.frame(client, server, 1)) << "round " << i;
    Frame back = shape.frame(server, client);
    ASSERT_TRUE(to_client(shape.v6, back, service));
    ASSERT_EQ(back, shape.frame(service, client, 1)) << "round " << i;
  }
}

TEST(Rewrite, ThereAndBackIsTheIdentityButForHops) {
  Dice dice(3);
  for (int i = 0; i < kRounds; ++i) {
    Shape shape = Shape::random(dice);
    shape.hops = static_cast<uint8_t>(3 + dice.below(253));
    const Side client = dice.side(shape.v6), service = dice.side(shape.v6);
    const Side snat = dice.side(shape.v6), server = dice.side(shape.v6);
    Frame frame = shape.frame(client, service);
    ASSERT_TRUE(full_nat(shape.v6, frame, snat, server));
    ASSERT_TRUE(full_nat(shape.v6, frame, client, service));
    ASSERT_EQ(frame, shape.frame(client, service, 2)) << "round " << i;
  }
}

TEST(Rewrite, AWrongSumStaysWrongByAsMuch) {
  // What a sender got wrong must not leave us right: its receiver is to notice.
  Dice dice(4);
  for (int i = 0; i < kRounds; ++i) {
    Shape shape = Shape::random(dice);
    shape.no_sum = false;
    if (shape.payload.empty()) shape.payload = {0};
    const Side client = dice.side(shape.v6), service = dice.side(shape.v6);
    const Side snat = dice.side(shape.v6), server = dice.side(shape.v6);
    Frame frame = shape.frame(client, service);
    const size_t last = frame.size() - 1;
    const auto flip = static_cast<uint8_t>(1u << dice.below(8));
    frame[last] ^= flip;
    ASSERT_TRUE(full_nat(shape.v6, frame, snat, server));
    frame[last] ^= flip;
    ASSERT_EQ(frame, shape.frame(snat, server, 1)) << "round " << i;
  }
}

/// An ICMP error around the beginning of a packet.
Frame error_frame(const Shape& shape, const std::string& from, const std::string& to, uint8_t hop,
                  const Side& inner_from, const Side& inner_to, size_t quoted) {
  const auto left = static_cast<uint8_t>(shape.hops - hop);
  dsl::Stack stack = shape.ethernet();
  stack = shape.v6
              ? stack / dsl::ipv6(from, to).hops(left) / dsl::port_unreachable6().quoting(quoted)
              : stack / dsl::ipv4(from, to).ttl(left) / dsl::port_unreachable().quoting(quoted);
  return shape.behind(stack, inner_from, inner_to);
}

TEST(Rewrite, IcmpErrorsAreWrittenFromScratchOutsideAndInside) {
  Dice dice(5);
  for (int i = 0; i < kRounds; ++i) {
    const Shape shape = Shape::random(dice);
    const Side client = dice.side(shape.v6), service = dice.side(shape.v6);
    const Side snat = dice.side(shape.v6), server = dice.side(shape.v6);
    const std::string router = dice.side(shape.v6).address;
    // From 8 bytes of the transport header to all of the packet.
    const size_t headers = (shape.v6 ? 40u : 20u) + (shape.options ? (shape.v6 ? 16u : 8u) : 0u);
    size_t quoted = headers + 8 + dice.below(80);
    if (quoted == headers + 17) ++quoted;  // half of a TCP checksum cannot be kept right
    // A router tells the service about an answer to the client; the server is to hear of it.
    Frame frame = error_frame(shape, router, service.address, 0, service, client, quoted);
    ASSERT_TRUE(icmp_error(shape.v6, frame, snat, server)) << testing::PrintToString(frame);
    const std::string& from = snat.address == client.address ? router : snat.address;
    ASSERT_EQ(frame, error_frame(shape, from, server.address, 1, server, snat, quoted))
        << "round " << i;
  }
}

}  // namespace
}  // namespace nezu::property
