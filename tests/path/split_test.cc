// IPv4 packets without DF that are too long for their way: they leave in pieces, in every mode, and
// the pieces are the packet.
#include <gtest/gtest.h>

#include <map>

#include "dataplane/forward/tunnel.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/parse/parse.h"
#include "tests/path/frames.h"
#include "tests/path/lab.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Reason;
using net::Verdict;
using tables::Mode;

constexpr uint32_t kMtu = 1500;
const char* const kClient = "198.51.100.7";
const char* const kVip = "203.0.113.10";

Bytes text(size_t length) {
  Bytes bytes(length);
  for (size_t i = 0; i < length; ++i) bytes[i] = static_cast<uint8_t>(i * 7 + i / 251);
  return bytes;
}
Eth from_client() { return eth().from(world::kRouterMac).to(world::kFrontMac); }

/// What a server puts together of what left: behind `outer` bytes of a tunnel there are IPv4
/// fragments, or IPv6 ones.
struct Server {
  std::map<uint32_t, Bytes> parts;
  uint32_t end = 0;
  uint32_t longest = 0;
  Bytes first;  ///< the IP header of the first one

  void hear(const Frame& frame, uint32_t outer = 0) {
    longest = std::max(longest, static_cast<uint32_t>(frame.size()) - 14);
    const auto bytes = frame.bytes().subspan(14 + outer);
    uint32_t header, field, length;
    if (bytes[0] >> 4 == 4) {
      header = (bytes[0] & 15u) * 4;
      length = net::swap16(net::load<uint16_t>(&bytes[2])) - header;
      field = net::swap16(net::load<uint16_t>(&bytes[6]));
      field = (field & 0x1fff) * 8 | (field >> 13 & 1);
      EXPECT_EQ(net::fold(net::add(0, bytes.data(), header)), 0xffff);
    } else {
      ASSERT_EQ(bytes[6], 44);  // a fragment header
      header = 48;
      length = net::swap16(net::load<uint16_t>(&bytes[4])) - 8u;
      field = net::swap16(net::load<uint16_t>(&bytes[42]));
    }
    const uint32_t offset = field & ~7u;
    if (offset == 0) first.assign(bytes.begin(), bytes.begin() + header);
    if ((field & 1) == 0) end = offset + length;
    parts[offset] = Bytes(bytes.begin() + header, bytes.begin() + header + length);
  }
  Bytes payload() const {
    Bytes all;
    for (const auto& [offset, part] : parts) {
      EXPECT_EQ(offset, all.size());
      all.insert(all.end(), part.begin(), part.end());
    }
    EXPECT_EQ(all.size(), end);
    return all;
  }
};

/// The transport header and payload of a frame that was not cut.
Bytes transport_of(const Frame& frame, uint32_t header = 20) {
  return {frame.bytes().begin() + 14 + header, frame.bytes().end()};
}

world::ServiceSpec by(Mode mode) {
  world::ServiceSpec spec = web(mode);
  spec.protocol = net::Protocol::udp;
  if (mode == Mode::route || tables::is_tunnel(mode)) {
    spec.port = 80;
    for (auto& server : spec.servers) server.port = 80;
  }
  return spec;
}

TEST(Split, NatAndFullNatTranslateEachPiece) {
  for (const Mode mode : {Mode::nat, Mode::fullnat}) {
    for (const uint16_t workers : {1, 3}) {
      Lab lab(workers);
      lab.world().put(by(mode));
      const Frame sent =
          from_client() / ipv4(kClient, kVip).id(77) / udp(40000, 80) / raw(text(3000));
      Fate fate;
      for (uint16_t worker = 0; worker < workers; ++worker) {
        fate = lab.send(sent, worker);
        ASSERT_EQ(fate.verdict, Verdict::split) << to_string(fate.reason);
        Server server;
        for (const Fate& piece : lab.pieces()) {
          EXPECT_EQ(piece.verdict, Verdict::forward) << to_string(piece.reason);
          EXPECT_EQ(piece.egress, 1);
          EXPECT_EQ(piece.worker, fate.worker);
          server.hear(piece.frame);
        }
        EXPECT_LE(server.longest, kMtu);
        EXPECT_EQ(server.parts.size(), 3u);
        // As if it had been whole: the checksum over all that was put together is right.
        const auto& head = server.first;
        const std::string from =
            net::to_string(net::Address::v4_raw(net::load<uint32_t>(&head[12])));
        const std::string to = net::to_string(net::Address::v4_raw(net::load<uint32_t>(&head[16])));
        EXPECT_EQ(from == kClient, mode == Mode::nat);
        const uint16_t port = net::swap16(net::load<uint16_t>(server.parts[0].data()));
        EXPECT_EQ(server.payload(),
                  transport_of(eth() / ipv4(from, to) / udp(port, 8080) / raw(text(3000))));
      }
      EXPECT_EQ(lab.count(&tables::WorkerLine::fragmented), workers);
      EXPECT_EQ(lab.flow_count(), 1u);
      EXPECT_EQ(lab.audit(), "");
    }
  }
}

TEST(Split, RouteLeavesTheAddresses) {
  Lab lab(1);
  lab.world().put(by(Mode::route));
  const Frame sent = from_client() / ipv4(kClient, kVip).id(77) / udp(40000, 80) / raw(text(2000));
  ASSERT_EQ(lab.send(sent).verdict, Verdict::split);
  Server server;
  for (const Fate& piece : lab.pieces()) server.hear(piece.frame);
  EXPECT_EQ(server.payload(), transport_of(sent));
  EXPECT_EQ(server.first[8], 63);
}

TEST(Split, TunnelsCarryPiecesOfTheInnerPacket) {
  for (const Mode mode : {Mode::tunnel_ipip, Mode::tunnel_gre, Mode::tunnel_gue}) {
    for (const bool v6 : {false, true}) {
      Lab lab(1);
      world::ServiceSpec spec = by(mode);
      if (v6) spec.servers = {{"fd00:1::5", 80}};
      lab.world().own_addresses({"192.0.2.1", "2001:db8:f::1", "10.0.1.1", "fd00:1::1"});
      lab.world().put(spec);
      lab.world().rebuild_routes();
      const uint32_t outer =
          forward::tunnel_bytes(mode, v6 ? net::Family::ipv6 : net::Family::ipv4);
      // It fits the client's network, and is too long by what the tunnel adds.
      const Frame sent =
          from_client() / ipv4(kClient, kVip).id(77) / udp(40000, 80) / raw(text(1472));
      ASSERT_EQ(lab.send(sent).verdict, Verdict::split);
      Server server;
      for (const Fate& piece : lab.pieces()) {
        ASSERT_EQ(piece.verdict, Verdict::forward) << to_string(piece.reason);
        server.hear(piece.frame, outer);
      }
      EXPECT_LE(server.longest, kMtu);
      EXPECT_EQ(server.parts.size(), 2u);
      EXPECT_EQ(server.payload(), transport_of(sent));
    }
  }
}

TEST(Split, BetweenTheFamiliesEachPieceHasAFragmentHeader) {
  Lab lab(1);
  world::ServiceSpec spec = by(Mode::fullnat);
  spec.servers = {{"fd00:1::5", 8080}};
  spec.snats = {"fd00::1"};
  lab.world().put(spec);
  for (const size_t length : {1453, 1472, 2900}) {
    const Frame sent =
        from_client() / ipv4(kClient, kVip).id(77) / udp(40000, 80) / raw(text(length));
    ASSERT_EQ(lab.send(sent).verdict, Verdict::split);
    Server server;
    for (const Fate& piece : lab.pieces()) {
      ASSERT_EQ(piece.verdict, Verdict::forward) << to_string(piece.reason);
      server.hear(piece.frame);
    }
    EXPECT_LE(server.longest, kMtu);
    const uint16_t port = net::swap16(net::load<uint16_t>(server.parts[0].data()));
    EXPECT_EQ(server.payload(),
              transport_of(
                  eth() / ipv6("fd00::1", "fd00:1::5") / udp(port, 8080) / raw(text(length)), 40));
  }
}

TEST(Split, FragmentsAreCutFurther) {
  Lab lab(1);
  world::ServiceSpec spec = by(Mode::tunnel_ipip);
  lab.world().own_addresses({"192.0.2.1", "2001:db8:f::1", "10.0.1.1", "fd00:1::1"});
  lab.world().put(spec);
  lab.world().rebuild_routes();
  const Frame whole = from_client() / ipv4(kClient, kVip).id(77) / udp(40000, 80) / raw(text(2952));
  const Bytes transport = transport_of(whole);
  Server server;
  for (const bool first : {true, false}) {
    const Bytes part(transport.begin() + (first ? 0 : 1480),
                     first ? transport.begin() + 1480 : transport.end());
    const auto ip = ipv4(kClient, kVip).id(77).fragment(first ? 0 : 1480, first);
    const Fate fate = lab.send(from_client() / ip / raw(part, 17));
    ASSERT_EQ(fate.verdict, Verdict::split) << to_string(fate.reason);
    for (const Fate& piece : lab.pieces()) {
      ASSERT_EQ(piece.verdict, Verdict::forward) << to_string(piece.reason);
      server.hear(piece.frame, 20);
    }
  }
  EXPECT_EQ(server.parts.size(), 4u);
  EXPECT_EQ(server.payload(), transport);
}

TEST(Split, TransitAndSourceNat) {
  Lab lab(1);
  lab.world().neighbour(world::address("10.0.1.5"), *net::parse_mac("02:00:00:01:00:05"));
  lab.world().rebuild_routes();
  tables::Settings settings;
  settings.transit = tables::Transit::forward;
  lab.world().settings(settings);
  const Frame sent = eth().from("02:00:00:01:00:05").to(world::kBackMac) /
                     ipv4("10.0.1.5", "198.51.100.9").id(3) / udp(40000, 53) / raw(text(2000));
  ASSERT_EQ(lab.send(sent, 0, 1).verdict, Verdict::split);
  Server passed;
  for (const Fate& piece : lab.pieces()) {
    EXPECT_EQ(piece.egress, 0);
    passed.hear(piece.frame);
  }
  EXPECT_EQ(passed.payload(), transport_of(sent));
  world::RuleSpec rule;
  rule.networks = {"10.0.1.0/24"};
  rule.snats = {"192.0.2.200"};
  lab.world().put_rule(rule);
  ASSERT_EQ(lab.send(sent, 0, 1).verdict, Verdict::split);
  Server outside;
  for (const Fate& piece : lab.pieces()) outside.hear(piece.frame);
  const uint16_t port = net::swap16(net::load<uint16_t>(outside.parts[0].data()));
  EXPECT_EQ(outside.payload(), transport_of(eth() / ipv4("192.0.2.200", "198.51.100.9") /
                                            udp(port, 53) / raw(text(2000))));
}

TEST(Split, WhatCannotBeCutIsRefusedAndCounted) {
  Lab lab(1);
  world::ServiceSpec spec = by(Mode::fullnat);
  spec.client_address = tables::ClientAddress::proxy_v2;
  lab.world().put(spec);
  const Frame sent = from_client() / ipv4(kClient, kVip).id(77) / udp(40000, 80) / raw(text(1472));
  EXPECT_EQ(lab.send(sent).reason, Reason::too_big);
  EXPECT_EQ(lab.count(Reason::too_big), 1u);
  EXPECT_EQ(lab.count(&tables::WorkerLine::fragmented), 0u);
}

}  // namespace
}  // namespace nezu::lab
