// The checks that a configuration asks for.
//
// Pure; any thread. The only file here that knows the generated messages.
#pragma once

#include <vector>

#include "controlplane/health/check.h"
#include "nezu/v1/configuration.pb.h"

namespace nezu::health {

/// One check for each server of a pool that has a check. It is normalised and valid. Servers that
/// the operator disabled are checked as well: what comes back is known then.
/// `interface`: by which the sockets of its network instance go; empty in the standard one.
std::vector<Check> checks_of(const v1::Pool& pool, const std::string& interface = {});

}  // namespace nezu::health
