// Twins and what the kernel says about them, in a network namespace of the test's own.
#include "dataplane/device/twin.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "dataplane/device/netlink.h"
#include "tests/unit/device/sandbox.h"

namespace nezu::device {
namespace {

constexpr net::MacAddress kMac{{2, 0, 0, 0, 0, 0xaa}};
net::Address address(std::string_view text) { return *net::parse_address(text); }

class TwinTest : public testing::Test {
 protected:
  void SetUp() override { enter_own_network(); }
  /// The next frame of that type that the kernel sends.
  static Bytes next(Twin& twin, uint16_t type) {
    Bytes found;
    eventually([&] {
      Bytes room(2000);
      while (const uint32_t length = twin.read(room)) {
        if (length > 14 && room[12] * 256 + room[13] == type) {
          found.assign(room.begin(), room.begin() + length);
          return true;
        }
      }
      return false;
    });
    return found;
  }
};

TEST_F(TwinTest, OutlivesUsWithItsAddresses) {
  uint32_t interface = 0;
  {
    Twin twin("nz-front", kMac, 1600);
    interface = twin.interface();
    sh("ip link show nz-front | grep -q 'UP.*mtu 1600'");
    sh("ip link show nz-front | grep -q 02:00:00:00:00:aa");
    sh("ip address add 192.0.2.1/24 dev nz-front");
    EXPECT_THROW(Twin("nz-front", kMac, 1600), std::runtime_error) << "it has one master";
  }
  Twin again("nz-front", kMac, 1600);
  EXPECT_EQ(again.interface(), interface);
  sh("ip address show dev nz-front | grep -q 192.0.2.1/24");
}

TEST_F(TwinTest, RefusesNamesThatNoInterfaceCanHave) {
  EXPECT_THROW(Twin("nz-a-name-too-long", kMac, 1500), std::runtime_error);
}

TEST_F(TwinTest, CarrierFollowsThePort) {
  Twin twin("nz-front", kMac, 1500);
  twin.set_carrier(false);
  sh("ip link show nz-front | grep -q NO-CARRIER");
  twin.set_carrier(true);
  EXPECT_TRUE(eventually([] {
    return std::system("ip link show nz-front | grep -q LOWER_UP") == 0;  // NOLINT: a test
  }));
}

TEST_F(TwinTest, TheKernelsStateIsRead) {
  Twin front("nz-front", kMac, 1500), back("nz-back", {{2, 0, 0, 0, 0, 0xbb}}, 1500);
  Netlink netlink({{front.interface()}, {back.interface()}});
  KernelState empty;
  ASSERT_TRUE(netlink.read(empty));
  netlink.listen();
  sh("ip address add 192.0.2.1/24 dev nz-front");
  sh("ip address add 2001:db8::1/64 dev nz-back nodad");
  sh("ip route add default via 192.0.2.254");
  sh("ip route add 10.9.0.0/16 nexthop via 192.0.2.2 weight 3 nexthop via 192.0.2.3");
  sh("ip route add 10.9.0.0/16 via 192.0.2.9 metric 100");
  sh("ip route add blackhole 10.66.0.0/16");
  sh("ip -6 route add 2001:db8:9::/48 via fe80::9 dev nz-back");
  sh("ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:22 dev nz-front");
  EXPECT_TRUE(netlink.listen().changed);
  KernelState state;
  ASSERT_TRUE(netlink.read(state));

  const auto own = [&](uint16_t link, std::string_view text) {
    return std::count(state.addresses.begin(), state.addresses.end(),
                      KernelState::Own{link, address(text)});
  };
  EXPECT_EQ(own(0, "192.0.2.1"), 1);
  EXPECT_EQ(own(1, "2001:db8::1"), 1);
  const auto has = [&](std::string_view prefix, std::vector<route::Way> ways) {
    const route::Route wanted{*net::parse_prefix(prefix), net::Instance::standard, std::move(ways)};
    return std::count(state.routes.begin(), state.routes.end(), wanted);
  };
  EXPECT_EQ(has("192.0.2.0/24", {{0, {}, 1}}), 1);
  EXPECT_EQ(has("0.0.0.0/0", {{0, address("192.0.2.254"), 1}}), 1);
  EXPECT_EQ(has("10.9.0.0/16", {{0, address("192.0.2.2"), 3}, {0, address("192.0.2.3"), 1}}), 1);
  EXPECT_EQ(has("10.66.0.0/16", {}), 1);
  EXPECT_EQ(has("2001:db8::/64", {{1, {}, 1}}), 1);
  EXPECT_EQ(has("2001:db8:9::/48", {{1, address("fe80::9"), 1}}), 1);
  const auto heard =
      std::find_if(state.neighbours.begin(), state.neighbours.end(),
                   [](const auto& one) { return one.key.address == address("192.0.2.2"); });
  ASSERT_NE(heard, state.neighbours.end());
  EXPECT_EQ(net::to_string(heard->mac), "02:00:00:00:00:22");
  EXPECT_EQ(heard->heard, route::Heard::usable);
}

/// The same prefix in two instances, in the tables of their numbers; a way into another is none.
TEST_F(TwinTest, EachInstanceHasTheRoutesOfItsTable) {
  constexpr net::Instance kRed{10}, kBlue{20};
  Twin red("nz-f.10", kMac, 1500), blue("nz-f.20", kMac, 1500), plain("nz-f", kMac, 1500);
  Netlink netlink({{red.interface(), kRed}, {blue.interface(), kBlue}, {plain.interface()}});
  for (const char* twin : {"nz-f.10", "nz-f.20", "nz-f"}) {
    sh(std::string("ip address add 10.0.0.1/24 dev ") + twin);
  }
  sh("ip route add default via 10.0.0.254 dev nz-f.10 table 10");
  sh("ip route add default via 10.0.0.253 dev nz-f.20 table 20");
  sh("ip route add 10.9.0.0/16 via 10.0.0.2 dev nz-f.20 table 10");
  sh("ip route add blackhole 10.66.0.0/16 table 20");
  sh("ip route add 10.77.0.0/16 via 10.0.0.2 dev nz-f.10");
  sh("ip route add 10.77.0.0/16 via 10.0.0.3 dev nz-f.10 table 10 metric 500");
  sh("ip route add 10.88.0.0/16 via 10.0.0.2 dev nz-f table 30");
  KernelState state;
  ASSERT_TRUE(netlink.read(state));
  const auto ways = [&](std::string_view prefix, net::Instance instance) {
    for (const auto& route : state.routes) {
      if (route.prefix == *net::parse_prefix(prefix) && route.instance == instance) {
        return std::optional(route.ways);
      }
    }
    return std::optional<std::vector<route::Way>>();
  };
  using Ways = std::vector<route::Way>;
  EXPECT_EQ(ways("0.0.0.0/0", kRed), (Ways{{0, address("10.0.0.254"), 1}}));
  EXPECT_EQ(ways("0.0.0.0/0", kBlue), (Ways{{1, address("10.0.0.253"), 1}}));
  EXPECT_FALSE(ways("0.0.0.0/0", net::Instance::standard));
  EXPECT_EQ(ways("10.9.0.0/16", kRed), Ways{}) << "a way into blue: refused, not taken";
  EXPECT_EQ(ways("10.66.0.0/16", kBlue), Ways{});
  EXPECT_EQ(ways("10.77.0.0/16", kRed), (Ways{{0, address("10.0.0.3"), 1}})) << "its table first";
  EXPECT_FALSE(ways("10.77.0.0/16", net::Instance::standard));
  EXPECT_FALSE(ways("10.88.0.0/16", net::Instance::standard)) << "a table that is nobody's";
  // The kernel's own of the addresses, in the main table.
  EXPECT_EQ(ways("10.0.0.0/24", kRed), (Ways{{0, {}, 1}}));
  EXPECT_EQ(ways("10.0.0.0/24", kBlue), (Ways{{1, {}, 1}}));
  EXPECT_EQ(ways("10.0.0.0/24", net::Instance::standard), (Ways{{2, {}, 1}}));
}

TEST_F(TwinTest, GoesWhenItIsDismissed) {
  {
    Twin twin("nz-front.10", kMac, 1500);
    twin.dismiss();
  }
  sh("! ip link show nz-front.10");
}

/// So that what goes there is dropped for its port's sake, not for want of a route.
TEST_F(TwinTest, ARouteWithoutALinkIsKeptUntilThereIsABetterOne) {
  Twin front("nz-front", kMac, 1500), back("nz-back", {{2, 0, 0, 0, 0, 0xbb}}, 1500);
  Netlink netlink({{front.interface()}, {back.interface()}});
  sh("ip address add 192.0.2.1/24 dev nz-front");
  sh("ip address add 10.0.0.1/24 dev nz-back");
  sh("ip route add 10.9.0.0/16 via 192.0.2.2 metric 1");
  const auto ways = [&] {
    KernelState state;
    EXPECT_TRUE(netlink.read(state));
    for (const auto& route : state.routes) {
      if (route.prefix == *net::parse_prefix("10.9.0.0/16")) return route.ways;
    }
    return std::vector<route::Way>{};
  };
  const std::vector<route::Way> by_front{{0, address("192.0.2.2"), 1}};
  const std::vector<route::Way> by_back{{1, address("10.0.0.2"), 1}};
  EXPECT_EQ(ways(), by_front);
  front.set_carrier(false);
  EXPECT_TRUE(eventually([] {
    return std::system("ip route show 10.9.0.0/16 | grep -q linkdown") == 0;  // NOLINT: a test
  }));
  EXPECT_EQ(ways(), by_front);
  sh("ip route add 10.9.0.0/16 via 10.0.0.2 metric 2");
  EXPECT_EQ(ways(), by_back);
}

TEST_F(TwinTest, NeighboursAreAskedForAndHeardOf) {
  Twin twin("nz-front", kMac, 1500);
  Netlink netlink(std::vector<Watched>{{twin.interface()}});
  sh("ip address add 192.0.2.1/24 dev nz-front");
  netlink.listen();
  netlink.ask({0, address("192.0.2.7")});
  const Bytes request = next(twin, 0x0806);
  ASSERT_FALSE(request.empty());
  EXPECT_EQ(request[41], 7) << "who has 192.0.2.7";
  sh("ip neigh replace 192.0.2.7 lladdr 02:00:00:00:00:07 dev nz-front");
  route::NeighbourNews last;
  EXPECT_TRUE(eventually([&] {
    for (const auto& news : netlink.listen().neighbours) last = news;
    return last.heard == route::Heard::usable;
  }));
  EXPECT_EQ(last.key.address, address("192.0.2.7"));
  EXPECT_EQ(net::to_string(last.mac), "02:00:00:00:00:07");
  sh("ip neigh del 192.0.2.7 dev nz-front");
  EXPECT_TRUE(eventually([&] {
    for (const auto& news : netlink.listen().neighbours) last = news;
    return last.heard != route::Heard::usable;
  }));
}

TEST_F(TwinTest, FramesComeWholeAndSummed) {
  Twin twin("nz-front", kMac, 1500);
  sh("ip address add 192.0.2.1/24 dev nz-front");
  sh("ip neigh add 192.0.2.7 lladdr 02:00:00:00:00:07 dev nz-front");
  sh("bash -c 'echo hello > /dev/udp/192.0.2.7/9'");
  const Bytes datagram = next(twin, 0x0800);
  ASSERT_GE(datagram.size(), 48u);
  uint32_t sum = 17 + 14;  // protocol and length of the pseudo-header
  for (size_t i = 26; i < 48; i += 2) sum += datagram[i] * 256u + datagram[i + 1];
  EXPECT_EQ((sum & 0xffff) + (sum >> 16), 0xffffu) << "the kernel left the sum to somebody else";
}

}  // namespace
}  // namespace nezu::device
