// One side of a bridge, as the packet path asks for it: where to a frame passes that is not ours.
//
// Two links (route/hops.h) that are one network: the clients' side has the twin, its MAC is that of
// both. `Leases` say until when each bridge may pass frames; the housekeeper writes them, workers
// read them.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "dataplane/net/time.h"
#include "dataplane/route/next_hop.h"

namespace nezu::route {

inline constexpr uint32_t kBridges = 16;  ///< tables::kMaxBridges

class Leases {
 public:
  void set(uint32_t bridge, net::Instant until) {
    until_[bridge].store(until.nanoseconds, std::memory_order_relaxed);
  }
  bool is_open(uint32_t bridge, net::Instant now) const {
    return now.nanoseconds < until_[bridge].load(std::memory_order_relaxed);
  }

 private:
  std::array<std::atomic<uint64_t>, kBridges> until_{};
};

struct Crossing {
  uint16_t port = 0, vlan = 0;  ///< by which frames come in
  uint8_t bridge = 0;           ///< its number
  bool to_servers = false;      ///< they come from the clients' side
  net::MacAddress mac;          ///< ours, on both sides
  NextHop hop;                  ///< to the other side; writes no address (HopState::across)
};

}  // namespace nezu::route
