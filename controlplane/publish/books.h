// Which slot each configured object has, and which slots still wait for their last flow.
//
// Written by the publisher's one thread. Adopted from the live blocks at start: names and
// identities stand in them, so that nothing else has to survive a crash.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/tables/slots.h"
#include "dataplane/tables/writer.h"

namespace nezu::publish {

using AddressKey = std::pair<net::Instance, net::Address>;

/// All workers' counters of a slot, added up.
tables::CounterBase counters_of(const tables::Region& region, tables::ServiceId id);
tables::CounterBase counters_of(const tables::Region& region, tables::ServerId id);
/// All workers' flows that count on a slot.
uint64_t flows_of(const tables::Region& region, tables::ServiceId id);
uint64_t flows_of(const tables::Region& region, tables::ServerId id);
uint64_t flows_of(const tables::Region& region, tables::AddressId id);

class Books {
 public:
  explicit Books(const tables::Region& region);
  /// False: two live blocks claim one slot, or one is out of range.
  bool adopt(const tables::Region& region, const tables::View& view);

  tables::Slots service_slots, pool_slots, server_slots, address_slots;
  std::map<std::string, tables::ServiceId> services;  ///< the retired ones too
  std::map<std::string, tables::PoolId> pools;
  std::map<tables::ServerIdentity, tables::ServerId> servers;  ///< the retired ones too
  std::map<AddressKey, tables::AddressId> addresses;           ///< the retired ones too
};

}  // namespace nezu::publish
