// Which rule of source NAT, if any, a packet opens a flow of. Pure.
#pragma once

#include <cstdint>

#include "dataplane/net/address.h"
#include "dataplane/tables/source_rules.h"

namespace nezu::admit {

/// The destination is one of the inside hosts that rules name: who goes from inside to inside keeps
/// its address.
bool is_inside(const tables::SourceRules& rules, const net::Address& host);

/// The rule of the source's longest network that fits, the first in their order; null: none. `in`,
/// `out`: the port and VLAN by which it comes and leaves.
const tables::SourceRule* rule_for(const tables::SourceRules& rules, const net::Address& source,
                                   const net::Address& destination, const tables::Interface& in,
                                   const tables::Interface& out);

/// Any rule that might have opened a flow of this source, for a flow whose way in is forgotten.
const tables::SourceRule* rule_of(const tables::SourceRules& rules, const net::Address& source,
                                  const net::Address& destination);

}  // namespace nezu::admit
