// One-packet scheduling: every datagram of a client by itself, and answers that come home.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/path/frames.h"
#include "tests/path/lab.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Protocol;
using net::Reason;
using net::Verdict;
using tables::Mode;

constexpr std::string_view kClient = "198.51.100.7", kVip = "203.0.113.10";

world::ServiceSpec resolvers(Mode mode, uint32_t servers = 4) {
  static const std::array<std::string_view, 8> kServers = {"10.0.1.1", "10.0.1.2", "10.0.1.3",
                                                           "10.0.1.4", "10.0.1.5", "10.0.1.6",
                                                           "10.0.1.7", "10.0.1.8"};
  world::ServiceSpec spec;
  spec.protocol = Protocol::udp;
  spec.port = 53;
  spec.mode = mode;
  spec.one_packet = true;
  for (uint32_t n = 0; n < servers; ++n) spec.servers.push_back({kServers[n], 53});
  if (mode == Mode::fullnat) spec.snats = {"10.0.0.1"};
  return spec;
}

Fate ask(Lab& lab, uint16_t port = 5000, std::string_view client = kClient, uint16_t worker = 0) {
  return lab.send(eth() / ipv4(client, kVip) / udp(port, 53) / "question", worker);
}

TEST(Datagrams, OneClientsAreSharedOutAndAnswersComeHome) {
  for (const Mode mode : {Mode::nat, Mode::fullnat}) {
    for (const uint16_t workers : {uint16_t{1}, uint16_t{2}}) {
      Lab lab(workers);
      const auto id = lab.world().put(resolvers(mode));
      std::map<std::string, int> asked;
      for (uint16_t n = 0; n < 100; ++n) {
        const Fate there = ask(lab, 5000, kClient, n % workers);
        ASSERT_EQ(there.verdict, Verdict::forward) << to_string(there.reason);
        const auto ends = ends_of(there.frame);
        ++asked[net::to_string(ends.destination)];
        const Fate back =
            lab.send(eth() / ipv4(net::to_string(ends.destination), net::to_string(ends.source)) /
                         udp(53, ends.source_port) / "answer",
                     static_cast<uint16_t>((n + 1) % workers), 1);
        ASSERT_EQ(back.verdict, Verdict::forward) << to_string(back.reason);
        EXPECT_EQ(ends_of(back.frame).source, world::address(kVip));
        EXPECT_EQ(ends_of(back.frame).source_port, 53);
        EXPECT_EQ(ends_of(back.frame).destination, world::address(kClient));
        EXPECT_EQ(ends_of(back.frame).destination_port, 5000);
      }
      EXPECT_EQ(asked.size(), 4u);
      for (const auto& [server, count] : asked) EXPECT_EQ(count, 25) << server;
      EXPECT_EQ(lab.flow_count(), 4u) << "one to each server";
      EXPECT_EQ(lab.audit(), "");
      (void)id;
    }
  }
}

TEST(Datagrams, ThoseOfOneBurst) {
  Lab lab(1);
  lab.world().put(resolvers(Mode::nat));
  const std::vector<Frame> burst(32, Frame(eth() / ipv4(kClient, kVip) / udp(5000, 53) / "q"));
  std::map<std::string, int> asked;
  for (const Fate& fate : lab.send(burst)) {
    ASSERT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
    ++asked[net::to_string(ends_of(fate.frame).destination)];
  }
  for (const auto& [server, count] : asked) EXPECT_EQ(count, 8) << server;
  EXPECT_EQ(lab.flow_count(), 4u);
}

TEST(Datagrams, OneWayModes) {
  for (const Mode mode : {Mode::route, Mode::tunnel_ipip}) {
    Lab lab(1);
    lab.world().put(resolvers(mode));
    std::set<Bytes> ways;
    for (int n = 0; n < 8; ++n) {
      const Fate fate = ask(lab);
      ASSERT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
      ways.insert(Bytes(fate.frame.bytes().begin(), fate.frame.bytes().begin() + 34));
    }
    EXPECT_GE(ways.size(), 4u);
    EXPECT_EQ(lab.flow_count(), 4u);
  }
}

TEST(Datagrams, BetweenFamilies) {
  Lab lab(1);
  world::ServiceSpec spec = resolvers(Mode::fullnat, 2);
  spec.servers = {{"10.0.1.1", 53}, {"fd00:1::5", 53}};
  spec.snats = {"10.0.0.1", "fd00:1::aa"};
  lab.world().put(spec);
  for (int n = 0; n < 10; ++n) ASSERT_EQ(ask(lab).verdict, Verdict::forward);
  EXPECT_EQ(lab.flow_count(), 2u);
  EXPECT_EQ(lab.audit(), "");
}

TEST(Datagrams, AServerThatIsGoneIsNotAskedAgain) {
  Lab lab(1);
  world::ServiceSpec spec = resolvers(Mode::nat, 2);
  lab.world().put(spec);
  for (int n = 0; n < 4; ++n) ASSERT_EQ(ask(lab).verdict, Verdict::forward);
  spec.servers[0].state = tables::ServerState::draining;
  lab.world().put(spec);
  for (int n = 0; n < 4; ++n) {
    EXPECT_EQ(ends_of(ask(lab).frame).destination, world::address("10.0.1.2"));
  }
  spec.servers[1].state = tables::ServerState::failed;
  spec.servers[0].state = tables::ServerState::failed;
  lab.world().put(spec);
  EXPECT_EQ(ask(lab).reason, Reason::no_server);
}

TEST(Datagrams, PiecesOfOneMeet) {
  Lab lab(2);
  lab.world().put(resolvers(Mode::nat));
  std::set<std::string> asked;
  for (uint16_t id = 1; id <= 20; ++id) {
    const Frame whole(eth() / ipv4(kClient, kVip) / udp(5000, 53) / fill(2000));
    const auto bytes = whole.bytes().subspan(34);
    std::set<std::string> here;
    for (size_t at = 0; at < bytes.size(); at += 800) {
      const size_t end = std::min(at + 800, bytes.size());
      const Fate fate = lab.send(
          eth() /
              ipv4(kClient, kVip).id(id).fragment(static_cast<uint16_t>(at), end < bytes.size()) /
              raw(Bytes(bytes.begin() + static_cast<ptrdiff_t>(at),
                        bytes.begin() + static_cast<ptrdiff_t>(end)),
                  17),
          id % 2);
      ASSERT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
      here.insert(net::to_string(ends_of(fate.frame).destination));
    }
    EXPECT_EQ(here.size(), 1u);
    asked.insert(here.begin(), here.end());
  }
  EXPECT_GT(asked.size(), 1u) << "not all at one";
}

TEST(Datagrams, LimitsAndListsHold) {
  Lab lab(1);
  world::ServiceSpec spec = resolvers(Mode::nat);
  spec.limits.client.at_once = 2;
  spec.limits.host_bits4 = 0;
  lab.world().put(spec);
  int through = 0, beyond = 0;
  for (int n = 0; n < 16; ++n) {
    const Fate fate = ask(lab);
    through += fate.verdict == Verdict::forward;
    beyond += fate.reason == Reason::client_limit_flows;
  }
  EXPECT_EQ(through + beyond, 16);
  EXPECT_EQ(through, 8) << "flows to two of four servers";
  spec.limits = {};
  spec.access.deny = {*net::parse_prefix("198.51.100.0/24")};
  lab.world().put(spec);
  EXPECT_EQ(ask(lab).reason, Reason::access_denied) << "each datagram asks";
  EXPECT_EQ(ask(lab, 5000, "203.0.114.7").verdict, Verdict::forward);
}

TEST(Datagrams, MoreServersThanLanesKeepNobodyOut) {
  Lab lab(1);
  std::vector<std::string> names;
  names.reserve(400);
  world::ServiceSpec spec = resolvers(Mode::nat, 0);
  for (int n = 0; n < 400; ++n) {
    names.push_back("10.0.1." + std::to_string(1 + n % 250));
    spec.servers.push_back({names.back(), static_cast<uint16_t>(53 + n / 250)});
  }
  lab.world().put(spec);
  std::set<std::pair<net::Address, uint16_t>> asked;
  for (int n = 0; n < 800; ++n) {
    const Fate fate = ask(lab);
    ASSERT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
    asked.insert({ends_of(fate.frame).destination, ends_of(fate.frame).destination_port});
  }
  EXPECT_GT(asked.size(), 150u);
  EXPECT_LE(lab.flow_count(), 255u);
  EXPECT_EQ(lab.audit(), "");
}

TEST(Datagrams, ARestartKeepsThemAll) {
  for (const Mode mode : {Mode::nat, Mode::fullnat, Mode::route}) {
    Lab lab(2, {4096, 256});
    lab.world().put(resolvers(mode));
    /// Servers with the ports that they see.
    const auto seen = [&] {
      std::set<std::string> all;
      for (int n = 0; n < 8; ++n) {
        const Fate fate = ask(lab);
        const auto bytes = fate.frame.bytes();
        all.emplace(bytes.begin(), bytes.begin() + 42);
      }
      return all;
    };
    const std::set<std::string> before = seen();
    for (const uint16_t workers : {uint16_t{2}, uint16_t{3}}) {
      const path::Restored restored = lab.restart(workers);
      EXPECT_EQ(restored.kept, 4u);
      EXPECT_EQ(restored.dropped, 0u);
      EXPECT_EQ(before, seen());
    }
    EXPECT_EQ(lab.flow_count(), 4u);
    EXPECT_EQ(lab.audit(), "");
  }
}

/// From one port, in nat: the flows that there are stand for those that would be opened.
TEST(Datagrams, SwitchedOffAndOnKeepsNobodyOut) {
  Lab lab(1);
  world::ServiceSpec spec = resolvers(Mode::nat);
  const auto all = [&] {
    for (int n = 0; n < 12; ++n) {
      const Fate fate = ask(lab);
      ASSERT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
      const Fate back =
          lab.send(eth() / ipv4(net::to_string(ends_of(fate.frame).destination), kClient) /
                       udp(53, 5000) / "answer",
                   0, 1);
      ASSERT_EQ(back.verdict, Verdict::forward) << to_string(back.reason);
      ASSERT_EQ(ends_of(back.frame).source, world::address(kVip));
    }
    EXPECT_EQ(lab.audit(), "");
  };
  lab.world().put(spec);
  all();
  spec.one_packet = false;
  lab.world().put(spec);
  all();
  spec.one_packet = true;
  lab.world().put(spec);
  all();
  lab.advance(400);
  EXPECT_EQ(lab.flow_count(), 0u);
  all();
  EXPECT_EQ(lab.flow_count(), 4u);
}

TEST(Datagrams, OnePortTowardsTwoVipsOfAServerHasAReasonOfItsOwn) {
  Lab lab(1);
  world::ServiceSpec spec = resolvers(Mode::nat, 1), other = spec;
  other.vip = "203.0.113.11";
  other.one_packet = false;
  lab.world().put(spec);
  lab.world().put(other);
  ASSERT_EQ(ask(lab).verdict, Verdict::forward);
  EXPECT_EQ(lab.send(eth() / ipv4(kClient, "203.0.113.11") / udp(5000, 53) / "q").reason,
            Reason::answers_ambiguous);
  EXPECT_EQ(lab.audit(), "");
}

TEST(Datagrams, WhomNobodyMayTakeAnewGoesOn) {
  Lab lab(1);
  world::ServiceSpec spec = resolvers(Mode::nat, 3);
  for (world::ServerSpec& server : spec.servers) server.max_flows = 1;
  lab.world().put(spec);
  std::set<net::Address> asked;
  for (int n = 0; n < 40; ++n) {
    const Fate fate = ask(lab);
    ASSERT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
    asked.insert(ends_of(fate.frame).destination);
    lab.advance(0.001);
  }
  EXPECT_EQ(asked.size(), 3u);
  EXPECT_EQ(ask(lab, 5001).reason, Reason::servers_full);
  EXPECT_EQ(lab.flow_count(), 3u);
}

/// What a router says of an answer reaches a server that answers this client.
TEST(Datagrams, IcmpErrorsReachAServer) {
  for (const Mode mode : {Mode::nat, Mode::fullnat}) {
    Lab lab(1);
    lab.world().put(resolvers(mode));
    const Bytes quoted =
        Stack(Stack{} / ipv4(kVip, kClient).ttl(60) / udp(53, 5000) / "answer").bytes();
    const Frame error(eth() / ipv4("192.0.2.77", kVip) / fragmentation_needed(1400) /
                      raw(quoted, 4));
    EXPECT_EQ(lab.send(error).reason, Reason::icmp_unmatched) << "nobody was asked";
    ASSERT_EQ(ask(lab).verdict, Verdict::forward);
    const Fate fate = lab.send(error);
    EXPECT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
    EXPECT_EQ(ends_of(fate.frame).destination.is_v4(), true);
    EXPECT_TRUE(net::parse_prefix("10.0.1.0/24")->contains(ends_of(fate.frame).destination));
  }
}

TEST(Datagrams, LimitsOfPacketsRefuseNoFlow) {
  Lab lab(1);
  world::ServiceSpec spec = resolvers(Mode::nat);
  spec.traffic.client.packets_per_second = 100;
  const auto id = lab.world().put(spec);
  int through = 0;
  for (int n = 0; n < 60; ++n) through += ask(lab).verdict == Verdict::forward;
  EXPECT_EQ(through, 10);
  EXPECT_EQ(lab.count(Reason::client_limit_packet_rate), 50u);
  EXPECT_EQ(lab.world().region().services_of(0)[index(id)].flows_refused.read(), 0u);
}

}  // namespace
}  // namespace nezu::lab
