// Packets of no flow that are only routed: `transit: forward`.
#include <gtest/gtest.h>

#include "tests/path/frames.h"
#include "tests/path/lab.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Reason;
using net::Verdict;

constexpr uint16_t kFront = 0, kBack = 1;
const char* const kHost = "10.0.1.5";
const char* const kHost6 = "fd00:1::5";
const char* const kOut = "198.51.100.7";
const char* const kOut6 = "2001:db8:c::7";

struct Router : Lab {
  explicit Router(tables::Transit transit = tables::Transit::forward, uint16_t workers = 1)
      : Lab(workers) {
    world().neighbour(world::address(kHost), *net::parse_mac("02:00:00:01:00:05"));
    world().neighbour(world::address(kHost6), *net::parse_mac("02:00:00:01:00:05"));
    world().rebuild_routes();
    world().put(web());
    tables::Settings settings;
    settings.transit = transit;
    world().settings(settings);
  }
  void expect(const Stack& sent, uint16_t port, const Stack& left, uint16_t worker = 0) {
    const Fate fate = send(sent, worker, port);
    EXPECT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
    EXPECT_EQ(fate.egress, 1 - port);
    EXPECT_EQ(fate.frame, left);
  }
};

Eth from_host() { return eth().from("02:00:00:01:00:05").to(world::kBackMac); }
Eth to_outside() { return eth().from(world::kFrontMac).to(world::kRouterMac); }
Eth from_outside() { return eth().from(world::kRouterMac).to(world::kFrontMac); }
Eth to_host() { return eth().from(world::kBackMac).to("02:00:00:01:00:05"); }

TEST(Transit, OnlyTheMacAndTheHopCountChange) {
  Router lab;
  const auto far = ipv4(kHost, kOut), near = ipv4(kHost, kOut).ttl(63);
  const auto far6 = ipv6(kHost6, kOut6), near6 = ipv6(kHost6, kOut6).hops(63);
  lab.expect(from_host() / far / tcp(40000, 80).syn(), kBack,
             to_outside() / near / tcp(40000, 80).syn());
  lab.expect(from_host() / far / tcp(40000, 80).psh().seq(2).ack(3) / "GET", kBack,
             to_outside() / near / tcp(40000, 80).psh().seq(2).ack(3) / "GET");
  lab.expect(from_host() / far6 / udp(40000, 53) / "question", kBack,
             to_outside() / near6 / udp(40000, 53) / "question");
  lab.expect(from_host() / far / echo_request(7, 1), kBack,
             to_outside() / near / echo_request(7, 1));
  lab.expect(from_outside() / ipv6(kOut6, kHost6) / echo_request6(7, 1), kFront,
             to_host() / ipv6(kOut6, kHost6).hops(63) / echo_request6(7, 1));
  EXPECT_EQ(lab.count(&tables::WorkerLine::transit), 5u);
  EXPECT_GT(lab.count(&tables::WorkerLine::transit_bytes), 5 * 54u);
  EXPECT_EQ(lab.flow_count(), 0u);
}

/// GRE, ESP, whatever: an address is all that a router asks for. Fragments, too.
TEST(Transit, OtherProtocolsAndFragments) {
  Router lab;
  const Bytes twelve{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  lab.expect(from_host() / ipv4(kHost, kOut) / raw(twelve, 132), kBack,
             to_outside() / ipv4(kHost, kOut).ttl(63) / raw(twelve, 132));
  for (const uint8_t protocol : {47, 50}) {
    lab.expect(from_host() / ipv4(kHost, kOut) / raw({1, 2, 3, 4, 5, 6, 7, 8}, protocol), kBack,
               to_outside() / ipv4(kHost, kOut).ttl(63) / raw({1, 2, 3, 4, 5, 6, 7, 8}, protocol));
    lab.expect(from_host() / ipv4(kHost, kOut).id(3).fragment(16, false).protocol(protocol) /
                   raw({1, 2, 3, 4}, protocol),
               kBack,
               to_outside() /
                   ipv4(kHost, kOut).id(3).fragment(16, false).protocol(protocol).ttl(63) /
                   raw({1, 2, 3, 4}, protocol));
  }
  lab.expect(from_host() / ipv6(kHost6, kOut6) / raw({1, 2, 3, 4}, 50), kBack,
             to_outside() / ipv6(kHost6, kOut6).hops(63) / raw({1, 2, 3, 4}, 50));
  const Stack first = from_host() / ipv4(kHost, kOut).id(4).fragment(0, true) /
                      udp(5353, 53).length(24) / "8 bytes.";
  EXPECT_EQ(lab.send(first, 0, kBack).verdict, Verdict::forward);
  // What is for the link or for the kernel goes to the twin as before.
  EXPECT_EQ(lab.send(from_host() / ipv4(kHost, "224.0.0.5") / raw({1, 2}, 89), 0, kBack).verdict,
            Verdict::twin);
  EXPECT_EQ(lab.send(from_host() / ipv4(kHost, "192.0.2.1") / raw({1, 2}, 47), 0, kBack).verdict,
            Verdict::twin);
  EXPECT_EQ(lab.send(from_host() / ipv6(kHost6, kOut6) / icmpv6(135), 0, kBack).verdict,
            Verdict::twin);
  EXPECT_EQ(lab.send(from_host() / ipv4(kHost, "203.0.113.10") / raw({1, 2}, 47), 0, kBack).reason,
            Reason::service_unknown);
}

/// An error about a packet that was passed on goes to whom it tells, at whichever worker it comes.
TEST(Transit, ErrorsAboutWhatWasPassedOn) {
  Router lab(tables::Transit::forward, 3);
  for (uint16_t worker = 0; worker < 3; ++worker) {
    lab.expect(from_outside() / ipv4("198.51.100.99", kHost) / fragmentation_needed(1400) /
                   ipv4(kHost, kOut) / udp(40000, 53) / "question",
               kFront,
               to_host() / ipv4("198.51.100.99", kHost).ttl(63) / fragmentation_needed(1400) /
                   ipv4(kHost, kOut) / udp(40000, 53) / "question",
               worker);
    lab.expect(from_outside() / ipv6("2001:db8:c::99", kHost6) / time_exceeded6() /
                   ipv6(kHost6, kOut6) / tcp(40000, 80).syn(),
               kFront,
               to_host() / ipv6("2001:db8:c::99", kHost6).hops(63) / time_exceeded6() /
                   ipv6(kHost6, kOut6) / tcp(40000, 80).syn(),
               worker);
  }
  // About nobody's packet, told to a VIP: as without transit.
  EXPECT_EQ(lab.send(from_outside() / ipv4(kOut, "203.0.113.10") / port_unreachable() /
                     ipv4("203.0.113.10", kOut) / udp(53, 40000) / "x")
                .reason,
            Reason::icmp_unmatched);
  // About a packet of the kernel's own: it wants to know.
  EXPECT_EQ(lab.send(from_outside() / ipv4(kOut, "192.0.2.1") / port_unreachable() /
                     ipv4("192.0.2.1", kOut) / udp(53, 40000) / "x")
                .verdict,
            Verdict::twin);
}

TEST(Transit, HopCountAndMtuEndItWithAnAnswer) {
  Router lab;
  const Fate last =
      lab.send(from_host() / ipv4(kHost, kOut).ttl(1) / udp(40000, 53) / "x", 0, kBack);
  EXPECT_EQ(last.reason, Reason::ttl_exceeded);
  EXPECT_EQ(last.verdict, Verdict::reply);
  const Fate big = lab.send(
      from_host() / ipv4(kHost, kOut).dont_fragment() / udp(40000, 53) / fill(1473), 0, kBack);
  EXPECT_EQ(big.reason, Reason::too_big);
  EXPECT_EQ(big.verdict, Verdict::reply);
  const auto bytes = big.frame.bytes();
  EXPECT_EQ(bytes[40] << 8 | bytes[41], 1500);
  const Fate big6 = lab.send(from_host() / ipv6(kHost6, kOut6) / raw(Bytes(1461, 7), 50), 0, kBack);
  EXPECT_EQ(big6.reason, Reason::too_big);
  EXPECT_EQ(big6.verdict, Verdict::reply);
}

TEST(Transit, OffIsCountedAndTheKernelMayHaveIt) {
  Router off(tables::Transit::drop);
  EXPECT_EQ(off.send(from_host() / ipv4(kHost, kOut) / udp(1, 2) / "x", 0, kBack).reason,
            Reason::transit_refused);
  EXPECT_EQ(off.send(from_host() / ipv4(kHost, kOut) / port_unreachable() / ipv4(kOut, kHost) /
                         udp(1, 2) / "x",
                     0, kBack)
                .reason,
            Reason::icmp_unmatched);
  EXPECT_EQ(off.send(from_host() / ipv4(kHost, kOut) / raw({1, 2}, 47), 0, kBack).reason,
            Reason::transit_refused);
  Router kernel(tables::Transit::kernel);
  EXPECT_EQ(kernel.send(from_host() / ipv4(kHost, kOut) / udp(1, 2) / "x", 0, kBack).verdict,
            Verdict::twin);
  EXPECT_EQ(kernel.send(from_host() / ipv4(kHost, kOut) / raw({1, 2}, 47), 0, kBack).verdict,
            Verdict::twin);
  EXPECT_EQ(kernel
                .send(from_host() / ipv4(kHost, kOut) / port_unreachable() / ipv4(kOut, kHost) /
                          udp(1, 2) / "x",
                      0, kBack)
                .verdict,
            Verdict::twin);
}

}  // namespace
}  // namespace nezu::lab
