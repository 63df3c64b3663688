#include "dataplane/route/hosts.h"

#include <bit>

namespace nezu::route {

Hosts::Hosts(std::span<const Host> hosts, uint64_t seed)
    : seed_(seed), mask_(std::bit_ceil(hosts.size() * 2 + 1) - 1), cells_(mask_ + 1) {
  for (const Host& host : hosts) {
    uint64_t i = hash(host.space, host.address);
    while (cells_[i & mask_].used && (cells_[i & mask_].host.space != host.space ||
                                      cells_[i & mask_].host.address != host.address)) {
      ++i;
    }
    cells_[i & mask_] = {host, true};
  }
}

}  // namespace nezu::route
