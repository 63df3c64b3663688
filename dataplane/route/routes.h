// Routes of all network instances, as the packet path asks for them: from a destination to a next
// hop.
//
// Immutable; built off the packet path (build.h) and published by route::Published. Any thread may
// read. A worker takes the current Routes once a turn and uses no older one after that.
//
//   const uint32_t index = routes.find(instance, destination, hash);
//   if (index == kNoRoute) drop(no_route);
//   const NextHop& hop = routes.at(index);
//   if (hop.write_addresses(packet.head)) -> forward by hop.port
//   else hop.state() == HopState::failed ? drop(neighbour_unresolved) : verdict `hold`
//
// `hold` needs nothing else: the worker gives the buffer to the housekeeper, which finds the next
// hop by the packet's own (rewritten) destination, asks for it, and sends or drops the packet.
//
// An index may be kept with a flow for as long as `version` stays the same, unless its hop is in
// HopState::link: that one stands for a host that gets an index of its own when it answers.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/net/spaces.h"
#include "dataplane/route/crossing.h"
#include "dataplane/route/hops.h"
#include "dataplane/route/hosts.h"
#include "dataplane/route/next_hop.h"
#include "dataplane/route/trie.h"

namespace nezu::route {

inline constexpr uint32_t kNoRoute = 0xffff;
inline constexpr uint32_t kNoPort = 0xffffffff, kNoLink = 0xffffffff;

/// The two tries of one network instance, and how their leaves read.
struct Fib {
  Trie ipv4, ipv6;

  // A leaf: nothing (0), a refusal, one target, or a group of targets to choose from by flow hash.
  static constexpr uint32_t kRefused = 0x1000'0000u, kSingle = 0x2000'0000u, kGroup = 0x4000'0000u;
  // A target: a next hop's index, or kOnLink + a link's number.
  static constexpr uint32_t kOnLink = 0x1'0000u, kTarget = 0x1'ffffu;
};

/// The next hop of all flows to one destination.
struct Steady {
  uint16_t hop = kNoRoute;  ///< kNoRoute: there is none, or each flow has its own
  bool lasts = false;       ///< as long as the routes' version
};

class Routes {
 public:
  /// A destination's next hop, an equal-cost one by `flow_hash`; kNoRoute when there is none.
  uint32_t find(net::Instance instance, const net::Address& destination, uint32_t flow_hash) const {
    const uint32_t target = target_of(instance, destination, flow_hash);
    if ((target & Fib::kOnLink) == 0) return target;
    if (target == kNothing) return kNoRoute;
    const auto link = static_cast<uint16_t>(target);
    const uint32_t host = neighbours_.find(link, destination);
    return host != Hosts::kNone ? host : link_hops_[link];
  }
  const NextHop& at(uint32_t index) const { return hops_[index]; }
  Steady steady(net::Instance instance, const net::Address& destination) const;

  /// Changes when an index that was found before may be wrong now. Never 0.
  uint32_t version() const { return version_; }

  /// One of the kernel's own addresses on a twin: its packets go there. Says by which port's twin,
  /// or kNoPort.
  uint32_t twin_of(net::Instance instance, const net::Address& address) const {
    return twin_addresses_.find(static_cast<uint16_t>(instance), address);
  }
  bool is_twin_address(net::Instance instance, const net::Address& address) const {
    return twin_of(instance, address) != kNoPort;
  }
  /// An address of our own on the link of that port and VLAN (or on another of the instance, if
  /// that has none) to send errors of ours from; unspecified when there is none of that family.
  net::Address own_address(uint16_t port, uint16_t vlan, net::Instance instance,
                           net::Family family) const;
  /// The same on a link, to send from to its neighbours: by its number, without a search.
  const net::Address& source(uint16_t link, net::Family family) const {
    return sources_[link][family == net::Family::ipv6];
  }
  /// The port on whose link the address is a neighbour; kNoPort when it is reached by a gateway or
  /// not at all.
  uint32_t port_of_neighbour(net::Instance instance, const net::Address& address) const {
    const uint32_t link = link_of_neighbour(instance, address);
    return link == kNoLink ? kNoPort : links_[link].port;
  }
  /// The number of that link, or kNoLink.
  uint32_t link_of_neighbour(net::Instance instance, const net::Address& address) const;
  /// Both are neighbours within one prefix of a link: they reach each other past us.
  bool share_subnet(net::Instance instance, const net::Address& a, const net::Address& b) const;
  /// The shortest prefix of a link that holds the address; null: none.
  const net::Prefix* widest_subnet(net::Instance instance, const net::Address& address) const;
  /// Which instance a frame belongs to, by its port and VLAN.
  const net::Spaces& spaces() const { return *spaces_; }
  /// Of the link of that port and VLAN; all zeros when there is none.
  net::MacAddress mac_of(uint16_t port, uint16_t vlan) const;
  /// Of any port.
  bool is_mac_of_ours(const net::MacAddress& mac) const;
  const std::vector<Link>& links() const { return links_; }

  // Bridges.
  bool has_crossings() const { return !crossings_.empty(); }
  /// By which frames of that port and VLAN pass; null: no bridge's.
  const Crossing* crossing(uint16_t port, uint16_t vlan) const;
  /// Frames for other hosts come in by that port.
  bool is_bridged(uint16_t port) const;
  bool is_open(uint8_t bridge, net::Instant now) const {
    return leases_ != nullptr && leases_->is_open(bridge, now);
  }

 private:
  friend class Build;
  struct Own {
    net::Address address;
    uint16_t link = 0;
  };
  static constexpr uint32_t kNothing = 0xffff'ffffu;
  static_assert(Hosts::kNone == kNoPort);

  /// 0: nothing.
  uint32_t leaf_of(net::Instance instance, const net::Address& destination) const {
    const Fib* fib = fib_of(instance);
    if (fib == nullptr) return 0;
    return destination.is_v4() ? fib->ipv4.find(&destination.bytes[12])
                               : fib->ipv6.find(destination.bytes.data());
  }
  uint32_t target_of(net::Instance instance, const net::Address& destination,
                     uint32_t flow_hash) const {
    const uint32_t leaf = leaf_of(instance, destination);
    if ((leaf & Fib::kSingle) != 0) return leaf & Fib::kTarget;
    if ((leaf & Fib::kGroup) == 0) return kNothing;
    const Group& group = groups_[leaf & ~Fib::kGroup];
    return targets_[group.first + (uint64_t{flow_hash} * group.count >> 32)];
  }

  /// The standard instance's is the first.
  const Fib* fib_of(net::Instance instance) const {
    if (!fibs_.empty() && fibs_.front().instance == instance) [[likely]]
      return fibs_.front().fib.get();
    const auto at = std::lower_bound(
        fibs_.begin(), fibs_.end(), instance,
        [](const Space& one, net::Instance wanted) { return one.instance < wanted; });
    return at != fibs_.end() && at->instance == instance ? at->fib.get() : nullptr;
  }

  struct Group {
    uint32_t first = 0, count = 0;
  };

  uint32_t version_ = 1;
  const NextHop* hops_ = nullptr;
  struct Space {
    net::Instance instance = net::Instance::standard;
    std::shared_ptr<const Fib> fib;  // shared with other versions
  };
  std::vector<Space> fibs_;  // by instance, ascending
  std::shared_ptr<const net::Spaces> spaces_ = std::make_shared<net::Spaces>();
  std::vector<Group> groups_;
  std::vector<uint32_t> targets_;
  std::vector<Link> links_;
  std::vector<uint16_t> link_hops_;
  Hosts neighbours_;      // by link
  Hosts twin_addresses_;  // by instance; the value is a port
  struct Subnet {
    net::Prefix prefix;
    net::Instance instance = net::Instance::standard;
  };
  std::vector<Subnet> subnets_;                       // of links
  std::vector<Own> owns_;                             // the same in order, for own_address
  std::vector<std::array<net::Address, 2>> sources_;  // by link: IPv4, IPv6; unspecified: none
  std::vector<Crossing> crossings_;
  const Leases* leases_ = nullptr;
};

}  // namespace nezu::route
