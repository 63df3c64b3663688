#include "dataplane/admit/loads.h"

#include <algorithm>
#include <bit>

namespace nezu::admit {
namespace {

uint32_t weight_of(const tables::Member& member) {
  return member.state == tables::ServerState::ready ? member.weight : 0;
}

}  // namespace

Loads::Loads(const tables::Sizes& sizes, uint32_t memberships, uint16_t worker,
             const tables::ServerCounters* gauges, uint16_t workers)
    : gauges_(gauges),
      pools_(sizes.pools),
      servers_(sizes.servers),
      room_(std::bit_ceil(std::max<uint32_t>(memberships, 1024))),
      worker_(worker),
      workers_(workers),
      trees_(std::make_unique<Tree[]>(pools_)),
      heads_(std::make_unique<uint32_t[]>(servers_)),
      leaves_(std::make_unique<Leaf[]>(room_)),
      matches_(std::make_unique<uint32_t[]>(room_)) {
  std::fill_n(heads_.get(), servers_, kNone);
}

uint32_t Loads::pick(const tables::Pool& pool, uint64_t generation) {
  if (index(pool.id) >= pools_ || pool.member_count == 0) return kNone;
  Tree& tree = trees_[index(pool.id)];
  if (tree.epoch == 0 || tree.generation != generation) [[unlikely]] {
    if (!is_right(tree, pool) && !build(tree, pool)) return kNone;
    tree.generation = generation;
  }
  const uint32_t leaf = contender(tree, 1);
  if (leaf >= tree.count) return kNone;
  const Leaf& won = leaves_[tree.first + leaf];
  if (won.weight == 0 || has_its_fill(tree.scheduler, {won.weight, won.load})) return kNone;
  return (leaf + tree.start) % tree.count;
}

void Loads::play_again(tables::ServerId server) {
  const auto load = static_cast<uint32_t>(gauges_[index(server)].flows_active.read());
  uint32_t* link = &heads_[index(server)];
  while (*link != kNone) {
    Leaf& leaf = leaves_[*link];
    const Tree& tree = trees_[leaf.pool];
    if (tree.epoch != leaf.epoch) {
      *link = leaf.next;  // its tree was built anew elsewhere
      continue;
    }
    leaf.load = load;
    replay(tree, *link - tree.first);
    link = &leaf.next;
  }
}

bool Loads::is_right(const Tree& tree, const tables::Pool& pool) const {
  if (tree.epoch == 0 || tree.count != pool.member_count || tree.scheduler != pool.scheduler) {
    return false;
  }
  for (uint32_t i = 0; i < tree.count; ++i) {
    const tables::Member& member = pool.members()[(i + tree.start) % tree.count];
    const Leaf& leaf = leaves_[tree.first + i];
    if (leaf.server != index(member.server) || leaf.weight != weight_of(member)) return false;
  }
  return true;
}

void Loads::forget_all() {
  std::for_each_n(trees_.get(), pools_, [](Tree& tree) { tree.epoch = 0; });
  std::fill_n(heads_.get(), servers_, kNone);
  used_ = 0;
}

bool Loads::build(Tree& tree, const tables::Pool& pool) {
  const uint32_t width = std::bit_ceil(std::max<uint32_t>(pool.member_count, 2));
  if (width > room_) return false;
  // A tree keeps its place while it fits there.
  if (tree.epoch == 0 || width > tree.width) {
    if (used_ + width > room_) forget_all();
    tree.first = used_;
    tree.width = width;
    used_ += width;
  } else {
    // Leaves of the last build are still in their servers' lists: take them out.
    for (uint32_t i = 0; i < tree.count; ++i) {
      const uint32_t own = tree.first + i;
      if (leaves_[own].server >= servers_) continue;
      for (uint32_t* link = &heads_[leaves_[own].server]; *link != kNone;) {
        if (*link == own) {
          *link = leaves_[own].next;
          break;
        }
        link = &leaves_[*link].next;
      }
    }
  }
  tree.count = pool.member_count;
  tree.scheduler = pool.scheduler;
  tree.epoch = ++epoch_ == 0 ? ++epoch_ : epoch_;
  tree.start = worker_ * 7919u % tree.count;
  for (uint32_t i = 0; i < tree.count; ++i) {
    const tables::Member& member = pool.members()[(i + tree.start) % tree.count];
    const uint32_t server = index(member.server);
    Leaf& leaf = leaves_[tree.first + i];
    leaf = {server, 0, 0, index(pool.id), kNone, tree.epoch};
    if (server >= servers_) continue;
    leaf.weight = weight_of(member);
    leaf.load = static_cast<uint32_t>(gauges_[server].flows_active.read());
    leaf.next = heads_[server];
    heads_[server] = tree.first + i;
  }
  play_all(tree);
  ++rebuilds_;
  return true;
}

uint32_t Loads::winner(const Tree& tree, uint32_t a, uint32_t b) const {
  if (b >= tree.count || leaves_[tree.first + b].weight == 0) return a;
  if (a >= tree.count || leaves_[tree.first + a].weight == 0) return b;
  const Leaf &left = leaves_[tree.first + a], &right = leaves_[tree.first + b];
  const Contestant l{left.weight, left.load}, r{right.weight, right.load};
  if (is_better(tree.scheduler, l, r)) return a;
  return is_better(tree.scheduler, r, l) || b < a ? b : a;
}

Loads::Contestant Loads::contestant(const tables::Member& member) const {
  const uint32_t server = index(member.server);
  if (server >= servers_) return {};
  return {weight_of(member), static_cast<uint32_t>(gauges_[server].flows_active.read())};
}

bool Loads::is_better(tables::Scheduler scheduler, Contestant a, Contestant b) const {
  // Of load / weight, without division; `more`: flows that each is taken to have besides.
  const auto less = [](Contestant one, Contestant other, uint64_t more) {
    return (one.load + more) * other.weight < (other.load + more) * one.weight;
  };
  switch (scheduler) {
    case tables::Scheduler::lc:
      return a.load < b.load;
    case tables::Scheduler::nq:
      if ((a.load == 0) != (b.load == 0)) return a.load == 0;
      return less(a, b, 1);
    case tables::Scheduler::sed:
      return less(a, b, 1);
    case tables::Scheduler::ovf:
      if (has_its_fill(scheduler, a) != has_its_fill(scheduler, b))
        return has_its_fill(scheduler, b);
      return a.weight > b.weight;
    case tables::Scheduler::fo:
      return a.weight > b.weight;
    case tables::Scheduler::wlc:
    case tables::Scheduler::twos:
    case tables::Scheduler::rr:
    case tables::Scheduler::wrr:
    case tables::Scheduler::sh:
    case tables::Scheduler::mh:
    case tables::Scheduler::random:
      break;
  }
  if (less(a, b, 0)) return true;
  return !less(b, a, 0) && a.weight > b.weight;
}

/// Node 1 is the final; leaves are nodes from `width` on.
uint32_t Loads::contender(const Tree& tree, uint32_t node) const {
  return node >= tree.width ? node - tree.width : matches_[tree.first + node];
}

void Loads::replay(const Tree& tree, uint32_t leaf) {
  for (uint32_t node = (tree.width + leaf) / 2; node != 0; node /= 2) {
    matches_[tree.first + node] =
        winner(tree, contender(tree, 2 * node), contender(tree, 2 * node + 1));
  }
}

void Loads::play_all(const Tree& tree) {
  for (uint32_t node = tree.width; --node != 0;) {
    matches_[tree.first + node] =
        winner(tree, contender(tree, 2 * node), contender(tree, 2 * node + 1));
  }
}

}  // namespace nezu::admit
