#include "dataplane/route/ways.h"

namespace nezu::route {

const ServerWay& ServerWays::look_up(ServerWay& way, const Routes& routes, net::Instance instance,
                                     const net::Address& server) {
  way = {};
  way.server = server;
  way.instance = instance;
  const Steady steady = routes.steady(instance, server);
  way.hop = steady.hop;
  if (steady.lasts) way.version = routes.version();
  way.mask.bytes.fill(0xff);
  if (const net::Prefix* subnet = routes.widest_subnet(instance, server)) {
    const uint32_t host_bits = (server.is_v4() ? 32u : 128u) - subnet->length;
    way.subnet = subnet->address;
    way.mask = net::masked(way.mask, host_bits);
  }
  return way;
}

}  // namespace nezu::route
