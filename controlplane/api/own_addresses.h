// The addresses that the kernel itself has where we run, which is where the twins are.
//
// Both would answer for an address that is a VIP or an SNAT address as well: the data plane takes
// every packet to it, and the kernel's own connections (health checks, sshd) never get an answer.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "controlplane/config/store.h"
#include "dataplane/net/address.h"

namespace nezu::api {

/// Address -> interface. Without loopback.
using OwnAddresses = std::map<net::Address, std::string>;
OwnAddresses own_addresses();

/// What of the configuration is on an interface by now, sentences for people: an address that was
/// added after it had become a VIP or an SNAT address. Costs what the kernel has.
std::vector<std::string> clashes_of(const config::Model& model, const OwnAddresses& own);

/// Complains about services and SNAT sets of the edit that use one of them.
void check_own_addresses(const store::Edit& edit, const OwnAddresses& own,
                         config::Problems& problems);

}  // namespace nezu::api
