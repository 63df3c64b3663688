// Limits of services and of their clients: a second and at once.
#include <gtest/gtest.h>

#include "tests/path/frames.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Reason;
using net::Verdict;

world::ServiceSpec shop(tables::FlowLimit all, tables::FlowLimit client, uint8_t host_bits4 = 0) {
  world::ServiceSpec spec = web();
  spec.refusal = tables::Refusal::refuse;
  spec.limits = {all, client, host_bits4, 64, {}};
  return spec;
}

constexpr double kForgotten = 150;  ///< s; a SYN that nobody answered

class FlowLimits : public testing::TestWithParam<int> {
 protected:
  /// How many of that many new flows get in, in bursts.
  uint32_t open(const std::string& from, uint32_t flows, uint16_t first = 1000) {
    uint32_t in = 0;
    for (uint32_t i = 0; i < flows; i += 32) {
      std::vector<Frame> burst;
      for (uint32_t j = i; j < flows && j < i + 32; ++j) {
        burst.push_back(eth() / ipv4(from, "203.0.113.10") /
                        tcp(static_cast<uint16_t>(first + j), 80).syn());
      }
      for (const Fate& fate : lab_.send(burst, static_cast<uint16_t>(i / 32 % lab_.workers()))) {
        const bool let_in = fate.verdict == Verdict::forward;
        in += let_in ? 1 : 0;
        EXPECT_TRUE(let_in || fate.verdict == Verdict::drop);
      }
    }
    return in;
  }
  uint64_t refused(tables::ServiceId id) {
    uint64_t sum = 0;
    for (uint16_t worker = 0; worker < lab_.workers(); ++worker) {
      sum += lab_.world().region().services_of(worker)[index(id)].flows_refused.read();
    }
    return sum;
  }

  Lab lab_{static_cast<uint16_t>(GetParam()), {4096, 512, 64}};
};
INSTANTIATE_TEST_SUITE_P(Workers, FlowLimits, testing::Values(1, 3));

TEST_P(FlowLimits, NewFlowsASecond) {
  const auto id = lab_.world().put(shop({50, 0}, {}));
  EXPECT_EQ(open(client(1), 40), 40u);
  EXPECT_EQ(open(client(2), 40), 10u);
  EXPECT_EQ(lab_.count(Reason::limit_flow_rate), 30u);
  EXPECT_EQ(refused(id), 30u);
  lab_.advance(1);
  EXPECT_EQ(open(client(3), 100), 50u);
}

TEST_P(FlowLimits, FlowsAtOnceOfAllClients) {
  const auto id = lab_.world().put(shop({0, 20}, {}));
  const uint32_t in = open(client(1), 64);
  // Workers that open at the same moment may be one burst ahead of each other; here they take
  // turns.
  EXPECT_EQ(in, 20u);
  EXPECT_EQ(lab_.gauge_of_service(id), 20u);
  EXPECT_EQ(lab_.count(Reason::limit_flows), 44u);
  lab_.advance(kForgotten);  // nobody answered: they are gone
  EXPECT_EQ(lab_.gauge_of_service(id), 0u);
  EXPECT_EQ(open(client(2), 64), 20u);
}

TEST_P(FlowLimits, EachClientHasItsOwn) {
  lab_.world().put(shop({}, {10, 0}));
  for (uint32_t n = 0; n < 5; ++n) EXPECT_EQ(open(client(n), 40), 10u) << n;
  EXPECT_EQ(lab_.count(Reason::client_limit_flow_rate), 150u);
}

TEST_P(FlowLimits, AClientsFlowsAtOnceEndAndMakeRoom) {
  lab_.world().put(shop({}, {0, 5}));
  EXPECT_EQ(open(client(1), 40), 5u);
  EXPECT_EQ(open(client(2), 40), 5u);
  EXPECT_EQ(lab_.count(Reason::client_limit_flows), 70u);
  EXPECT_EQ(open(client(1), 40, 2000), 0u);
  lab_.advance(kForgotten);
  EXPECT_EQ(open(client(1), 40, 3000), 5u);
}

TEST_P(FlowLimits, ThoseOfOnePrefixTogether) {
  lab_.world().put(shop({}, {0, 5}, 8));
  EXPECT_EQ(open("198.18.7.1", 3) + open("198.18.7.200", 40), 5u);
  EXPECT_EQ(open("198.18.8.1", 40), 5u);
}

TEST_P(FlowLimits, OpenFlowsGoOn) {
  world::ServiceSpec spec = shop({}, {});
  lab_.world().put(spec);
  Conversation one(lab_, client(1), 1000);
  ASSERT_TRUE(one.open());
  spec.limits.all.at_once = 1;
  lab_.world().put(spec);
  EXPECT_TRUE(one.works());
  EXPECT_EQ(open(client(2), 1), 0u);
}

TEST_P(FlowLimits, ALimitThatComesLaterCountsNoFlowTwice) {
  world::ServiceSpec spec = shop({}, {});
  lab_.world().put(spec);
  EXPECT_EQ(open(client(1), 8), 8u);
  spec.limits.client.at_once = 4;
  lab_.world().put(spec);
  EXPECT_EQ(open(client(1), 8, 2000), 4u);  // older ones are not counted
  lab_.advance(kForgotten);                 // nor do they, when they end, make room twice
  EXPECT_EQ(open(client(1), 8, 3000), 4u);
  EXPECT_EQ(open(client(1), 8, 4000), 0u);
}

TEST_P(FlowLimits, ARestartCountsThemAgain) {
  lab_.world().put(shop({0, 20}, {0, 5}));
  EXPECT_EQ(open(client(1), 40), 5u);
  lab_.restart(static_cast<uint16_t>(lab_.workers() == 1 ? 2 : 1));
  EXPECT_EQ(open(client(1), 40, 2000), 0u);
  EXPECT_EQ(open(client(2), 40, 2000), 5u);
  lab_.advance(kForgotten);
  EXPECT_EQ(open(client(1), 40, 3000), 5u);
}

TEST_P(FlowLimits, FlowsThatFindNoPlaceAreNotCounted) {
  world::ServiceSpec spec = shop({}, {0, 5});
  for (world::ServerSpec& server : spec.servers) server.state = tables::ServerState::failed;
  lab_.world().put(spec);
  EXPECT_EQ(lab_.send(eth() / ipv4(client(1), "203.0.113.10") / tcp(1, 80).syn()).reason,
            Reason::no_server);
  for (world::ServerSpec& server : spec.servers) server.state = tables::ServerState::ready;
  lab_.world().put(spec);
  EXPECT_EQ(open(client(1), 40), 5u);
}

TEST_P(FlowLimits, OfUdpOverIpv6) {
  world::ServiceSpec spec = shop({}, {0, 5});
  spec.vip = "2001:db8::10";
  spec.protocol = net::Protocol::udp;
  spec.servers = {{"fd00:1::5", 8080}};
  lab_.world().put(spec);
  uint32_t in = 0;
  for (uint16_t i = 0; i < 40; ++i) {
    // Addresses of one /64 are one client.
    const Fate fate = lab_.send(eth() / ipv6(client6(i), "2001:db8::10") / udp(1000, 80) / "x",
                                static_cast<uint16_t>(i % lab_.workers()));
    in += fate.verdict == Verdict::forward ? 1 : 0;
  }
  EXPECT_EQ(in, 5u);
}

/// Of 500 packets at once that many pass, from the client and back in turn.
TEST_P(FlowLimits, PacketsASecond) {
  world::ServiceSpec spec = shop({}, {});
  spec.traffic.client.packets_per_second = 1000;
  lab_.world().put(spec);
  Conversation one(lab_, client(1), 1000), two(lab_, client(2), 1000);
  ASSERT_TRUE(one.open());  // three packets
  ASSERT_TRUE(two.open());
  uint32_t passed = 0;
  for (int i = 0; i < 250; ++i) {
    passed += one.send(one.tcp_there().seq(101).ack(501)).verdict == Verdict::forward ? 1 : 0;
    passed += one.answer(one.tcp_back().seq(501).ack(101)).verdict == Verdict::forward ? 1 : 0;
  }
  EXPECT_EQ(passed, 97u);
  EXPECT_EQ(lab_.count(Reason::client_limit_packet_rate), 403u);
  EXPECT_TRUE(two.works());
  lab_.advance(1);
  EXPECT_TRUE(one.works());
}

TEST_P(FlowLimits, BitsASecondOfAllAndNoneOfOtherServices) {
  world::ServiceSpec spec = shop({}, {});
  spec.traffic.all.bits_per_second = 1'000'000;
  const auto id = lab_.world().put(spec);
  world::ServiceSpec other = shop({}, {});
  other.port = 81;
  lab_.world().put(other);
  uint16_t from = 1000;
  const auto pass = [&](uint16_t port) {
    uint32_t passed = 0;
    ++from;
    for (uint16_t i = 0; i < 100; ++i) {
      const Frame frame = eth() / ipv4(client(i), "203.0.113.10") / tcp(from, port).syn() /
                          std::string(1000 - 54, 'x');
      passed += lab_.send(frame, i % lab_.workers()).verdict == Verdict::forward ? 1 : 0;
    }
    return passed;
  };
  EXPECT_EQ(pass(80), 12u);  // 100 kbit
  EXPECT_EQ(lab_.count(Reason::limit_bit_rate), 88u);
  EXPECT_EQ(pass(81), 100u);
  // Without limits nothing is metered any more.
  lab_.world().put(shop({}, {}));
  EXPECT_EQ(lab_.world().view().root()->metered_count, 0u);
  EXPECT_EQ(pass(80), 100u);
  EXPECT_EQ(lab_.world().view().service(id)->traffic.exist(), false);
}

TEST_P(FlowLimits, PacketsBeyondOpenNoFlow) {
  world::ServiceSpec spec = shop({}, {});
  spec.traffic.client.packets_per_second = 100;
  const auto id = lab_.world().put(spec);
  EXPECT_EQ(open(client(1), 64), 10u);
  EXPECT_EQ(lab_.gauge_of_service(id), 10u);
}

TEST_P(FlowLimits, WhatIsBeyondChangesNoConnection) {
  world::ServiceSpec spec = shop({}, {});
  spec.traffic.client.packets_per_second = 100;
  lab_.world().put(spec);
  Conversation one(lab_, client(1), 1000);
  ASSERT_TRUE(one.open());
  for (int i = 0; i < 20; ++i) one.send(one.tcp_there().seq(101).ack(501));
  // A RST that does not pass closes nothing.
  EXPECT_EQ(one.send(one.tcp_there().rst().seq(101)).reason, Reason::client_limit_packet_rate);
  lab_.advance(20);
  EXPECT_TRUE(one.works());
}

/// Those of a flow that is opened by the first of them, too.
TEST_P(FlowLimits, PacketsOfOneBurst) {
  world::ServiceSpec spec = shop({}, {});
  spec.protocol = net::Protocol::udp;
  spec.traffic.client.packets_per_second = 100;
  lab_.world().put(spec);
  for (uint16_t round = 0; round < 3; ++round) {
    const auto from = static_cast<uint16_t>(1000 + round);
    const std::vector<Frame> burst(
        32, Frame(eth() / ipv4(client(1), "203.0.113.10") / udp(from, 80) / "x"));
    int through = 0;
    for (const Fate& fate : lab_.send(burst)) through += fate.verdict == Verdict::forward;
    EXPECT_EQ(through, 10);
    lab_.advance(1);
  }
}

/// Flows that were there before the limit make no room when they end.
TEST_P(FlowLimits, ALimitThatComesLaterIsKept) {
  world::ServiceSpec spec = shop({}, {});
  lab_.world().put(spec);
  std::vector<Conversation> before;
  for (uint16_t n = 0; n < 10; ++n) {
    before.emplace_back(lab_, client(1), static_cast<uint16_t>(1000 + n));
    ASSERT_TRUE(before.back().open());
  }
  spec.limits.client.at_once = 2;
  lab_.world().put(spec);
  EXPECT_EQ(open(client(1), 8, 2000), 2u);
  for (Conversation& one : before) one.send(one.tcp_there().rst().seq(101));
  lab_.advance(30);
  EXPECT_EQ(open(client(1), 8, 3000), 0u);
}

TEST_P(FlowLimits, AnotherPrefixAndBackShutsNobodyOut) {
  world::ServiceSpec spec = shop({}, {0, 3});
  lab_.world().put(spec);
  EXPECT_EQ(open(client(1), 8), 3u);
  spec.limits.host_bits4 = 8;
  lab_.world().put(spec);
  lab_.advance(kForgotten);
  spec.limits.host_bits4 = 0;
  lab_.world().put(spec);
  EXPECT_EQ(open(client(1), 8, 3000), 3u);
}

}  // namespace
}  // namespace nezu::lab
