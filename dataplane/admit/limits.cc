#include "dataplane/admit/limits.h"

#include <algorithm>
#include <utility>

namespace nezu::admit {

Limits::Limits(const tables::Sizes& sizes, std::vector<const tables::ServerCounters*> gauges)
    : gauges_(std::move(gauges)),
      pools_(sizes.pools),
      servers_(sizes.servers),
      means_(std::make_unique<Mean[]>(pools_)),
      full_(std::make_unique<uint8_t[]>(servers_)) {}

uint64_t Limits::own_flows(tables::ServerId server) const {
  return index(server) < servers_ ? gauges_[0][index(server)].flows_active.read() : 0;
}

uint64_t Limits::flows_of(tables::ServerId server) const {
  uint64_t flows = 0;
  if (index(server) >= servers_) return flows;
  for (const tables::ServerCounters* gauges : gauges_) {
    flows += gauges[index(server)].flows_active.read();
  }
  return flows;
}

bool Limits::is_full(const tables::Member& member) {
  const uint32_t server = index(member.server);
  if (member.max_flows == 0 || server >= servers_) return false;
  const uint64_t flows = flows_of(member.server);
  if (flows >= member.max_flows) {
    full_[server] = 1;
  } else if (flows < member.resume_flows) {
    full_[server] = 0;
  }
  return full_[server] != 0;
}

Limits::Standing Limits::standing(const tables::Pool& pool) const {
  Standing here;
  if (index(pool.id) < pools_) here.mean = means_[index(pool.id)];
  for (uint32_t i = 0; i < std::min(pool.member_count, 64u); ++i) {
    const uint32_t server = index(pool.members()[i].server);
    if (server < servers_ && full_[server] != 0) here.full |= uint64_t{1} << i;
  }
  return here;
}

void Limits::stand(const tables::Pool& pool, const Standing& there) {
  if (index(pool.id) < pools_) means_[index(pool.id)] = there.mean;
  for (uint32_t i = 0; i < std::min(pool.member_count, 64u); ++i) {
    const uint32_t server = index(pool.members()[i].server);
    if (server < servers_) full_[server] = static_cast<uint8_t>(there.full >> i & 1);
  }
}

bool Limits::is_beyond_share(const tables::Pool& pool, const tables::Member& member,
                             uint64_t generation) {
  if (pool.load_bound_percent == 0 || index(pool.id) >= pools_) return false;
  Mean& mean = means_[index(pool.id)];
  if (mean.left == 0 || mean.generation != generation) {
    mean = {generation, 0, 0, kOpeningsBetweenLooks};
    for (uint32_t i = 0; i < pool.member_count; ++i) {
      const tables::Member& one = pool.members()[i];
      if (one.state != tables::ServerState::ready) continue;
      mean.weight += one.weight;
      mean.flows += own_flows(one.server);
    }
  }
  --mean.left;
  // What was opened since the look is somewhere in the pool.
  const uint64_t flows = mean.flows + (kOpeningsBetweenLooks - mean.left);
  // (own + 1) > bound * flows * weight / weights, and at least one flow for each.
  const uint64_t own = own_flows(member.server);
  return own != 0 &&
         (own + 1) * mean.weight * 100 > flows * member.weight * pool.load_bound_percent;
}

}  // namespace nezu::admit
