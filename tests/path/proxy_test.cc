// PROXY protocol v2 over TCP: the header is the first thing that the server reads, whatever is
// lost.
#include <gtest/gtest.h>

#include "tests/path/converse.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Reason;
using net::Verdict;

world::ServiceSpec proxied() {
  world::ServiceSpec spec;
  spec.mode = tables::Mode::fullnat;
  spec.servers = {{"10.0.1.5", 8080}};
  spec.snats = {"10.0.0.1"};
  spec.client_address = tables::ClientAddress::proxy_v2;
  return spec;
}

const std::string kHeader(
    "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc6\x12\0\x07\xcb\0\x71\x0a\x9c\x40\0\x50", 28);
const std::string kHeader6 = std::string("\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24", 16) +
                             std::string("\x20\x01\x0d\xb8\0\x0c\0\0\0\0\0\0\0\0\0\x07", 16) +
                             std::string("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x10", 16) +
                             std::string("\x9c\x40\0\x50", 4);

Ends from_v4() { return {world::address("198.18.0.7"), world::address("203.0.113.10"), 40000, 80}; }
Ends from_v6() {
  return {world::address("2001:db8:c::7"), world::address("2001:db8::10"), 40000, 80};
}

TEST(ProxyOverTcp, TheHandshakesAckCarriesTheHeader) {
  Lab lab(1, Capacity(64));
  lab.world().put(proxied());
  const auto in = [&](const dsl::Tcp& tcp) {
    return lab.send(eth() / ipv4("198.18.0.7", "203.0.113.10") / tcp);
  };
  const Fate syn = in(tcp(40000, 80).syn().seq(100).options({2, 4, 5, 180}));
  ASSERT_EQ(syn.verdict, Verdict::forward);
  const uint16_t port = ends_of(syn.frame).source_port;
  const auto server = [&](const dsl::Tcp& tcp) {
    return eth().from(world::kBackMac).to("02:00:00:01:00:00") /
           ipv4("10.0.0.1", "10.0.1.5").ttl(63) / tcp;
  };
  const auto client = [&](const dsl::Tcp& tcp) {
    return eth().from(world::kFrontMac).to(world::kRouterMac) /
           ipv4("203.0.113.10", "198.18.0.7").ttl(63) / tcp;
  };
  const auto back = [&](const dsl::Tcp& tcp) {
    return lab.send(eth() / ipv4("10.0.1.5", "10.0.0.1") / tcp, 0, 1).frame;
  };
  EXPECT_EQ(syn.frame, server(tcp(port, 8080).syn().seq(100).options({2, 4, 5, 180})));
  EXPECT_EQ(back(tcp(8080, port).syn().seq(500).ack(101).options({2, 4, 5, 180})),
            client(tcp(80, 40000).syn().seq(500).ack(101).options({2, 4, 5, 152})));
  EXPECT_EQ(in(tcp(40000, 80).seq(101).ack(501)).frame,
            server(tcp(port, 8080).seq(101).ack(501)) / kHeader);
  // Again, as long as it is not acknowledged; not in front of what lies behind.
  EXPECT_EQ(lab.send(eth() / ipv4("198.18.0.7", "203.0.113.10") / tcp(40000, 80).seq(101).ack(501) /
                     "abc")
                .frame,
            server(tcp(port, 8080).seq(101).ack(501)) / (kHeader + "abc"));
  EXPECT_EQ(lab.send(eth() / ipv4("198.18.0.7", "203.0.113.10") / tcp(40000, 80).seq(104).ack(501) /
                     "def")
                .frame,
            server(tcp(port, 8080).seq(132).ack(501)) / "def");
  // Parts of it are no byte of the client; all of it neither.
  EXPECT_EQ(back(tcp(8080, port).seq(501).ack(101)), client(tcp(80, 40000).seq(501).ack(101)));
  EXPECT_EQ(back(tcp(8080, port).seq(501).ack(120)), client(tcp(80, 40000).seq(501).ack(101)));
  EXPECT_EQ(back(tcp(8080, port).seq(501).ack(129)), client(tcp(80, 40000).seq(501).ack(101)));
  EXPECT_EQ(back(tcp(8080, port).seq(501).ack(132)), client(tcp(80, 40000).seq(501).ack(104)));
  EXPECT_EQ(in(tcp(40000, 80).seq(104).ack(501)).frame, server(tcp(port, 8080).seq(132).ack(501)));
  EXPECT_EQ(in(tcp(40000, 80).rst().seq(107)).frame, server(tcp(port, 8080).rst().seq(135)));
}

TEST(ProxyOverTcp, SackBlocksAreTheClientsNumbers) {
  Lab lab(1, Capacity(64));
  lab.world().put(proxied());
  Conversation talk(lab, "198.18.0.7", 40000);
  ASSERT_TRUE(talk.open());
  const auto blocks = [&](uint32_t left, uint32_t right) {
    Bytes options = {1, 1, 5, 10};
    for (const uint32_t n : {left, right}) {
      for (int shift = 24; shift >= 0; shift -= 8)
        options.push_back(static_cast<uint8_t>(n >> shift));
    }
    return options;
  };
  const auto answer = [&](uint32_t left, uint32_t right) {
    return Frame(talk.answer(talk.tcp_back().seq(501).ack(129).options(blocks(left, right))).frame);
  };
  const auto seen = [&](const Bytes& options) {
    return eth().from(world::kFrontMac).to(world::kRouterMac) /
           ipv4("203.0.113.10", "198.18.0.7").ttl(63) /
           tcp(80, 40000).seq(501).ack(101).options(options);
  };
  EXPECT_EQ(answer(129 + 100, 129 + 300), seen(blocks(201, 401)));
  // A header that came twice (RFC 2883) is nothing to the client.
  EXPECT_EQ(answer(101, 129), seen(Bytes(12, 1)));
}

TEST(ProxyOverTcp, AFullFirstSegmentMakesPlaceForTheHeader) {
  Lab lab(1, Capacity(64));
  lab.world().put(proxied());
  const auto in = [&](const dsl::Tcp& tcp, size_t length) {
    return lab.send(eth() / ipv4("198.18.0.7", "203.0.113.10").dont_fragment() / tcp /
                    fill(length));
  };
  const Fate syn = in(tcp(40000, 80).syn().seq(100), 0);
  const uint16_t port = ends_of(syn.frame).source_port;
  lab.send(eth() / ipv4("10.0.1.5", "10.0.0.1") / tcp(8080, port).syn().seq(500).ack(101), 0, 1);
  EXPECT_EQ(in(tcp(40000, 80).seq(101).ack(501).fin(), 1460).frame,
            eth().from(world::kBackMac).to("02:00:00:01:00:00") /
                ipv4("10.0.0.1", "10.0.1.5").ttl(63).dont_fragment() /
                tcp(port, 8080).seq(101).ack(501) / kHeader);
  EXPECT_EQ(in(tcp(40000, 80).seq(101).ack(501), 1432).frame.size(), 14u + 1500);
}

TEST(ProxyOverTcp, DataOnASynComeAgain) {
  Lab lab(1, Capacity(64));
  lab.world().put(proxied());
  const Fate syn = lab.send(eth() / ipv4("198.18.0.7", "203.0.113.10") /
                            tcp(40000, 80).syn().seq(100) / "early");
  const uint16_t port = ends_of(syn.frame).source_port;
  EXPECT_EQ(syn.frame, eth().from(world::kBackMac).to("02:00:00:01:00:00") /
                           ipv4("10.0.0.1", "10.0.1.5").ttl(63) / tcp(port, 8080).syn().seq(100));
}

TEST(ProxyOverTcp, AnIcmpErrorQuotesTheClientsNumber) {
  Lab lab(1, Capacity(64));
  lab.world().put(proxied());
  Conversation talk(lab, "198.18.0.7", 40000);
  ASSERT_TRUE(talk.open());
  talk.answer(talk.tcp_back().seq(501).ack(129));
  const Fate fate =
      lab.send(eth() / ipv4("10.0.9.9", "10.0.0.1") / fragmentation_needed(1400) /
                   ipv4("10.0.0.1", "10.0.1.5") / tcp(talk.server().source_port, 8080).seq(1129),
               0, 1);
  EXPECT_EQ(fate.frame, eth().from(world::kFrontMac).to(world::kRouterMac) /
                            ipv4("203.0.113.10", "198.18.0.7").ttl(63) /
                            fragmentation_needed(1400) / ipv4("198.18.0.7", "203.0.113.10") /
                            tcp(40000, 80).seq(1101));
}

TEST(ProxyOverTcp, AFullTableOfRecordsRefuses) {
  Lab lab(1, Capacity(2));
  lab.world().put(proxied());
  std::vector<std::unique_ptr<Conversation>> talks;
  for (uint16_t i = 0; i < 3; ++i) {
    talks.push_back(std::make_unique<Conversation>(lab, "198.18.0.7", 40000 + i));
    EXPECT_EQ(talks.back()->open(), i < 2);
  }
  EXPECT_EQ(lab.count(Reason::splice_table_full), 1u);
  talks[0]->send(talks[0]->tcp_there().rst().seq(101));
  lab.advance(30);
  Conversation again(lab, "198.18.0.7", 40002);
  EXPECT_TRUE(again.open());
  EXPECT_EQ(lab.audit(), "");
}

TEST(ProxyOverTcp, MoreThanFourGigabytes) {
  Lab lab(1, Capacity(64));
  lab.world().put(proxied());
  Conversation talk(lab, "198.18.0.7", 40000);
  ASSERT_TRUE(talk.open());
  talk.answer(talk.tcp_back().seq(501).ack(129));
  uint32_t at = 101;
  for (int i = 0; i < 12; ++i, at += 1u << 29) {
    const Fate there = talk.send(talk.tcp_there().seq(at).ack(501));
    EXPECT_EQ(segment_of(there.frame).sequence, at + 28) << i;
    EXPECT_EQ(segment_of(there.frame).payload, "");
    const Fate back = talk.answer(talk.tcp_back().seq(501).ack(at + 28));
    EXPECT_EQ(segment_of(back.frame).acknowledgement, at) << i;
  }
}

TEST(ProxyOverTcp, BothStreamsComeWholeOverBadWires) {
  for (uint32_t seed = 0; seed < 60; ++seed) {
    converse(proxied(), from_v4(), kHeader, 1 + seed % 3, seed, false);
  }
}

TEST(ProxyOverTcp, OverIpv6AndBetweenTheFamilies) {
  world::ServiceSpec v6 = proxied();
  v6.vip = "2001:db8::10";
  v6.servers = {{"fd00:1::5", 8080}};
  v6.snats = {"fd00::1"};
  world::ServiceSpec four_to_six = v6, six_to_four = proxied();
  four_to_six.vip = "203.0.113.10";
  six_to_four.vip = "2001:db8::10";
  for (uint32_t seed = 0; seed < 20; ++seed) {
    converse(v6, from_v6(), kHeader6, 2, seed, false);
    converse(four_to_six, from_v4(), kHeader, 2, seed, false);
    converse(six_to_four, from_v6(), kHeader6, 2, seed, false);
  }
}

TEST(ProxyOverTcp, ConnectionsSurviveRestartsWithOtherWorkers) {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    converse(proxied(), from_v4(), kHeader, 2, seed, true);
  }
}

}  // namespace
}  // namespace nezu::lab
