#include "controlplane/api/system_service.h"

#include <google/protobuf/util/time_util.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <fstream>

#include "controlplane/api/errors.h"
#include "controlplane/api/statistics.h"
#include "controlplane/api/version.h"

namespace nezu::api {
namespace {

using google::protobuf::util::TimeUtil;

std::string hex(uint64_t value) {
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(value));
  return text.data();
}

uint64_t boot_time() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * net::kNanosecondsPerSecond +
         static_cast<uint64_t>(now.tv_nsec);
}

/// Resident bytes of a process; 0 when it is not to be seen.
uint64_t memory_of(uint32_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/statm");
  uint64_t total = 0, resident = 0;
  file >> total >> resident;
  return file ? resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

const char* text_of(tables::RegionState state) {
  switch (state) {
    case tables::RegionState::empty:
      return "empty";
    case tables::RegionState::not_ready:
      return "not ready";
    case tables::RegionState::ready:
      return "ready";
  }
  return "unknown";
}

void put_slots(const char* kind, uint32_t used, uint32_t capacity, v1::Region& region) {
  v1::Slots& slots = *region.add_slots();
  slots.set_kind(kind);
  slots.set_used(used);
  slots.set_capacity(capacity);
}

void put(const publish::RegionReading& from, uint64_t now, v1::Region& to) {
  to.set_path(from.path);
  to.set_layout(hex(from.layout));
  to.set_ours(from.ours);
  to.set_compatible(from.compatible);
  to.set_file_bytes(from.file_bytes);
  if (!from.compatible) {
    return;
  }
  to.set_state(text_of(from.state));
  to.set_generation(from.generation);
  to.set_revision(from.revision);
  to.set_heap_bytes(from.heap_bytes);
  to.set_heap_used_bytes(from.heap_used);
  to.set_heap_retired_bytes(from.heap_retired);
  for (const publish::ReaderReading& reader : from.readers) {
    v1::Reader& line = *to.add_readers();
    line.set_name(reader.name);
    line.set_pid(reader.pid);
    line.set_alive(reader.alive);
    line.set_generation(reader.generation);
    line.set_behind(from.generation - std::min(from.generation, reader.generation));
    line.set_last_turn_ms((now - std::min(now, reader.last_turn.nanoseconds)) / 1'000'000);
    line.set_late(reader.late);
    if (reader.late && to.laggard().empty()) {
      to.set_laggard(reader.name);
    }
  }
  put_slots("services", from.services_used, from.sizes.services, to);
  put_slots("pools", from.pools_used, from.sizes.pools, to);
  put_slots("servers", from.servers_used, from.sizes.servers, to);
  put_slots("addresses", from.addresses_used, from.sizes.addresses, to);
}

void put(const publish::WorkerReading& from, const v1::WorkerStatistics& rates, v1::Worker& to) {
  to.set_number(from.number);
  to.set_load(rates.busy_share());
  to.set_cycles_per_packet(rates.cycles_per_packet());
  to.set_packets_per_second(static_cast<uint64_t>(rates.received_per_second()));
  to.set_generation(from.generation);
  to.set_shards(static_cast<uint32_t>(from.shards));
  to.set_flows_live(from.flows_live);
  to.set_flows_embryonic(from.flows_embryonic);
  to.set_flows_closed(from.flows_closed);
  to.set_flows_ipv4(from.flows_ipv4);
  to.set_flows_ipv6(from.flows_ipv6);
  to.set_flow_capacity_ipv4(from.flow_capacity_ipv4);
  to.set_flow_capacity_ipv6(from.flow_capacity_ipv6);
  to.set_snat_lines(from.snat_lines);
  to.set_snat_line_capacity(from.snat_line_capacity);
  to.set_changed_flows(from.splices);
  to.set_changed_flow_capacity(from.splice_capacity);
  to.set_changed_flow_bytes(from.splice_capacity * tables::kSpliceBytes);
  to.set_announced(from.announced);
  to.set_announced_capacity(from.announced_capacity);
  to.set_calls(from.calls);
  to.set_call_capacity(from.call_capacity);
  to.set_calls_forgotten(from.calls_forgotten);
  to.set_persistence_forgotten(from.persistence_forgotten);
  to.set_limits_forgotten(from.limits_forgotten);
  to.set_syn_cookies_taken(from.cookies_taken);
}

}  // namespace

SystemService::SystemService(publish::Publisher& publisher, const Committer& committer,
                             const Monitor& monitor, const health::Engine& health,
                             const WatchHub& hub, std::string state_directory,
                             std::vector<std::string> notes)
    : publisher_(publisher),
      committer_(committer),
      monitor_(monitor),
      health_(health),
      hub_(hub),
      state_directory_(std::move(state_directory)),
      notes_(std::move(notes)),
      started_at_(TimeUtil::GetCurrentTime()) {}

void SystemService::put_control_plane(v1::System& system) const {
  v1::ControlPlane& to = *system.mutable_control_plane();
  const auto pid = static_cast<uint32_t>(::getpid());
  to.set_version(kVersion);
  to.set_pid(pid);
  *to.mutable_started_at() = started_at_;
  to.set_uptime_s(static_cast<uint64_t>(
      std::max<int64_t>(0, TimeUtil::GetCurrentTime().seconds() - started_at_.seconds())));
  to.set_memory_bytes(memory_of(pid));
  to.set_layout(hex(tables::layout_hash()));
  to.set_state_directory(state_directory_);
  to.set_watches(static_cast<uint32_t>(hub_.streams()));
  const health::Status health = health_.status();
  to.set_checks(static_cast<uint32_t>(health.checks));
  to.set_health_engine_running(!health.frozen);
  committer_.read([&](const config::Store& store) {
    to.set_journal_bytes(store.journal_bytes());
    system.set_revision(store.revision());
    return 0;
  });
}

void SystemService::put_data_plane(v1::System& system, uint64_t now) const {
  const publish::DataPlaneReading from = publisher_.data_plane();
  v1::DataPlane& to = *system.mutable_data_plane();
  to.set_attached(from.attached);
  to.set_version(from.version);
  to.set_pid(from.pid);
  if (from.attached) {
    to.set_uptime_s((now - std::min(now, from.started.nanoseconds)) / net::kNanosecondsPerSecond);
    to.set_memory_bytes(memory_of(from.pid));
  }
}

grpc::Status SystemService::GetSystem(grpc::ServerContext*, const v1::GetSystemRequest*,
                                      v1::System* response) {
  return guarded([&] {
    const uint64_t now = boot_time();
    put_control_plane(*response);
    put_data_plane(*response, now);
    std::vector<publish::RegionReading> regions = publisher_.regions();
    std::stable_sort(regions.begin(), regions.end(),
                     [](const auto& a, const auto& b) { return a.ours > b.ours; });
    for (const publish::RegionReading& region : regions) {
      put(region, now, *response->add_regions());
    }
    const publish::Reading reading = publisher_.read_vitals();
    response->mutable_data_plane()->set_persistent_clients(reading.persistent_clients);
    response->mutable_data_plane()->set_persistence_capacity(reading.persistence_capacity);
    response->set_generation(reading.generation);
    v1::GetStatisticsRequest only_workers;
    only_workers.add_parts(v1::STATISTICS_PART_WORKERS);
    const v1::Statistics rates =
        statistics_of(reading, *monitor_.earlier(), config::Model(), only_workers);
    for (int i = 0; i < rates.workers_size(); ++i) {
      put(reading.workers[static_cast<size_t>(i)], rates.workers(i), *response->add_workers());
    }
    response->mutable_notes()->Add(notes_.begin(), notes_.end());
    const std::vector<std::string> alarms = committer_.alarms();
    response->mutable_notes()->Add(alarms.begin(), alarms.end());
    return grpc::Status::OK;
  });
}

}  // namespace nezu::api
