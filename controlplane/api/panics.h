// Pools of which so few servers are healthy that checks are not believed.
#pragma once

#include <string>
#include <vector>

#include "controlplane/config/model.h"
#include "controlplane/publish/publisher.h"

namespace nezu::api {

/// Sentences for people. `now`: what the tables show of the servers.
std::vector<std::string> panics_of(const config::Model& model, const publish::Reading& now);

}  // namespace nezu::api
