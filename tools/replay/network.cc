#include "tools/replay/network.h"

namespace nezu::replay {

net::MacAddress made_up_mac(const net::Address& address) {
  net::MacAddress mac{{2, 0xfe, 0, 0, 0, 0}};
  if (address.is_v4()) {
    std::copy(address.bytes.begin() + 12, address.bytes.end(), mac.bytes.begin() + 2);
    return mac;
  }
  mac.bytes[0] = 6;
  for (size_t i = 0; i < address.bytes.size(); ++i) mac.bytes[2 + i % 4] ^= address.bytes[i];
  return mac;
}

Network::Network(std::vector<NetworkLink> links, std::vector<route::Route> routes,
                 std::map<net::Address, net::MacAddress> macs)
    : links_(std::move(links)),
      wanted_(std::move(routes)),
      macs_(std::move(macs)),
      hops_(route::Hops::kMost) {
  rebuild(true);
}

net::MacAddress Network::mac_of(const net::Address& address) const {
  const auto given = macs_.find(address);
  return given != macs_.end() ? given->second : made_up_mac(address);
}

void Network::rebuild(bool with_routes) {
  route::Build build(hops_);
  for (const NetworkLink& one : links_) {
    const uint16_t number = build.link(one.link);
    for (const net::Address& address : one.addresses) build.twin_address(number, address);
  }
  if (with_routes) {
    for (const route::Route& route : wanted_) build.route(route);
  }
  for (const auto& [link, address] : neighbours_) {
    if (const auto hop = build.neighbour(link, address)) hops_.resolve(*hop, mac_of(address));
  }
  routes_ = std::move(build).finish(++version_, 0, with_routes ? nullptr : routes_.get());
}

const route::NextHop* Network::resolve(net::Instance instance, const net::Address& address) {
  uint32_t index = routes_->find(instance, address, 0);
  if (index == route::kNoRoute) return nullptr;
  if (routes_->at(index).state() == route::HopState::link) {
    neighbours_.emplace(routes_->at(index).link, address);
    rebuild(false);
    index = routes_->find(instance, address, 0);
  }
  const route::NextHop& hop = routes_->at(index);
  if (hop.state() == route::HopState::asking) {
    hops_.resolve(static_cast<uint16_t>(index), mac_of(hop.gateway));
  }
  return &hop;
}

}  // namespace nezu::replay
