// Within the path: which entries of an earlier life go on.
//
// Every entry of a flow file is bounds-checked and made to mean the same here: slots by identity
// where the region is another one. Before workers run; one thread.
#pragma once

#include <map>

#include "dataplane/path_turn.h"

namespace nezu::path {

/// Slots of the servers that there are now; empty while the tables are not ready.
using ServerSlots = std::map<tables::ServerIdentity, uint16_t>;
ServerSlots slots_of_servers(const tables::View& view);

class Judge {
 public:
  Judge(const tables::View& view, const tables::Sizes& sizes, const steer::Steering& steering,
        net::Tick now);

  /// False: the entry is to go. `relays`: of the file that it is from.
  bool keep(flow::Entry4& entry, bool same_region, const flow::Relay* relays) const;
  bool keep(flow::Entry6& entry, bool same_region, const flow::Relay* relays) const;

 private:
  template <typename Entry>
  bool keep_entry(Entry& entry, bool same_region, const flow::Relay* relays) const;
  template <typename Entry>
  bool is_sound(const Entry& entry) const;
  template <typename Entry>
  uint8_t shard_of(const Entry& entry) const;

  /// Slots: as they are when they mean the same here, else by identity.
  template <typename Entry>
  bool belongs(Entry& entry, bool same_region) const;
  template <typename Entry>
  bool belongs_redirected(Entry& entry, bool same_region, const flow::Relay& relay) const;
  template <typename Entry>
  bool belongs_to_rule(Entry& entry, bool same_region) const;
  template <typename Entry>
  bool find_server(Entry& entry, bool same_region) const;
  template <typename Entry>
  bool has_snat(Entry& entry) const;
  template <typename Tuple>
  uint16_t service_for(const Tuple& tuple, uint16_t server) const;
  bool is_server(uint16_t slot, const tables::ServerIdentity& identity) const;
  bool is_data_of(const flow::Track& track, const tables::ServerIdentity& identity) const;

  const tables::View& view_;
  const tables::Sizes& sizes_;
  const steer::Steering& steering_;
  net::Tick now_;
  ServerSlots servers_;
};

}  // namespace nezu::path
