#include "dataplane/route/routes.h"

namespace nezu::route {

net::Address Routes::own_address(uint16_t port, net::Family family) const {
  net::Address best;
  for (const Own& own : owns_) {
    if (own.address.family() != family || own.address.is_link_local()) continue;
    if (own.port == port) return own.address;
    if (best == net::Address{}) best = own.address;
  }
  return best;
}

uint32_t Routes::port_of_neighbour(net::Instance instance, const net::Address& address) const {
  const uint32_t target = target_of(instance, address, 0);
  if (target == kNothing || (target & Fib::kOnLink) == 0) return kNoPort;
  return links_[static_cast<uint16_t>(target)].port;
}

net::MacAddress Routes::mac_of_port(uint16_t port) const {
  for (const Link& link : links_) {
    if (link.port == port) return link.mac;
  }
  return {};
}

}  // namespace nezu::route
