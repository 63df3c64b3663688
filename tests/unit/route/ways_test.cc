// What a worker remembers of the ways to servers, against what the routes say.
#include "dataplane/route/ways.h"

#include <gtest/gtest.h>

#include "dataplane/route/build.h"

namespace nezu::route {
namespace {

constexpr auto kInstance = net::Instance::standard;

net::Address address(std::string_view text) { return *net::parse_address(text); }
net::Prefix prefix(std::string_view text) { return *net::parse_prefix(text); }

class WaysTest : public testing::Test {
 protected:
  /// A subnet within a subnet, a gateway's network, and one that two gateways share.
  Build begin() {
    Build build(hops_);
    front_ = build.link({.port = 0});
    back_ = build.link({.port = 1});
    build.route({.prefix = prefix("10.0.0.0/16"), .ways = {{.link = back_}}});
    build.route({.prefix = prefix("10.0.7.0/24"), .ways = {{.link = back_}}});
    build.route({.prefix = prefix("fd00::/64"), .ways = {{.link = back_}}});
    build.route({.prefix = prefix("172.16.0.0/12"), .ways = {{front_, address("192.0.2.1")}}});
    build.route({.prefix = prefix("198.18.0.0/15"),
                 .ways = {{front_, address("192.0.2.1")}, {front_, address("192.0.2.2")}}});
    return build;
  }
  void finish(Build build, uint32_t version) { routes_ = std::move(build).finish(version, 42); }
  const ServerWay& to(std::string_view server, uint32_t slot = 1) {
    return ways_.to(*routes_, slot, kInstance, address(server));
  }

  Hops hops_{64};
  uint16_t front_ = 0, back_ = 0;
  ServerWays ways_{4};
  std::unique_ptr<const Routes> routes_;
};

TEST_F(WaysTest, AGatewaysHopIsThatOfTheRoutes) {
  finish(begin(), 1);
  const uint32_t hop = routes_->find(kInstance, address("172.16.3.4"), 7);
  ASSERT_NE(hop, kNoRoute);
  for (int again = 0; again < 2; ++again) {
    EXPECT_EQ(to("172.16.3.4").hop, hop);
    EXPECT_EQ(to("172.16.3.4").version, 1u);
  }
}

TEST_F(WaysTest, ANeighbourThatGetsKnownIsFoundWithoutANewVersion) {
  finish(begin(), 1);
  EXPECT_EQ(to("10.0.0.11").hop, kNoRoute);
  Build build = begin();
  const auto hop = build.neighbour(back_, address("10.0.0.11"));
  finish(std::move(build), 1);
  EXPECT_EQ(to("10.0.0.11").hop, *hop);
}

TEST_F(WaysTest, WaysThatDependOnTheFlowAreNotRemembered) {
  finish(begin(), 1);
  EXPECT_EQ(to("198.18.0.1").hop, kNoRoute);
  EXPECT_EQ(to("203.0.113.1").hop, kNoRoute);  // nor what has none
}

TEST_F(WaysTest, NeitherOldRoutesNorTheSlotsLastServerCount) {
  Build build = begin();
  const auto eleven = build.neighbour(back_, address("10.0.0.11"));
  const auto twelve = build.neighbour(back_, address("10.0.0.12"));
  finish(std::move(build), 1);
  EXPECT_EQ(to("10.0.0.11").hop, *eleven);
  EXPECT_EQ(to("10.0.0.12").hop, *twelve);  // the same slot
  EXPECT_EQ(ways_.to(*routes_, 1, net::Instance{5}, address("10.0.0.12")).hop, kNoRoute);
  EXPECT_EQ(to("10.0.0.12").hop, *twelve);

  Build moved(hops_);
  front_ = moved.link({.port = 0});
  moved.route({.prefix = prefix("10.0.0.0/16"), .ways = {{front_, address("192.0.2.9")}}});
  finish(std::move(moved), 2);
  EXPECT_EQ(routes_->at(to("10.0.0.12").hop).gateway, address("192.0.2.9"));
}

TEST_F(WaysTest, SlotsBeyondTheLastAreServedToo) {
  Build build = begin();
  const auto hop = build.neighbour(back_, address("10.0.0.11"));
  finish(std::move(build), 1);
  EXPECT_EQ(to("10.0.0.11", 4).hop, *hop);
  EXPECT_EQ(to("10.0.0.11", 0xffff).hop, *hop);
  EXPECT_EQ(to("172.16.0.1", 77).hop, routes_->find(kInstance, address("172.16.0.1"), 0));
}

TEST_F(WaysTest, WhoMayShareASubnetIsNobodyWhoDoesNot) {
  finish(begin(), 1);
  for (const char* server : {"10.0.7.9", "10.0.0.9", "fd00::9", "172.16.0.1", "203.0.113.1"}) {
    for (const char* client : {"10.0.7.1", "10.0.0.1", "10.0.255.255", "10.1.0.1", "172.16.0.2",
                               "fd00::1", "fd00:0:0:1::1", "::ffff:0:1", "192.0.2.1"}) {
      const bool shares = routes_->share_subnet(kInstance, address(client), address(server));
      if (shares) {
        EXPECT_TRUE(to(server).may_share_subnet(address(client))) << server << " " << client;
      }
    }
  }
  // One within the other: the same prefix holds both.
  EXPECT_TRUE(to("10.0.7.9").may_share_subnet(address("10.0.0.1")));
  EXPECT_FALSE(to("10.0.7.9").may_share_subnet(address("10.1.0.1")));
  EXPECT_FALSE(to("fd00::9").may_share_subnet(address("fd00:0:0:1::1")));
  EXPECT_FALSE(to("172.16.0.1").may_share_subnet(address("172.16.0.2")));
  EXPECT_FALSE(to("203.0.113.1").may_share_subnet(address("203.0.113.1")));
}

}  // namespace
}  // namespace nezu::route
