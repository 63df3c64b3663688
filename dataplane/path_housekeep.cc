// What a worker does between bursts, a bounded slice a turn: expiry, drains, gauges.
#include "dataplane/path_turn.h"

namespace nezu::path {
namespace {

using flow::FlowId;

constexpr uint32_t kExpireBatch = 32, kExpireBatches = 8;
constexpr uint32_t kServersPerTick = 1024;  ///< looked at for a deadline that has passed
constexpr uint32_t kEntriesPerTurn = 256;   ///< of a drained server, looked at in one turn

}  // namespace

void expire(Path::State& state, net::Tick now) {
  std::array<FlowId, kExpireBatch> due;
  for (uint32_t i = 0; i < kExpireBatches; ++i) {
    const uint32_t count = state.flows.expired(now, due);
    state.end(std::span(due).first(count));
    state.line.flows_expired.add(count);
    if (count < kExpireBatch / 2) break;
  }
}

namespace {

/// The next server whose deadline has passed and that has flows here.
void look_for_drained(Path::State& state, const tables::View& view, net::Instant now) {
  Drain& drain = state.drain;
  const net::Tick tick = net::to_tick(now);
  if (drain.looked == tick || !view.is_ready()) return;
  drain.looked = tick;
  for (uint32_t i = 0; i < kServersPerTick; ++i) {
    const uint32_t slot = drain.next_server;
    if (++drain.next_server >= state.setup.sizes.servers) drain.next_server = 0;
    if (state.setup.servers[slot].flows_active.read() == 0) continue;
    const tables::Server* server = view.server(tables::ServerId{slot});
    if (server == nullptr || server->drain_deadline.nanoseconds == 0 ||
        now < server->drain_deadline || server->configured != tables::ServerState::draining) {
      continue;
    }
    drain.ending = slot;
    drain.sweep.begin();
    return;
  }
}

}  // namespace

void end_drained(Path::State& state, const tables::View& view, net::Instant now) {
  Drain& drain = state.drain;
  if (!drain.sweep.running()) return look_for_drained(state, view, now);
  drain.sweep.slice(state.flows, kEntriesPerTurn, [&state, &drain](FlowId id) {
    if (state.flows.track(id).server == drain.ending) {
      state.end(id);
      state.line.flows_ended.add(1);
    }
    return true;
  });
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
}

}  // namespace nezu::path
