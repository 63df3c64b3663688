#include "controlplane/api/monitor.h"

#include <spdlog/spdlog.h>

#include <chrono>

#include "controlplane/api/alarms.h"
#include "controlplane/api/own_addresses.h"
#include "dataplane/tables/region.h"

namespace nezu::api {
namespace {

/// Also how long a data plane can be away before checks are frozen.
constexpr std::chrono::milliseconds kEvery{100};
/// Publications that come faster are looked at together.
constexpr std::chrono::milliseconds kAtLeast{20};
constexpr uint64_t kSampleEvery = 1'000'000'000;
constexpr size_t kSamples = 3;
constexpr size_t kServersAtATime = 64;
/// After a data plane has come back, its twins and routes settle before checks count again.
constexpr uint64_t kSettle = 1'000'000'000;

}  // namespace

Monitor::Monitor(publish::Publisher& publisher, Committer& committer, health::Engine& health,
                 const health::Weights& weights, WatchHub& hub)
    : publisher_(publisher),
      committer_(committer),
      health_(health),
      weights_(weights),
      observer_(hub, weights) {}

Monitor::~Monitor() { stop(); }

void Monitor::start() {
  thread_ = std::thread([this] { run(); });
}

void Monitor::stop() {
  {
    const std::lock_guard lock(mutex_);
    stops_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void Monitor::wake(const compile::Touched& touched) {
  const std::lock_guard lock(mutex_);
  touched_.insert(touched.servers.begin(), touched.servers.end());
  is_woken_ = true;
  wake_.notify_all();
}

std::shared_ptr<const publish::Reading> Monitor::earlier() const {
  static const auto kNothing = std::make_shared<const publish::Reading>();
  const std::lock_guard lock(mutex_);
  // The last sample may be just taken; the one before is at least a second old.
  return samples_.empty()       ? kNothing
         : samples_.size() == 1 ? samples_[0]
                                : samples_[samples_.size() - 2];
}

void Monitor::run() {
  for (;;) {
    try {
      look();
    } catch (const std::exception& error) {
      spdlog::error("Looking at the tables failed: {}.", error.what());
    }
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, kAtLeast, [this] { return stops_; });
    wake_.wait_for(lock, kEvery - kAtLeast, [this] { return stops_ || is_woken_; });
    is_woken_ = false;
    if (stops_) {
      return;
    }
  }
}

void Monitor::look() {
  watch_data_plane();
  const bool is_first = earlier()->generation == 0;
  const bool is_second = [&] {
    const std::lock_guard lock(mutex_);
    return samples_.empty() ||
           tables::boot_time().nanoseconds >= samples_.back()->when.nanoseconds + kSampleEvery;
  }();
  const auto before = earlier();
  const auto now = std::make_shared<const publish::Reading>(is_second ? publisher_.read()
                                                                      : publisher_.read_vitals());
  if (is_first) {
    // Servers that were leaving when this process began are in no publication of its.
    const std::lock_guard lock(mutex_);
    for (const publish::ServerReading& server : now->servers) {
      touched_.insert(server.identity);
    }
  }
  look_at_servers();
  observer_.see_generation(*now);
  observer_.see_ports(*now);
  observer_.see_events(publisher_.take_events());
  observer_.see_alarms("tables", committer_.alarms(), v1::SEVERITY_ERROR);
  const health::Status health = health_.status();
  observer_.see_alarms(
      "health",
      health.frozen ? std::vector<std::string>{health.reason} : std::vector<std::string>{},
      v1::SEVERITY_WARNING);
  observer_.see_alarms("agents", silence_of(health), v1::SEVERITY_WARNING);
  if (is_second) {
    const auto regions = publisher_.regions();
    const uint32_t threshold = committer_.read([](const config::Store& store) {
      return store.model().settings().drop_alarm_per_second();
    });
    const OwnAddresses own = own_addresses();
    observer_.see_alarms("addresses", committer_.read([&own](const config::Store& store) {
      return clashes_of(store.model(), own);
    }),
                         v1::SEVERITY_ERROR);
    observer_.see_alarms("sides", committer_.read([&now](const config::Store& store) {
      return sides_missing(store.model(), now->ports);
    }),
                         v1::SEVERITY_ERROR);
    observer_.see_alarms("panic", committer_.read([&](const config::Store& store) {
      return panics_of(store.model(), *now, weights_.shares());
    }),
                         v1::SEVERITY_WARNING);
    observer_.see_drops(*now, *before, threshold);
    observer_.see_fill(*now, regions);
    observer_.see_regions(regions);
    keep(now);
  }
}

void Monitor::look_at_servers() {
  std::set<tables::ServerIdentity> servers = observer_.moving_servers();
  {
    const std::lock_guard lock(mutex_);
    servers.merge(touched_);
    touched_.clear();
  }
  // Few at a time: nothing can change while they are looked at.
  while (!servers.empty()) {
    std::set<tables::ServerIdentity> some;
    while (!servers.empty() && some.size() < kServersAtATime) {
      some.insert(some.end(), servers.extract(servers.begin()));
    }
    committer_.read([&](const config::Store& store) {
      observer_.see_servers(some, publisher_.read(some), store.model());
      return 0;
    });
  }
}

void Monitor::keep(std::shared_ptr<const publish::Reading> reading) {
  const std::lock_guard lock(mutex_);
  samples_.push_back(std::move(reading));
  if (samples_.size() > kSamples) {
    samples_.pop_front();
  }
}

/// Without a data plane no check gets through, which says nothing about the servers.
void Monitor::watch_data_plane() {
  const publish::DataPlaneReading data_plane = publisher_.data_plane();
  observer_.see_data_plane(data_plane);
  const uint64_t now = static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch() /
                                             std::chrono::nanoseconds(1));
  const uint32_t pid = data_plane.forwarding_pid;
  // Another process than before has been away between two looks, too.
  const bool has_changed = std::exchange(forwarding_pid_, pid).value_or(pid) != pid;
  if (has_changed || pid == 0) {
    steady_since_ = now;
    if (!std::exchange(is_frozen_, true)) {
      health_.freeze(pid == 0 ? "The data plane is not running, so no check gets through."
                              : "The data plane has just started, its routes settle.");
    }
    return;
  }
  if (is_frozen_ && now - steady_since_ >= kSettle) {
    is_frozen_ = false;
    health_.thaw();
  }
}

}  // namespace nezu::api
