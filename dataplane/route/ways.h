// The ways to real servers, remembered: a new flow need not look for what the last one found.
//
// One worker. By server slot, one line each; an entry knows whose it is and which routes it belongs
// to, so that a slot that is used anew, or routes that have changed, only cost a look-up. What
// depends on the flow (equal-cost ways) or may change without a new version (a neighbour that is
// not known yet) is looked up each time.
#pragma once

#include <cstdint>
#include <memory>

#include "dataplane/route/routes.h"

namespace nezu::route {

struct alignas(64) ServerWay {
  net::Address server;
  /// The widest subnet of a link that holds the server, and its mask; without one, no client's.
  net::Address subnet, mask;
  uint32_t version = 0;  ///< of the routes; 0: not to be used again
  net::Instance instance = net::Instance::standard;
  uint16_t hop = kNoRoute;  ///< of all flows; kNoRoute: it depends, or there is none

  /// False: they do not reach each other past us. True: Routes::share_subnet knows.
  bool may_share_subnet(const net::Address& client) const {
    const auto differs = [&](size_t at) {
      return (net::load<uint64_t>(&client.bytes[at]) ^ net::load<uint64_t>(&subnet.bytes[at])) &
             net::load<uint64_t>(&mask.bytes[at]);
    };
    return (differs(0) | differs(8)) == 0;
  }
};
static_assert(sizeof(ServerWay) == 64);

class ServerWays {
 public:
  /// `servers`: slots. One more serves all that are beyond.
  explicit ServerWays(uint32_t servers)
      : servers_(servers), ways_(std::make_unique<ServerWay[]>(servers + 1)) {}

  /// Valid until the next call.
  const ServerWay& to(const Routes& routes, uint32_t slot, net::Instance instance,
                      const net::Address& server) {
    ServerWay& way = ways_[slot < servers_ ? slot : servers_];
    if (way.version == routes.version() && way.server == server && way.instance == instance)
        [[likely]] {
      return way;
    }
    return look_up(way, routes, instance, server);
  }

 private:
  static const ServerWay& look_up(ServerWay& way, const Routes& routes, net::Instance instance,
                                  const net::Address& server);

  uint32_t servers_;
  std::unique_ptr<ServerWay[]> ways_;
};

}  // namespace nezu::route
