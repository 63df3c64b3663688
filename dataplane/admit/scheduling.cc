#include "dataplane/admit/scheduling.h"

#include <algorithm>

#include "dataplane/net/hash.h"

namespace nezu::admit {
namespace {

constexpr uint32_t kNone = Loads::kNone;
constexpr uint32_t kNotStarted = 0xffffffffu;

uint32_t by_hash(const tables::Ring* ring, uint64_t hash) {
  if (ring == nullptr || ring->size == 0) return kNone;
  // The upper half scaled to the size: no division.
  return ring->entries()[(hash >> 32) * ring->size >> 32];
}

}  // namespace

uint64_t client_hash(const Client& client, bool with_port) {
  const auto low = net::load<uint64_t>(&client.address.bytes[0]);
  const auto high = net::load<uint64_t>(&client.address.bytes[8]);
  return net::mix64(net::mix64(low + 0x9e3779b97f4a7c15u) ^ high ^
                    (with_port ? uint64_t{client.port} << 16 : 0));
}

Scheduling::Scheduling(const tables::Sizes& sizes, uint16_t worker, uint16_t workers,
                       std::vector<const tables::ServerCounters*> gauges)
    : services_(sizes.services),
      worker_(worker),
      workers_(workers),
      positions_(std::make_unique<uint32_t[]>(services_)),
      random_((worker + 1) * 0x9e3779b97f4a7c15u),
      limits_(sizes, gauges),
      loads_(sizes, 4 * sizes.servers, worker, gauges[0], workers) {
  std::fill_n(positions_.get(), services_, kNotStarted);
}

const tables::Member* Scheduling::pick(const tables::View& view, const tables::Service& service,
                                       const tables::Pool& pool, const Client& client) {
  if (pool.ready_count != 0) [[likely]] {
    const uint32_t member = pick_ready(view, service, pool, client);
    return member < pool.member_count ? &pool.members()[member] : nullptr;
  }
  return pick_draining(service, pool);
}

Scheduling::Standing Scheduling::standing(const tables::Service& service,
                                          const tables::Pool& pool) const {
  const uint32_t slot = index(service.id);
  return {slot < services_ ? positions_[slot] : kNotStarted, random_, limits_.standing(pool)};
}

void Scheduling::stand(const tables::Service& service, const tables::Pool& pool,
                       const Standing& there) {
  if (index(service.id) < services_) positions_[index(service.id)] = there.position;
  random_ = there.random;
  limits_.stand(pool, there.limits);
}

uint32_t Scheduling::pick_ready(const tables::View& view, const tables::Service& service,
                                const tables::Pool& pool, const Client& client) {
  uint64_t hash = 0;
  uint32_t first = kNone;
  if (tables::has_ring(pool.scheduler)) {
    hash = client_hash(client, pool.hash_with_port != 0);
    first = by_hash(view.ring(pool.ring), hash);
  } else if (tables::has_sequence(pool.scheduler)) {
    const tables::Ring* turns = view.ring(pool.sequence);
    if (turns == nullptr || turns->size == 0) return kNone;
    first = pick_of_turns(service, pool, *turns);
  } else {
    first = loads_.pick(pool, view.generation());
  }
  if (pool.is_limited == 0 || first >= pool.member_count) [[likely]]
    return first;
  return pick_open(view, service, pool, first, hash);
}

uint32_t Scheduling::pick_of_turns(const tables::Service& service, const tables::Pool& pool,
                                   const tables::Ring& turns) {
  if (pool.scheduler == tables::Scheduler::random) return by_chance(turns);
  if (pool.scheduler != tables::Scheduler::twos) {
    return turns.entries()[turn(service, turns.size)];
  }
  const uint32_t first = by_chance(turns), second = by_chance(turns);
  if (std::max(first, second) >= pool.member_count) return kNone;
  const auto one = [&](uint32_t i) { return loads_.contestant(pool.members()[i]); };
  return loads_.is_better(tables::Scheduler::wlc, one(second), one(first)) ? second : first;
}

/// `first` unless it has enough. Then by load the best of the others; by hash whoever comes next in
/// the ring, so that a client's second choice is as steady as its first; by turn or chance another
/// one; at last whoever has room.
uint32_t Scheduling::pick_open(const tables::View& view, const tables::Service& service,
                               const tables::Pool& pool, uint32_t first, uint64_t hash) {
  constexpr uint32_t kTries = 64;
  const auto is_open = [&](const tables::Member& member) {
    return !limits_.is_full(member) && !limits_.is_beyond_share(pool, member, view.generation());
  };
  if (is_open(pool.members()[first])) return first;
  const bool in_order = tables::has_sequence(pool.scheduler);
  const tables::Ring* ring = view.ring(in_order ? pool.sequence : pool.ring);
  if (ring == nullptr || ring->size == 0) return loads_.search(pool, is_open);
  auto at = static_cast<uint32_t>((hash >> 32) * ring->size >> 32);
  for (uint32_t i = 0; i < kTries; ++i) {
    at = at + 1 < ring->size ? at + 1 : 0;
    const uint32_t next = in_order ? pick_of_turns(service, pool, *ring) : ring->entries()[at];
    if (next < pool.member_count && is_open(pool.members()[next])) return next;
  }
  for (uint32_t i = 1; i < pool.member_count; ++i) {
    const uint32_t next = (first + i) % pool.member_count;
    const tables::Member& member = pool.members()[next];
    const bool takes = member.state == tables::ServerState::ready && member.weight != 0;
    if (takes && !limits_.is_full(member)) return next;
  }
  return kNone;
}

/// Each turn is as likely.
uint32_t Scheduling::by_chance(const tables::Ring& turns) {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  return turns.entries()[(random_ >> 32) * turns.size >> 32];
}

uint32_t Scheduling::turn(const tables::Service& service, uint32_t length) {
  if (index(service.id) >= services_) return 0;
  uint32_t& position = positions_[index(service.id)];
  if (position == kNotStarted) {
    // Evenly apart, so that the workers' first turns together are one round.
    const uint32_t apart = static_cast<uint32_t>(uint64_t{length} * worker_ / workers_);
    position = static_cast<uint32_t>((service.identity + apart) % length);
  }
  // After the end comes the beginning, also when the end has moved: no turn is skipped.
  if (position >= length) position = 0;
  return position++;
}

const tables::Member* Scheduling::pick_draining(const tables::Service& service,
                                                const tables::Pool& pool) {
  if (pool.member_count == 0) return nullptr;
  const uint32_t from = turn(service, pool.member_count);
  for (uint32_t i = 0; i < pool.member_count; ++i) {
    const tables::Member& member = pool.members()[(from + i) % pool.member_count];
    if (member.state == tables::ServerState::draining) return &member;
  }
  return nullptr;
}

}  // namespace nezu::admit
