#include "dataplane/housekeeper.h"

#include <spdlog/spdlog.h>

#include <unistd.h>

#include <algorithm>
#include <random>

#include "dataplane/link/announce.h"
#include "dataplane/version.h"

namespace nezu::dataplane {
namespace {

constexpr uint64_t kLookEvery = net::kNanosecondsPerSecond / 10;
constexpr uint32_t kPacketsPerRing = 64;

/// Who forwards by this region now.
void introduce_us(tables::Header& header, net::Instant now) {
  header.dataplane_version = {};
  const std::string_view version = kVersion;
  std::copy_n(version.data(), std::min(version.size(), header.dataplane_version.size() - 1),
              header.dataplane_version.data());
  header.dataplane_start.store(now.nanoseconds, std::memory_order_relaxed);
  header.dataplane_pid.store(static_cast<uint64_t>(getpid()), std::memory_order_release);
}

}  // namespace

Housekeeper::Housekeeper(const Options& options, device::Ports& ports,
                         std::vector<std::unique_ptr<device::Gate>>& gates)
    : options_(options),
      ports_(ports),
      gates_(gates),
      gate_(*gates.back()),
      places_(ports, options.twin_prefix),
      bases_(ports.all().size()),
      rules_refused_(ports.all().size()),
      ports_up_(ports.all().size(), true),
      frame_(device::kMostFrame) {
  for (const device::Port& port : ports.all()) {
    spdlog::info(
        "port {} is {}, MAC {}, MTU {}, twin {}; queues: {} to receive, {} to send; {}; {}",
        port.name, port.device_name, net::to_string(port.mac), port.mtu,
        places_.all()[port.number].twin->name(), port.plan.receive_queues, port.plan.send_queues,
        port.steering, offload_line(port.plan));
  }
  RouteKeeper::Options kept;
  kept.links = places_.attachments();
  kept.state_file = options.state_dir + "/routes";
  kept.readers = static_cast<uint32_t>(gates.size() - 1);
  kept.hops = options.hops;
  kept.seed = std::random_device()();
  routes_ = std::make_unique<RouteKeeper>(kept, tables::boot_time());
}

void Housekeeper::attach(const tables::Region& region, tables::Reader& reader, Engine& engine) {
  const net::Instant now = tables::boot_time();
  office_.reset(new Office{region,
                           reader,
                           engine,
                           Clerk(region, engine.desks(), *routes_, engine.persistence()),
                           Explanations(region, ports_, engine.setups(), engine.desks()),
                           Watch(region, engine.workers()),
                           Announcer(gate_),
                           Bridges(region, ports_, gate_, routes_->leases()),
                           {},
                           device::PortRules(ports_.all(), engine.workers()),
                           now,
                           {},
                           false});
  introduce_ports();
  follow(reader.latest(), now);
  introduce_us(region.header(), now);
  const uint64_t lost = engine.restored().dropped;
  if (lost != 0) office_->watch.tell(tables::EventKind::flows_dropped_at_start, now, 0, 0, lost);
}

void Housekeeper::introduce_ports() {
  for (const device::Port& port : ports_.all()) {
    const Place& place = places_.all()[port.number];
    tables::PortLine& line = office_->region.port(port.number);
    bases_[port.number] = {counters_of(line), line.twin_sent.read(), line.twin_received.read(),
                           line.twin_dropped.read()};
    describe_port(line, port, place.twin->name(), ports_.speed_mbps(port.number));
    line.link_up.store(ports_up_[port.number] ? 1 : 0, std::memory_order_relaxed);
  }
}

/// Network instances may have changed. At a start this comes before the first packet.
void Housekeeper::follow(const tables::View& view, net::Instant now) {
  if (view.generation() == followed_) return;
  followed_ = view.generation();
  bool differs = places_.follow(view.memberships());
  office_->bridges.follow(view.bridges(), office_->watch, now);
  if (places_.bridge(office_->bridges.pairs())) {
    looked_ = {};  // which twins have a carrier
    differs = true;
  }
  // Frames for other hosts come in only while there is somebody who tells them apart.
  const auto let_in = [this](bool all) {
    for (const device::Port& port : ports_.all()) {
      if (office_->bridges.uses(port.number) == all) ports_.let_all_in(port.number, all);
    }
  };
  let_in(false);
  if (differs) routes_->set_links(places_.attachments(), now);
  let_in(true);
}

void Housekeeper::detach() { office_.reset(); }

bool Housekeeper::turn() {
  const net::Instant now = tables::boot_time();
  uint32_t packets = office_ ? serve_workers(now) : stand_in();
  packets += from_twins(now);
  routes_->turn(now);
  settle_neighbours(now);
  if (office_) {
    const tables::View view = office_->reader.latest();
    follow(view, now);
    turn_bridges(now);
    office_->clerk.turn(view, now);
    office_->explanations.turn(view, routes_->current(), now);
    office_->announcer.look(view, routes_->current(), now);
    office_->announcer.turn(routes_->current(), now);
    steer_answers(view, now);
  }
  if (now >= net::after(looked_, kLookEvery)) {
    looked_ = now;
    look_at_links(now);
    if (office_) look_around(now);
  }
  packets += gate_.flush();
  return packets != 0;
}

/// Without workers: the ports' packets go to the twins.
uint32_t Housekeeper::stand_in() {
  uint32_t packets = 0;
  for (size_t worker = 0; worker + 1 < gates_.size(); ++worker) {
    device::Gate& gate = *gates_[worker];
    for (uint32_t source = 0; source < gate.sources(); ++source) {
      gate.receive(source, burst_);
      packets += burst_.count;
      for (net::Packet& packet : burst_.all()) to_twin(packet.buffer, {});
    }
    packets += gate.flush();
  }
  for (uint32_t reader = 0; reader + 1 < gates_.size(); ++reader) {
    routes_->published().read(reader);
  }
  return packets;
}

uint32_t Housekeeper::to_twins(steer::Ring<void*>& ring, uint32_t most, net::Instant now) {
  void* buffers[kPacketsPerRing];
  const uint32_t count = ring.pop(std::span(buffers).first(most));
  for (uint32_t i = 0; i < count; ++i) to_twin(buffers[i], now);
  return count;
}

uint32_t Housekeeper::serve_workers(net::Instant now) {
  uint32_t packets = 0;
  for (uint16_t worker = 0; worker < office_->engine.workers(); ++worker) {
    Errands& errands = office_->engine.errands(worker);
    packets += to_twins(errands.hellos, kPacketsPerRing, now);
    for (const auto& bands : errands.to_twin) {
      for (size_t band = 0; band < kBands; ++band) {
        packets += to_twins((*bands)[band], kBandRooms[band].turn, now);
      }
    }
    Held waiting[kPacketsPerRing];
    const uint32_t count = errands.held.pop(waiting);
    for (uint32_t i = 0; i < count; ++i) hold(worker, waiting[i], now);
    packets += count;
    errands.refused.publish();
  }
  return packets;
}

void Housekeeper::to_twin(void* buffer, net::Instant now) {
  const uint16_t port = device::Gate::port_of(buffer);
  const uint16_t vlan = device::Gate::vlan_of(buffer);
  Place* place = places_.find(port, vlan);
  if (place == nullptr) {
    // Without tables nobody has said whose it is: the kernel gets it as it came.
    place = &places_.all()[port];
    if (office_) {
      ++place->dropped;
      return device::Gate::release(buffer);
    }
  } else {
    if (office_ && place->link.is_bridged()) {
      if (is_for_bridge(buffer, *place, now)) return device::Gate::release(buffer);
      if (place->link.is_far) place = &places_.all()[place->link.other];
    }
    device::Gate::untag(buffer);
  }
  if (place->twin->write(buffer)) {
    ++place->to_twin;
    ++place->unanswered;
  } else {
    ++place->dropped;
  }
  if (office_ && link::is_membership_query(device::Gate::bytes_of(buffer))) {
    office_->announcer.queried(static_cast<uint16_t>(place - places_.all().data()));
  }
  device::Gate::release(buffer);
}

/// Whom the kernel talks to.
void Housekeeper::note(std::span<uint8_t> frame, net::Instant now) {
  if (office_ && !frame.empty()) office_->engine.conversations().note(frame, net::to_tick(now));
}

uint32_t Housekeeper::from_twins(net::Instant now) {
  uint32_t packets = 0;
  for (Place& place : places_.all()) {
    if (!place.twin) continue;
    const bool is_bridged = office_ && place.link.is_bridged();
    packets += is_bridged ? from_bridge_twin(place, now) : from_twin(place, now);
    place.unanswered = 0;
  }
  return packets;
}

/// What the kernel was given may all be answered: answers that nobody takes would fill the twin's
/// queue, and what the kernel says of itself would find it full.
uint32_t Housekeeper::from_twin(Place& place, net::Instant now) {
  uint32_t packets = 0, length = 1;
  const uint32_t most = kPacketsPerTwin + place.unanswered;
  for (uint32_t i = 0; i < most && length != 0; ++i) {
    const bool had_buffer =
        gate_.send_filled(place.link.port, place.link.vlan, [&](std::span<uint8_t> room) {
          length = place.twin->read(room);
          note(room.first(length), now);
          return length;
        });
    if (!had_buffer) break;
    if (length != 0) ++packets;
    if (length != 0) ++place.from_twin;
  }
  return packets;
}

void Housekeeper::hold(uint16_t worker, const Held& held, net::Instant now) {
  const net::Reason reason = routes_->hold(held.instance, held.destination, held.buffer, now);
  if (reason != net::Reason::none) refuse(worker, held.buffer, reason);
}

void Housekeeper::refuse(uint16_t worker, void* buffer, net::Reason reason) {
  if (office_) office_->engine.errands(worker).refused.push(reason);
  device::Gate::release(buffer);
}

/// Packets whose next hop has answered leave; those that waited in vain end.
void Housekeeper::settle_neighbours(net::Instant now) {
  route::Neighbours& neighbours = routes_->neighbours();
  for (const auto& [buffer, index] : neighbours.sends) {
    send_held(buffer, routes_->hops().at(index));
  }
  neighbours.sends.clear();
  for (const auto& [buffer, reason] : neighbours.drops) refuse(0, buffer, reason);
  neighbours.drops.clear();
  for (const auto& key : neighbours.failures) {
    if (!office_) break;
    office_->watch.tell(tables::EventKind::neighbour_failed, now, 0,
                        places_.all()[key.link].link.port, 0, net::to_string(key.address));
  }
  neighbours.failures.clear();
}

/// Rules in NICs for answers to SNAT addresses; says when one takes no more.
void Housekeeper::steer_answers(const tables::View& view, net::Instant now) {
  office_->rules.follow(view, now);
  for (uint16_t port = 0; port < rules_refused_.size(); ++port) {
    const bool refused = office_->rules.is_refused(port);
    if (refused && !rules_refused_[port]) {
      spdlog::warn(
          "port {} has {} rules for SNAT ports and takes no more: software steers the rest",
          ports_.all()[port].name, office_->rules.count(port));
    }
    rules_refused_[port] = refused;
  }
}

/// Its tag was written for the way that its worker saw: by another one it would leave the instance.
void Housekeeper::send_held(void* buffer, const route::NextHop& hop) {
  const bool same_link = device::Gate::vlan_of(buffer) == hop.vlan;
  net::Packet& packet = gate_.take(buffer, burst_);
  packet.sum_l4 = false;
  if (same_link && hop.write_addresses(packet.head)) {
    gate_.send(packet, hop.port);
  } else {
    refuse(0, buffer, net::Reason::neighbour_unresolved);
  }
}

void Housekeeper::look_at_links(net::Instant now) {
  const auto ports = static_cast<uint16_t>(ports_.all().size());
  for (uint16_t port = 0; port < ports; ++port) {
    const bool was_up = ports_up_[port];
    const bool is_up = ports_.link_is_up(port);
    ports_up_[port] = is_up;
    ports_.note_link(port, is_up);
    if (is_up == was_up) continue;
    spdlog::warn("port {}: link {}", ports_.all()[port].name, is_up ? "up" : "down");
    if (!office_) continue;
    office_->region.port(port).link_up.store(is_up ? 1 : 0, std::memory_order_relaxed);
    office_->watch.tell(tables::EventKind::link_changed, now, 0, port, is_up ? 1 : 0,
                        ports_.all()[port].name);
    if (is_up) office_->announcer.link_up(port);
  }
  std::vector<bool> links_up;
  for (Place& place : places_.all()) {
    place.link.up = ports_up_[place.link.port];
    if (place.link.is_bridged()) {
      const uint16_t other = places_.all()[place.link.other].link.port;
      place.link.up = !place.link.is_far && (place.link.up || ports_up_[other]);
    }
    if (place.twin) place.twin->set_carrier(place.link.up);
    links_up.push_back(place.link.up);
  }
  routes_->set_links_up(links_up);
}

/// Ten times a second: counters, troubles, signs of life.
void Housekeeper::look_around(net::Instant now) {
  office_->reader.alive(now);
  office_->watch.look(now);
  for (path::Desk* desk : office_->engine.desks()) {
    path::Claimed claimed[16];
    const uint32_t count = desk->claims.pop(claimed);
    for (uint32_t i = 0; i < count; ++i) {
      office_->claims.see(claimed[i], now, office_->watch, office_->announcer);
    }
  }
  if (now >= net::after(office_->drains_looked, net::kNanosecondsPerSecond)) {
    office_->drains_looked = now;
    office_->watch.look_at_drains(office_->reader.latest(), now);
  }
  mirror_ports();
  const auto settled =
      net::after(office_->attached, flow::kSettleSeconds * net::kNanosecondsPerSecond);
  if (!office_->settled && now >= settled) {
    office_->settled = true;
    office_->engine.settle();
  }
}

/// A port's line counts the twins of its VLANs as well.
void Housekeeper::mirror_ports() {
  for (uint16_t port = 0; port < bases_.size(); ++port) {
    Base sum = bases_[port];
    for (const Place& place : places_.all()) {
      if (place.link.port != port) continue;
      sum.to_twin += place.to_twin;
      sum.from_twin += place.from_twin;
      sum.dropped += place.dropped;
    }
    tables::PortLine& line = office_->region.port(port);
    mirror_counters(line, sum.port, ports_.counters(port));
    line.twin_sent.set(sum.to_twin);
    line.twin_received.set(sum.from_twin);
    line.twin_dropped.set(sum.dropped);
  }
}

}  // namespace nezu::dataplane
