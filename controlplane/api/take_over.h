// An upgrade to another layout of the tables: what the control plane of before knew, asked of it by
// the API, which both versions speak.
#pragma once

#include <string>

#include "controlplane/compile/compile.h"
#include "controlplane/config/store.h"

namespace nezu::api {

/// Makes the configuration of the control plane that listens on this Unix socket the first revision
/// of an empty `store`, durably; returns what its health checks have decided and what servers say
/// of their weights. Throws std::runtime_error with a sentence when nothing can be taken over;
/// nothing has changed then.
compile::Conditions take_over(config::Store& store, const std::string& socket);

}  // namespace nezu::api
