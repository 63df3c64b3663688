// How a scheduler's choice is compiled into a table of pool-local member indices, so that a worker
// picks a server by one index.
//
// Pure functions: equal members, weights, size and seed give byte-identical tables on every node
// and in every version (golden tests hold them still). A member that is not eligible keeps its
// index but gets no entry.
//
//   mh        Maglev hashing (Eisenbud et al., NSDI 2016, section 3.4), weighted by giving a member
//             a turn in a round only when its credit has reached the heaviest member's weight
//   sh        the weighted order of turns, repeated; a changed set moves most clients
//   rr, wrr   the order of turns: a member with weight w of W in all has its k-th turn as near to
//             (k + 1/2) * W / w as the others allow, so that no window strays far from the weights
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "dataplane/tables/blocks.h"

namespace nezu::compile {

enum class RingKind : uint8_t { maglev, source, turns };

struct RingMember {
  tables::ServerIdentity identity;
  uint32_t weight = 1;  ///< 0: not eligible
};

/// What a table is made of. Two plans with equal fingerprints share one table.
struct RingPlan {
  RingKind kind = RingKind::maglev;
  uint32_t size = 0;  ///< maglev: entries, a prime; 0: chosen by ring_size()
  uint64_t seed = 0;
  std::vector<RingMember> members;  ///< sorted by identity
};

inline constexpr uint32_t kSmallestRing = 1009;
inline constexpr uint32_t kLargestRing = 65537;
/// Longest order of turns: larger sums of weights are scaled down to it.
inline constexpr uint32_t kMostTurns = 65537;

/// The next prime that is at least 100 for each member, from 1,009 to 65,537.
uint32_t ring_size(size_t member_count);

uint64_t fingerprint(const RingPlan& plan);

/// The entries; empty when no member is eligible.
std::vector<uint16_t> build_ring(const RingPlan& plan);

/// A hash of a name that is the same on every node: identities of services and pools.
uint64_t name_identity(std::string_view name);

}  // namespace nezu::compile
