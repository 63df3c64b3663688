// A script of transactions whose every generation can be recognised: what a view must show follows
// from its revision alone.
//
// Step r (revision r) touches every kind of block, in several pages of each directory, so that a
// block that was reused too early, or a generation of which only a part became visible, does not
// fit its revision.
#pragma once

#include <cstdint>
#include <string>

#include "dataplane/tables/writer.h"

namespace nezu::tables {

/// A region for scripts: 2 workers; small, so that space is reused soon.
Sizes script_sizes();

/// Carries out step `revision`. Steps follow each other without a gap; the first is 1.
Commit step(Writer& writer, uint64_t revision);

/// What is wrong with what the view shows; empty: it is exactly what its revision must show.
std::string fault_of(const View& view);

/// Bytes of the blocks that the live root reaches, in units of the heap; counted without a Writer.
uint64_t reachable_bytes(const Region& region);

/// What is wrong with the writer's account of the heap; empty: what is reachable and what waits for
/// readers is in use, and nothing else.
std::string leak_of(const Writer& writer);

}  // namespace nezu::tables
