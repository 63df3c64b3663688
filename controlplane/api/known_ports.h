// The ports that the data plane has, as far as one runs: interfaces of others are never come in by.
//
// Pure.
#pragma once

#include <vector>

#include "controlplane/config/validate.h"
#include "controlplane/publish/publisher.h"

namespace nezu::api {

/// Whether the edit names any.
bool names_interfaces(const store::Edit& edit);

/// Of services and of source NAT rules. No port is known: nothing is said.
void warn_unknown_ports(const store::Edit& edit, const std::vector<publish::PortReading>& ports,
                        config::Problems& warnings);

}  // namespace nezu::api
