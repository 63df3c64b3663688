// The addresses that the kernel itself has where we run, which is where the twins are.
//
// Both would answer for an address that is a VIP or an SNAT address as well: the data plane takes
// every packet to it, and the kernel's own connections (health checks, sshd) never get an answer.
// An interface is in the network instance whose link its name ends with (nz-front.10: front.10);
// all others are in the standard one.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "controlplane/config/store.h"
#include "dataplane/net/address.h"

namespace nezu::api {

/// Address -> interfaces. Without loopback.
using OwnAddresses = std::multimap<net::Address, std::string>;
OwnAddresses own_addresses();

/// What of the configuration is on an interface by now, sentences for people: an address that was
/// added after it had become a VIP or an SNAT address. Costs what the kernel has.
std::vector<std::string> clashes_of(const config::Model& model, const OwnAddresses& own);

/// Whether the edit may give a service or an SNAT set an address that it did not have: else there
/// is no need to ask the kernel.
bool takes_addresses(const config::Model& before, const store::Edit& edit);

/// Complains about services and SNAT sets of the edit that use one of them in the same network
/// instance. `before`: the edit is not applied yet.
void check_own_addresses(const config::Model& before, const store::Edit& edit,
                         const OwnAddresses& own, config::Problems& problems);

}  // namespace nezu::api
