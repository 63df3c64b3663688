// What is wrong with a configuration as things are: sentences for people, looked for once a second.
#pragma once

#include <string>
#include <vector>

#include "controlplane/config/model.h"
#include "controlplane/health/engine.h"
#include "controlplane/publish/publisher.h"

namespace nezu::api {

/// What services in mode redirect lack, sentences for people: they work by the sides of the data
/// plane's ports. Without a port there is no data plane to know them, and nothing is said.
std::vector<std::string> sides_missing(const config::Model& model,
                                       const std::vector<publish::PortReading>& ports);

/// Agents that do not answer, though checks get through.
std::vector<std::string> silence_of(const health::Status& status);

/// Pools of which so few servers are healthy that checks are not believed. `now`: what the tables
/// show of the servers; `shares`: what they say themselves.
std::vector<std::string> panics_of(const config::Model& model, const publish::Reading& now,
                                   compile::Shares shares);

}  // namespace nezu::api
