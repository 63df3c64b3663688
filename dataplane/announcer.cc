#include "dataplane/announcer.h"

#include "dataplane/link/announce.h"

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
  for (auto& [address, announced] : addresses_) announced.wanted = false;
  view.each(view.root()->addresses, [&](const tables::LocalAddress& local) {
    if (local.retired != 0) return;
    const uint32_t port = routes.port_of_neighbour(local.instance, local.address);
    if (port == route::kNoPort) return;
    Announced& announced = addresses_[local.address];
    announced.wanted = true;
    if (announced.next.nanoseconds != 0 && announced.port == port) return;
    announced = {static_cast<uint16_t>(port), kTimes, true, now};
  });
  std::erase_if(addresses_, [](const auto& one) { return !one.second.wanted; });
  due_ = 1;
}

void Announcer::link_up(uint16_t port) {
  for (auto& [address, announced] : addresses_) {
    if (announced.port == port) announced.left = kTimes;
  }
  due_ = 1;
}

void Announcer::turn(const route::Routes& routes, net::Instant now) {
  for (const uint16_t port : queries_) report_memberships(routes, port);
  queries_.clear();
  if (due_ == 0) return;
  due_ = 0;
  uint32_t frames = 0;
  for (auto& [address, announced] : addresses_) {
    if (announced.left == 0) continue;
    ++due_;
    if (now < announced.next || frames >= kFramesPerTurn) continue;
    const net::MacAddress mac = routes.mac_of_port(announced.port);
    if (!address.is_v4()) {
      const net::Address group = link::solicited_node(address);
      gate_.send_frame(link::membership_report({&group, 1}, mac, true), announced.port);
    }
    gate_.send_frame(link::announcement(address, mac), announced.port);
    announced.next = net::after(now, kBetween);
    --announced.left;
    ++frames;
  }
}

void Announcer::report_memberships(const route::Routes& routes, uint16_t port) {
  std::vector<net::Address> groups;
  const auto send = [&] {
    if (groups.empty()) return;
    gate_.send_frame(link::membership_report(groups, routes.mac_of_port(port), false), port);
    groups.clear();
  };
  for (const auto& [address, announced] : addresses_) {
    if (announced.port != port || address.is_v4()) continue;
    groups.push_back(link::solicited_node(address));
    if (groups.size() == kGroupsPerReport) send();
  }
  send();
}

}  // namespace nezu::dataplane
