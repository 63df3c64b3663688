#include "dataplane/route/build.h"

#include <algorithm>
#include <numeric>

namespace nezu::route {
namespace {

/// Most entries of an equal-cost group: finer weights are rounded.
constexpr uint32_t kGroupMost = 256;

Trie::Entry entry_of(const net::Prefix& prefix, uint32_t leaf) {
  const auto& bytes = prefix.address.bytes;
  return {{bytes.begin() + (prefix.address.is_v4() ? 12 : 0), bytes.end()}, prefix.length, leaf};
}

}  // namespace

uint16_t Build::link(const Link& link) {
  const auto number = static_cast<uint16_t>(routes_->links_.size());
  routes_->links_.push_back(link);
  // A table without room for the links themselves is too small to start with.
  routes_->link_hops_.push_back(
      hops_.claim(number, link, {}).value_or(static_cast<uint16_t>(kNoRoute)));
  return number;
}

std::optional<uint32_t> Build::target(const Way& way) {
  if (way.gateway == net::Address{}) return Fib::kOnLink | way.link;
  const auto hop = neighbour(way.link, way.gateway);
  return hop ? std::optional<uint32_t>(*hop) : std::nullopt;
}

uint32_t Build::leaf(const Route& route) {
  std::vector<uint32_t> targets;
  std::vector<uint32_t> weights;
  for (const Way& way : route.ways) {
    if (const auto one = target(way)) {
      targets.push_back(*one);
      weights.push_back(std::max<uint32_t>(way.weight, 1));
    }
  }
  if (targets.empty()) return Fib::kRefused;
  if (targets.size() == 1) return Fib::kSingle | targets.front();
  const uint32_t divisor = std::accumulate(weights.begin(), weights.end(), 0u,
                                           [](uint32_t a, uint32_t b) { return std::gcd(a, b); });
  const uint32_t total = std::accumulate(weights.begin(), weights.end(), 0u) / divisor;
  Routes::Group group{static_cast<uint32_t>(routes_->targets_.size()), 0};
  for (size_t i = 0; i < targets.size(); ++i) {
    const uint32_t share = weights[i] / divisor;
    const uint32_t slots =
        total <= kGroupMost
            ? share
            : std::max(1u, static_cast<uint32_t>(uint64_t{share} * kGroupMost / total));
    routes_->targets_.insert(routes_->targets_.end(), slots, targets[i]);
    group.count += slots;
  }
  routes_->groups_.push_back(group);
  return Fib::kGroup | static_cast<uint32_t>(routes_->groups_.size() - 1);
}

void Build::route(const Route& route) {
  Tries& tries = tries_[route.instance];
  auto& entries = route.prefix.address.is_v4() ? tries.ipv4 : tries.ipv6;
  entries.push_back(entry_of(route.prefix, leaf(route)));
  const bool on_link = std::any_of(route.ways.begin(), route.ways.end(),
                                   [](const Way& way) { return way.gateway == net::Address{}; });
  if (on_link) routes_->subnets_.push_back({route.prefix, route.instance});
}

std::optional<uint16_t> Build::neighbour(uint16_t link, const net::Address& address) {
  const auto hop = hops_.claim(link, routes_->links_[link], address);
  if (hop) neighbours_.push_back({address, link, *hop});
  return hop;
}

void Build::twin_address(uint16_t link, const net::Address& address) {
  const Link& on = routes_->links_[link];
  twin_addresses_.push_back({address, static_cast<uint16_t>(on.instance), on.port});
  routes_->owns_.push_back({address, link});
  routes_->sources_.resize(routes_->links_.size());
  net::Address& source = routes_->sources_[link][!address.is_v4()];
  if (source == net::Address{} && !address.is_link_local()) source = address;
}

/// A link without an address of its own borrows one.
void Build::find_sources() {
  routes_->sources_.resize(routes_->links_.size());
  for (size_t i = 0; i < routes_->links_.size(); ++i) {
    for (const net::Family family : {net::Family::ipv4, net::Family::ipv6}) {
      net::Address& source = routes_->sources_[i][family == net::Family::ipv6];
      if (source == net::Address{}) {
        const Link& link = routes_->links_[i];
        source = routes_->own_address(link.port, link.vlan, link.instance, family);
      }
    }
  }
}

void Build::find_spaces() {
  auto spaces = std::make_shared<net::Spaces>();
  for (const Link& link : routes_->links_) {
    if (link.present) spaces->set(link.port, link.vlan, link.instance);
  }
  routes_->spaces_ = std::move(spaces);
}

void Build::find_crossings() {
  const auto& links = routes_->links_;
  const auto count = static_cast<size_t>(std::count_if(
      links.begin(), links.end(), [](const Link& link) { return link.is_bridged(); }));
  std::vector<Crossing> crossings(count);  // a hop does not move
  auto next = crossings.begin();
  for (const Link& link : links) {
    if (!link.is_bridged()) continue;
    Crossing& one = *next++;
    const Link& other = links[link.other];
    one.port = link.port;
    one.vlan = link.vlan;
    one.bridge = link.bridge;
    one.to_servers = !link.is_far;
    one.mac = link.mac;
    one.hop.word.store(hop_word({}, HopState::across), std::memory_order_relaxed);
    one.hop.port.store(other.port, std::memory_order_relaxed);
    one.hop.mtu.store(other.mtu, std::memory_order_relaxed);
    one.hop.vlan = other.vlan;
    one.hop.instance = other.instance;
    one.hop.link = link.other;
  }
  routes_->crossings_ = std::move(crossings);
}

std::unique_ptr<const Routes> Build::finish(uint32_t version, uint64_t seed,
                                            const Routes* like) && {
  routes_->version_ = std::max(version, 1u);
  routes_->hops_ = hops_.all();
  routes_->neighbours_ = Hosts(neighbours_, seed);
  routes_->twin_addresses_ = Hosts(twin_addresses_, seed);
  find_sources();
  find_crossings();
  if (like != nullptr) {
    routes_->fibs_ = like->fibs_;
    routes_->spaces_ = like->spaces_;
    routes_->subnets_ = like->subnets_;
    routes_->groups_ = like->groups_;
    routes_->targets_ = like->targets_;
  } else {
    find_spaces();
    tries_[net::Instance::standard];  // the first, though it may be empty
    for (auto& [instance, tries] : tries_) {
      routes_->fibs_.push_back({instance, std::make_shared<Fib>(Fib{Trie(std::move(tries.ipv4)),
                                                                    Trie(std::move(tries.ipv6))})});
    }
  }
  return std::move(routes_);
}

}  // namespace nezu::route
