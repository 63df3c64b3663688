#include <algorithm>
#include <optional>

#include "controlplane/publish/region_publisher.h"
#include "dataplane/tables/presence.h"
#include "dataplane/tables/reader.h"

namespace nezu::publish {
namespace {

/// What a publication may have to wait for.
constexpr size_t kEntriesAtATime = 256;

constexpr uint64_t kLateAfter = net::kNanosecondsPerSecond;

Traffic since(const tables::CounterBase& now, const tables::CounterBase& base, uint64_t active) {
  Traffic traffic;
  traffic.packets_to_server = now.packets_to_server - base.packets_to_server;
  traffic.bytes_to_server = now.bytes_to_server - base.bytes_to_server;
  traffic.packets_to_client = now.packets_to_client - base.packets_to_client;
  traffic.bytes_to_client = now.bytes_to_client - base.bytes_to_client;
  traffic.flows_opened = now.flows_opened - base.flows_opened;
  traffic.flows_closed = now.flows_closed - base.flows_closed;
  traffic.flows_refused = now.flows_refused - base.flows_refused;
  traffic.flows_active = active;
  return traffic;
}

WorkerReading read_worker(const tables::WorkerLine& line, uint32_t number) {
  WorkerReading worker;
  worker.number = number;
  for (size_t i = 0; i < net::kReasonCount; ++i) worker.reasons[i] = line.reasons[i].read();
  worker.turns = line.turns.read();
  worker.busy_cycles = line.busy_cycles.read();
  worker.idle_cycles = line.idle_cycles.read();
  worker.bursts = line.bursts.read();
  worker.longest_turn = line.longest_turn.read();
  worker.turns_too_long = line.turns_too_long.read();
  worker.received = line.received.read();
  worker.received_bytes = line.received_bytes.read();
  worker.sent = line.sent.read();
  worker.sent_bytes = line.sent_bytes.read();
  worker.handed_over = line.handed_over.read();
  worker.taken_over = line.taken_over.read();
  worker.to_twin = line.to_twin.read();
  worker.flows_opened = line.flows_opened.read();
  worker.flows_expired = line.flows_expired.read();
  worker.flows_recycled = line.flows_recycled.read();
  worker.flows_ended = line.flows_ended.read();
  worker.flows_reset_when_idle = line.flows_reset_when_idle.read();
  worker.flows_live = line.flows_live.read();
  worker.flows_embryonic = line.flows_embryonic.read();
  worker.flows_closed = line.flows_closed.read();
  worker.flows_ipv4 = line.flows_ipv4.read();
  worker.flows_ipv6 = line.flows_ipv6.read();
  worker.flow_capacity_ipv4 = line.flow_capacity_ipv4.read();
  worker.flow_capacity_ipv6 = line.flow_capacity_ipv6.read();
  worker.snat_lines = line.snat_lines.read();
  worker.snat_line_capacity = line.snat_line_capacity.read();
  worker.client_address_left_out = line.client_address_left_out.read();
  worker.splices = line.splices.read();
  worker.splice_capacity = line.splice_capacity.read();
  worker.announced = line.announced.read();
  worker.announced_capacity = line.announced_capacity.read();
  worker.limits_forgotten = line.limits_forgotten.read();
  worker.cookies_taken = line.cookies_taken.read();
  worker.persistence_forgotten = line.persistence_forgotten.read();
  worker.calls = line.calls.read();
  worker.call_capacity = line.call_capacity.read();
  worker.calls_forgotten = line.calls_forgotten.read();
  worker.shards = line.shards.read();
  worker.tsc_hz = line.tsc_hz.read();
  worker.generation = line.generation.read();
  worker.transit = line.transit.read();
  worker.transit_bytes = line.transit_bytes.read();
  worker.nat_log_lost = line.nat_log_lost.read();
  worker.fragmented = line.fragmented.read();
  worker.captured = line.captured.read();
  worker.capture_passed_over = line.capture_passed_over.read();
  worker.capture_not_looked_at = line.capture_not_looked_at.read();
  return worker;
}

PortReading read_port(const tables::PortLine& line, uint32_t number) {
  PortReading port;
  port.number = number;
  port.name = line.name.data();
  port.device = line.device.data();
  port.twin = line.twin.data();
  port.steering = line.steering.data();
  port.side = line.side;
  port.mac = line.mac;
  port.mtu = line.mtu;
  port.speed_mbps = line.speed_mbps;
  port.link_up = line.link_up.load(std::memory_order_relaxed) != 0;
  port.received = line.received.read();
  port.received_bytes = line.received_bytes.read();
  port.sent = line.sent.read();
  port.sent_bytes = line.sent_bytes.read();
  port.receive_missed = line.receive_missed.read();
  port.receive_errors = line.receive_errors.read();
  port.send_errors = line.send_errors.read();
  port.twin_received = line.twin_received.read();
  port.twin_sent = line.twin_sent.read();
  port.twin_dropped = line.twin_dropped.read();
  return port;
}

/// First byte highest.
net::MacAddress mac_of(uint64_t word) {
  net::MacAddress mac;
  for (size_t i = 0; i < mac.bytes.size(); ++i) {
    mac.bytes[i] = static_cast<uint8_t>(word >> (40 - 8 * i));
  }
  return mac;
}

BridgeReading read_bridge(const tables::Region& region, uint32_t number) {
  const tables::BridgeLine& line = region.header().bridges[number];
  BridgeReading bridge;
  bridge.state = static_cast<tables::BridgeState>(line.state.load(std::memory_order_acquire));
  bridge.name = line.name.data();
  bridge.better = mac_of(line.better.load(std::memory_order_relaxed));
  std::array<uint64_t, 4> sums{};
  for (uint32_t i = 0; i < region.header().sizes.workers; ++i) {
    const auto& ways = region.worker(i).bridged[number];
    sums[0] += ways[0].packets.read();
    sums[1] += ways[0].bytes.read();
    sums[2] += ways[1].packets.read();
    sums[3] += ways[1].bytes.read();
  }
  bridge.packets_to_servers = sums[0] - line.base[0];
  bridge.bytes_to_servers = sums[1] - line.base[1];
  bridge.packets_to_clients = sums[2] - line.base[2];
  bridge.bytes_to_clients = sums[3] - line.base[3];
  return bridge;
}

}  // namespace

/// Calls `look(view, key, id)` for every entry, and lets a publication in between now and then.
template <typename Key, typename Id, typename Look>
void RegionPublisher::look_at(const std::map<Key, Id>& book, Look look) const {
  std::optional<Key> last;
  for (bool is_done = false; !is_done;) {
    const std::shared_lock lock(books_lock_);
    // Retired blocks are freed only under the lock: this generation stays whole.
    const tables::View view = writer_->view();
    auto entry = last ? book.upper_bound(*last) : book.begin();
    for (size_t i = 0; i < kEntriesAtATime && entry != book.end(); ++i, ++entry) {
      look(view, entry->first, entry->second);
      last = entry->first;
    }
    is_done = entry == book.end();
  }
}

ServerReading RegionPublisher::reading_of(const tables::Server& server) const {
  ServerReading reading;
  reading.identity = server.identity;
  reading.id = server.id;
  reading.state = server.state;
  reading.configured = server.configured;
  reading.healthy = server.healthy != 0;
  reading.health_known = server.health_known != 0;
  reading.retired = server.retired != 0;
  reading.drain_deadline = server.drain_deadline;
  reading.traffic =
      since(counters_of(*region_, server.id), server.base, flows_of(*region_, server.id));
  return reading;
}

Reading RegionPublisher::read() const {
  Reading reading = read_vitals();
  look_at(
      books_.services.ids, [&](const tables::View& view, const std::string&, tables::ServiceId id) {
        const tables::Service* service = view.service(id);
        if (service == nullptr || service->retired != 0) return;
        auto& list = tables::is_rule(*service) ? reading.source_nats : reading.services;
        list.push_back({service->name.data(), id,
                        since(counters_of(*region_, id), service->base, flows_of(*region_, id))});
      });
  look_at(books_.servers.ids,
          [&](const tables::View& view, const tables::ServerIdentity&, tables::ServerId id) {
            const tables::Server* server = view.server(id);
            if (server != nullptr) reading.servers.push_back(reading_of(*server));
          });
  return reading;
}

std::vector<ServerReading> RegionPublisher::read(
    const std::set<tables::ServerIdentity>& servers) const {
  std::vector<ServerReading> readings;
  const std::shared_lock lock(books_lock_);
  const tables::View view = writer_->view();
  for (const tables::ServerIdentity& identity : servers) {
    const auto entry = books_.servers.ids.find(identity);
    if (entry == books_.servers.ids.end()) continue;
    const tables::Server* server = view.server(entry->second);
    if (server != nullptr) readings.push_back(reading_of(*server));
  }
  return readings;
}

Reading RegionPublisher::read_vitals() const {
  Reading reading;
  reading.when = tables::boot_time();
  {
    const std::shared_lock lock(books_lock_);
    reading.generation = writer_->generation();
    reading.revision = writer_->revision();
  }
  for (uint32_t i = 0; i < region_->header().sizes.workers; ++i) {
    const tables::WorkerLine& line = region_->worker(i);
    if (line.shards.read() != 0 || line.turns.read() != 0) {
      reading.workers.push_back(read_worker(line, i));
    }
  }
  reading.persistent_clients = region_->header().persistent_clients.read();
  reading.persistence_capacity = region_->header().persistence_capacity.read();
  reading.nat_log_written = region_->header().nat_log_written.read();
  reading.nat_log_lost = region_->header().nat_log_lost.read();
  for (const WorkerReading& worker : reading.workers) reading.nat_log_lost += worker.nat_log_lost;
  for (uint32_t i = 0; i < tables::kMaxPorts; ++i) {
    const tables::PortLine& line = region_->port(i);
    if (line.used.load(std::memory_order_acquire) != 0) {
      reading.ports.push_back(read_port(line, i));
    }
  }
  for (uint32_t i = 0; i < tables::kMaxBridges; ++i) {
    BridgeReading bridge = read_bridge(*region_, i);
    if (bridge.state != tables::BridgeState::none) reading.bridges.push_back(std::move(bridge));
  }
  return reading;
}

RegionReading RegionPublisher::read_ours() const {
  const tables::Header& header = region_->header();
  RegionReading reading;
  reading.ours = reading.compatible = true;
  reading.state = static_cast<tables::RegionState>(header.state.load(std::memory_order_acquire));
  reading.heap_bytes = header.sizes.heap_bytes;
  reading.heap_used = header.heap_used.load(std::memory_order_relaxed);
  reading.heap_retired = header.heap_retired.load(std::memory_order_relaxed);
  reading.sizes = header.sizes;
  {
    const std::shared_lock lock(books_lock_);
    reading.generation = writer_->generation();
    reading.revision = writer_->revision();
    if (const tables::Root* root = region_->root()) {
      reading.services_used = root->service_count;
      reading.pools_used = root->pool_count;
      reading.servers_used = root->server_count;
      reading.addresses_used = root->address_count;
    }
  }
  const net::Instant now = tables::boot_time();
  for (const tables::ReaderPosition& position : tables::reader_positions(*region_)) {
    ReaderReading reader;
    reader.name = position.name;
    reader.pid = position.pid;
    reader.alive = position.alive;
    reader.generation = position.generation;
    reader.last_turn = position.last_turn;
    reader.late = position.alive && position.generation < reading.generation &&
                  now.nanoseconds > position.last_turn.nanoseconds + kLateAfter;
    reading.readers.push_back(reader);
  }
  return reading;
}

std::vector<RegionReading> RegionPublisher::regions() const {
  std::vector<RegionReading> readings;
  for (const tables::Found& found : tables::find_regions(directory_)) {
    RegionReading reading = found.ours ? read_ours() : RegionReading{};
    reading.path = found.path;
    reading.layout = found.layout;
    reading.file_bytes = found.file_bytes;
    readings.push_back(reading);
  }
  std::stable_partition(readings.begin(), readings.end(),
                        [](const RegionReading& reading) { return reading.ours; });
  return readings;
}

DataPlaneReading RegionPublisher::data_plane() const {
  const tables::Header& header = region_->header();
  DataPlaneReading reading;
  reading.pid = static_cast<uint32_t>(header.dataplane_pid.load(std::memory_order_acquire));
  reading.started = net::Instant{header.dataplane_start.load(std::memory_order_relaxed)};
  reading.version = header.dataplane_version.data();
  reading.attached = data_plane_lives(*region_);
  reading.forwarding_pid = tables::Presence::holder(directory_);
  return reading;
}

}  // namespace nezu::publish
