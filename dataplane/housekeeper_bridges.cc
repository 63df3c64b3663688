// The housekeeper's part of bridges: who is at which side, and what the one twin of both sends.
#include "dataplane/housekeeper.h"
#include "dataplane/link/hello.h"
#include "dataplane/net/headers.h"

namespace nezu::dataplane {

/// One that has opened looks for its neighbours anew: who was at the clients' side by another box
/// may be at the servers'.
void Housekeeper::turn_bridges(net::Instant now) {
  for (const Places::Pair& opened : office_->bridges.turn(office_->watch, now)) {
    const Place* place = places_.find(opened.clients, opened.vlan);
    if (place == nullptr) continue;
    routes_->forget_sides(static_cast<uint16_t>(place - places_.all().data()), now);
    office_->announcer.link_up(opened.clients);
  }
}

/// Of a bridge: a hello is not for the kernel, and whoever sends shows at which side it is.
bool Housekeeper::is_for_bridge(void* buffer, Place& place, net::Instant now) {
  const std::span<const uint8_t> frame = device::Gate::bytes_of(buffer);
  const uint16_t port = device::Gate::port_of(buffer);
  if (link::is_hello(frame)) {
    office_->bridges.hear(frame, port, place.link.vlan, now);
    return true;
  }
  const auto& ethernet = *reinterpret_cast<const net::Ethernet*>(frame.data());
  const auto& near = place.link.is_far ? places_.all()[place.link.other] : place;
  if (!ethernet.source.is_multicast()) {
    routes_->see(static_cast<uint16_t>(&near - places_.all().data()), ethernet.source, port);
  }
  return false;
}

/// To the side where the host was seen; what is for all, or for one that nobody has seen, by both.
/// A closed bridge is as a host at the clients' side.
uint32_t Housekeeper::from_bridge_twin(Place& place, net::Instant now) {
  const auto number = static_cast<uint16_t>(&place - places_.all().data());
  const route::Link& near = place.link;
  const route::Link& far = places_.all()[near.other].link;
  const bool both = routes_->leases().is_open(near.bridge, now);
  uint32_t packets = 0;
  const uint32_t most = kPacketsPerTwin + place.unanswered;
  for (; packets < most; ++packets) {
    const uint32_t length = place.twin->read(frame_);
    if (length < sizeof(net::Ethernet)) break;
    ++place.from_twin;
    if (near.is_far) continue;  // nobody is reached by the twin of the servers' side
    note(std::span(frame_).first(length), now);
    const std::span<const uint8_t> frame(frame_.data(), length);
    const auto& to = reinterpret_cast<const net::Ethernet*>(frame_.data())->destination;
    const auto seen = routes_->port_of(number, to);
    const bool by_far = !both && !ports_up_[near.port];
    if (seen ? *seen == near.port : !by_far) gate_.send_frame(frame, near.port, near.vlan);
    if (seen ? *seen == far.port : both || by_far) gate_.send_frame(frame, far.port, far.vlan);
  }
  return packets;
}

}  // namespace nezu::dataplane
