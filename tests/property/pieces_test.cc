// Pieces of IPv4 packets: put together again they are the packet, however often they were cut.
#include "dataplane/forward/pieces.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/parse/parse.h"
#include "tests/property/packets.h"

namespace nezu::property {
namespace {

using dsl::Bytes;
using dsl::Frame;

const net::Ipv4& ip_of(const Frame& frame) {
  return *frame.packet().at<net::Ipv4>(frame.packet().l3);
}

/// What the pieces say, checked one by one.
std::vector<Frame> cut(const Frame& whole, uint16_t longest) {
  forward::Pieces pieces(whole.packet(), longest);
  std::vector<Frame> all;
  for (uint32_t i = 0; i < pieces.count(); ++i) {
    const forward::Pieces::Piece piece = pieces.piece(i);
    Bytes bytes(piece.headers.begin(), piece.headers.end());
    const uint8_t* from = whole.packet().head + piece.from;
    bytes.insert(bytes.end(), from, from + piece.length);
    Frame& frame = all.emplace_back(bytes);
    parse::parse(frame.packet());
    const net::Ipv4& ip = ip_of(frame);
    EXPECT_EQ(frame.packet().verdict, net::Verdict::undecided)
        << net::to_string(frame.packet().reason);
    EXPECT_EQ(frame.packet().l3, whole.packet().l3);
    EXPECT_LE(ip.total_length, longest);
    EXPECT_EQ(ip.total_length + frame.packet().l3, frame.size());
    EXPECT_EQ(net::fold(net::add(0, &ip, ip.header_length())), 0xffff);
    EXPECT_EQ(ip.id, ip_of(whole).id);
    EXPECT_EQ(ip.ttl, ip_of(whole).ttl);
  }
  return all;
}

/// RFC 791 3.2, by plain code: the payload, if it is whole.
std::optional<Bytes> reassembled(const std::vector<Frame>& pieces) {
  std::map<uint32_t, Bytes> parts;
  std::optional<uint32_t> end;
  for (const Frame& piece : pieces) {
    const net::Ipv4& ip = ip_of(piece);
    const uint32_t offset = (ip.fragment & net::Ipv4::kOffset) * 8u;
    const auto* payload = reinterpret_cast<const uint8_t*>(&ip) + ip.header_length();
    const uint32_t length = ip.total_length - ip.header_length();
    parts[offset] = Bytes(payload, payload + length);
    if ((ip.fragment & net::Ipv4::kMoreFragments) == 0) end = offset + length;
    EXPECT_TRUE((ip.fragment & net::Ipv4::kMoreFragments) == 0 || length % 8 == 0);
  }
  Bytes whole;
  for (const auto& [offset, part] : parts) {
    if (offset != whole.size()) return std::nullopt;
    whole.insert(whole.end(), part.begin(), part.end());
  }
  return end && *end == whole.size() ? std::optional(whole) : std::nullopt;
}

/// Record route (not copied), an unknown option that is, and padding.
const Bytes kOptions{7, 7, 4, 0, 0, 0, 0, 0x94, 4, 0, 0, 0};

TEST(Pieces, PutTogetherAreThePacket) {
  Dice dice(1);
  for (int i = 0; i < 3000; ++i) {
    auto ip = dsl::ipv4(dice.address4(), dice.address4())
                  .id(static_cast<uint16_t>(dice.below(65536)))
                  .tos(static_cast<uint8_t>(dice.below(256)));
    if (dice.coin()) ip.options(kOptions);
    const Bytes data = dice.bytes(64 + dice.below(4000));
    const Frame whole =
        dice.coin() ? Frame(dsl::eth() / ip / dsl::udp(dice.port(), dice.port()) / dsl::raw(data))
                    : Frame(dsl::eth() / dsl::vlan(5).priority(3) / ip /
                            dsl::udp(dice.port(), dice.port()) / dsl::raw(data));
    parse::parse(const_cast<Frame&>(whole).packet(), net::Instance::standard);
    if (whole.packet().verdict != net::Verdict::undecided) continue;  // VLAN or address
    const auto longest = static_cast<uint16_t>(68 + dice.below(1500));
    std::vector<Frame> pieces = cut(whole, longest);
    if (pieces.empty()) {
      EXPECT_GT(whole.packet().ip_length, 16u * ((longest - 32u) & ~7u));
      continue;
    }
    // Some again, by a narrower way.
    std::vector<Frame> finer;
    for (const Frame& piece : pieces) {
      const auto again =
          dice.coin() ? cut(piece, static_cast<uint16_t>(longest / 2 + 34)) : std::vector<Frame>{};
      if (again.empty()) {
        finer.push_back(piece);
      } else {
        finer.insert(finer.end(), again.begin(), again.end());
      }
    }
    const auto* at = reinterpret_cast<const uint8_t*>(&ip_of(whole));
    const Bytes payload(at + ip_of(whole).header_length(), at + ip_of(whole).total_length);
    EXPECT_EQ(reassembled(pieces), payload);
    EXPECT_EQ(reassembled(finer), payload);
  }
}

TEST(Pieces, OnlyCopiedOptionsAreInLaterOnes) {
  Frame whole = dsl::eth() / dsl::ipv4("192.0.2.7", "203.0.113.10").options(kOptions) /
                dsl::udp(5, 6) / dsl::raw(Bytes(100, 1));
  parse::parse(whole.packet());
  const std::vector<Frame> pieces = cut(whole, 80);
  ASSERT_GE(pieces.size(), 2u);
  const auto options = [](const Frame& frame) {
    const auto bytes = frame.bytes();
    return Bytes(bytes.begin() + 34, bytes.begin() + 14 + ip_of(frame).header_length());
  };
  EXPECT_EQ(options(pieces[0]), kOptions);
  EXPECT_EQ(options(pieces[1]), (Bytes{0x94, 4, 0, 0}));
}

TEST(Pieces, WhatCannotBeIsRefused) {
  Frame whole = dsl::eth() / dsl::ipv4("192.0.2.7", "203.0.113.10") / dsl::udp(5, 6) /
                dsl::raw(Bytes(4000, 1));
  parse::parse(whole.packet());
  EXPECT_EQ(forward::Pieces(whole.packet(), 27).count(), 0u);   // no eight bytes of payload
  EXPECT_EQ(forward::Pieces(whole.packet(), 100).count(), 0u);  // too many
  EXPECT_EQ(forward::Pieces(whole.packet(), 300).count(), 15u);
  // Options that run out of their header.
  Frame broken = dsl::eth() / dsl::ipv4("192.0.2.7", "203.0.113.10").options({0x94, 9, 0, 0}) /
                 dsl::udp(5, 6) / dsl::raw(Bytes(400, 1));
  parse::parse(broken.packet());
  EXPECT_EQ(reassembled(cut(broken, 300))->size(), 408u);
}

}  // namespace
}  // namespace nezu::property
