// Which number belongs to an address: neighbours of a link, addresses of the twins.
//
// Built once, then only read, by any thread. Open addressing, at most half full. The seed keeps
// hosts of a link from choosing addresses that collide.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/net/address.h"
#include "dataplane/net/hash.h"

namespace nezu::route {

struct Host {
  net::Address address;
  uint16_t space = 0;  ///< the same address may stand for something else in another one
  uint16_t value = 0;
};

class Hosts {
 public:
  static constexpr uint32_t kNone = 0xffffffffu;

  Hosts() : Hosts({}, 0) {}
  Hosts(std::span<const Host> hosts, uint64_t seed);

  uint32_t find(uint16_t space, const net::Address& address) const {
    for (uint64_t i = hash(space, address);; ++i) {
      const Cell& cell = cells_[i & mask_];
      if (!cell.used) return kNone;
      if (cell.host.space == space && cell.host.address == address) return cell.host.value;
    }
  }

 private:
  struct Cell {
    Host host;
    bool used = false;
  };
  uint64_t hash(uint16_t space, const net::Address& address) const {
    const auto high = net::load<uint64_t>(&address.bytes[0]);
    const auto low = net::load<uint64_t>(&address.bytes[8]);
    return net::mix64(net::mix64(high ^ seed_ ^ space) ^ low);
  }

  uint64_t seed_;
  uint64_t mask_;
  std::vector<Cell> cells_;
};

}  // namespace nezu::route
