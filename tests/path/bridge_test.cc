// Bridges: both ports are one network; what is not ours passes as it came, what is ours is balanced
// although servers have another gateway.
//
//   clients - router 10.0.1.254 -+- port 0 [us] port 1 -+- servers 10.0.1.5 ...
//                host 10.0.1.9 --+                      +- host 10.0.1.8
#include <gtest/gtest.h>

#include "dataplane/link/hello.h"
#include "tests/path/frames.h"
#include "tests/path/lab.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Reason;
using net::Verdict;

constexpr uint16_t kClients = 0, kServers = 1, kVlan = 5;
const char* const kHere = "02:00:00:00:09:09";   // 10.0.1.9, at the clients' side
const char* const kThere = "02:00:00:00:08:08";  // 10.0.1.8, at the servers'
const char* const kVip = "10.0.1.100";
const char* const kVip6 = "fd00:1::100";
const char* const kAll = "ff:ff:ff:ff:ff:ff";

struct Inline : Lab {
  explicit Inline(uint16_t vlan = 0, uint16_t workers = 1) : Lab(workers), vlan_(vlan) {
    world::ServiceSpec spec = web();
    spec.vip = kVip;
    world().put(spec);
    spec.vip = kVip6;
    spec.servers = {{"fd00:1::5", 8080}};
    world().put(spec);
    spec = web();
    spec.vip = kVip;
    spec.protocol = net::Protocol::udp;
    spec.port = 53;
    world().put(spec);
    world().neighbour(world::address("10.0.1.9"), *net::parse_mac(kHere));
    wire();
  }
  void wire() {
    world().bridge_routes(vlan_, {world::address("10.0.1.9")});
    world().leases().set(0, net::after(now(), 1'000'000'000'000));
  }
  void close() { world().leases().set(0, {}); }
  void expect_across(const Frame& frame, uint16_t port, uint16_t worker = 0) {
    const Fate fate = send(frame, worker, port);
    EXPECT_EQ(fate.verdict, Verdict::across) << to_string(fate.reason);
    EXPECT_EQ(fate.egress, 1 - port);
    EXPECT_EQ(fate.frame, frame);
  }
  uint64_t passed(size_t way) {
    uint64_t sum = 0;
    for (uint16_t worker = 0; worker < workers(); ++worker) {
      sum += line(worker).bridged[0][way].packets.read();
    }
    return sum;
  }

 private:
  uint16_t vlan_;
};

Frame other(const char* from, std::string_view to) {
  return eth().from(from).to(to).type(0x9000) / raw({1, 2, 3, 4, 5, 6, 7, 8, 9});
}

TEST(Bridge, PassesWhatIsForOthersAsItCame) {
  Inline lab;
  for (const uint16_t port : {kClients, kServers}) {
    const Eth link = port == kClients ? eth().from(kHere).to(kThere) : eth().from(kThere).to(kHere);
    auto ip = ipv4("10.0.1.9", "10.0.1.8").ttl(1).tos(0xb8);
    lab.expect_across(link / ip / tcp(40000, 22).syn(), port);
    lab.expect_across(link / ip / tcp(40000, 22).psh().seq(9).ack(8) / "text", port);
    lab.expect_across(link / ip / udp(40000, 53) / "question", port);
    lab.expect_across(link / ip / echo_request(7, 1), port);
    lab.expect_across(link / ipv4("10.0.1.9", "224.0.0.5").ttl(1) / udp(5, 6), port);
    lab.expect_across(link / ipv6("fd00:1::9", "fd00:1::8").hops(1) / tcp(40000, 22).syn(), port);
    lab.expect_across(link / vlan(0).priority(5) / ip / udp(40000, 53) / "question", port);
    lab.expect_across(link / arp_request("10.0.1.9", kVip), port);
    lab.expect_across(other(port == kClients ? kHere : kThere, port == kClients ? kThere : kHere),
                      port);
    // A wire does not look at what it carries.
    lab.expect_across(link / ip.checksum(1) / udp(40000, 53), port);
    lab.expect_across(link / ipv4("0.0.0.0", "10.0.1.8") / udp(0, 0), port);
  }
  EXPECT_EQ(lab.passed(0), 11u);
  EXPECT_EQ(lab.passed(1), 11u);
  EXPECT_EQ(lab.count(&tables::WorkerLine::transit), 0u);
  EXPECT_EQ(lab.flow_count(), 0u);
}

TEST(Bridge, KeepsTagAndPriority) {
  Inline lab(kVlan);
  const auto ip = ipv4("10.0.1.9", "10.0.1.8");
  lab.expect_across(eth().from(kHere).to(kThere) / vlan(kVlan).priority(6) / ip / udp(5, 6),
                    kClients);
  // Another VLAN of these ports, and what has none, is no bridge's.
  EXPECT_EQ(lab.send(eth().from(kHere).to(kThere) / vlan(6) / ip / udp(5, 6)).reason,
            Reason::vlan_unknown);
  EXPECT_EQ(lab.send(eth().from(kHere).to(kThere) / ip / udp(5, 6)).reason, Reason::mac_other);
}

TEST(Bridge, FragmentsPass) {
  Inline lab;
  for (const bool first : {true, false}) {
    auto ip = ipv4("10.0.1.9", "10.0.1.8").id(7).fragment(first ? 0 : 16, first);
    lab.expect_across(eth().from(kHere).to(kThere) / ip / raw(Bytes(16, 1), 17), kClients);
  }
}

TEST(Bridge, WhatIsForAllReachesTheKernelAndTheOtherSide) {
  Inline lab;
  const auto ip = ipv4("10.0.1.9", "255.255.255.255");
  for (const Frame& frame : std::vector<Frame>{
           eth().from(kHere).to(kAll) / ip / udp(68, 67) / "who am I",
           eth().from(kHere).to(kAll) / ipv4("10.0.1.9", "10.0.1.255") / udp(138, 138) / "name",
           eth().from(kHere).to(kAll) / arp_request("10.0.1.9", "10.0.1.8"),
           eth().from(kHere).to(kAll) / arp_request("10.0.1.9", "10.0.1.1"),
           eth().from(kHere).to("01:00:5e:00:00:05") / ipv4("10.0.1.9", "224.0.0.5") / udp(5, 6),
           other(kHere, "03:00:00:00:00:09")}) {
    for (const uint16_t port : {kClients, kServers}) {
      const Fate fate = lab.send(frame, 0, port);
      EXPECT_EQ(fate.verdict, Verdict::both) << to_string(fate.reason);
      EXPECT_EQ(fate.egress, 1 - port);
      EXPECT_EQ(fate.frame, frame);
    }
  }
  EXPECT_EQ(lab.passed(0), 6u);
}

TEST(Bridge, OurOwnAddressesAreAnsweredOnBothSidesAndAskedForNoFurther) {
  Inline lab;
  for (const uint16_t port : {kClients, kServers}) {
    const Fate fate = lab.send(eth().from(kHere).to(kAll) / arp_request("10.0.1.9", kVip), 0, port);
    EXPECT_EQ(fate.verdict, Verdict::reply);
    // One MAC for the whole bridge.
    EXPECT_EQ(net::to_string(net::MacAddress{{fate.frame.bytes()[6], fate.frame.bytes()[7],
                                              fate.frame.bytes()[8], fate.frame.bytes()[9],
                                              fate.frame.bytes()[10], fate.frame.bytes()[11]}}),
              world::kFrontMac);
  }
  EXPECT_EQ(lab.passed(0) + lab.passed(1), 0u);
  EXPECT_EQ(lab.send(eth().to(world::kFrontMac) / ipv4("10.0.1.9", kVip) / echo_request(1, 1), 0,
                     kServers)
                .verdict,
            Verdict::reply);
}

TEST(Bridge, OurMacIsTheKernelsAndTransitAsOnAnyPort) {
  Inline lab;
  const Eth us = eth().from(kThere).to(world::kFrontMac);
  EXPECT_EQ(lab.send(us / ipv4("10.0.1.8", "10.0.1.1") / tcp(5, 22).syn(), 0, kServers).verdict,
            Verdict::twin);
  EXPECT_EQ(lab.send(us / ipv4("10.0.1.8", "198.51.100.1") / tcp(5, 22).syn(), 0, kServers).reason,
            Reason::transit_refused);
  // The same addresses to another MAC are not ours.
  lab.expect_across(eth().from(kThere).to(kHere) / ipv4("10.0.1.8", "10.0.1.1") / tcp(5, 22).syn(),
                    kServers);
}

TEST(Bridge, WiresOfTheSwitchesStayTheirs) {
  Inline lab;
  EXPECT_EQ(lab.send(other(kHere, "01:80:c2:00:00:02")).verdict, Verdict::twin);  // LACP
  EXPECT_EQ(lab.send(other(kHere, "01:80:c2:00:00:0e")).verdict, Verdict::twin);  // LLDP
  EXPECT_EQ(lab.send(other(kHere, "01:80:c2:00:00:00")).verdict, Verdict::both);  // spanning tree
}

TEST(Bridge, TooLongForTheOtherSide) {
  Inline lab;
  EXPECT_EQ(lab.send(eth().from(kHere).to(kThere).type(0x9000) / raw(Bytes(1500, 1))).verdict,
            Verdict::across);
  const Fate fate = lab.send(eth().from(kHere).to(kThere).type(0x9000) / raw(Bytes(1501, 1)));
  EXPECT_EQ(fate.verdict, Verdict::drop);
  EXPECT_EQ(fate.reason, Reason::too_big);
  EXPECT_EQ(lab.send(eth().from(kHere).to(kAll).type(0x9000) / raw(Bytes(1501, 1))).verdict,
            Verdict::twin);
  EXPECT_EQ(lab.count(Reason::too_big), 2u);
}

/// A server that has the router as its gateway, and no route to clients here.
TEST(Bridge, AnswersToTheRouterAreTranslated) {
  for (const uint16_t tag : {uint16_t{0}, kVlan}) {
    for (const uint16_t workers : {1, 3}) {
      Inline lab(tag, workers);
      const auto tagged = [&](const Eth& link, const auto& ip, const auto& rest) -> Frame {
        return tag == 0 ? link / ip / rest : link / vlan(tag).priority(5) / ip / rest;
      };
      for (uint16_t worker = 0; worker < workers; ++worker) {
        const std::string from = client(worker);
        const auto port = static_cast<uint16_t>(40000 + worker);
        const Fate there = lab.send(tagged(eth().from(world::kRouterMac).to(world::kFrontMac),
                                           ipv4(from, kVip), tcp(port, 80).syn().seq(1)),
                                    worker, kClients);
        ASSERT_EQ(there.verdict, Verdict::forward) << to_string(there.reason);
        EXPECT_EQ(there.egress, kServers);
        const Frame plain = there.frame;
        const Bytes mac(plain.bytes().begin(), plain.bytes().begin() + 6);
        net::MacAddress server;
        std::copy(mac.begin(), mac.end(), server.bytes.begin());
        const std::string at = net::to_string(server);
        const std::string address = at == net::to_string(world::server_mac(0))   ? "10.0.1.5"
                                    : at == net::to_string(world::server_mac(1)) ? "10.0.1.6"
                                                                                 : "10.0.1.7";
        EXPECT_EQ(there.frame, tagged(eth().from(world::kFrontMac).to(at),
                                      ipv4(from, address).ttl(63), tcp(port, 8080).syn().seq(1)));
        // By whichever worker it comes in.
        const Eth back = eth().from(at).to(world::kRouterMac);
        const Fate answer =
            lab.send(tagged(back, ipv4(address, from), tcp(8080, port).syn().seq(7).ack(2)),
                     static_cast<uint16_t>((worker + 1) % workers), kServers);
        ASSERT_EQ(answer.verdict, Verdict::forward) << to_string(answer.reason);
        EXPECT_EQ(answer.egress, kClients);
        EXPECT_EQ(answer.frame,
                  tagged(back, ipv4(kVip, from).ttl(63), tcp(80, port).syn().seq(7).ack(2)));
        // Another flow of that server is its own affair.
        const Frame own = tagged(back, ipv4(address, from), tcp(5555, port).syn());
        lab.expect_across(own, kServers, (worker + 1) % workers);
      }
    }
  }
}

TEST(Bridge, AnswersOverIpv6AndFragmentsToo) {
  Inline lab;
  const Eth in = eth().from(world::kRouterMac).to(world::kFrontMac);
  ASSERT_EQ(lab.send(in / ipv6("2001:db8:c::7", kVip6) / tcp(40000, 80).syn()).verdict,
            Verdict::forward);
  const Eth back = eth().from(kThere).to(world::kRouterMac);
  Fate fate = lab.send(back / ipv6("fd00:1::5", "2001:db8:c::7") / tcp(8080, 40000).syn().ack(1), 0,
                       kServers);
  EXPECT_EQ(fate.frame, back / ipv6(kVip6, "2001:db8:c::7").hops(63) / tcp(80, 40000).syn().ack(1));
  ASSERT_EQ(lab.send(in / ipv4("198.51.100.7", kVip) / udp(5000, 53) / "question").verdict,
            Verdict::forward);
  // In two pieces, to the router.
  const Frame whole = back / ipv4("10.0.1.5", "198.51.100.7") / udp(8080, 5000) / raw(Bytes(64, 7));
  const Bytes udp_bytes(whole.bytes().begin() + 34, whole.bytes().end());
  for (const bool first : {true, false}) {
    const auto piece = [&](const char* from) {
      return ipv4(from, "198.51.100.7").id(9).fragment(first ? 0 : 32, first);
    };
    const Bytes part(udp_bytes.begin() + (first ? 0 : 32),
                     first ? udp_bytes.begin() + 32 : udp_bytes.end());
    fate = lab.send(back / piece("10.0.1.5") / raw(part, 17), 0, kServers);
    EXPECT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
    const Frame left = fate.frame;
    EXPECT_EQ(Bytes(left.bytes().begin() + 26, left.bytes().begin() + 30), (Bytes{10, 0, 1, 100}));
    EXPECT_EQ(Bytes(left.bytes().begin(), left.bytes().begin() + 12),
              Bytes(whole.bytes().begin(), whole.bytes().begin() + 12));
  }
}

/// They leave as answers do: to whom the frame was for, by the port of the clients.
TEST(Bridge, ErrorsAboutBalancedPacketsAreTranslated) {
  Inline lab;
  const Eth in = eth().from(world::kRouterMac).to(world::kFrontMac);
  const Eth back = eth().from(kThere).to(world::kRouterMac);
  ASSERT_EQ(lab.send(in / ipv4("198.51.100.7", kVip) / udp(5000, 53) / "question").verdict,
            Verdict::forward);
  Fate fate = lab.send(back / ipv4("10.0.1.5", "198.51.100.7") / port_unreachable() /
                           ipv4("198.51.100.7", "10.0.1.5").ttl(63) / udp(5000, 8080) / "question",
                       0, kServers);
  ASSERT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
  EXPECT_EQ(fate.egress, kClients);
  EXPECT_EQ(fate.frame, back / ipv4(kVip, "198.51.100.7").ttl(63) / port_unreachable() /
                            ipv4("198.51.100.7", kVip).ttl(63) / udp(5000, 53) / "question");
  ASSERT_EQ(lab.send(in / ipv6("2001:db8:c::7", kVip6) / tcp(40000, 80).syn()).verdict,
            Verdict::forward);
  fate = lab.send(back / ipv6("fd00:1::5", "2001:db8:c::7") / packet_too_big(1400) /
                      ipv6("2001:db8:c::7", "fd00:1::5").hops(63) / tcp(40000, 8080).syn(),
                  0, kServers);
  ASSERT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
  EXPECT_EQ(fate.frame, back / ipv6(kVip6, "2001:db8:c::7").hops(63) / packet_too_big(1400) /
                            ipv6("2001:db8:c::7", kVip6).hops(63) / tcp(40000, 80).syn());
  // The client's side tells the server, which is at the other port.
  fate = lab.send(in / ipv4("198.51.100.1", kVip) / time_exceeded() /
                      ipv4(kVip, "198.51.100.7").ttl(1) / udp(53, 5000) / "answer",
                  0, kClients);
  ASSERT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
  EXPECT_EQ(fate.egress, kServers);
  EXPECT_EQ(ends_of(fate.frame).destination, world::address("10.0.1.5"));
  // One about what passed us is passed as it came.
  lab.expect_across(eth().from(kThere).to(kHere) / ipv4("10.0.1.8", "10.0.1.9") /
                        port_unreachable() / ipv4("10.0.1.9", "10.0.1.8") / udp(7, 8) / "x",
                    kServers);
}

TEST(Bridge, AClientOfTheSameNetworkNeedsNoSnatSet) {
  Inline lab;
  const Eth in = eth().from(kHere).to(world::kFrontMac);
  const Fate there = lab.send(in / ipv4("10.0.1.9", kVip) / udp(5000, 53) / "question");
  EXPECT_EQ(there.verdict, Verdict::forward) << to_string(there.reason);
  // At the servers' side it would be answered past us.
  const Fate beside = lab.send(
      eth().from(kThere).to(world::kFrontMac) / ipv4("10.0.1.8", kVip) / udp(5000, 53) / "question",
      0, kServers);
  EXPECT_EQ(beside.reason, Reason::hairpin_refused);
}

TEST(Bridge, AClosedOneBalancesButPassesNothing) {
  Inline lab;
  lab.close();
  EXPECT_EQ(
      lab.send(eth().from(kHere).to(kThere) / ipv4("10.0.1.9", "10.0.1.8") / udp(5, 6)).reason,
      Reason::bridge_closed);
  EXPECT_EQ(lab.send(other(kHere, kThere)).reason, Reason::bridge_closed);
  // Groups are heard at the clients' side alone: another box passes them on.
  const Frame question = eth().from(kHere).to(kAll) / arp_request("10.0.1.9", "10.0.1.1");
  EXPECT_EQ(lab.send(question, 0, kClients).verdict, Verdict::twin);
  EXPECT_EQ(lab.send(question, 0, kServers).reason, Reason::bridge_closed);
  EXPECT_EQ(lab.send(eth().from(kHere).to(kAll) / arp_request("10.0.1.9", kVip)).verdict,
            Verdict::reply);
  EXPECT_EQ(lab.send(eth().from(kHere).to(world::kFrontMac) / ipv4("198.51.100.7", kVip) /
                     tcp(40000, 80).syn())
                .verdict,
            Verdict::forward);
  EXPECT_EQ(lab.passed(0) + lab.passed(1), 0u);
}

TEST(Bridge, ALeaseThatRunsOutClosesIt) {
  Inline lab;
  lab.world().leases().set(0, net::after(lab.now(), 500'000'000));
  const Frame frame = eth().from(kHere).to(kThere) / ipv4("10.0.1.9", "10.0.1.8") / udp(5, 6);
  lab.expect_across(frame, kClients);
  lab.advance(1);
  EXPECT_EQ(lab.send(frame).reason, Reason::bridge_closed);
}

TEST(Bridge, HellosAreHeardAndPass) {
  Inline lab;
  const link::HelloFrame bytes =
      link::write_hello({{100, *net::parse_mac(kHere)}, link::BridgeSide::clients, false});
  const Frame hello(Bytes(bytes.begin(), bytes.end()));
  for (const uint16_t port : {kClients, kServers}) {
    EXPECT_EQ(lab.send(hello, 0, port).verdict, Verdict::both);
  }
  lab.close();
  for (const uint16_t port : {kClients, kServers}) {
    EXPECT_EQ(lab.send(hello, 0, port).verdict, Verdict::twin);
  }
}

TEST(Bridge, SourceNatTakesNothingThatOnlyPasses) {
  Inline lab;
  world::RuleSpec rule;
  rule.networks = {"10.0.1.0/24"};
  rule.snats = {"10.0.1.200"};
  lab.world().put_rule(rule);
  lab.wire();
  lab.expect_across(eth().from(kThere).to(world::kRouterMac) / ipv4("10.0.1.8", "198.51.100.1") /
                        tcp(5, 25).syn(),
                    kServers);
  EXPECT_EQ(lab.flow_count(), 0u);
}

}  // namespace
}  // namespace nezu::lab
