// The checks and agents that a configuration asks for, and whose weights follow them.
//
// Pure; any thread. The only file here that knows the generated messages.
#pragma once

#include <vector>

#include "controlplane/health/check.h"
#include "controlplane/health/weights.h"
#include "nezu/v1/configuration.pb.h"

namespace nezu::health {

/// One check for each server of a pool that has a check, and one for each agent. The pool is
/// normalised and valid. Servers that the operator disabled are asked as well: what comes back is
/// known then.
/// `interface`: by which the sockets of its network instance go; empty in the standard one.
std::vector<Check> checks_of(const v1::Pool& pool, const std::string& interface = {});

/// Nothing: its weights are as configured.
std::optional<Weights::Wanted> weights_of(const v1::Pool& pool);

}  // namespace nezu::health
