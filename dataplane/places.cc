#include "dataplane/places.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <stdexcept>
#include <string_view>

namespace nezu::dataplane {

static_assert(net::Spaces::kPorts == tables::kMaxPorts);

Places::Places(const device::Ports& ports, std::string twin_prefix)
    : ports_(ports), prefix_(std::move(twin_prefix)) {
  if (ports.all().size() > tables::kMaxPorts) {
    throw std::runtime_error("there may be at most " + std::to_string(tables::kMaxPorts) +
                             " ports");
  }
  for (const device::Port& port : ports.all()) {
    Place& place = places_.emplace_back();
    place.name = port.name;
    place.link = {port.number, 0, port.mtu, port.mac, net::Instance::standard};
    place.twin = std::make_unique<device::Twin>(prefix_ + port.name, port.mac, port.mtu);
  }
}

Place* Places::find(uint16_t port, uint16_t vlan) {
  if (vlan == 0) return &places_[port];
  for (size_t i = ports_.all().size(); i < places_.size(); ++i) {
    Place& place = places_[i];
    if (place.link.port == port && place.link.vlan == vlan) return place.twin ? &place : nullptr;
  }
  return nullptr;
}

std::vector<Places::Wanted> Places::wanted_of(std::span<const tables::Membership> memberships) {
  std::vector<Wanted> wanted;
  for (const tables::Membership& one : memberships) {
    const std::string name(one.port.data(), strnlen(one.port.data(), one.port.size()));
    const auto port = std::find_if(ports_.all().begin(), ports_.all().end(),
                                   [&](const device::Port& known) { return known.name == name; });
    if (port != ports_.all().end()) {
      wanted.push_back({port->number, one.vlan, one.instance});
    } else if (unknown_ports_.insert(name).second) {
      spdlog::warn(
          "the configuration puts port {} into a network instance, but there is no such "
          "port (--port name=)",
          name);
    }
  }
  return wanted;
}

bool Places::add(const Wanted& wanted) {
  const device::Port& port = ports_.all()[wanted.port];
  const std::string name = port.name + "." + std::to_string(wanted.vlan);
  auto place = std::find_if(places_.begin(), places_.end(),
                            [&](const Place& one) { return one.name == name; });
  try {
    auto twin = std::make_unique<device::Twin>(prefix_ + name, port.mac, port.mtu);
    twin->set_carrier(places_[wanted.port].link.up);
    if (place == places_.end()) {
      places_.emplace_back();
      place = places_.end() - 1;
    }
    place->name = name;
    place->link = {port.number, wanted.vlan, port.mtu, port.mac, wanted.instance};
    place->link.up = places_[wanted.port].link.up;
    place->twin = std::move(twin);
  } catch (const std::runtime_error& error) {
    spdlog::error("VLAN {} of port {} stays unknown: {}", wanted.vlan, port.name, error.what());
    return false;
  }
  spdlog::info("VLAN {} of port {} is in network instance {}, twin {}", wanted.vlan, port.name,
               static_cast<unsigned>(wanted.instance), place->twin->name());
  return true;
}

bool Places::follow(std::span<const tables::Membership> memberships) {
  // Most publications change other things.
  if (std::equal(followed_.begin(), followed_.end(), memberships.begin(), memberships.end())) {
    return false;
  }
  followed_.assign(memberships.begin(), memberships.end());
  renewed_ = true;
  bool differs = false;
  const std::vector<Wanted> wanted = wanted_of(memberships);
  for (Place& place : places_) {
    if (!place.twin) continue;
    const auto found = std::find_if(wanted.begin(), wanted.end(), [&](const Wanted& one) {
      return one.port == place.link.port && one.vlan == place.link.vlan;
    });
    const bool stays = found != wanted.end() || place.link.vlan == 0;
    const auto instance = found != wanted.end() ? found->instance : net::Instance::standard;
    if (!stays) {
      spdlog::info("VLAN {} is gone, and twin {} with it", place.name, place.twin->name());
      place.twin->dismiss();
      place.twin.reset();
      place.link.present = false;
    } else if (place.link.instance != instance) {
      spdlog::info("{} is in network instance {} now", place.name, static_cast<unsigned>(instance));
      place.link.instance = instance;
    } else {
      continue;
    }
    differs = true;
  }
  for (const Wanted& one : wanted) {
    if (find(one.port, one.vlan) == nullptr) differs |= add(one);
  }
  return differs;
}

bool Places::bridge(const std::vector<Pair>& pairs) {
  if (pairs == pairs_ && !renewed_) return false;
  pairs_ = pairs;
  renewed_ = false;
  for (Place& place : places_) {
    const device::Port& port = ports_.all()[place.link.port];
    place.link.other = route::Link::kNoOther;
    place.link.is_far = false;
    place.link.mac = port.mac;
    place.link.mtu = port.mtu;
  }
  for (const Pair& pair : pairs_) {
    Place* near = find(pair.clients, pair.vlan);
    Place* far = find(pair.servers, pair.vlan);
    if (near == nullptr || far == nullptr) continue;
    near->link.other = static_cast<uint16_t>(far - places_.data());
    far->link.other = static_cast<uint16_t>(near - places_.data());
    near->link.bridge = far->link.bridge = pair.bridge;
    far->link.is_far = true;
    far->link.mac = near->link.mac;
    near->link.mtu = far->link.mtu = std::min(near->link.mtu, far->link.mtu);
  }
  return true;
}

std::vector<RouteKeeper::Attachment> Places::attachments() const {
  std::vector<RouteKeeper::Attachment> all;
  for (const Place& place : places_) {
    all.push_back({place.link, place.name, place.twin ? place.twin->interface() : 0});
  }
  return all;
}

}  // namespace nezu::dataplane
