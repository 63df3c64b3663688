// What the kernel knows on a real machine: links, routes, and neighbours, which here answer as soon
// as they are asked.
//
// One thread. Routes stay valid until the next call of `resolve`.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "dataplane/route/build.h"

namespace nezu::replay {

struct NetworkLink {
  route::Link link;                     ///< port, VLAN, MAC, MTU, instance
  std::vector<net::Address> addresses;  ///< of our own there
};

class Network {
 public:
  /// Links of routes are positions in `links`. `macs`: of neighbours; who is not there has one that
  /// is made of the address (`made_up_mac`).
  Network(std::vector<NetworkLink> links, std::vector<route::Route> routes,
          std::map<net::Address, net::MacAddress> macs = {});

  const route::Routes& routes() const { return *routes_; }
  /// The next hop towards the address, which has answered; null: there is no route.
  const route::NextHop* resolve(net::Instance instance, const net::Address& address);

 private:
  void rebuild(bool with_routes);
  net::MacAddress mac_of(const net::Address& address) const;

  std::vector<NetworkLink> links_;
  std::vector<route::Route> wanted_;
  std::map<net::Address, net::MacAddress> macs_;
  std::set<std::pair<uint16_t, net::Address>> neighbours_;  ///< that were asked
  route::Hops hops_;
  uint32_t version_ = 0;
  std::unique_ptr<const route::Routes> routes_;
};

/// 02:fe and an IPv4 address, or 06:fe and all of an IPv6 address in four bytes.
net::MacAddress made_up_mac(const net::Address& address);

}  // namespace nezu::replay
