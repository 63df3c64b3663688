// Rules in NICs (rte_flow) that bring answers to SNAT addresses to the queue of their owner.
//
// The low byte of an SNAT port is the shard (tables/blocks.h), so that a few masked values of the
// destination port tell the owner. The housekeeper's. A NIC that takes no such rule, or no more of
// them, loses nothing: what comes in at another worker is handed over by software.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/device/ports.h"
#include "dataplane/net/packet.h"
#include "dataplane/tables/view.h"

struct rte_flow;

namespace nezu::device {

/// Packets of that protocol whose destination port, under the mask, is `port`: to that queue.
struct PortRule {
  net::Protocol protocol = net::Protocol::tcp;
  uint16_t port = 0, mask = 0;  ///< host order
  uint16_t queue = 0;
};
/// All rules of one SNAT address on that port, TCP and UDP: two for each worker where their number
/// is a power of two, else for each shard.
std::vector<PortRule> rules_for(uint16_t port, uint16_t workers);

/// Whether a device says that it would take such rules, over both families. It must be started.
bool takes_port_rules(uint16_t device);

class PortRules {
 public:
  /// How rules come into a device and out of it: rte_flow, unless a test looks on. `make` gives
  /// null where the device refuses.
  struct Calls {
    std::function<rte_flow*(uint16_t device, const net::Address&, const PortRule&)> make;
    std::function<void(uint16_t device, rte_flow*)> remove;
  };
  PortRules(std::span<const Port> ports, uint16_t workers, std::optional<Calls> calls = {});
  /// The rules end with it: another number of workers needs others.
  ~PortRules();
  PortRules(const PortRules&) = delete;
  PortRules& operator=(const PortRules&) = delete;

  /// The SNAT addresses of a generation, retired ones too. Looks at them when it is a new one, at
  /// most once a second, and makes a bounded number of rules in each call.
  void follow(const tables::View& view, net::Instant now);

  /// Rules that stand in that port now; the first refusal ends the making of more until addresses
  /// change.
  uint32_t count(uint16_t port) const;
  bool is_refused(uint16_t port) const { return places_[port].refused; }

 private:
  struct Rules {
    std::vector<rte_flow*> made;  ///< the first ones of Place::wanted
    bool wanted = true;
  };
  struct Place {
    std::optional<uint16_t> device;  ///< none: takes no rules
    std::vector<PortRule> pattern;   ///< of each address
    std::map<net::Address, Rules> addresses;
    bool refused = false;
    bool complete = true;
  };
  void look(Place& place, const tables::View& view);
  void make_some(Place& place, uint32_t& budget);

  Calls calls_;
  std::vector<Place> places_;
  uint64_t generation_ = 0;
  net::Instant looked_;
};

}  // namespace nezu::device
