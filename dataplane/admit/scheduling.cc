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
                       const tables::ServerCounters* gauges)
    : services_(sizes.services),
      worker_(worker),
      workers_(workers),
      positions_(std::make_unique<uint32_t[]>(services_)),
      loads_(sizes, 4 * sizes.servers, worker, gauges) {
  std::fill_n(positions_.get(), services_, kNotStarted);
}

const tables::Member* Scheduling::pick(const tables::View& view, const tables::Service& service,
                                       const tables::Pool& pool, const Client& client) {
  if (pool.ready_count != 0) [[likely]] {
    const uint32_t member = pick_ready(view, service, pool, client);
    if (member < pool.member_count) return &pool.members()[member];
  }
  return pick_draining(service, pool);
}

uint32_t Scheduling::pick_ready(const tables::View& view, const tables::Service& service,
                                const tables::Pool& pool, const Client& client) {
  switch (pool.scheduler) {
    case tables::Scheduler::rr:
    case tables::Scheduler::wrr: {
      const tables::Ring* turns = view.ring(pool.sequence);
      if (turns == nullptr || turns->size == 0) return kNone;
      return turns->entries()[turn(service, turns->size)];
    }
    case tables::Scheduler::sh:
    case tables::Scheduler::mh:
      return by_hash(view.ring(pool.ring), client_hash(client, pool.hash_with_port != 0));
    case tables::Scheduler::lc:
    case tables::Scheduler::wlc:
      return loads_.pick(pool, view.generation());
  }
  return kNone;
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
