#include <algorithm>

#include "controlplane/publish/region_publisher.h"
#include "dataplane/tables/presence.h"
#include "dataplane/tables/reader.h"

namespace nezu::publish {
namespace {

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
  worker.flows_live = line.flows_live.read();
  worker.flows_embryonic = line.flows_embryonic.read();
  worker.flows_closed = line.flows_closed.read();
  worker.flows_ipv4 = line.flows_ipv4.read();
  worker.flows_ipv6 = line.flows_ipv6.read();
  worker.flow_capacity_ipv4 = line.flow_capacity_ipv4.read();
  worker.flow_capacity_ipv6 = line.flow_capacity_ipv6.read();
  worker.snat_lines = line.snat_lines.read();
  worker.snat_line_capacity = line.snat_line_capacity.read();
  worker.shards = line.shards.read();
  worker.tsc_hz = line.tsc_hz.read();
  worker.generation = line.generation.read();
  return worker;
}

PortReading read_port(const tables::PortLine& line, uint32_t number) {
  PortReading port;
  port.number = number;
  port.name = line.name.data();
  port.device = line.device.data();
  port.twin = line.twin.data();
  port.steering = line.steering.data();
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

}  // namespace

Reading RegionPublisher::read() const {
  Reading reading;
  reading.when = tables::boot_time();
  const std::shared_lock lock(books_lock_);
  // Retired blocks are freed only under the lock: this generation stays whole.
  const tables::View view = writer_->view();
  reading.generation = view.generation();
  reading.revision = writer_->revision();
  for (const auto& [name, id] : books_.services) {
    const tables::Service* service = view.service(id);
    if (service == nullptr || service->retired != 0) continue;
    reading.services.push_back(
        {name, id, since(counters_of(*region_, id), service->base, flows_of(*region_, id))});
  }
  for (const auto& [identity, id] : books_.servers) {
    const tables::Server* server = view.server(id);
    if (server == nullptr) continue;
    ServerReading entry;
    entry.identity = identity;
    entry.id = id;
    entry.state = server->state;
    entry.configured = server->configured;
    entry.healthy = server->healthy != 0;
    entry.health_known = server->health_known != 0;
    entry.retired = server->retired != 0;
    entry.drain_deadline = server->drain_deadline;
    entry.traffic = since(counters_of(*region_, id), server->base, flows_of(*region_, id));
    reading.servers.push_back(entry);
  }
  for (uint32_t i = 0; i < region_->header().sizes.workers; ++i) {
    const tables::WorkerLine& line = region_->worker(i);
    if (line.shards.read() != 0 || line.turns.read() != 0) {
      reading.workers.push_back(read_worker(line, i));
    }
  }
  for (uint32_t i = 0; i < tables::kMaxPorts; ++i) {
    const tables::PortLine& line = region_->port(i);
    if (line.used.load(std::memory_order_acquire) != 0) {
      reading.ports.push_back(read_port(line, i));
    }
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
