#include "dataplane/announcer.h"

#include <algorithm>

namespace nezu::dataplane {
namespace {

constexpr uint8_t kTimes = 3;
constexpr uint64_t kBetween = net::kNanosecondsPerSecond;
constexpr uint64_t kLookEvery = net::kNanosecondsPerSecond / 5;
constexpr uint32_t kFramesPerTurn = 32;
constexpr size_t kGroupsPerReport = 64;

}  // namespace

void Announcer::look(const tables::View& view, const route::Routes& routes, net::Instant now) {
  if (!view.is_ready() || now < net::after(looked_, kLookEvery)) return;
  if (view.generation() == generation_ && routes.version() == version_) return;
  looked_ = now;
  generation_ = view.generation();
  version_ = routes.version();
  for (auto& [key, announced] : addresses_) announced.wanted = false;
  view.each(view.root()->addresses, [&](const tables::LocalAddress& local) {
    if (local.host_bits != 0) return;  // a prefix is routed to us, never asked for
    if (local.retired != 0) return;
    const uint32_t link = routes.link_of_neighbour(local.instance, local.address);
    if (link == route::kNoLink) return;
    Announced& announced = addresses_[{local.instance, local.address}];
    announced.wanted = true;
    if (announced.next.nanoseconds != 0 && announced.link == link) return;
    announced = {static_cast<uint16_t>(link), kTimes, true, now};
  });
  std::erase_if(addresses_, [](const auto& one) { return !one.second.wanted; });
  due_ = 1;
}

void Announcer::link_up(uint16_t port) {
  links_up_.push_back(port);
  due_ = 1;
}

/// On a bridge by both sides; one that is closed is as a host at the clients'.
void Announcer::send(const link::Frame& frame, const route::Routes& routes,
                     const route::Link& link) {
  if (!link.present) return;
  gate_.send_frame(frame, link.port, link.vlan);
  if (!link.is_bridged() || !routes.is_open(link.bridge, now_)) return;
  const route::Link& other = routes.links()[link.other];
  gate_.send_frame(frame, other.port, other.vlan);
}

void Announcer::defend(net::Instance instance, const net::Address& address) {
  const auto announced = addresses_.find({instance, address});
  if (announced == addresses_.end() || announced->second.left != 0) return;
  announced->second.left = 1;
  due_ = 1;
}

void Announcer::turn(const route::Routes& routes, net::Instant now) {
  now_ = now;
  for (const uint16_t link : queries_) report_memberships(routes, link);
  queries_.clear();
  if (due_ == 0) return;
  due_ = 0;
  uint32_t frames = 0;
  for (auto& [key, announced] : addresses_) {
    if (announced.link >= routes.links().size()) continue;
    const route::Link& link = routes.links()[announced.link];
    if (std::find(links_up_.begin(), links_up_.end(), link.port) != links_up_.end()) {
      announced.left = kTimes;
    }
    if (announced.left == 0) continue;
    ++due_;
    if (now < announced.next || frames >= kFramesPerTurn) continue;
    const net::Address& address = key.second;
    if (!address.is_v4()) {
      const net::Address group = link::solicited_node(address);
      send(link::membership_report({&group, 1}, link.mac, true), routes, link);
    }
    send(link::announcement(address, link.mac), routes, link);
    announced.next = net::after(now, kBetween);
    --announced.left;
    ++frames;
  }
  links_up_.clear();
}

void Announcer::report_memberships(const route::Routes& routes, uint16_t number) {
  if (number >= routes.links().size()) return;
  const route::Link& link = routes.links()[number];
  std::vector<net::Address> groups;
  const auto report = [&] {
    if (groups.empty()) return;
    send(link::membership_report(groups, link.mac, false), routes, link);
    groups.clear();
  };
  for (const auto& [key, announced] : addresses_) {
    if (announced.link != number || key.second.is_v4()) continue;
    groups.push_back(link::solicited_node(key.second));
    if (groups.size() == kGroupsPerReport) report();
  }
  report();
}

}  // namespace nezu::dataplane
