// Least connections: the least loaded member of a pool by this worker's own counts.
//
// One worker. Each pool that is asked for gets a tournament tree over its members, in memory taken
// at start: picking reads its root, a flow that begins or ends at a server replays log2(members)
// matches in each tree that the server is in. Trees are built when a pool is first asked for and
// again when its members, weights or states have changed; loads are read anew then, so that nothing
// is lost. A tie goes to the member that comes first from a start that differs by worker.
#pragma once

#include <cstdint>
#include <memory>

#include "dataplane/tables/blocks.h"
#include "dataplane/tables/layout.h"

namespace nezu::admit {

class Loads {
 public:
  static constexpr uint32_t kNone = 0xffffffffu;

  /// `memberships`: room for that many members over all pools in use; when it is used up all trees
  /// are dropped and built again as they are asked for.
  Loads(const tables::Sizes& sizes, uint32_t memberships, uint16_t worker,
        const tables::ServerCounters* gauges);

  /// Index of the member with the fewest flows, by weight if the pool is `wlc`; kNone: no member is
  /// ready. `generation`: of the view that `pool` is from.
  uint32_t pick(const tables::Pool& pool, uint64_t generation);

  /// The gauge of that server has changed.
  void changed(tables::ServerId server) {
    // Most servers are in no pool that asks for loads.
    if (index(server) < servers_ && heads_[index(server)] != kNone) [[unlikely]] {
      play_again(server);
    }
  }

  uint64_t rebuilds() const { return rebuilds_; }

 private:
  /// A member of a tree, at its leaf.
  struct Leaf {
    uint32_t server = tables::kNoSlot;
    uint32_t weight = 0;  ///< 0: takes no new flows
    uint32_t load = 0;
    uint32_t pool = 0;
    uint32_t next = kNone;  ///< the same server's next leaf
    uint32_t epoch = 0;     ///< of the tree that it was made for
  };
  struct Tree {
    uint64_t generation = 0;  ///< seen to be right in it
    uint32_t first = 0;       ///< of its leaves and matches
    uint32_t count = 0;       ///< members
    uint32_t width = 0;       ///< a power of two, at least `count`
    uint32_t epoch = 0;       ///< 0: not built
    uint32_t start = 0;       ///< leaf i is member (i + start) % count
  };

  void play_again(tables::ServerId server);
  bool is_right(const Tree& tree, const tables::Pool& pool) const;
  bool build(Tree& tree, const tables::Pool& pool);
  void forget_all();
  uint32_t winner(const Tree& tree, uint32_t a, uint32_t b) const;
  void replay(const Tree& tree, uint32_t leaf);
  void play_all(const Tree& tree);
  uint32_t contender(const Tree& tree, uint32_t node) const;

  const tables::ServerCounters* gauges_;
  uint32_t pools_, servers_, room_;
  uint16_t worker_;
  uint32_t used_ = 0;
  uint32_t epoch_ = 0;
  uint64_t rebuilds_ = 0;
  std::unique_ptr<Tree[]> trees_;      ///< by PoolId
  std::unique_ptr<uint32_t[]> heads_;  ///< by ServerId: its first leaf
  std::unique_ptr<Leaf[]> leaves_;
  std::unique_ptr<uint32_t[]> matches_;  ///< winners: `width` for each tree, the first unused
};

}  // namespace nezu::admit
