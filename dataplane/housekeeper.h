// The housekeeper: everything slow, on the main thread, in a loop of short turns.
//
// Twins (`Places`) and the packets to and from them, routes and neighbours by netlink,
// announcements, requests of the control plane, events, ports' counters. Before there is a region
// it also stands in for the workers: all that comes in goes to the twins, so that the machine can
// be reached.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/announcer.h"
#include "dataplane/bridges.h"
#include "dataplane/claims.h"
#include "dataplane/clerk.h"
#include "dataplane/device/gate.h"
#include "dataplane/device/port_rules.h"
#include "dataplane/engine.h"
#include "dataplane/explanations.h"
#include "dataplane/places.h"
#include "dataplane/route_keeper.h"
#include "dataplane/tables/reader.h"
#include "dataplane/watch.h"

namespace nezu::dataplane {

class Housekeeper {
 public:
  struct Options {
    std::string twin_prefix = "nz-";
    std::string state_dir;
    uint32_t hops = 16384;
  };
  /// `gates`: of the workers, then the housekeeper's. Throws std::runtime_error with a sentence.
  Housekeeper(const Options& options, device::Ports& ports,
              std::vector<std::unique_ptr<device::Gate>>& gates);

  RouteKeeper& routes() { return *routes_; }

  /// From now on in a region, with workers.
  void attach(const tables::Region& region, tables::Reader& reader, Engine& engine);
  /// Back to standing in for the workers, which have ended.
  void detach();

  /// One turn. False: there was nothing to do.
  bool turn();
  void save() { routes_->save(); }

 private:
  static constexpr uint32_t kPacketsPerTwin = 32;  ///< in a turn
  /// What the region's line of a port showed at first.
  struct Base {
    device::PortCounters port;
    uint64_t to_twin = 0, from_twin = 0, dropped = 0;
  };
  /// All that exists only with a region.
  struct Office {
    const tables::Region& region;
    tables::Reader& reader;
    Engine& engine;
    Clerk clerk;
    Explanations explanations;
    Watch watch;
    Announcer announcer;
    Bridges bridges;
    Claims claims;
    device::PortRules rules;
    net::Instant attached;
    net::Instant drains_looked;
    bool settled = false;
  };

  void follow(const tables::View& view, net::Instant now);
  void introduce_ports();
  uint32_t stand_in();
  void turn_bridges(net::Instant now);
  bool is_for_bridge(void* buffer, Place& place, net::Instant now);
  uint32_t from_twin(Place& place, net::Instant now);
  void note(std::span<uint8_t> frame, net::Instant now);
  uint32_t from_bridge_twin(Place& place, net::Instant now);
  uint32_t serve_workers(net::Instant now);
  uint32_t to_twins(steer::Ring<void*>& ring, uint32_t most, net::Instant now);
  uint32_t from_twins(net::Instant now);
  void to_twin(void* buffer, net::Instant now);
  void hold(uint16_t worker, const Held& held, net::Instant now);
  void refuse(uint16_t worker, void* buffer, net::Reason reason);
  void settle_neighbours(net::Instant now);
  void send_held(void* buffer, const route::NextHop& hop);
  void look_at_links(net::Instant now);
  void steer_answers(const tables::View& view, net::Instant now);
  void look_around(net::Instant now);
  void mirror_ports();

  Options options_;
  device::Ports& ports_;
  std::vector<std::unique_ptr<device::Gate>>& gates_;
  device::Gate& gate_;
  Places places_;
  std::vector<Base> bases_;          ///< by port
  std::vector<bool> rules_refused_;  ///< by port
  uint64_t followed_ = 0;            ///< generation
  std::unique_ptr<RouteKeeper> routes_;
  std::unique_ptr<Office> office_;
  net::Burst burst_;
  std::vector<bool> ports_up_;
  std::vector<uint8_t> frame_;  ///< from a twin, to more ports than one
  net::Instant looked_;
};

}  // namespace nezu::dataplane
