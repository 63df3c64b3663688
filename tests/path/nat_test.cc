// The four kinds of flow, there and back, by whole packets.
#include <gtest/gtest.h>

#include "tests/path/frames.h"
#include "tests/path/lab.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Verdict;

const std::string kServerMac = "02:00:00:01:00:00";

Eth from_client() { return eth().from("02:00:00:00:00:fe").to("02:00:00:00:00:f0"); }
Eth to_server() { return eth().from("02:00:00:00:00:b0").to(kServerMac); }
Eth from_server() { return eth().from(kServerMac).to("02:00:00:00:00:b0"); }
Eth to_client() { return eth().from("02:00:00:00:00:f0").to("02:00:00:00:00:fe"); }

world::ServiceSpec web(tables::Mode mode, net::Protocol protocol) {
  world::ServiceSpec spec;
  spec.mode = mode;
  spec.protocol = protocol;
  spec.servers = {{"10.0.1.5", 8080}};
  if (mode == tables::Mode::fullnat) spec.snats = {"10.0.0.1"};
  return spec;
}

TEST(Nat, TcpOverIpv4) {
  Lab lab(1);
  lab.world().put(web(tables::Mode::nat, net::Protocol::tcp));
  const Fate there =
      lab.send(from_client() / ipv4("198.51.100.7", "203.0.113.10") / tcp(40000, 80).syn().seq(7));
  ASSERT_EQ(there.verdict, Verdict::forward) << to_string(there.reason);
  EXPECT_EQ(there.egress, 1);
  EXPECT_EQ(there.frame,
            to_server() / ipv4("198.51.100.7", "10.0.1.5").ttl(63) / tcp(40000, 8080).syn().seq(7));
  const Fate back = lab.send(
      from_server() / ipv4("10.0.1.5", "198.51.100.7") / tcp(8080, 40000).syn().seq(9).ack(8), 0,
      1);
  ASSERT_EQ(back.verdict, Verdict::forward) << to_string(back.reason);
  EXPECT_EQ(back.egress, 0);
  EXPECT_EQ(back.frame, to_client() / ipv4("203.0.113.10", "198.51.100.7").ttl(63) /
                            tcp(80, 40000).syn().seq(9).ack(8));
  EXPECT_EQ(lab.audit(), "");
}

TEST(Nat, UdpOverIpv4) {
  Lab lab(1);
  lab.world().put(web(tables::Mode::nat, net::Protocol::udp));
  const Fate there =
      lab.send(from_client() / ipv4("198.51.100.7", "203.0.113.10") / udp(40000, 80) / "question");
  EXPECT_EQ(there.frame,
            to_server() / ipv4("198.51.100.7", "10.0.1.5").ttl(63) / udp(40000, 8080) / "question");
  const Fate back = lab.send(
      from_server() / ipv4("10.0.1.5", "198.51.100.7") / udp(8080, 40000) / "answer", 0, 1);
  EXPECT_EQ(back.frame,
            to_client() / ipv4("203.0.113.10", "198.51.100.7").ttl(63) / udp(80, 40000) / "answer");
}

TEST(Nat, TcpAndUdpOverIpv6) {
  Lab lab(1);
  for (const net::Protocol protocol : {net::Protocol::tcp, net::Protocol::udp}) {
    world::ServiceSpec spec = web(tables::Mode::nat, protocol);
    spec.vip = "2001:db8::10";
    spec.servers = {{"fd00:1::5", 8080}};
    lab.world().put(spec);
  }
  const auto ends = ipv6("2001:db8:c::7", "2001:db8::10");
  const Fate syn = lab.send(from_client() / ends / tcp(40000, 80).syn());
  EXPECT_EQ(syn.frame,
            to_server() / ipv6("2001:db8:c::7", "fd00:1::5").hops(63) / tcp(40000, 8080).syn());
  const Fate datagram = lab.send(from_client() / ends / udp(40000, 80) / "question");
  const Fate answer = lab.send(
      from_server() / ipv6("fd00:1::5", "2001:db8:c::7") / udp(8080, 40000) / "answer", 0, 1);
  ASSERT_EQ(datagram.verdict, Verdict::forward);
  EXPECT_EQ(answer.frame, to_client() / ipv6("2001:db8::10", "2001:db8:c::7").hops(63) /
                              udp(80, 40000) / "answer");
}

/// The source port that the balancer chose.
uint16_t source_port(const Fate& fate, size_t ip_bytes) {
  const auto bytes = fate.frame.bytes();
  return static_cast<uint16_t>(bytes[14 + ip_bytes] << 8 | bytes[15 + ip_bytes]);
}

TEST(FullNat, TcpOverIpv4) {
  Lab lab(1);
  lab.world().put(web(tables::Mode::fullnat, net::Protocol::tcp));
  const Fate there =
      lab.send(from_client() / ipv4("198.51.100.7", "203.0.113.10") / tcp(40000, 80).syn());
  ASSERT_EQ(there.verdict, Verdict::forward) << to_string(there.reason);
  const uint16_t port = source_port(there, 20);
  EXPECT_EQ(there.frame,
            to_server() / ipv4("10.0.0.1", "10.0.1.5").ttl(63) / tcp(port, 8080).syn());
  const Fate back =
      lab.send(from_server() / ipv4("10.0.1.5", "10.0.0.1") / tcp(8080, port).syn().ack(1), 0, 1);
  EXPECT_EQ(back.frame, to_client() / ipv4("203.0.113.10", "198.51.100.7").ttl(63) /
                            tcp(80, 40000).syn().ack(1));
}

TEST(FullNat, UdpOverIpv6) {
  Lab lab(1);
  world::ServiceSpec spec = web(tables::Mode::fullnat, net::Protocol::udp);
  spec.vip = "2001:db8::10";
  spec.servers = {{"fd00:1::5", 8080}};
  spec.snats = {"10.0.0.1", "fd00:1::a"};
  lab.world().put(spec);
  const Fate there =
      lab.send(from_client() / ipv6("2001:db8:c::7", "2001:db8::10") / udp(40000, 80) / "question");
  ASSERT_EQ(there.verdict, Verdict::forward) << to_string(there.reason);
  const uint16_t port = source_port(there, 40);
  EXPECT_EQ(there.frame,
            to_server() / ipv6("fd00:1::a", "fd00:1::5").hops(63) / udp(port, 8080) / "question");
  const Fate back =
      lab.send(from_server() / ipv6("fd00:1::5", "fd00:1::a") / udp(8080, port) / "answer", 0, 1);
  EXPECT_EQ(back.frame, to_client() / ipv6("2001:db8::10", "2001:db8:c::7").hops(63) /
                            udp(80, 40000) / "answer");
}

TEST(FullNat, ServerThatIsAClientOfItsOwnServiceReachesIt) {
  Lab lab(1);
  lab.world().put(web(tables::Mode::fullnat, net::Protocol::tcp));
  const Fate there =
      lab.send(from_server() / ipv4("10.0.1.5", "203.0.113.10") / tcp(40000, 80).syn(), 0, 1);
  ASSERT_EQ(there.verdict, Verdict::forward) << to_string(there.reason);
  EXPECT_EQ(there.egress, 1);
  const uint16_t port = source_port(there, 20);
  const Fate back =
      lab.send(from_server() / ipv4("10.0.1.5", "10.0.0.1") / tcp(8080, port).syn().ack(1), 0, 1);
  EXPECT_EQ(back.egress, 1);
  EXPECT_EQ(back.frame,
            to_server() / ipv4("203.0.113.10", "10.0.1.5").ttl(63) / tcp(80, 40000).syn().ack(1));
}

// 10.0.1.9 is a neighbour of the server, 10.0.1.5 the server itself.
TEST(Nat, ClientInTheSubnetOfItsServerIsRefusedWithoutSnatSet) {
  Lab lab(1);
  lab.world().put(web(tables::Mode::nat, net::Protocol::tcp));
  for (const char* client : {"10.0.1.5", "10.0.1.9"}) {
    const Fate there =
        lab.send(from_server() / ipv4(client, "203.0.113.10") / tcp(40000, 80).syn(), 0, 1);
    EXPECT_EQ(there.verdict, Verdict::drop);
    EXPECT_EQ(there.reason, net::Reason::hairpin_refused) << to_string(there.reason);
  }
  EXPECT_EQ(lab.flow_count(), 0u);
}

TEST(Nat, ClientInTheSubnetOfItsServerGetsASourceOfTheSnatSet) {
  Lab lab(1);
  world::ServiceSpec spec = web(tables::Mode::nat, net::Protocol::tcp);
  spec.snats = {"10.0.0.1"};
  lab.world().put(spec);
  lab.world().neighbour(world::address("10.0.1.9"), world::server_mac(8));
  lab.world().rebuild_routes();
  for (const char* client : {"10.0.1.5", "10.0.1.9"}) {
    const Fate there =
        lab.send(from_server() / ipv4(client, "203.0.113.10") / tcp(40000, 80).syn(), 0, 1);
    ASSERT_EQ(there.verdict, Verdict::forward) << to_string(there.reason);
    const uint16_t port = source_port(there, 20);
    EXPECT_EQ(there.frame,
              to_server() / ipv4("10.0.0.1", "10.0.1.5").ttl(63) / tcp(port, 8080).syn());
    const Fate back =
        lab.send(from_server() / ipv4("10.0.1.5", "10.0.0.1") / tcp(8080, port).syn().ack(1), 0, 1);
    ASSERT_EQ(back.verdict, Verdict::forward) << to_string(back.reason);
    const Ends ends = ends_of(back.frame);
    EXPECT_EQ(ends.source, world::address("203.0.113.10"));
    EXPECT_EQ(ends.destination, world::address(client));
    EXPECT_EQ(ends.destination_port, 40000);
  }
  // Everybody else keeps the own address.
  EXPECT_EQ(
      lab.send(from_client() / ipv4("198.51.100.7", "203.0.113.10") / tcp(40000, 80).syn()).frame,
      to_server() / ipv4("198.51.100.7", "10.0.1.5").ttl(63) / tcp(40000, 8080).syn());
  // A restart keeps both kinds.
  lab.restart(1);
  EXPECT_EQ(lab.flow_count(), 3u);
  EXPECT_EQ(lab.audit(), "");
}

TEST(SegmentSize, SynsBothWaysAreLowered) {
  for (const tables::Mode mode : {tables::Mode::nat, tables::Mode::fullnat}) {
    Lab lab(1);
    world::ServiceSpec spec = web(mode, net::Protocol::tcp);
    spec.max_segment_size = 1360;
    lab.world().put(spec);
    const Bytes asked{2, 4, 5, 180}, left{2, 4, 5, 80}, smaller{2, 4, 2, 24};
    const char* source = mode == tables::Mode::nat ? "198.51.100.7" : "10.0.0.1";
    const auto ends = ipv4("198.51.100.7", "203.0.113.10");
    const Fate there = lab.send(from_client() / ends / tcp(40000, 80).syn().options(asked));
    const uint16_t port = source_port(there, 20);
    EXPECT_EQ(there.frame,
              to_server() / ipv4(source, "10.0.1.5").ttl(63) / tcp(port, 8080).syn().options(left));
    const auto answer = [&](const Bytes& options) {
      return lab
          .send(from_server() / ipv4("10.0.1.5", source) /
                    tcp(8080, port).syn().ack(1).options(options),
                0, 1)
          .frame;
    };
    const auto came = [](const Bytes& options) {
      return to_client() / ipv4("203.0.113.10", "198.51.100.7").ttl(63) /
             tcp(80, 40000).syn().ack(1).options(options);
    };
    EXPECT_EQ(answer(asked), came(left));
    EXPECT_EQ(answer(smaller), came(smaller));
    // Only SYNs.
    EXPECT_EQ(
        lab.send(from_client() / ends / tcp(40000, 80).ack(1).options(asked)).frame,
        to_server() / ipv4(source, "10.0.1.5").ttl(63) / tcp(port, 8080).ack(1).options(asked));
  }
}

TEST(Vlan, TagsAreThoseOfTheWayOut) {
  for (const uint16_t vlan : {0, 7}) {
    Lab lab(1);
    lab.world().put(web(tables::Mode::nat, net::Protocol::udp));
    // Hops keep what their link was when they were claimed: a new link, a new number.
    lab.world().hops().release(static_cast<uint16_t>(
        lab.world().routes().find(net::Instance::standard, world::address("10.0.1.5"), 0)));
    lab.world().rebuild_routes(vlan, 5);
    for (const bool tagged : {false, true}) {
      const Frame frame =
          tagged ? Frame(from_client() / dsl::vlan(5) / ipv4("198.51.100.7", "203.0.113.10") /
                         udp(40000, 80) / "question")
                 : Frame(from_client() / ipv4("198.51.100.7", "203.0.113.10") / udp(40000, 80) /
                         "question");
      const Frame expected =
          vlan != 0
              ? Frame(to_server() / dsl::vlan(vlan) / ipv4("198.51.100.7", "10.0.1.5").ttl(63) /
                      udp(40000, 8080) / "question")
              : Frame(to_server() / ipv4("198.51.100.7", "10.0.1.5").ttl(63) / udp(40000, 8080) /
                      "question");
      EXPECT_EQ(lab.send(frame).frame, expected) << vlan << tagged;
    }
  }
}

TEST(Vlan, AFrameOfAnUnknownOneEndsThere) {
  Lab lab(1);
  lab.world().put(web(tables::Mode::nat, net::Protocol::udp));
  lab.world().rebuild_routes(0, 5);
  const auto fate_of = [&](uint16_t vlan) {
    return lab.send(from_client() / dsl::vlan(vlan) / ipv4("198.51.100.7", "203.0.113.10") /
                    udp(40000, 80) / "question");
  };
  EXPECT_EQ(fate_of(6).reason, net::Reason::vlan_unknown);
  EXPECT_EQ(lab.flow_count(), 0u);
  const Frame who = from_client() / dsl::vlan(6) / arp_request("192.0.2.254", "203.0.113.10");
  EXPECT_EQ(lab.send(who).reason, net::Reason::vlan_unknown);
  EXPECT_EQ(fate_of(5).verdict, Verdict::forward);
  EXPECT_EQ(fate_of(0).verdict, Verdict::forward);  // a priority only
}

TEST(IcmpError, FindsItsFlowByTheInnerPacketBothWays) {
  for (const tables::Mode mode : {tables::Mode::nat, tables::Mode::fullnat}) {
    Lab lab(1);
    lab.world().put(web(mode, net::Protocol::udp));
    const Fate there = lab.send(from_client() / ipv4("198.51.100.7", "203.0.113.10") /
                                udp(40000, 80) / "question");
    const uint16_t port = source_port(there, 20);
    const char* source = mode == tables::Mode::nat ? "198.51.100.7" : "10.0.0.1";
    const Fate error = lab.send(from_server() / ipv4("10.0.1.5", source) / port_unreachable() /
                                    ipv4(source, "10.0.1.5").ttl(63) / udp(port, 8080) / "question",
                                0, 1);
    ASSERT_EQ(error.verdict, Verdict::forward) << to_string(error.reason);
    EXPECT_EQ(error.egress, 0);
    EXPECT_EQ(error.frame, to_client() / ipv4("203.0.113.10", "198.51.100.7").ttl(63) /
                               port_unreachable() / ipv4("198.51.100.7", "203.0.113.10").ttl(63) /
                               udp(40000, 80) / "question");
  }
}

TEST(Ping, VipAnswersAndTwinAddressGoesToTheTwin) {
  Lab lab(1);
  lab.world().put(web(tables::Mode::nat, net::Protocol::tcp));
  EXPECT_EQ(
      lab.send(from_client() / ipv4("198.51.100.7", "203.0.113.10") / echo_request(1, 1)).verdict,
      Verdict::reply);
  EXPECT_EQ(
      lab.send(from_client() / ipv4("198.51.100.7", "192.0.2.1") / echo_request(1, 1)).verdict,
      Verdict::twin);
  EXPECT_EQ(lab.send(from_client() / ipv4("198.51.100.7", "192.0.2.1") / tcp(5, 22).syn()).verdict,
            Verdict::twin);
}

TEST(Arp, VipIsAnsweredAndOthersGoToTheTwin) {
  Lab lab(1);
  lab.world().put(web(tables::Mode::fullnat, net::Protocol::tcp));
  const Eth who = eth().from("02:00:00:00:00:fe").to("ff:ff:ff:ff:ff:ff");
  EXPECT_EQ(lab.send(who / arp_request("192.0.2.254", "203.0.113.10")).verdict, Verdict::reply);
  EXPECT_EQ(lab.send(who / arp_request("10.0.1.5", "10.0.0.1"), 0, 1).verdict, Verdict::reply);
  EXPECT_EQ(lab.send(who / arp_request("192.0.2.254", "192.0.2.1")).verdict, Verdict::twin);
}

}  // namespace
}  // namespace nezu::lab
