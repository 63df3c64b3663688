// Services in mode `redirect` as tests have them: a farm of web caches, or of firewalls.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "tests/path/world.h"

namespace nezu::lab {

/// For port 80; clients go straight on when no cache is there.
inline world::ServiceSpec caches_for(std::string_view prefix,
                                     std::vector<world::ServerSpec> servers) {
  world::ServiceSpec spec;
  spec.vip = prefix;
  spec.port = 80;
  spec.mode = tables::Mode::redirect;
  spec.servers = std::move(servers);
  spec.refusal = tables::Refusal::pass;
  return spec;
}
/// The same farm for every protocol, each flow by one of them both ways.
inline world::ServiceSpec firewalls_like(world::ServiceSpec spec) {
  spec.port = 0;
  spec.protocol = net::Protocol::any;
  spec.return_to_sender = true;
  return spec;
}

}  // namespace nezu::lab
