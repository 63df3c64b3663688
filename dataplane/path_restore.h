// Flows that outlived the last process become this one's: buckets, timers, SNAT ports and gauges
// are built from their entries.
//
// For main.cc, once, before any worker runs; allocates. Every entry is checked as if a stranger had
// written it: an entry that makes no sense is dropped and counted. Entries of another region, or
// whose server has another slot by now, are translated by the identity that their tuples hold. A
// flow whose shard belongs to another worker than before moves there.
#pragma once

#include <span>

#include "dataplane/flow/file.h"
#include "dataplane/path.h"
#include "dataplane/tables/region.h"
#include "dataplane/tables/view.h"

namespace nezu::path {

struct Restored {
  uint64_t kept = 0;
  uint64_t moved = 0;    ///< kept, at another worker than before
  uint64_t dropped = 0;  ///< invalid, twice there, without a server here, or no room
};

/// `paths` by worker, each with a table over its memory in `files`. The region's gauges of all
/// workers, also of those that do not run any more, are right afterwards; no slot's sum is ever
/// below what it will be, so that none is reused meanwhile.
Restored restore(flow::Files& files, std::span<Path* const> paths, const tables::Region& region,
                 const tables::View& view, net::Instant now);

/// Clients that persistence knows stay on their servers, which may have other slots by now. Before
/// `restore`.
void adopt_clients(steer::Persistence& table, const tables::View& view, net::Tick now);

}  // namespace nezu::path
