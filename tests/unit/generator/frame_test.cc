// Frames that are written are read as what they are; a changed bit is seen wherever it is.
#include "bench/generator/frame.h"

#include <gtest/gtest.h>

#include <vector>

#include "bench/generator/reading.h"
#include "dataplane/net/text.h"
#include "tests/dsl/dsl.h"

namespace nezu::generator {
namespace {

const Link kLink{net::MacAddress{{2, 0, 0, 0, 0, 1}}, net::MacAddress{{2, 0, 0, 0, 0, 2}}, 0};

Tuple tuple(const char* from, const char* to) {
  return {*net::parse_address(from), *net::parse_address(to), 10000, 7};
}
const Tuple kFlow4 = tuple("198.18.0.1", "198.19.0.1");
const Tuple kFlow6 = tuple("2001:db8::1", "2001:db8:1::1");

std::vector<uint8_t> write(const Tuple& flow, uint32_t size, const Link& link = kLink,
                           Stamp stamp = {3, group_of(Way::to_left, 2), 77, 123456789}) {
  const Headers headers = make_headers(flow, link);
  const Body body = make_body(headers, size);
  std::vector<uint8_t> frame(body.frame);
  write_frame(frame.data(), headers, body, stamp);
  return frame;
}

TEST(Frame, LeastSizesAreThoseOfRfc2544And8219) {
  EXPECT_EQ(least_size(make_headers(kFlow4, kLink)), 64u);
  EXPECT_EQ(least_size(make_headers(kFlow6, kLink)), 84u);
}

TEST(Frame, IsReadAsItWasWritten) {
  Link tagged = kLink;
  tagged.vlan = 7;
  for (const Tuple& flow : {kFlow4, kFlow6}) {
    for (const Link& link : {kLink, tagged}) {
      const uint32_t least = least_size(make_headers(flow, link));
      for (const uint32_t size : {least, least + 1, 512u, 1518u, 9000u, kLongestFrame}) {
        const auto frame = write(flow, size, link);
        ASSERT_EQ(frame.size(), size - 4);
        const Reading reading = read_frame(frame);
        ASSERT_EQ(reading.kind, Kind::stamped) << net::describe(frame);
        EXPECT_EQ(reading.stamp.trial, 3);
        EXPECT_EQ(way_of(reading.stamp.group), Way::to_left);
        EXPECT_EQ(reading.stamp.number, 77u);
        EXPECT_EQ(reading.stamp.time, 123456789u);
        EXPECT_EQ(tuple_of(frame, reading), flow);
      }
    }
  }
}

// Somebody else's idea of the same packet, sums from scratch.
TEST(Frame, SumsAreThoseOfTheTestLanguage) {
  using namespace dsl;
  const auto frame = write(kFlow4, 128);
  const Bytes payload(frame.begin() + 42, frame.end());
  EXPECT_EQ(Frame(Bytes(frame.begin(), frame.end())),
            Frame(eth().from("02:00:00:00:00:01").to("02:00:00:00:00:02") /
                  ipv4("198.18.0.1", "198.19.0.1").ttl(64).dont_fragment().id(0) / udp(10000, 7) /
                  raw(payload, 17)));
}

TEST(Frame, EveryBitOfAnIpv4PacketCounts) {
  const auto good = write(kFlow4, 80);
  for (size_t bit = 14 * 8; bit < good.size() * 8; ++bit) {
    auto bad = good;
    bad[bit / 8] = static_cast<uint8_t>(bad[bit / 8] ^ (1u << bit % 8));
    ASSERT_EQ(read_frame(bad).kind, Kind::corrupted) << "bit " << bit;
  }
}

// IPv6 sums neither hop limit nor class and label.
TEST(Frame, EveryBitOfIpv6BehindItsFirstEightBytesCounts) {
  const auto good = write(kFlow6, 100);
  for (size_t bit = (14 + 8) * 8; bit < good.size() * 8; ++bit) {
    auto bad = good;
    bad[bit / 8] = static_cast<uint8_t>(bad[bit / 8] ^ (1u << bit % 8));
    ASSERT_EQ(read_frame(bad).kind, Kind::corrupted) << "bit " << bit;
  }
}

TEST(Frame, ATakenAwayChecksumIsDamage) {
  auto frame = write(kFlow4, 80);
  frame[14 + 20 + 6] = frame[14 + 20 + 7] = 0;
  EXPECT_EQ(read_frame(frame).kind, Kind::corrupted);
}

TEST(Frame, PaddingIsNotLookedAt) {
  auto frame = write(kFlow4, 64);
  frame.resize(100, 0xee);
  EXPECT_EQ(read_frame(frame).kind, Kind::stamped);
}

TEST(Frame, OthersAreTheirOwnKind) {
  using namespace dsl;
  const auto kind = [](const dsl::Frame& frame) { return read_frame(frame.bytes()).kind; };
  EXPECT_EQ(kind(eth() / ipv4("192.0.2.1", "192.0.2.2") / udp(1, 2) / "some other payload here"),
            Kind::other);
  EXPECT_EQ(kind(eth() / ipv4("192.0.2.1", "192.0.2.2") / tcp(1, 2).syn()), Kind::tcp);
  EXPECT_EQ(kind(eth() / arp_request("192.0.2.1", "192.0.2.2")), Kind::neighbour);
}

TEST(Frame, CutAnywhereItIsNeverStamped) {
  const auto frame = write(kFlow4, 128);
  for (size_t length = 0; length < frame.size(); ++length) {
    const std::vector<uint8_t> cut(frame.begin(), frame.begin() + static_cast<ptrdiff_t>(length));
    ASSERT_NE(read_frame(cut).kind, Kind::stamped) << length;
  }
}

}  // namespace
}  // namespace nezu::generator
