// By load: the best member of a pool by this worker's own counts, as its scheduler compares.
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
        const tables::ServerCounters* gauges, uint16_t workers = 1);

  /// Index of the member that the pool's scheduler prefers (`is_better`); kNone: no member is
  /// ready, or (ovf) all have their fill. `generation`: of the view that `pool` is from.
  uint32_t pick(const tables::Pool& pool, uint64_t generation);

  /// The gauge of that server has changed.
  void changed(tables::ServerId server) {
    // Most servers are in no pool that asks for loads.
    if (index(server) < servers_ && heads_[index(server)] != kNone) [[unlikely]] {
      play_again(server);
    }
  }

  /// The same by a search, only among those that `is_open` lets pass.
  template <typename IsOpen>
  uint32_t search(const tables::Pool& pool, IsOpen is_open) const {
    uint32_t best = kNone;
    Contestant won;
    for (uint32_t i = 0; i < pool.member_count; ++i) {
      const tables::Member& member = pool.members()[i];
      const Contestant one = contestant(member);
      if (one.weight == 0 || !is_open(member)) continue;
      if (best == kNone || is_better(pool.scheduler, one, won)) best = i, won = one;
    }
    return best != kNone && has_its_fill(pool.scheduler, won) ? kNone : best;
  }

  struct Contestant {
    uint32_t weight = 0;  ///< 0: takes no new flows
    uint32_t load = 0;    ///< this worker's flows
  };
  Contestant contestant(const tables::Member& member) const;
  /// Strictly. lc: fewer flows. wlc: fewer for its weight, the heavier one of equals. sed: less
  /// delay for the one that comes, (flows + 1) / weight. nq: an idle one first, else as sed. fo:
  /// heavier. ovf: heavier among those with fewer flows than weight.
  bool is_better(tables::Scheduler scheduler, Contestant a, Contestant b) const;

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
    tables::Scheduler scheduler = tables::Scheduler::wlc;
    uint32_t start = 0;  ///< leaf i is member (i + start) % count
  };

  /// ovf: as many flows as its weight; this worker has its part of them.
  bool has_its_fill(tables::Scheduler scheduler, Contestant one) const {
    return scheduler == tables::Scheduler::ovf && uint64_t{one.load} * workers_ >= one.weight;
  }
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
  uint16_t worker_, workers_;
  uint32_t used_ = 0;
  uint32_t epoch_ = 0;
  uint64_t rebuilds_ = 0;
  std::unique_ptr<Tree[]> trees_;      ///< by PoolId
  std::unique_ptr<uint32_t[]> heads_;  ///< by ServerId: its first leaf
  std::unique_ptr<Leaf[]> leaves_;
  std::unique_ptr<uint32_t[]> matches_;  ///< winners: `width` for each tree, the first unused
};

}  // namespace nezu::admit
