// Readings of the region as messages: statistics with rates, states of servers.
//
// Pure functions of two readings and the configuration.
#pragma once

#include <map>
#include <vector>

#include "controlplane/config/model.h"
#include "controlplane/publish/publisher.h"
#include "nezu/v1/state.pb.h"

namespace nezu::api {

/// Pools by server, each list in order of names; and whether any of them has a check.
struct Membership {
  struct Entry {
    std::vector<std::string> pools;
    const v1::RealServer* server = nullptr;  ///< as the first pool has it
    bool is_checked = false;
  };
  std::map<tables::ServerIdentity, Entry> servers;

  /// Points into `model`.
  explicit Membership(const config::Model& model);
};

/// `before` is an earlier reading of the same region; rates are 0 when it is not earlier.
v1::Statistics statistics_of(const publish::Reading& now, const publish::Reading& before,
                             const config::Model& model, const v1::GetStatisticsRequest& request);

/// Every server of the configuration and those that are leaving, by identity.
std::vector<v1::ServerStatus> statuses_of(const publish::Reading& now, const config::Model& model);

/// What ends a packet without being a fault or an answer is no drop.
bool is_drop(net::Reason reason);

double per_second(uint64_t now, uint64_t before, double seconds);

}  // namespace nezu::api
