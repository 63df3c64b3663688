// Packets described in words: the frames are those that the tests' own language makes.
#include "tools/nezu/described.h"

#include <gtest/gtest.h>

#include "tests/dsl/dsl.h"
#include "tools/nezu/failure.h"

namespace nezu::cli {
namespace {

using namespace dsl;

constexpr std::string_view kNobody = "00:00:00:00:00:00";

DescribedPacket packet(std::string protocol, std::string from, std::string to) {
  DescribedPacket described;
  described.protocol = std::move(protocol);
  described.from = std::move(from);
  described.to = std::move(to);
  return described;
}

Frame frame(const DescribedPacket& described) { return Frame(frame_of(described)); }

TEST(Described, Tcp) {
  EXPECT_EQ(frame(packet("tcp", "192.0.2.7:4000", "203.0.113.10:80")),
            eth().to(kNobody) / ipv4("192.0.2.7", "203.0.113.10").dont_fragment() /
                tcp(4000, 80).syn().seq(1).window(64240));
  DescribedPacket more = packet("tcp", "[2001:db8::7]:4000", "[2001:db8::10]:80");
  more.flags = "psh,ack";
  more.size = 5;
  more.ttl = 9;
  more.vlan = 77;
  more.mac = "02:00:00:00:00:99";
  EXPECT_EQ(frame(more), eth().to("02:00:00:00:00:99") / vlan(77) /
                             ipv6("2001:db8::7", "2001:db8::10").hops(9) /
                             tcp(4000, 80).psh().seq(1).ack(1).window(64240) / raw(Bytes(5)));
}

TEST(Described, UdpAndPings) {
  DescribedPacket described = packet("udp", "192.0.2.7:53", "203.0.113.10:53");
  described.size = 3;
  EXPECT_EQ(frame(described), eth().to(kNobody) /
                                  ipv4("192.0.2.7", "203.0.113.10").dont_fragment() / udp(53, 53) /
                                  raw(Bytes(3)));
  EXPECT_EQ(frame(packet("udp", "[2001:db8::7]:1", "[2001:db8::10]:2")),
            eth().to(kNobody) / ipv6("2001:db8::7", "2001:db8::10") / udp(1, 2));
  EXPECT_EQ(
      frame(packet("icmp", "192.0.2.7", "203.0.113.10")),
      eth().to(kNobody) / ipv4("192.0.2.7", "203.0.113.10").dont_fragment() / echo_request(1, 1));
  EXPECT_EQ(frame(packet("icmp", "2001:db8::7", "2001:db8::10")),
            eth().to(kNobody) / ipv6("2001:db8::7", "2001:db8::10") / echo_request6(1, 1));
}

TEST(Described, WhatMakesNoPacketIsRefused) {
  const auto refused = [](DescribedPacket described) {
    EXPECT_THROW(frame_of(described), Failure);
  };
  refused(packet("tcp", "192.0.2.7", "203.0.113.10:80"));
  refused(packet("tcp", "192.0.2.7:1", "203.0.113.10"));
  refused(packet("tcp", "192.0.2.7:1", "[2001:db8::10]:80"));
  refused(packet("tcp", "web", "203.0.113.10:80"));
  refused(packet("icmp", "192.0.2.7:1", "203.0.113.10"));
  DescribedPacket good = packet("udp", "192.0.2.7:1", "203.0.113.10:2"), bad = good;
  bad.flags = "syn";
  refused(bad);
  bad = good;
  bad.vlan = 4096;
  refused(bad);
  bad = good;
  bad.ttl = 256;
  refused(bad);
  bad = good;
  bad.size = 4000;
  refused(bad);
  bad = good;
  bad.mac = "02:00";
  refused(bad);
  bad = packet("tcp", "192.0.2.7:1", "203.0.113.10:2");
  for (const char* flags : {"sin", "syn,", ",syn", "syn ack"}) {
    bad.flags = flags;
    refused(bad);
  }
}

TEST(Described, HexadecimalFrames) {
  EXPECT_EQ(frame_of_hex("00 ff:0A\n1b"), (std::vector<uint8_t>{0, 255, 10, 27}));
  EXPECT_TRUE(frame_of_hex("").empty());
  for (const char* bad : {"0", "0g", "0x00", "00f"}) {
    EXPECT_THROW(frame_of_hex(bad), Failure) << bad;
  }
}

}  // namespace
}  // namespace nezu::cli
