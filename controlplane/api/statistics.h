// Readings of the region as messages: statistics with rates, states of servers.
//
// Pure functions of two readings and the configuration.
#pragma once

#include <optional>
#include <vector>

#include "controlplane/config/model.h"
#include "controlplane/publish/publisher.h"
#include "nezu/v1/state.pb.h"

namespace nezu::api {

/// `before` is an earlier reading of the same region; rates are 0 when it is not earlier.
v1::Statistics statistics_of(const publish::Reading& now, const publish::Reading& before,
                             const config::Model& model, const v1::GetStatisticsRequest& request);

/// Nothing when the server is neither in the configuration nor leaving (`reading` is null then).
std::optional<v1::ServerStatus> status_of(const tables::ServerIdentity& server,
                                          const publish::ServerReading* reading,
                                          const config::Model& model);
/// Every server of the configuration and those that are leaving, by identity.
std::vector<v1::ServerStatus> statuses_of(const publish::Reading& now, const config::Model& model);

/// What ends a packet without being a fault or an answer is no drop.
bool is_drop(net::Reason reason);

double per_second(uint64_t now, uint64_t before, double seconds);

}  // namespace nezu::api
