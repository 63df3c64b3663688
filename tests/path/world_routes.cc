// The surroundings' links, routes and neighbours.
#include "tests/path/world.h"

namespace nezu::world {
namespace {

const net::Prefix kThirdNetwork = *net::parse_prefix("10.2.0.0/16");

}  // namespace

void World::neighbour(const net::Address& host, const net::MacAddress& mac) {
  neighbours_.emplace_back(host, mac);
}

void World::rebuild_routes(uint16_t back_vlan, uint16_t front_vlan, bool servers_on_link) {
  using net::parse_prefix;
  route::Build build(hops_);
  route::Link front_link, back_link;
  front_link.mac = *net::parse_mac(kFrontMac);
  back_link.port = 1;
  back_link.vlan = back_vlan;
  back_link.mtu = back_mtu_;
  back_link.mac = *net::parse_mac(kBackMac);
  const uint16_t front = build.link(front_link), back = build.link(back_link);
  uint16_t third = back;
  if (has_third_arm_) {
    third = build.link({2, 0, 1500, *net::parse_mac(kThirdMac)});
    build.route({kThirdNetwork, net::Instance::standard, {{third}}});
  }
  if (front_vlan != 0) {
    front_link.vlan = front_vlan;
    build.link(front_link);
  }
  build.route({*parse_prefix("192.0.2.0/24"), net::Instance::standard, {{front}}});
  build.route({*parse_prefix("2001:db8:f::/64"), net::Instance::standard, {{front}}});
  if (servers_on_link) {
    build.route({*parse_prefix("10.0.0.0/8"), net::Instance::standard, {{back}}});
    build.route({*parse_prefix("fd00::/16"), net::Instance::standard, {{back}}});
  }
  build.route(
      {*parse_prefix("0.0.0.0/0"), net::Instance::standard, {{front, address("192.0.2.254"), 1}}});
  build.route(
      {*parse_prefix("::/0"), net::Instance::standard, {{front, address("2001:db8:f::fe"), 1}}});
  for (const std::string_view own : owns_) build.twin_address(front, address(own));
  for (const auto& [host, mac] : neighbours_) {
    const bool is_front = parse_prefix("192.0.2.0/24")->contains(host) ||
                          parse_prefix("2001:db8:f::/64")->contains(host);
    const auto hop = build.neighbour(is_front                       ? front
                                     : kThirdNetwork.contains(host) ? third
                                                                    : back,
                                     host);
    if (!hop) fail("no next hop is free");
    hops_.resolve(*hop, mac);
  }
  for (const InstanceSpec& spec : instances_) add_space(build, spec);
  routes_ = std::move(build).finish(++routes_version_);
}

void World::bridge_routes(uint16_t vlan, const std::vector<net::Address>& at_clients) {
  using net::parse_prefix;
  route::Build build(hops_);
  build.leases(leases_);
  route::Link front, back;
  front.mac = *net::parse_mac(kFrontMac);
  back.port = 1;
  back.mac = *net::parse_mac(kBackMac);
  uint16_t near = 0, far = 1;
  const auto connect = [&] {
    front.vlan = back.vlan = vlan;
    front.other = far;
    back.other = near;
    back.is_far = true;
    back.mac = front.mac;
  };
  if (vlan == 0) {
    connect();
    build.link(front);
    build.link(back);
  } else {
    build.link(front);
    build.link(back);
    near = 2;
    far = 3;
    connect();
    build.link(front);
    build.link(back);
  }
  build.route({*parse_prefix("10.0.1.0/24"), net::Instance::standard, {{near}}});
  build.route({*parse_prefix("fd00:1::/64"), net::Instance::standard, {{near}}});
  build.twin_address(near, address("10.0.1.1"));
  build.twin_address(near, address("fd00:1::1"));
  for (const auto& [host, mac] : neighbours_) {
    const auto hop = build.neighbour(near, host);
    if (!hop) fail("no next hop is free");
    const bool is_front = std::find(at_clients.begin(), at_clients.end(), host) != at_clients.end();
    hops_.seat(*hop, is_front ? 0 : 1);
    hops_.resolve(*hop, mac);
  }
  routes_ = std::move(build).finish(++routes_version_);
}

void World::add_space(route::Build& build, const InstanceSpec& spec) {
  using net::parse_prefix;
  const uint16_t front =
      build.link({0, spec.front_vlan, 1500, *net::parse_mac(kFrontMac), spec.instance});
  const uint16_t back =
      build.link({1, spec.back_vlan, 1500, *net::parse_mac(kBackMac), spec.instance});
  build.route({*parse_prefix("192.0.2.0/24"), spec.instance, {{front}}});
  build.route({*parse_prefix("2001:db8:f::/64"), spec.instance, {{front}}});
  build.route({*parse_prefix("10.0.0.0/8"), spec.instance, {{back}}});
  build.route({*parse_prefix("fd00::/16"), spec.instance, {{back}}});
  build.route({*parse_prefix("0.0.0.0/0"), spec.instance, {{front, address("192.0.2.254"), 1}}});
  build.route({*parse_prefix("::/0"), spec.instance, {{front, address("2001:db8:f::fe"), 1}}});
  const auto& owns = spec.owns.empty() ? owns_ : spec.owns;
  for (const std::string_view own : owns) build.twin_address(front, address(own));
  for (const auto& [host, mac] : neighbours_) {
    const bool is_front = parse_prefix("192.0.2.0/24")->contains(host) ||
                          parse_prefix("2001:db8:f::/64")->contains(host);
    const auto hop = build.neighbour(is_front ? front : back, host);
    if (!hop) fail("no next hop is free");
    hops_.resolve(*hop, mac_in(spec.instance, mac));
  }
}

}  // namespace nezu::world
