// Links, routes and neighbours in; next hops out.
#include "dataplane/route/routes.h"

#include <gtest/gtest.h>

#include <map>

#include "dataplane/route/build.h"

namespace nezu::route {
namespace {

constexpr auto kInstance = net::Instance::standard;
constexpr net::MacAddress kFront{{2, 0, 0, 0, 0, 1}}, kBack{{2, 0, 0, 0, 0, 2}};
constexpr net::MacAddress kPeer{{2, 0, 0, 0, 0, 0x77}};

net::Address address(std::string_view text) { return *net::parse_address(text); }
net::Prefix prefix(std::string_view text) { return *net::parse_prefix(text); }

class RoutesTest : public testing::Test {
 protected:
  RoutesTest() {
    front_ = build_.link({.port = 0, .mac = kFront});
    back_ = build_.link({.port = 1, .mtu = 9000, .mac = kBack});
  }
  void finish(uint32_t version = 1) { routes_ = std::move(build_).finish(version, 42); }
  uint32_t find(std::string_view to, uint32_t hash = 0) {
    return routes_->find(kInstance, address(to), hash);
  }

  Hops hops_{64};
  Build build_{hops_};
  uint16_t front_ = 0, back_ = 0;
  std::unique_ptr<const Routes> routes_;
};

TEST_F(RoutesTest, WithoutRoutesThereIsNoWay) {
  finish();
  EXPECT_EQ(find("10.0.0.1"), kNoRoute);
  EXPECT_EQ(find("2001:db8::1"), kNoRoute);
  EXPECT_EQ(Routes().find(kInstance, address("10.0.0.1"), 0), kNoRoute);
}

TEST_F(RoutesTest, ANeighbourHasItsOwnHopTheOthersShareTheLinks) {
  build_.route({.prefix = prefix("10.0.0.0/24"), .ways = {{.link = back_}}});
  const auto hop = build_.neighbour(back_, address("10.0.0.11"));
  finish();
  EXPECT_EQ(find("10.0.0.11"), *hop);
  const NextHop& unknown = routes_->at(find("10.0.0.12"));
  EXPECT_EQ(unknown.state(), HopState::link);
  EXPECT_EQ(unknown.port, 1);
  EXPECT_EQ(unknown.mtu, 9000);
  uint8_t frame[12] = {};
  EXPECT_FALSE(routes_->at(*hop).write_addresses(frame));
  hops_.resolve(*hop, kPeer);  // no rebuild
  ASSERT_TRUE(routes_->at(*hop).write_addresses(frame));
  EXPECT_EQ(std::memcmp(frame, kPeer.bytes.data(), 6), 0);
  EXPECT_EQ(std::memcmp(frame + 6, kBack.bytes.data(), 6), 0);
  hops_.set_state(*hop, HopState::failed);
  EXPECT_EQ(routes_->at(*hop).state(), HopState::failed);
  EXPECT_EQ(hops_.mac(*hop), kPeer);
}

TEST_F(RoutesTest, GatewaysAndRefusals) {
  build_.route({.prefix = prefix("0.0.0.0/0"), .ways = {{front_, address("192.0.2.254")}}});
  build_.route({.prefix = prefix("10.9.0.0/16")});
  build_.route({.prefix = prefix("2001:db8:9::/48"), .ways = {{front_, address("fe80::1")}}});
  finish();
  EXPECT_EQ(routes_->at(find("8.8.8.8")).gateway, address("192.0.2.254"));
  EXPECT_EQ(find("10.9.1.1"), kNoRoute);
  EXPECT_EQ(routes_->at(find("2001:db8:9::1")).gateway, address("fe80::1"));
  EXPECT_EQ(routes_->port_of_neighbour(kInstance, address("8.8.8.8")), kNoPort);
}

TEST_F(RoutesTest, SharingASubnetNeedsOnePrefixOfALink) {
  build_.route({.prefix = prefix("10.0.0.0/24"), .ways = {{.link = back_}}});
  build_.route({.prefix = prefix("10.0.1.0/24"), .ways = {{.link = back_}}});
  build_.route({.prefix = prefix("10.0.2.0/24"), .ways = {{front_, address("192.0.2.254")}}});
  build_.route({.prefix = prefix("fd00:1::/64"), .ways = {{.link = back_}}});
  finish();
  const auto share = [&](std::string_view a, std::string_view b) {
    return routes_->share_subnet(kInstance, address(a), address(b));
  };
  EXPECT_TRUE(share("10.0.0.1", "10.0.0.2"));
  EXPECT_TRUE(share("fd00:1::1", "fd00:1::2"));
  EXPECT_FALSE(share("10.0.0.1", "10.0.1.1"));   // by their gateway, which may be us
  EXPECT_FALSE(share("10.0.2.1", "10.0.2.2"));   // behind a gateway
  EXPECT_FALSE(share("10.0.0.1", "192.0.2.1"));  // no route
  EXPECT_FALSE(share("fd00:1::1", "fd00:2::1"));
}

TEST_F(RoutesTest, EqualCostWaysByWeight) {
  build_.route({.prefix = prefix("10.0.0.0/8"),
                .ways = {{front_, address("192.0.2.1"), 3}, {back_, address("192.0.3.1"), 1}}});
  finish();
  std::map<uint16_t, int> by_port;
  for (uint64_t i = 0; i < 4000; ++i) {
    ++by_port[routes_->at(find("10.1.1.1", static_cast<uint32_t>(i * 0x9e3779b9u))).port];
  }
  EXPECT_NEAR(by_port[0], 3000, 60);
  EXPECT_NEAR(by_port[1], 1000, 60);
}

TEST_F(RoutesTest, GreatWeightsAreRoundedNotLost) {
  build_.route({.prefix = prefix("10.0.0.0/8"),
                .ways = {{front_, address("192.0.2.1"), 9999}, {back_, address("192.0.3.1"), 1}}});
  finish();
  EXPECT_EQ(routes_->at(find("10.1.1.1", 0)).port, 0);
  EXPECT_EQ(routes_->at(find("10.1.1.1", 0xffffffffu)).port, 1);
}

TEST_F(RoutesTest, AnIndexOutlivesRebuilds) {
  build_.route({.prefix = prefix("10.0.0.0/24"), .ways = {{.link = back_}}});
  const auto hop = build_.neighbour(back_, address("10.0.0.11"));
  finish(1);
  Build next(hops_);
  next.link({.port = 0, .mac = kFront});
  next.link({.port = 1, .mtu = 9000, .mac = kBack});
  const auto other = next.neighbour(1, address("10.0.0.12"));
  EXPECT_EQ(next.neighbour(1, address("10.0.0.11")), hop);
  const auto routes = std::move(next).finish(1, 43, routes_.get());
  EXPECT_EQ(routes->find(kInstance, address("10.0.0.11"), 0), *hop);
  EXPECT_EQ(routes->find(kInstance, address("10.0.0.12"), 0), *other);
}

TEST_F(RoutesTest, FullTablesOfHopsAnswerNothing) {
  Hops few(3);
  Build build(few);
  build.link({.port = 0});
  EXPECT_TRUE(build.neighbour(0, address("10.0.0.1")));
  const auto last = build.neighbour(0, address("10.0.0.2"));
  EXPECT_TRUE(last);
  EXPECT_FALSE(build.neighbour(0, address("10.0.0.3")));
  few.release(*last);
  EXPECT_EQ(build.neighbour(0, address("10.0.0.3")), last);
}

TEST_F(RoutesTest, TwinAddressesAreKnown) {
  build_.route({.prefix = prefix("192.0.2.0/24"), .ways = {{.link = front_}}});
  build_.twin_address(front_, address("192.0.2.1"));
  build_.twin_address(back_, address("2001:db8::1"));
  build_.twin_address(back_, address("fe80::1"));
  finish();
  EXPECT_EQ(routes_->twin_of(kInstance, address("192.0.2.1")), 0u);
  EXPECT_EQ(routes_->twin_of(kInstance, address("2001:db8::1")), 1u);
  EXPECT_FALSE(routes_->is_twin_address(kInstance, address("192.0.2.2")));
  EXPECT_FALSE(routes_->is_twin_address(net::Instance{1}, address("192.0.2.1")));
  EXPECT_EQ(routes_->own_address(0, 0, kInstance, net::Family::ipv4), address("192.0.2.1"));
  EXPECT_EQ(routes_->own_address(1, 0, kInstance, net::Family::ipv4), address("192.0.2.1"));
  EXPECT_EQ(routes_->own_address(0, 0, kInstance, net::Family::ipv6), address("2001:db8::1"));
  EXPECT_EQ(routes_->port_of_neighbour(kInstance, address("192.0.2.10")), 0u);
  EXPECT_EQ(routes_->mac_of(1, 0), kBack);
}

}  // namespace
}  // namespace nezu::route
