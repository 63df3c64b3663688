// Servers of one pool on two ports of ours, beside the clients' one.
#include <gtest/gtest.h>

#include <set>

#include "tests/path/frames.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Verdict;
using tables::Mode;

TEST(MultiArm, ServersOnTwoPorts) {
  for (const Mode mode : {Mode::nat, Mode::fullnat, Mode::route}) {
    SCOPED_TRACE(static_cast<int>(mode));
    Lab lab(2);
    lab.world().third_arm();
    world::ServiceSpec spec;
    spec.mode = mode;
    spec.protocol = net::Protocol::udp;
    spec.servers = {{"10.0.1.5", 80}, {world::kThirdHost, 80}};
    if (mode == Mode::fullnat) spec.snats = {"10.0.0.1"};
    lab.world().put(spec);
    std::set<uint16_t> arms;
    for (uint32_t n = 0; n < 8; ++n) {
      const auto worker = static_cast<uint16_t>(n % 2);
      const Fate there =
          lab.send(eth() / ipv4(client(n), "203.0.113.10") / udp(40000, 80) / "question", worker);
      ASSERT_EQ(there.verdict, Verdict::forward) << to_string(there.reason);
      arms.insert(there.egress);
      const Ends seen = ends_of(there.frame);
      const Bytes bytes(there.frame.bytes().begin(), there.frame.bytes().end());
      const bool third = there.egress == 2;
      const net::MacAddress to = world::server_mac(third ? 1 : 0);
      const auto from = *net::parse_mac(third ? world::kThirdMac : world::kBackMac);
      EXPECT_EQ(Bytes(bytes.begin(), bytes.begin() + 6), Bytes(to.bytes.begin(), to.bytes.end()));
      EXPECT_EQ(Bytes(bytes.begin() + 6, bytes.begin() + 12),
                Bytes(from.bytes.begin(), from.bytes.end()));
      if (mode == Mode::route) continue;
      EXPECT_EQ(net::to_string(seen.destination), third ? world::kThirdHost : "10.0.1.5");
      const Fate back =
          lab.send(eth() / ipv4(net::to_string(seen.destination), net::to_string(seen.source)) /
                       udp(80, seen.source_port) / "answer",
                   static_cast<uint16_t>(1 - worker), there.egress);
      ASSERT_EQ(back.verdict, Verdict::forward) << to_string(back.reason);
      EXPECT_EQ(back.egress, 0);
      EXPECT_EQ(back.frame, eth().from(world::kFrontMac).to(world::kRouterMac) /
                                ipv4("203.0.113.10", client(n)).ttl(63) / udp(80, 40000) /
                                "answer");
    }
    EXPECT_EQ(arms, (std::set<uint16_t>{1, 2}));
    EXPECT_EQ(lab.audit(), "");
  }
}

/// Who is at one arm and who at another share the balancer, and so does a client behind an arm.
TEST(MultiArm, AServerOfOneArmIsAClientOfAnother) {
  Lab lab(1);
  lab.world().third_arm();
  world::ServiceSpec spec;
  spec.protocol = net::Protocol::udp;
  spec.servers = {{world::kThirdHost, 80}};
  lab.world().put(spec);
  lab.world().neighbour(world::address("10.0.1.9"), world::server_mac(9));
  lab.world().rebuild_routes();
  const Fate there =
      lab.send(eth() / ipv4("10.0.1.9", "203.0.113.10") / udp(40000, 80) / "question", 0, 1);
  ASSERT_EQ(there.verdict, Verdict::forward) << to_string(there.reason);
  EXPECT_EQ(there.egress, 2);
  const Fate back =
      lab.send(eth() / ipv4(world::kThirdHost, "10.0.1.9") / udp(80, 40000) / "answer", 0, 2);
  ASSERT_EQ(back.verdict, Verdict::forward) << to_string(back.reason);
  EXPECT_EQ(back.egress, 1);
  EXPECT_EQ(ends_of(back.frame).source, world::address("203.0.113.10"));
}

}  // namespace
}  // namespace nezu::lab
