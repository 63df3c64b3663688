// Who has enough: members at their upper threshold, and members that a hash has given more than
// their share.
//
// One worker. A threshold counts the flows of all workers: their gauges are read when a flow is
// opened at a server that has one. The share is of this worker's flows: hashing spreads clients
// over workers as it does over servers.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/tables/blocks.h"
#include "dataplane/tables/layout.h"

namespace nezu::admit {

class Limits {
 public:
  /// `gauges`: of this worker and then of all others, by ServerId.
  Limits(const tables::Sizes& sizes, std::vector<const tables::ServerCounters*> gauges);

  /// A pool's flows and weights as of the last look.
  struct Mean {
    uint64_t generation = 0;
    uint64_t flows = 0, weight = 0;
    uint32_t left = 0;  ///< openings until the next look
  };
  /// At its upper threshold and not yet below its lower one again.
  bool is_full(const tables::Member& member);

  /// Of all workers.
  uint64_t flows_of(tables::ServerId server) const;

  /// What is remembered of a pool: to try out elsewhere who has enough.
  struct Standing {
    Mean mean;
    uint64_t full = 0;  ///< of the first 64 members
  };
  Standing standing(const tables::Pool& pool) const;
  void stand(const tables::Pool& pool, const Standing& there);

  /// One flow more would be beyond `load_bound_percent` of the mean load for its weight (Mirrokni
  /// et al., "Consistent Hashing with Bounded Loads", 2018). False in pools without a bound.
  bool is_beyond_share(const tables::Pool& pool, const tables::Member& member, uint64_t generation);

 private:
  static constexpr uint32_t kOpeningsBetweenLooks = 32;
  uint64_t own_flows(tables::ServerId server) const;

  std::vector<const tables::ServerCounters*> gauges_;
  uint32_t pools_, servers_;
  std::unique_ptr<Mean[]> means_;    ///< by PoolId
  std::unique_ptr<uint8_t[]> full_;  ///< by ServerId
};

}  // namespace nezu::admit
