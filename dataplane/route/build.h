// From what the kernel says (links, routes, neighbours, addresses) to Routes.
//
// The housekeeper's; allocates. Shape, also for tests:
//
//   Hops hops(64);
//   Build build(hops);
//   const uint16_t front = build.link({.port = 0, .mac = ...});
//   build.route({.prefix = *parse_prefix("192.0.2.0/24"), .ways = {{.link = front}}});
//   build.route({.prefix = *parse_prefix("0.0.0.0/0"), .ways = {{front, gateway}}});
//   hops.resolve(build.neighbour(front, address).value(), mac);
//   std::unique_ptr<const Routes> routes = std::move(build).finish(version);
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "dataplane/route/routes.h"

namespace nezu::route {

/// One way of a route. Without a gateway, destinations are neighbours on the link.
struct Way {
  uint16_t link = 0;
  net::Address gateway{};
  uint16_t weight = 1;
  bool operator==(const Way&) const = default;
};
/// Without ways: refused (blackhole, unreachable, prohibit).
struct Route {
  net::Prefix prefix;
  net::Instance instance = net::Instance::standard;
  std::vector<Way> ways{};
  bool operator==(const Route&) const = default;
};

class Build {
 public:
  explicit Build(Hops& hops) : hops_(hops), routes_(std::make_unique<Routes>()) {}

  /// Links are numbered in the order of their calls, from 0.
  uint16_t link(const Link& link);
  void route(const Route& route);
  /// A host of a link gets an index; nothing when no hop is free.
  std::optional<uint16_t> neighbour(uint16_t link, const net::Address& address);
  void twin_address(uint16_t link, const net::Address& address);
  /// Of the bridges that links are of; they outlive the Routes.
  void leases(const Leases& leases) { routes_->leases_ = &leases; }

  /// Call last. With `like`, the routes of those are taken over (and none may have been given
  /// here): only links, neighbours and addresses are new.
  std::unique_ptr<const Routes> finish(uint32_t version, uint64_t seed = 0,
                                       const Routes* like = nullptr) &&;

 private:
  uint32_t leaf(const Route& route);
  std::optional<uint32_t> target(const Way& way);
  void find_sources();
  void find_spaces();
  void find_crossings();

  Hops& hops_;
  std::unique_ptr<Routes> routes_;
  struct Tries {
    std::vector<Trie::Entry> ipv4, ipv6;
  };
  std::map<net::Instance, Tries> tries_;
  std::vector<Host> neighbours_, twin_addresses_;
};

}  // namespace nezu::route
