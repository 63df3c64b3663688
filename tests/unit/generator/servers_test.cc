// Servers that fall silent, and flows that go to others then.
#include "bench/generator/servers.h"

#include <gtest/gtest.h>

#include <string>

#include "dataplane/net/address.h"

namespace nezu::generator {
namespace {

using Met = Servers::Met;

constexpr size_t kFlows = 8;

net::Address server(size_t number) {
  return *net::parse_address("10.0.0." + std::to_string(11 + number));
}

/// The flow of this number at a server.
Tuple at(size_t number, size_t flow) {
  return {*net::parse_address("192.0.2.101"), server(number), static_cast<uint16_t>(10000 + flow),
          7};
}

/// Eight flows, in turn at four servers.
Servers servers() {
  Servers servers;
  std::vector<Tuple> flows;
  for (size_t flow = 0; flow < kFlows; ++flow) flows.push_back(at(flow % 4, flow));
  servers.begin(flows);
  return servers;
}

TEST(Servers, SpeakUnlessTheyAreMute) {
  Servers played = servers();
  EXPECT_EQ(played.silent_flows(), 0u);
  EXPECT_FALSE(played.is_mute(server(1)));
  EXPECT_EQ(played.mute(server(1)), 2u);
  EXPECT_TRUE(played.is_mute(server(1)));
  EXPECT_FALSE(played.is_mute(server(0)));
  EXPECT_EQ(played.silent_flows(), 2u);
  for (size_t flow = 0; flow < kFlows; ++flow) {
    EXPECT_EQ(played.is_silent(flow), flow % 4 == 1) << flow;
  }
}

TEST(Servers, AMuteOneHearsNothing) {
  Servers played = servers();
  played.mute(server(1));
  EXPECT_EQ(played.meet(1, at(1, 1)), Met::nobody);
  EXPECT_EQ(played.meet(0, at(0, 0)), Met::same);
  EXPECT_EQ(played.silent_flows(), 2u);
}

TEST(Servers, FlowsOfAMuteOneAreAnsweredWhereTheyComeOutNext) {
  Servers played = servers();
  played.mute(server(1));
  EXPECT_EQ(played.meet(1, at(2, 1)), Met::moved);
  EXPECT_FALSE(played.is_silent(1));
  EXPECT_EQ(played.silent_flows(), 1u);
  EXPECT_EQ(played.meet(1, at(2, 1)), Met::same);
  EXPECT_EQ(played.meet(5, at(3, 5)), Met::moved);
  EXPECT_EQ(played.silent_flows(), 0u);
}

TEST(Servers, AFlowThatMovesWithoutAnyFailureIsSeen) {
  Servers played = servers();
  EXPECT_EQ(played.meet(0, at(3, 0)), Met::moved);
  Tuple other = at(3, 0);
  other.source_port = 5000;  // another port of full NAT
  EXPECT_EQ(played.meet(0, other), Met::moved);
  EXPECT_EQ(played.meet(0, other), Met::same);
}

TEST(Servers, AFlowThatIsSentToAMuteOneIsSilentUntilItComesOutElsewhere) {
  Servers played = servers();
  played.mute(server(1));
  EXPECT_EQ(played.meet(0, at(1, 0)), Met::nobody);
  EXPECT_EQ(played.silent_flows(), 3u);
  EXPECT_TRUE(played.is_silent(0));
  EXPECT_EQ(played.meet(0, at(0, 0)), Met::moved) << "back where it was";
  EXPECT_EQ(played.silent_flows(), 2u);
}

TEST(Servers, AMuteOneThatSpeaksAgainHasItsFlows) {
  Servers played = servers();
  EXPECT_EQ(played.mute(server(1)), 2u);
  EXPECT_EQ(played.mute(server(1)), 2u) << "again";
  EXPECT_EQ(played.silent_flows(), 2u);
  EXPECT_EQ(played.meet(1, at(2, 1)), Met::moved);
  played.unmute(server(1));
  EXPECT_EQ(played.silent_flows(), 0u);
  EXPECT_EQ(played.meet(5, at(1, 5)), Met::same);
  EXPECT_EQ(played.meet(1, at(2, 1)), Met::same) << "what has moved stays";
  played.unmute(server(1));
  EXPECT_FALSE(played.is_mute(server(1)));
}

TEST(Servers, SeveralMayBeMute) {
  Servers played = servers();
  played.mute(server(1));
  played.mute(server(2));
  EXPECT_EQ(played.silent_flows(), 4u);
  EXPECT_EQ(played.meet(1, at(2, 1)), Met::nobody);
  EXPECT_EQ(played.silent_flows(), 4u);
  played.unmute(server(2));
  EXPECT_EQ(played.silent_flows(), 2u);
}

TEST(Servers, NewFlowsOfAMuteOneAreSilentFromTheBeginning) {
  Servers played = servers();
  EXPECT_EQ(played.mute(*net::parse_address("10.0.0.99")), 0u);
  played.mute(server(1));
  played.begin({at(0, 0), at(1, 1)});
  EXPECT_FALSE(played.is_silent(0));
  EXPECT_TRUE(played.is_silent(1));
  EXPECT_EQ(played.silent_flows(), 1u);
}

}  // namespace
}  // namespace nezu::generator
