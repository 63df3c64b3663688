// New flows in bursts: decided together, filed together, and yet as if one came after the other.
#include <gtest/gtest.h>

#include <map>

#include "tests/path/frames.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Reason;
using net::Verdict;

Frame datagram(uint32_t n, std::string_view vip = "203.0.113.10", uint16_t port = 1000) {
  return eth() / ipv4(client(n), std::string(vip)) / udp(port, 80) / "question";
}

world::ServiceSpec names(tables::Scheduler scheduler) {
  world::ServiceSpec spec = web();
  spec.protocol = net::Protocol::udp;
  spec.scheduler = scheduler;
  return spec;
}

std::map<net::Address, int> spread(const std::vector<Fate>& fates) {
  std::map<net::Address, int> servers;
  for (const Fate& fate : fates) {
    EXPECT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
    ++servers[ends_of(fate.frame).destination];
  }
  return servers;
}

TEST(NewFlowBurst, PacketsOfOneFlowOpenItOnceAndTakeOneTurn) {
  for (const tables::Scheduler scheduler : {tables::Scheduler::rr, tables::Scheduler::lc}) {
    Lab lab(1);
    const auto service = lab.world().put(names(scheduler));
    std::vector<Frame> frames;  // each client sends three in a row, and another at the end
    for (uint32_t n = 0; n < 15; ++n) {
      for (int i = 0; i < 3; ++i) frames.push_back(datagram(n));
    }
    for (uint32_t n = 0; n < 15; ++n) frames.push_back(datagram(n));
    const std::vector<Fate> fates = lab.send(frames);
    EXPECT_EQ(lab.flow_count(), 15u);
    EXPECT_EQ(lab.gauge_of_service(service), 15u);
    for (const auto& [server, packets] : spread(fates)) EXPECT_EQ(packets, 20);
    std::map<net::Address, net::Address> server_of;
    for (const Fate& fate : fates) {
      const Ends ends = ends_of(fate.frame);
      const auto [known, fresh] = server_of.emplace(ends.source, ends.destination);
      EXPECT_EQ(known->second, ends.destination);
    }
    EXPECT_EQ(lab.audit(), "");
  }
}

TEST(NewFlowBurst, LeastConnectionsSeesTheFlowsThatAreOnlyDecided) {
  Lab lab(1);
  lab.world().put(names(tables::Scheduler::lc));
  std::vector<Frame> frames;
  for (uint32_t n = 0; n < 63; ++n) frames.push_back(datagram(n));
  for (const auto& [server, flows] : spread(lab.send(frames))) EXPECT_EQ(flows, 21);
  for (const char* server : {"10.0.1.5", "10.0.1.6", "10.0.1.7"}) {
    EXPECT_EQ(lab.gauge_of_server(lab.world().server_id(server, 8080, net::Protocol::udp)), 21u);
  }
}

TEST(NewFlowBurst, BothFamiliesAtOnce) {
  Lab lab(1);
  lab.world().put(names(tables::Scheduler::rr));
  world::ServiceSpec six = names(tables::Scheduler::rr);
  six.vip = "2001:db8::10";
  six.servers = {{"fd00:1::5", 8080}, {"fd00:1::6", 8080}};
  lab.world().put(six);
  std::vector<Frame> frames;
  for (uint32_t n = 0; n < 30; ++n) {
    frames.push_back(datagram(n));
    frames.push_back(eth() / ipv6(client6(n), "2001:db8::10") / udp(1000, 80) / "question");
  }
  EXPECT_EQ(spread(lab.send(frames)).size(), 5u);
  EXPECT_EQ(lab.flow_count(), 60u);
  EXPECT_EQ(lab.audit(), "");
}

// One client port towards two VIPs of one server: the answers could not be told apart.
TEST(NewFlowBurst, WhoFindsItsAnswersTakenHoldsNothing) {
  Lab lab(1);
  world::ServiceSpec first = names(tables::Scheduler::rr), second = first;
  first.servers = second.servers = {{"10.0.1.5", 8080}};
  second.vip = "203.0.113.11";
  lab.world().put(first);
  const auto other = lab.world().put(second);
  const std::vector<Fate> fates = lab.send({datagram(1), datagram(1, "203.0.113.11")});
  EXPECT_EQ(fates[0].verdict, Verdict::forward);
  EXPECT_EQ(fates[1].reason, Reason::answers_ambiguous) << to_string(fates[1].reason);
  EXPECT_EQ(lab.flow_count(), 1u);
  EXPECT_EQ(lab.gauge_of_server(lab.world().server_id("10.0.1.5", 8080, net::Protocol::udp)), 1u);
  EXPECT_EQ(lab.world().region().services_of(0)[index(other)].flows_refused.read(), 1u);
  EXPECT_EQ(lab.audit(), "");
}

// A great table gives up its oldest flows before new ones come; it never gives up a live one.
TEST(NewFlowBurst, AGreatTableMakesRoomAhead) {
  constexpr uint32_t kCapacity = 16 * 4096, kLive = 100, kReserve = 16;
  Lab lab(1, {kCapacity, 0});
  lab.world().put(names(tables::Scheduler::rr));
  tables::Settings settings;
  settings.embryonic_percent = 100;
  lab.world().settings(settings);
  for (uint32_t n = 0; n < kLive; ++n) {
    const Ends there = ends_of(lab.send(datagram(n)).frame);
    const Frame answer = eth() /
                         ipv4(net::to_string(there.destination), net::to_string(there.source)) /
                         udp(there.destination_port, there.source_port) / "answer";
    ASSERT_EQ(lab.send(answer, 0, 1).verdict, Verdict::forward);
  }
  uint32_t next = kLive;
  const auto open = [&](uint32_t count) {
    std::vector<Frame> frames;
    for (uint32_t i = 0; i < count; ++i) frames.push_back(datagram(next++));
    for (const Fate& fate : lab.send(frames)) ASSERT_EQ(fate.verdict, Verdict::forward);
  };
  while (next + 64 <= kCapacity) open(64);
  lab.advance(2);  // they have had their second
  for (int round = 0; round < 4; ++round) {
    open(64);
    lab.advance(0.01);
    EXPECT_EQ(lab.flow_count(), kCapacity - kReserve);
  }
  EXPECT_EQ(lab.flows(0).count(false, flow::Stage::live), kLive);
  EXPECT_GT(lab.count(&tables::WorkerLine::flows_recycled), 200u);
  EXPECT_EQ(lab.audit(), "");
}

}  // namespace
}  // namespace nezu::lab
