// The bridges of the configuration: which two ports each has, whether it is open, and what it says.
//
// The housekeeper's. `link::BridgeGuard` decides; this carries it out: hellos by both sides, leases
// for the packet path, lines of the region, events.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "dataplane/device/gate.h"
#include "dataplane/link/bridge_guard.h"
#include "dataplane/places.h"
#include "dataplane/route/crossing.h"
#include "dataplane/watch.h"

namespace nezu::dataplane {

class Bridges {
 public:
  Bridges(const tables::Region& region, const device::Ports& ports, device::Gate& gate,
          route::Leases& leases)
      : region_(region), ports_(ports), gate_(gate), leases_(leases) {}
  ~Bridges();
  Bridges(const Bridges&) = delete;
  Bridges& operator=(const Bridges&) = delete;

  /// Those of a new generation. One that is as before goes on.
  void follow(std::span<const tables::Bridge> wanted, Watch& watch, net::Instant now);
  /// Those whose ports exist.
  std::vector<Places::Pair> pairs() const;
  bool uses(uint16_t port) const;
  /// A hello came in.
  void hear(std::span<const uint8_t> frame, uint16_t port, uint16_t vlan, net::Instant now);
  /// Says what is due; returns those that have just opened.
  std::vector<Places::Pair> turn(Watch& watch, net::Instant now);

 private:
  struct Bridge {
    tables::Bridge wanted;
    Places::Pair pair;
    link::BridgeGuard guard;
    link::BridgeGuard::State told = link::BridgeGuard::State::none;
  };
  bool add(const tables::Bridge& wanted);
  void remove(const Bridge& bridge, Watch& watch, net::Instant now);
  uint8_t take_line(const tables::Bridge& wanted);
  void say(const Bridge& bridge);
  void show(Bridge& bridge, Watch& watch, net::Instant now);

  const tables::Region& region_;
  const device::Ports& ports_;
  device::Gate& gate_;
  route::Leases& leases_;
  std::vector<Bridge> bridges_;
  std::vector<tables::Bridge> followed_;
};

}  // namespace nezu::dataplane
