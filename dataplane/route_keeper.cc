#include "dataplane/route_keeper.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "dataplane/state_file.h"
#include "dataplane/tables/region.h"

namespace nezu::dataplane {
namespace {

constexpr uint64_t kSaveEvery = 2 * net::kNanosecondsPerSecond;
constexpr size_t kMostSides = 65536;
constexpr uint64_t kReadAgainAfter = 5'000'000;  // ns, at least

}  // namespace

RouteKeeper::RouteKeeper(const Options& options, net::Instant now)
    : options_(options),
      hops_(options.hops),
      neighbours_(hops_, {}),
      published_(options.readers, std::make_unique<route::Routes>()),
      netlink_(watched(options.links)),
      links_(options.links) {
  if (auto kept = load_state(options_.state_file, names())) {
    spdlog::info("{} routes and {} neighbours of the last run are used until the kernel answers",
                 kept->routes.size(), kept->neighbours.size());
    for (const auto& one : kept->neighbours) {
      neighbours_.remember(one.key, links_[one.key.link].link, one.mac, now);
    }
    take_over(std::move(*kept), now);
  }
  read_kernel(now);
}

std::vector<device::Watched> RouteKeeper::watched(const std::vector<Attachment>& links) {
  std::vector<device::Watched> all;
  for (const Attachment& one : links) all.push_back({one.interface, one.link.instance});
  return all;
}

std::vector<std::string> RouteKeeper::names() const {
  std::vector<std::string> all;
  for (const Attachment& one : links_) all.push_back(one.name);
  return all;
}

void RouteKeeper::turn(net::Instant now) {
  listen(now);
  if (read_due_ && now >= read_after_) read_kernel(now);
  neighbours_.tick(now);
  probe_unseated(now);
  for (const auto& key : neighbours_.asks) netlink_.ask(key);
  neighbours_.asks.clear();
  if (neighbours_.added || !neighbours_.forgotten.empty()) build_hosts();
  published_.reclaim();
  release_forgotten();
  save_when_due(now);
}

void RouteKeeper::listen(net::Instant now) {
  const auto news = netlink_.listen();
  for (const auto& one : news.neighbours) {
    heard_[one.key] = one;
    if (one.heard == route::Heard::gone) heard_.erase(one.key);
    hear(one, now);
    unsaved_ = true;
  }
  read_due_ = read_due_ || news.changed;
}

void RouteKeeper::read_kernel(net::Instant now) {
  const net::Instant began = tables::boot_time();
  device::KernelState state;
  const bool whole = netlink_.read(state);
  const uint64_t took = tables::boot_time().nanoseconds - began.nanoseconds;
  read_after_ = net::after(now, std::max(took * 10, kReadAgainAfter));
  read_due_ = !whole;
  if (whole) take_over(std::move(state), now);
}

void RouteKeeper::take_over(device::KernelState state, net::Instant now) {
  const bool changed =
      state.routes != state_.routes || state.addresses != state_.addresses || version_ == 1;
  heard_.clear();
  for (const auto& one : state.neighbours) heard_[one.key] = one;
  state_ = std::move(state);
  if (changed) build_whole(now);
  for (const auto& one : state_.neighbours) hear(one, now);
}

void RouteKeeper::set_links(std::vector<Attachment> links, net::Instant now) {
  const size_t known = links_.size();
  links_ = std::move(links);
  if (const auto kept = load_state(options_.state_file, names())) {
    for (const auto& one : kept->neighbours) {
      if (one.key.link < known) continue;
      neighbours_.remember(one.key, links_[one.key.link].link, one.mac, now);
    }
  }
  netlink_.watch(watched(links_));
  state_ = {};
  read_kernel(now);
  // Also when nothing was read: the links themselves are different.
  build_whole(now);
}

void RouteKeeper::set_links_up(const std::vector<bool>& up) {
  bool differs = false;
  for (size_t i = 0; i < links_.size() && i < up.size(); ++i) {
    differs = differs || links_[i].link.up != up[i];
    links_[i].link.up = up[i];
  }
  if (differs) build_whole(tables::boot_time());
}

void RouteKeeper::build_whole(net::Instant now) {
  neighbours_.start_gateways();
  for (const auto& route : state_.routes) {
    for (const auto& way : route.ways) {
      if (way.gateway == net::Address{}) continue;
      neighbours_.gateway({way.link, way.gateway}, links_[way.link].link, now);
    }
  }
  ++version_;
  published_.publish(build(true));
  neighbours_.added = false;
  unsaved_ = true;
}

/// Only neighbours are new or gone.
void RouteKeeper::build_hosts() {
  if (!neighbours_.forgotten.empty()) ++version_;  // flows must not keep those
  published_.publish(build(false));
  neighbours_.added = false;
  for (const uint16_t hop : neighbours_.forgotten) {
    forgotten_.push_back({published_.mark(), hop});
  }
  neighbours_.forgotten.clear();
}

std::unique_ptr<const route::Routes> RouteKeeper::build(bool whole) {
  route::Build build(hops_);
  build.leases(leases_);
  for (const Attachment& one : links_) build.link(one.link);
  for (const auto& own : state_.addresses) build.twin_address(own.link, own.address);
  for (const auto& one : neighbours_.all()) build.neighbour(one.key.link, one.key.address);
  if (!whole) return std::move(build).finish(version_, options_.seed, &current());
  for (route::Route route : state_.routes) {
    const auto is_down = [this](const route::Way& way) { return !links_[way.link].link.up; };
    if (!std::all_of(route.ways.begin(), route.ways.end(), is_down)) {
      std::erase_if(route.ways, is_down);
    }
    build.route(route);
  }
  return std::move(build).finish(version_, options_.seed);
}

void RouteKeeper::release_forgotten() {
  std::erase_if(forgotten_, [this](const Forgotten& one) {
    if (!published_.passed(one.mark)) return false;
    const route::NextHop& hop = hops_.at(one.hop);
    if (!neighbours_.knows({hop.link, hop.gateway})) hops_.release(one.hop);
    return true;
  });
}

net::Reason RouteKeeper::hold(net::Instance instance, const net::Address& destination, void* buffer,
                              net::Instant now) {
  const uint32_t index = current().find(instance, destination, 0);
  if (index == route::kNoRoute) return net::Reason::no_route;
  const route::NextHop& hop = hops_.at(index);
  const bool neighbour = hop.gateway == net::Address{};
  const route::NeighbourKey key{hop.link, neighbour ? destination : hop.gateway};
  const net::Reason reason = neighbours_.hold(key, links_[hop.link].link, buffer, now);
  // The kernel does not repeat what it has said.
  if (const auto heard = heard_.find(key); heard != heard_.end()) {
    hear(heard->second, now);
  }
  return reason;
}

/// First the port, then the MAC: no packet leaves by the wrong side.
void RouteKeeper::hear(const route::NeighbourNews& news, net::Instant now) {
  if (links_[news.key.link].link.is_bridged() && news.heard == route::Heard::usable) {
    const auto port = port_of(news.key.link, news.mac);
    const auto hop = hops_.find(news.key.link, news.key.address);
    if (port && hop) {
      hops_.seat(*hop, *port);
      unseated_.erase(news.key);
    } else if (hop) {
      unseated_.try_emplace(news.key, now);
    }
  }
  neighbours_.hear(news, now);
}

std::optional<uint16_t> RouteKeeper::port_of(uint16_t link, const net::MacAddress& mac) const {
  const auto found = sides_.find({link, mac});
  return found != sides_.end() ? std::optional(found->second) : std::nullopt;
}

void RouteKeeper::see(uint16_t link, const net::MacAddress& mac, uint16_t port) {
  if (sides_.size() >= kMostSides) sides_.clear();
  const auto [known, is_new] = sides_.try_emplace({link, mac}, port);
  if (!is_new && known->second == port) return;
  known->second = port;
  for (const auto& one : neighbours_.all()) {
    if (one.key.link != link || one.mac != mac) continue;
    if (const auto hop = hops_.find(link, one.key.address)) hops_.seat(*hop, port);
    unseated_.erase(one.key);
  }
}

void RouteKeeper::forget_sides(uint16_t link, net::Instant now) {
  std::erase_if(sides_, [link](const auto& one) { return one.first.first == link; });
  for (const auto& one : neighbours_.all()) {
    if (one.key.link == link && one.state == route::HopState::ready) unseated_[one.key] = now;
  }
}

void RouteKeeper::probe_unseated(net::Instant now) {
  std::erase_if(unseated_, [this](const auto& one) { return !neighbours_.knows(one.first); });
  for (auto& [key, due] : unseated_) {
    if (now < due) continue;
    due = net::after(now, net::kNanosecondsPerSecond);
    netlink_.probe(key);
  }
}

void RouteKeeper::save_when_due(net::Instant now) {
  if (!unsaved_ || now < net::after(saved_, kSaveEvery)) return;
  saved_ = now;
  save();
}

void RouteKeeper::save() {
  unsaved_ = false;
  device::KernelState kept = state_;
  kept.neighbours.clear();
  for (const auto& one : neighbours_.all()) {
    if (one.state != route::HopState::ready) continue;
    kept.neighbours.push_back({one.key, one.mac, route::Heard::usable});
  }
  if (!save_state(options_.state_file, kept, names())) {
    spdlog::warn("{} cannot be written: a restart would begin without routes", options_.state_file);
  }
}

}  // namespace nezu::dataplane
