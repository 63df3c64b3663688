// Turns readings of the region into news for the watchers: what is different from what was told.
//
// One thread (the monitor's). Holds what is needed to tell a change from a repetition.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "controlplane/api/watch_hub.h"
#include "controlplane/config/model.h"
#include "controlplane/health/weights.h"
#include "controlplane/publish/publisher.h"

namespace nezu::api {

class Observer {
 public:
  Observer(WatchHub& hub, const health::Weights& weights) : hub_(hub), weights_(weights) {}

  /// `shown` are those of `servers` that the region shows, in the same order.
  void see_servers(const std::set<tables::ServerIdentity>& servers,
                   const std::vector<publish::ServerReading>& shown, const config::Model& model);
  /// Servers that move between publications too: flows of drains, and of those that leave.
  const std::set<tables::ServerIdentity>& moving_servers() const { return moving_; }
  void see_generation(const publish::Reading& now);
  void see_ports(const publish::Reading& now);
  /// `before` is about a second older.
  void see_drops(const publish::Reading& now, const publish::Reading& before, uint32_t threshold);
  void see_fill(const publish::Reading& now, const std::vector<publish::RegionReading>& regions);
  void see_regions(const std::vector<publish::RegionReading>& regions);
  void see_data_plane(const publish::DataPlaneReading& data_plane);
  /// All alarms of `source` that hold at present; one that is gone is told as over.
  void see_alarms(const std::string& source, const std::vector<std::string>& texts,
                  v1::Severity severity);
  void see_events(const std::vector<tables::Event>& events);

 private:
  void see_level(const std::string& what, uint64_t used, uint64_t capacity, const char* unit);
  void see_server(const tables::ServerIdentity& server, v1::ServerStatus status);
  void see_gone(const tables::ServerIdentity& server);
  void see_drain(const v1::ServerStatus& status);
  void alarm(const std::string& subject, const std::string& text, v1::Severity severity,
             bool is_over);

  WatchHub& hub_;
  const health::Weights& weights_;
  std::set<tables::ServerIdentity> moving_;
  uint64_t events_ = 0;
};

/// A sentence for people.
std::string text_of(const tables::Event& event);

}  // namespace nezu::api
