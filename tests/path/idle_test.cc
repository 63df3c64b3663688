// Connections that are idle for their timeout: silently ended, or with a RST to both ends.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/path/frames.h"
#include "tests/path/lab.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Verdict;

constexpr double kIdle = 905;

world::ServiceSpec service_of(tables::Mode mode, bool resets, bool v6 = false) {
  world::ServiceSpec spec;
  spec.mode = mode;
  spec.protocol = net::Protocol::tcp;
  spec.vip = v6 ? "2001:db8::10" : "203.0.113.10";
  spec.servers = {
      {v6 ? "fd00:1::5" : "10.0.1.5", mode == tables::Mode::route ? uint16_t{80} : uint16_t{8080}}};
  if (mode == tables::Mode::fullnat) spec.snats = {v6 ? "fd00::1" : "10.0.0.1"};
  spec.reset_when_idle = resets;
  return spec;
}

struct Told {
  Ends ends;
  uint32_t sequence = 0, acknowledgement = 0;
  uint8_t flags = 0;
};
Told told(const Frame& frame) {
  const auto bytes = frame.bytes();
  const size_t tcp = bytes[12] == 8 ? 34 : 54;
  return {ends_of(frame), net::swap32(net::load<uint32_t>(&bytes[tcp + 4])),
          net::swap32(net::load<uint32_t>(&bytes[tcp + 8])), bytes[tcp + 13]};
}

/// One connection of 100 + 1 bytes from the client and 500 + 1 from the server (SYNs), idle then.
class Idle : public testing::TestWithParam<std::tuple<tables::Mode, bool>> {};

TEST_P(Idle, BothEndsAreToldWithSequenceNumbersThatTheyTake) {
  const auto [mode, v6] = GetParam();
  Lab lab(2);
  lab.world().put(service_of(mode, true, v6));
  const std::string from = v6 ? client6(7) : client(7), vip = v6 ? "2001:db8::10" : "203.0.113.10";
  const auto between = [v6](const std::string& one, const std::string& other, const Tcp& segment) {
    return v6 ? Frame(eth() / ipv6(one, other) / segment)
              : Frame(eth() / ipv4(one, other) / segment);
  };
  const Fate there = lab.send(between(from, vip, tcp(40000, 80).syn().seq(100)));
  ASSERT_EQ(there.verdict, Verdict::forward);
  const Ends server = ends_of(there.frame);
  const Frame answer =
      between(net::to_string(server.destination), net::to_string(server.source),
              tcp(server.destination_port, server.source_port).syn().seq(500).ack(101));
  ASSERT_EQ(lab.send(answer, 1, 1).verdict, Verdict::forward);
  ASSERT_EQ(lab.send(between(from, vip, tcp(40000, 80).seq(101).ack(501)), 1).verdict,
            Verdict::forward);
  lab.advance(kIdle);
  const std::vector<Fate> fates = lab.said();
  ASSERT_EQ(fates.size(), 2u);
  for (const Fate& fate : fates) {
    ASSERT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
    const Told rst = told(fate.frame);
    EXPECT_EQ(rst.flags, net::kTcpRst | net::kTcpAck);
    if (fate.egress == 1) {
      EXPECT_EQ(rst.ends.destination_port, 8080);
      EXPECT_EQ(rst.sequence, 101u);
      EXPECT_EQ(rst.acknowledgement, 501u);
    } else {
      EXPECT_EQ(rst.ends.source, world::address(vip));
      EXPECT_EQ(rst.ends.destination, world::address(from));
      EXPECT_EQ(rst.ends.source_port, 80);
      EXPECT_EQ(rst.ends.destination_port, 40000);
      EXPECT_EQ(rst.sequence, 501u);
      EXPECT_EQ(rst.acknowledgement, 101u);
    }
  }
  EXPECT_NE(fates[0].egress, fates[1].egress);
  EXPECT_EQ(lab.count(&tables::WorkerLine::flows_reset_when_idle), 1u);
  EXPECT_EQ(lab.flow_count(), 1u) << "closed, for what is still under way";
  lab.advance(11);
  EXPECT_EQ(lab.flow_count(), 0u);
  EXPECT_TRUE(lab.said().empty()) << "once";
  EXPECT_EQ(lab.audit(), "");
}

INSTANTIATE_TEST_SUITE_P(Modes, Idle,
                         testing::Combine(testing::Values(tables::Mode::nat, tables::Mode::fullnat),
                                          testing::Bool()));

TEST(IdleOneWay, OnlyTheServerIsTold) {
  Lab lab(1);
  lab.world().put(service_of(tables::Mode::route, true));
  const auto ends = ipv4("198.51.100.7", "203.0.113.10");
  ASSERT_EQ(lab.send(eth() / ends / tcp(40000, 80).syn().seq(100)).verdict, Verdict::forward);
  ASSERT_EQ(lab.send(eth() / ends / tcp(40000, 80).seq(101).ack(501)).verdict, Verdict::forward);
  lab.advance(kIdle);
  const std::vector<Fate> fates = lab.said();
  ASSERT_EQ(fates.size(), 1u);
  EXPECT_EQ(fates[0].verdict, Verdict::forward);
  EXPECT_EQ(fates[0].egress, 1);
  EXPECT_EQ(told(fates[0].frame).sequence, 101u);
}

TEST(IdleSilent, NobodyIsToldUnlessTheServiceWantsIt) {
  Lab lab(1);
  lab.world().put(service_of(tables::Mode::nat, false));
  Conversation conversation(lab, client(7), 40000);
  ASSERT_TRUE(conversation.open());
  lab.advance(kIdle);
  EXPECT_TRUE(lab.said().empty());
  EXPECT_EQ(lab.flow_count(), 0u);
}

TEST(IdleUnanswered, AHandshakeThatNeverEndedIsNoConnection) {
  Lab lab(1);
  lab.world().put(service_of(tables::Mode::nat, true));
  ASSERT_EQ(lab.send(eth() / ipv4("198.51.100.7", "203.0.113.10") / tcp(40000, 80).syn()).verdict,
            Verdict::forward);
  lab.advance(40);
  EXPECT_TRUE(lab.said().empty());
  EXPECT_EQ(lab.flow_count(), 0u);
}

// More than fit at a time: the rest waits for the next turns; all are told, none twice.
TEST(IdleMany, AllAreToldAFewATurn) {
  Lab lab(2);
  lab.world().put(service_of(tables::Mode::nat, true));
  constexpr uint16_t kConnections = 300;
  for (uint16_t i = 0; i < kConnections; ++i) {
    Conversation conversation(lab, client(i), 40000);
    ASSERT_TRUE(conversation.open());
  }
  lab.advance(kIdle);
  EXPECT_EQ(lab.said().size(), 2u * kConnections);
  EXPECT_EQ(lab.count(&tables::WorkerLine::flows_reset_when_idle), kConnections);
  EXPECT_EQ(lab.audit(), "");
}

}  // namespace
}  // namespace nezu::lab
