// The twins and what they stand for: one for each port (its untagged frames), and one for each VLAN
// of a port that the configuration puts into a network instance.
//
// The housekeeper's. Places are numbered, ports first; the number is that of the link in Routes and
// stays, also when a VLAN is configured no more.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/device/ports.h"
#include "dataplane/device/twin.h"
#include "dataplane/route_keeper.h"
#include "dataplane/tables/blocks.h"

namespace nezu::dataplane {

struct Place {
  std::string name;  ///< "front", "front.10"
  route::Link link;
  std::unique_ptr<device::Twin> twin;  ///< none: the VLAN is configured no more
  uint64_t to_twin = 0, from_twin = 0, dropped = 0;
  uint32_t unanswered = 0;  ///< that the kernel got since its own were taken
};

class Places {
 public:
  /// Makes the twins of the ports. Throws std::runtime_error with a sentence.
  Places(const device::Ports& ports, std::string twin_prefix);

  /// Makes and removes twins of VLANs, moves places between instances. True: something is
  /// different. A twin that cannot be made is left out, and logged; it is tried again with the next
  /// memberships that differ.
  bool follow(std::span<const tables::Membership> memberships);
  /// Which of them are the two sides of a bridge: the clients', the servers'.
  struct Pair {
    uint16_t clients = 0, servers = 0;  ///< ports
    uint16_t vlan = 0;
    uint8_t bridge = 0;
    bool operator==(const Pair&) const = default;
  };
  /// After `follow`, which may have changed a place of theirs. True: something is different.
  bool bridge(const std::vector<Pair>& pairs);

  std::vector<Place>& all() { return places_; }
  const std::vector<Place>& all() const { return places_; }
  /// Where frames of that VLAN belong; null: nowhere.
  Place* find(uint16_t port, uint16_t vlan);
  /// The same for RouteKeeper.
  std::vector<RouteKeeper::Attachment> attachments() const;

 private:
  struct Wanted {
    uint16_t port = 0;
    uint16_t vlan = 0;
    net::Instance instance = net::Instance::standard;
  };
  std::vector<Wanted> wanted_of(std::span<const tables::Membership> memberships);
  bool add(const Wanted& wanted);

  const device::Ports& ports_;
  std::string prefix_;
  std::vector<Place> places_;
  std::vector<tables::Membership> followed_;
  bool renewed_ = false;  ///< places have been made since `bridge`
  std::vector<Pair> pairs_;
  std::set<std::string> unknown_ports_;  ///< that were complained about
};

}  // namespace nezu::dataplane
