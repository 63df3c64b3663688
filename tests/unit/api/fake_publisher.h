// A region in memory: shows what was published last and counts what the test says.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <vector>

#include "controlplane/config/names.h"
#include "controlplane/publish/publisher.h"

namespace nezu::api {

class FakePublisher : public publish::Publisher {
 public:
  publish::Result publish(const config::Model& model, const compile::Touched& touched,
                          const publish::Conditions& conditions, uint64_t revision) override {
    if (on_publish) {
      on_publish(revision);
    }
    const std::lock_guard lock(mutex);
    last_touched = touched;
    if (model.services().size() > most_services) {
      return {publish::Outcome::full, reading.generation, "There is no room for the services.", 0,
              0};
    }
    published = model.ordered();
    shown_verdicts = conditions.verdicts;
    shown_shares = conditions.shares;
    reading.revision = revision;
    ++reading.generation;
    ++publications;
    show();
    return {publish::Outcome::published, reading.generation, {}, 0, 0};
  }
  std::vector<publish::Adopted> adopted() const override { return adopted_servers; }
  compile::Shares adopted_shares() const override { return adopted_server_shares; }
  publish::Reading read() const override {
    const std::lock_guard lock(mutex);
    publish::Reading now = reading;
    timespec time{};
    ::clock_gettime(CLOCK_BOOTTIME, &time);
    now.when.nanoseconds = static_cast<uint64_t>(time.tv_sec) * net::kNanosecondsPerSecond +
                           static_cast<uint64_t>(time.tv_nsec);
    return now;
  }
  publish::Reading read_vitals() const override {
    publish::Reading now = read();
    now.services.clear();
    now.servers.clear();
    return now;
  }
  std::vector<publish::ServerReading> read(
      const std::set<tables::ServerIdentity>& servers) const override {
    std::vector<publish::ServerReading> found;
    const publish::Reading now = read();
    for (const tables::ServerIdentity& identity : servers) {
      for (const publish::ServerReading& server : now.servers) {
        if (server.identity == identity) {
          found.push_back(server);
        }
      }
    }
    return found;
  }
  std::vector<publish::RegionReading> regions() const override {
    const std::lock_guard lock(mutex);
    return region_readings;
  }
  publish::DataPlaneReading data_plane() const override {
    const std::lock_guard lock(mutex);
    publish::DataPlaneReading data_plane;
    data_plane.attached = is_attached;
    data_plane.pid = 4711;
    data_plane.forwarding_pid = is_attached ? 4711 : 0;
    data_plane.version = "9.9.9";
    return data_plane;
  }
  using Publisher::ask;
  publish::FlowAnswer ask(tables::RequestKind kind, const tables::FlowFilter& filter,
                          uint32_t limit, std::chrono::milliseconds,
                          const publish::Found& found) override {
    last_kind = kind;
    last_filter = filter;
    const bool lists =
        kind == tables::RequestKind::list_flows || kind == tables::RequestKind::list_clients;
    for (size_t told = 0; lists && told < std::min<size_t>(limit, flows.size()); ++told) {
      if (!found(flows[told])) break;
    }
    return {answer, flows.size()};
  }
  publish::CaptureBegin capture(const tables::CaptureOrder& order) override {
    last_order = order;
    if (!is_attached || is_capturing) return {nullptr, is_capturing};
    return {std::make_unique<FakeCapture>(*this), false};
  }
  publish::ExplainAnswer explain(uint16_t port, std::span<const uint8_t> frame,
                                 std::chrono::milliseconds) override {
    explained_port = port;
    explained.assign(frame.begin(), frame.end());
    return is_attached ? explanation : publish::ExplainAnswer{};
  }
  std::vector<tables::Event> take_events() override {
    const std::lock_guard lock(mutex);
    return std::exchange(events, {});
  }
  publish::Result tidy() override { return {publish::Outcome::unchanged, 0, {}, 0, 0}; }

  mutable std::mutex mutex;
  std::function<void(uint64_t revision)> on_publish;
  size_t most_services = 1'000'000;
  int publications = 0;
  v1::Configuration published;
  compile::Touched last_touched;
  publish::Verdicts shown_verdicts;
  compile::Shares shown_shares, adopted_server_shares;
  publish::Reading reading;
  std::vector<publish::RegionReading> region_readings;
  std::vector<publish::Adopted> adopted_servers;
  std::vector<tables::FlowRecord> flows;
  std::vector<tables::Event> events;
  tables::CaptureOrder last_order;
  std::atomic<bool> is_capturing = false;
  publish::ExplainAnswer explanation{publish::Answer::complete, {}};
  uint32_t explained_port = 0;
  std::vector<uint8_t> explained;
  std::vector<std::pair<tables::CapturedHead, std::vector<uint8_t>>> captured;  ///< told once
  std::atomic<int> takes = 0;
  publish::Answer answer = publish::Answer::complete;
  tables::FlowFilter last_filter;
  tables::RequestKind last_kind = tables::RequestKind::list_flows;
  bool is_attached = true;

 private:
  class FakeCapture : public publish::Capture {
   public:
    explicit FakeCapture(FakePublisher& of) : of_(of) { of_.is_capturing = true; }
    ~FakeCapture() override { of_.is_capturing = false; }
    void take(bool, const std::function<void(const publish::CapturedPacket&)>& found) override {
      ++of_.takes;
      const std::lock_guard lock(of_.mutex);
      for (const auto& [head, bytes] : of_.captured) found({head, head.when, bytes});
      told_ += of_.captured.size();
      of_.captured.clear();
    }
    Counts counts() const override { return {told_, 7, 9}; }

   private:
    FakePublisher& of_;
    uint64_t told_ = 0;
  };

  /// What a real region would show of the configuration.
  void show() {
    reading.services.clear();
    reading.servers.clear();
    for (const v1::VirtualService& service : published.services()) {
      reading.services.push_back(
          {service.name(), static_cast<tables::ServiceId>(reading.services.size()), {}});
    }
    for (const v1::Pool& pool : published.pools()) {
      for (const v1::RealServer& server : pool.servers()) {
        publish::ServerReading& line = reading.servers.emplace_back();
        line.identity = *config::identity_of(server);
        line.id = static_cast<tables::ServerId>(reading.servers.size() - 1);
        const auto verdict = shown_verdicts.find(line.identity);
        line.health_known = verdict != shown_verdicts.end();
        line.healthy = !line.health_known || verdict->second;
        line.configured = server.state() == v1::ADMIN_STATE_DRAIN ? tables::ServerState::draining
                          : server.state() == v1::ADMIN_STATE_DISABLED
                              ? tables::ServerState::disabled
                              : tables::ServerState::ready;
        line.state = line.healthy ? line.configured : tables::ServerState::failed;
        line.traffic.flows_active = flows.size();
      }
    }
  }
};

}  // namespace nezu::api
