// What a worker does between bursts, a bounded slice a turn: expiry, room in a full table, gauges.
#include "dataplane/path_cookie.h"
#include "dataplane/steer/calls.h"

namespace nezu::path {
namespace {

using flow::FlowId;

constexpr uint32_t kExpirePerTurn = 256;

}  // namespace

void expire(Path::State& state, const tables::View& view, const route::Routes& routes,
            net::Tick now) {
  if (!state.flows.has_due(now)) [[likely]]
    return;
  std::array<FlowId, kExpirePerTurn> due;
  const uint32_t found = state.flows.expired(now, due);
  uint32_t count = 0;
  for (const FlowId id : std::span(due).first(found)) {
    if (!asks_again(state, routes, id, now) && !says_farewell(state, view, routes, id, now)) {
      due[count++] = id;
    }
  }
  state.end(std::span(due).first(count));
  state.line.flows_expired.add(count);
}

namespace {

/// Room that is made in a great table when there is less than half of it: what four bursts may
/// open.
constexpr uint32_t kMostReserve = 4 * net::kBurstCapacity;
uint32_t reserve_of(uint32_t capacity) { return std::min(kMostReserve, capacity / 4096); }

void recycle(Path::State& state, bool wide, flow::Stage stage, uint64_t wanted, net::Tick now) {
  std::array<FlowId, kMostReserve> oldest;  // NOLINT: filled up to `count`
  const auto most = static_cast<size_t>(std::min<uint64_t>(wanted, oldest.size()));
  uint32_t count = state.flows.oldest(wide, stage, std::span(oldest).first(most));
  if (stage == flow::Stage::embryonic) {
    uint32_t may = 0;
    while (may < count && may_make_place(state.flows.track(oldest[may]), now)) ++may;
    count = may;
  }
  state.end(std::span(oldest).first(count));
  state.line.flows_recycled.add(count);
}

}  // namespace

/// A table that is nearly full gives up its oldest flows a batch at a time, before the packets come
/// that need their place: one at a time each would wait for memory by itself, and a batch waits as
/// long as one.
void recycle_ahead(Path::State& state, const tables::View& view, net::Tick now) {
  if (!view.is_ready()) return;
  const flow::Table& flows = state.flows;
  for (const bool wide : {false, true}) {
    const uint32_t capacity = flows.capacity(wide), reserve = reserve_of(capacity);
    if (reserve == 0) continue;
    const uint64_t limit = embryonic_limit(view.settings(), capacity);
    const uint64_t embryonic = flows.count(wide, flow::Stage::embryonic);
    if (embryonic + reserve / 2 > limit) {
      recycle(state, wide, flow::Stage::embryonic, embryonic + reserve - limit, now);
    }
    if (flows.count(wide) + reserve / 2 <= capacity) continue;
    const flow::Stage stage =
        flows.count(wide, flow::Stage::closed) != 0 ? flow::Stage::closed : flow::Stage::embryonic;
    recycle(state, wide, stage, flows.count(wide) + reserve - capacity, now);
  }
}

void report(Path::State& state, const tables::View& view, net::Tick now) {
  if (state.reported == now) return;
  state.reported = now;
  const flow::Table& flows = state.flows;
  tables::WorkerLine& line = state.line;
  const auto both = [&flows](flow::Stage stage) {
    return uint64_t{flows.count(false, stage)} + flows.count(true, stage);
  };
  line.flows_live.set(both(flow::Stage::live));
  line.flows_embryonic.set(both(flow::Stage::embryonic));
  line.flows_closed.set(both(flow::Stage::closed));
  line.flows_ipv4.set(flows.count(false));
  line.flows_ipv6.set(flows.count(true));
  line.flow_capacity_ipv4.set(flows.capacity(false));
  line.flow_capacity_ipv6.set(flows.capacity(true));
  line.shards.set(state.steering.shards_of(state.setup.worker));
  line.generation.set(view.generation());
  line.snat_lines.set(state.ports.used());
  line.snat_line_capacity.set(state.ports.capacity());
  line.splices.set(state.splices.used());
  line.splice_capacity.set(state.splices.capacity());
  if (const steer::Announcements* all = state.setup.announcements) {
    line.announced.set(all->count(state.setup.worker));
    line.announced_capacity.set(all->capacity());
  }
  if (const steer::Calls* all = state.setup.calls) {
    line.calls.set(all->count(state.setup.worker));
    line.call_capacity.set(steer::Calls::kPlaces);
  }
}

}  // namespace nezu::path
