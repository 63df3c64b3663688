#include "dataplane/route/routes.h"

#include <algorithm>

namespace nezu::route {

net::Address Routes::own_address(uint16_t port, uint16_t vlan, net::Instance instance,
                                 net::Family family) const {
  net::Address best;
  for (const Link& link : links_) {
    if (!link.is_far || link.port != port || link.vlan != vlan) continue;
    port = links_[link.other].port;  // whose twin has the bridge's addresses
    break;
  }
  for (const Own& own : owns_) {
    const Link& link = links_[own.link];
    if (own.address.family() != family || own.address.is_link_local()) continue;
    if (link.instance != instance) continue;
    if (link.port == port && link.vlan == vlan) return own.address;
    if (best == net::Address{}) best = own.address;
  }
  return best;
}

uint32_t Routes::link_of_neighbour(net::Instance instance, const net::Address& address) const {
  const uint32_t target = target_of(instance, address, 0);
  if (target == kNothing || (target & Fib::kOnLink) == 0) return kNoLink;
  return static_cast<uint16_t>(target);
}

bool Routes::share_subnet(net::Instance instance, const net::Address& a,
                          const net::Address& b) const {
  const auto on_link = [](uint32_t target) {
    return target != kNothing && (target & Fib::kOnLink) != 0;
  };
  const uint32_t target = target_of(instance, a, 0);
  if (!on_link(target)) [[likely]]
    return false;
  if (target_of(instance, b, 0) != target) return false;
  return std::any_of(subnets_.begin(), subnets_.end(), [&](const Subnet& subnet) {
    return subnet.instance == instance && subnet.prefix.contains(a) && subnet.prefix.contains(b);
  });
}

const net::Prefix* Routes::widest_subnet(net::Instance instance,
                                         const net::Address& address) const {
  const net::Prefix* widest = nullptr;
  for (const Subnet& subnet : subnets_) {
    if (subnet.instance != instance || !subnet.prefix.contains(address)) continue;
    if (widest == nullptr || subnet.prefix.length < widest->length) widest = &subnet.prefix;
  }
  return widest;
}

Steady Routes::steady(net::Instance instance, const net::Address& destination) const {
  if ((leaf_of(instance, destination) & Fib::kGroup) != 0) return {kNoRoute, true};
  const uint32_t hop = find(instance, destination, 0);
  if (hop == kNoRoute) return {kNoRoute, true};
  if (at(hop).state() == HopState::link) return {};
  return {static_cast<uint16_t>(hop), true};
}

bool Routes::is_mac_of_ours(const net::MacAddress& mac) const {
  return std::any_of(links_.begin(), links_.end(),
                     [&mac](const Link& link) { return link.mac == mac; });
}
net::MacAddress Routes::mac_of(uint16_t port, uint16_t vlan) const {
  for (const Link& link : links_) {
    if (link.port == port && link.vlan == vlan) return link.mac;
  }
  return {};
}

const Crossing* Routes::crossing(uint16_t port, uint16_t vlan) const {
  for (const Crossing& one : crossings_) {
    if (one.port == port && one.vlan == vlan) return &one;
  }
  return nullptr;
}
bool Routes::is_bridged(uint16_t port) const {
  return std::any_of(crossings_.begin(), crossings_.end(),
                     [port](const Crossing& one) { return one.port == port; });
}

}  // namespace nezu::route
