// Modes `tunnel_*`: what `route` does, in a tunnel: MTU, sources, errors, restarts.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "dataplane/forward/tunnel.h"
#include "tests/path/frames.h"
#include "tests/path/lab.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Reason;
using net::Verdict;
using tables::Mode;

Eth from_client() { return eth().from("02:00:00:00:00:fe").to("02:00:00:00:00:f0"); }
Eth to_server() { return eth().from("02:00:00:00:00:b0").to("02:00:00:01:00:00"); }
Payload gre(uint8_t high, uint8_t low) { return raw({0, 0, high, low}, 47); }

// The servers' link has no address of its own here: it borrows the clients' side's.
const char *kUs = "192.0.2.1", *kUs6 = "2001:db8:f::1";

world::ServiceSpec tunnelled(Mode mode, net::Protocol protocol, bool v6 = false) {
  world::ServiceSpec spec;
  spec.mode = mode;
  spec.protocol = protocol;
  spec.vip = v6 ? "2001:db8::10" : "203.0.113.10";
  spec.servers = {{v6 ? "fd00:1::5" : "10.0.1.5", 80}};
  return spec;
}

const auto kEnds = ipv4("198.51.100.7", "203.0.113.10");
const auto kNearer = ipv4("198.51.100.7", "203.0.113.10").ttl(63);
const auto kEnds6 = ipv6("2001:db8:c::7", "2001:db8::10");
const auto kNearer6 = ipv6("2001:db8:c::7", "2001:db8::10").hops(63);

/// The 20 bits by which the outer header shows the flow.
uint32_t label_of(const Fate& fate) {
  const auto bytes = fate.frame.bytes();
  return (bytes[15] & 15u) << 16 | bytes[16] * 256u | bytes[17];
}
uint16_t source_port_of(const Fate& fate, size_t l4) {
  return static_cast<uint16_t>(fate.frame.bytes()[l4] << 8 | fate.frame.bytes()[l4 + 1]);
}

TEST(Tunnel, EachKindCarriesTheClientsPacketOneHopFurther) {
  for (const net::Protocol protocol : {net::Protocol::tcp, net::Protocol::udp}) {
    const auto text = [&](const auto& ip) {
      return protocol == net::Protocol::tcp ? eth() / ip / tcp(40000, 80).syn().seq(7)
                                            : eth() / ip / udp(40000, 80) / "question";
    };
    const auto inner = [&](const auto& ip) {
      const Bytes bytes = text(ip).bytes();
      return raw(Bytes(bytes.begin() + 14, bytes.end()));
    };
    const auto send = [&](Mode mode, bool v6) {
      Lab lab(1);
      lab.world().put(tunnelled(mode, protocol, v6));
      const Fate fate = v6 ? lab.send(text(kEnds6)) : lab.send(text(kEnds));
      EXPECT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
      EXPECT_EQ(fate.egress, 1);
      return fate;
    };
    const auto outer = ipv4(kUs, "10.0.1.5").dont_fragment();
    EXPECT_EQ(send(Mode::tunnel_ipip, false).frame,
              to_server() / Ipv4(outer).protocol(4) / inner(kNearer));
    EXPECT_EQ(send(Mode::tunnel_gre, false).frame,
              to_server() / outer / gre(8, 0) / inner(kNearer));
    const Fate gue4 = send(Mode::tunnel_gue, false);
    const uint16_t port4 = source_port_of(gue4, 34);
    EXPECT_GE(port4, 49152);
    EXPECT_EQ(gue4.frame, to_server() / outer / udp(port4, 6080).no_checksum() / raw({0, 4, 0, 0}) /
                              inner(kNearer));

    const auto outer6 = [](const Fate& fate) {
      return ipv6(kUs6, "fd00:1::5").label(label_of(fate));
    };
    const Fate ipip = send(Mode::tunnel_ipip, true);
    EXPECT_EQ(ipip.frame, to_server() / outer6(ipip).next(41) / inner(kNearer6));
    const Fate gre6 = send(Mode::tunnel_gre, true);
    EXPECT_EQ(gre6.frame, to_server() / outer6(gre6) / gre(0x86, 0xdd) / inner(kNearer6));
    const Fate gue6 = send(Mode::tunnel_gue, true);
    EXPECT_EQ(gue6.frame, to_server() / outer6(gue6) / udp(source_port_of(gue6, 54), 6080) /
                              raw({0, 41, 0, 0}) / inner(kNearer6));
  }
}

TEST(Tunnel, AcrossFamilies) {
  for (const Mode mode : {Mode::tunnel_ipip, Mode::tunnel_gre, Mode::tunnel_gue}) {
    for (const bool v6 : {false, true}) {  // of the client
      Lab lab(2);
      world::ServiceSpec spec = tunnelled(mode, net::Protocol::udp, v6);
      spec.servers = {{v6 ? "10.0.1.5" : "fd00:1::5", 80}};
      lab.world().put(spec);
      const auto outer = v6 ? net::Family::ipv4 : net::Family::ipv6;
      const auto send = [&](uint32_t n) {
        const auto worker = static_cast<uint16_t>(n % lab.workers());
        return v6 ? lab.send(
                        from_client() / ipv6(client6(n), "2001:db8::10") / udp(40000, 80) / "x",
                        worker)
                  : lab.send(from_client() / ipv4(client(n), "203.0.113.10") / udp(40000, 80) / "x",
                             worker);
      };
      const auto check = [&](uint32_t n) {
        const Fate fate = send(n);
        ASSERT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
        const Bytes inner =
            (v6 ? eth() / ipv6(client6(n), "2001:db8::10").hops(63) / udp(40000, 80) / "x"
                : eth() / ipv4(client(n), "203.0.113.10").ttl(63) / udp(40000, 80) / "x")
                .bytes();
        const auto bytes = fate.frame.bytes();
        const size_t at = 14 + forward::tunnel_bytes(mode, outer);
        ASSERT_EQ(bytes.size(), at + inner.size() - 14);
        EXPECT_TRUE(std::equal(inner.begin() + 14, inner.end(), bytes.begin() + at));
        EXPECT_EQ(bytes[12] << 8 | bytes[13], v6 ? 0x0800 : 0x86dd);
      };
      for (uint32_t n = 0; n < 16; ++n) check(n);
      EXPECT_EQ(lab.flows(0).count(true) + lab.flows(1).count(true), 16u);
      EXPECT_EQ(lab.audit(), "");
      EXPECT_EQ(lab.restart(1).kept, 16u);
      for (uint32_t n = 0; n < 16; ++n) check(n);
      EXPECT_EQ(lab.flow_count(), 16u);
      EXPECT_EQ(lab.audit(), "");
    }
  }
}

TEST(Tunnel, AFlowKeepsItsOuterPortAndFlowsSpread) {
  Lab lab(1);
  world::ServiceSpec spec = tunnelled(Mode::tunnel_gue, net::Protocol::udp);
  spec.gue_port = 5555;
  lab.world().put(spec);
  std::set<uint16_t> ports;
  for (uint32_t n = 0; n < 100; ++n) {
    const Stack datagram = from_client() / ipv4(client(n), "203.0.113.10") / udp(40000, 80) / "x";
    const Fate first = lab.send(datagram), second = lab.send(datagram);
    ports.insert(source_port_of(first, 34));
    EXPECT_EQ(source_port_of(first, 34), source_port_of(second, 34));
    EXPECT_EQ(source_port_of(first, 36), 5555);
  }
  EXPECT_GT(ports.size(), 90u);
}

TEST(Tunnel, TooBigIsAnsweredWithWhatTheTunnelLeaves) {
  const struct {
    Mode mode;
    bool v6;
  } kinds[] = {{Mode::tunnel_ipip, false}, {Mode::tunnel_gre, false}, {Mode::tunnel_gue, false},
               {Mode::tunnel_ipip, true},  {Mode::tunnel_gre, true},  {Mode::tunnel_gue, true}};
  for (const auto& [mode, v6] : kinds) {
    Lab lab(1);
    lab.world().put(tunnelled(mode, net::Protocol::udp, v6));
    const uint32_t left =
        1500 - forward::tunnel_bytes(mode, v6 ? net::Family::ipv6 : net::Family::ipv4);
    const auto datagram = [&](uint32_t length) {
      const uint32_t headers = v6 ? 48 : 28;
      return v6 ? from_client() / kEnds6 / udp(40000, 80) / fill(length - headers)
                : from_client() / ipv4("198.51.100.7", "203.0.113.10").dont_fragment() /
                      udp(40000, 80) / fill(length - headers);
    };
    const Fate fits = lab.send(datagram(left));
    EXPECT_EQ(fits.verdict, Verdict::forward) << to_string(fits.reason);
    EXPECT_EQ(fits.frame.size(), 1514u);
    const Fate fate = lab.send(datagram(left + 1));
    EXPECT_EQ(fate.verdict, Verdict::reply);
    EXPECT_EQ(fate.reason, Reason::too_big);
    const auto bytes = fate.frame.bytes();
    if (v6) {
      EXPECT_EQ(bytes[54], 2);  // packet too big
      EXPECT_EQ(bytes[60] << 8 | bytes[61], static_cast<int>(left));
    } else {
      EXPECT_EQ(bytes[34] << 8 | bytes[35], 0x304);  // fragmentation needed
      EXPECT_EQ(bytes[40] << 8 | bytes[41], static_cast<int>(left));
    }
  }
}

TEST(Tunnel, FragmentsGoOneByOne) {
  for (const Mode mode : {Mode::route, Mode::tunnel_ipip, Mode::tunnel_gre, Mode::tunnel_gue}) {
    for (const bool v6 : {false, true}) {
      Lab lab(1);
      lab.world().put(tunnelled(mode, net::Protocol::udp, v6));
      const auto piece = [&](bool first, uint8_t hops) -> Stack {
        const Payload later = raw(Bytes(40, 7), 17);
        const auto head = udp(40000, 80).length(88).checksum(0x1234);
        const auto four =
            ipv4("198.51.100.7", "203.0.113.10").id(5).fragment(first ? 0 : 48, first).ttl(hops);
        const auto six = ipv6("2001:db8:c::7", "2001:db8::10").hops(hops);
        const auto extension = fragment(first ? 0 : 48, first, 5);
        if (v6) {
          return first ? from_client() / six / extension / head / fill(40)
                       : from_client() / six / extension / later;
        }
        return first ? from_client() / four / head / fill(40) : from_client() / four / later;
      };
      const size_t more = mode == Mode::route ? 0
                                              : forward::tunnel_bytes(mode, v6 ? net::Family::ipv6
                                                                               : net::Family::ipv4);
      for (const bool first : {true, false}) {
        const Fate fate = lab.send(piece(first, 64));
        ASSERT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
        const Bytes expected = piece(first, 63).bytes();
        const auto bytes = fate.frame.bytes();
        ASSERT_EQ(bytes.size(), expected.size() + more);
        EXPECT_TRUE(std::equal(expected.begin() + 14, expected.end(), bytes.begin() + 14 + more));
      }
      EXPECT_EQ(lab.flow_count(), 1u);
    }
  }
}

TEST(Tunnel, ServersMayBeBehindRouters) {
  Lab lab(1);
  world::ServiceSpec spec = tunnelled(Mode::tunnel_ipip, net::Protocol::udp);
  spec.servers = {{"198.18.0.5", 80}};  // by the default route, the way that the client came
  lab.world().put(spec);
  const Fate fate = lab.send(from_client() / kEnds / udp(40000, 80) / "x");
  EXPECT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
  EXPECT_EQ(fate.egress, 0);
}

TEST(Tunnel, WithoutAnAddressOfTheFamilyItIsDroppedByName) {
  Lab lab(1);
  lab.world().put(tunnelled(Mode::tunnel_gre, net::Protocol::udp));
  lab.world().own_addresses({});
  lab.world().rebuild_routes();
  const Fate fate = lab.send(from_client() / kEnds / udp(40000, 80) / "x");
  EXPECT_EQ(fate.verdict, Verdict::drop);
  EXPECT_EQ(fate.reason, Reason::tunnel_source_missing);
}

TEST(Tunnel, HopCountEndsBeforeTheTunnel) {
  Lab lab(1);
  lab.world().put(tunnelled(Mode::tunnel_gue, net::Protocol::udp, true));
  const Fate fate = lab.send(from_client() / ipv6("2001:db8:c::7", "2001:db8::10").hops(1) /
                             udp(40000, 80) / "x");
  EXPECT_EQ(fate.verdict, Verdict::reply);
  EXPECT_EQ(fate.reason, Reason::ttl_exceeded);
}

TEST(Tunnel, TagsAreThoseOfTheWayOut) {
  Lab lab(1);
  lab.world().put(tunnelled(Mode::tunnel_gre, net::Protocol::udp));
  lab.world().hops().release(static_cast<uint16_t>(
      lab.world().routes().find(net::Instance::standard, world::address("10.0.1.5"), 0)));
  lab.world().rebuild_routes(7, 5);
  const auto expected = to_server() / vlan(7) / ipv4(kUs, "10.0.1.5").dont_fragment() / gre(8, 0) /
                        kNearer / udp(40000, 80) / "x";
  EXPECT_EQ(lab.send(from_client() / kEnds / udp(40000, 80) / "x").frame, expected);
  EXPECT_EQ(lab.send(from_client() / vlan(5) / kEnds / udp(40000, 80) / "x").frame, expected);
}

TEST(Tunnel, AnUnknownNeighbourIsWaitedForByTheServersAddress) {
  Lab lab(1);
  lab.world().put(tunnelled(Mode::tunnel_gue, net::Protocol::udp));
  lab.world().hops().set_state(static_cast<uint16_t>(lab.world().routes().find(
                                   net::Instance::standard, world::address("10.0.1.5"), 0)),
                               route::HopState::asking);
  const Fate fate = lab.send(from_client() / kEnds / udp(40000, 80) / "x");
  EXPECT_EQ(fate.verdict, Verdict::hold);
  EXPECT_EQ(fate.awaited, world::address("10.0.1.5"));
}

TEST(Tunnel, ErrorsAboutTheServersAnswersGoThroughTheTunnelToo) {
  Lab lab(1);
  lab.world().put(tunnelled(Mode::tunnel_ipip, net::Protocol::tcp));
  lab.send(from_client() / kEnds / tcp(40000, 80).syn());
  const auto error = [](uint8_t hops) { return ipv4("192.0.2.254", "203.0.113.10").ttl(hops); };
  const auto about = ipv4("203.0.113.10", "198.51.100.7").dont_fragment();
  const Fate fate = lab.send(from_client() / error(64) / fragmentation_needed(1400) / about /
                             tcp(80, 40000).seq(1) / fill(64));
  ASSERT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
  EXPECT_EQ(fate.frame, to_server() / ipv4(kUs, "10.0.1.5").dont_fragment() / error(63) /
                            fragmentation_needed(1400) / about / tcp(80, 40000).seq(1) / fill(64));
}

TEST(Tunnel, ErrorsAboutTheTunnelAreCounted) {
  Lab lab(1);
  lab.world().put(tunnelled(Mode::tunnel_ipip, net::Protocol::tcp));
  const auto router = ipv4("10.0.9.9", kUs);
  const auto outer = ipv4(kUs, "10.0.1.5").dont_fragment();
  EXPECT_EQ(
      lab.send(eth() / router / fragmentation_needed(1400) / outer / kNearer / tcp(40000, 80).syn(),
               0, 1)
          .reason,
      Reason::tunnel_error);
  EXPECT_EQ(lab.send(eth() / router / time_exceeded() / outer / gre(8, 0) / kNearer /
                         tcp(40000, 80).syn(),
                     0, 1)
                .reason,
            Reason::tunnel_error);
  EXPECT_EQ(lab.send(eth() / ipv6("fd00:9::9", kUs6) / packet_too_big(1400) /
                         ipv6(kUs6, "fd00:1::5") / kNearer6 / tcp(40000, 80).syn(),
                     0, 1)
                .reason,
            Reason::tunnel_error);
  EXPECT_EQ(lab.count(Reason::tunnel_error), 3u);
  // An error about what the kernel sends itself is the kernel's.
  EXPECT_EQ(
      lab.send(eth() / router / fragmentation_needed(1400) / Ipv4(outer).protocol(89) / fill(64), 0,
               1)
          .verdict,
      Verdict::twin);
}

TEST(Tunnel, SurvivesARestartWithItsKindAndPort) {
  for (const Mode mode : {Mode::tunnel_ipip, Mode::tunnel_gre, Mode::tunnel_gue}) {
    for (const bool v6 : {false, true}) {
      Lab lab(2);
      world::ServiceSpec spec = tunnelled(mode, net::Protocol::udp, v6);
      spec.gue_port = 5555;
      lab.world().put(spec);
      const auto send = [&](uint32_t n) {
        const auto worker = static_cast<uint16_t>(n % 2);
        return v6 ? lab.send(
                        from_client() / ipv6(client6(n), "2001:db8::10") / udp(40000, 80) / "x",
                        worker)
                  : lab.send(from_client() / ipv4(client(n), "203.0.113.10") / udp(40000, 80) / "x",
                             worker);
      };
      size_t size = 0;
      for (uint32_t n = 0; n < 16; ++n) size = send(n).frame.size();
      // What the service is now holds for new flows.
      spec.mode = Mode::route;
      lab.world().put(spec);
      const path::Restored restored = lab.restart(1);
      EXPECT_EQ(restored.kept, 16u);
      EXPECT_EQ(restored.dropped, 0u);
      for (uint32_t n = 0; n < 16; ++n) {
        const Fate fate =
            lab.send(v6 ? from_client() / ipv6(client6(n), "2001:db8::10") / udp(40000, 80) / "x"
                        : from_client() / ipv4(client(n), "203.0.113.10") / udp(40000, 80) / "x");
        EXPECT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
        EXPECT_EQ(fate.frame.size(), size);
        if (mode == Mode::tunnel_gue) {
          EXPECT_EQ(source_port_of(fate, v6 ? 56 : 36), 5555);
        }
      }
      EXPECT_EQ(lab.audit(), "");
    }
  }
}

}  // namespace
}  // namespace nezu::lab
