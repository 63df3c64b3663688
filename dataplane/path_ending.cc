// Flows of servers that are to have none any more: drained beyond their deadline, or failed. One
// sweep over the table for each such server, a bounded slice a turn.
#include "dataplane/path_turn.h"

namespace nezu::path {
namespace {

using flow::FlowId;

constexpr uint32_t kServersPerTick = 1024;  ///< looked at
constexpr uint32_t kEntriesPerTurn = 256;   ///< of a drained server, looked at in one turn
/// Of a failed one, which comes without warning while traffic is at its height.
constexpr uint32_t kEntriesPerTurnOfFailed = 64;

bool is_drained(const tables::Server& server, net::Instant now) {
  return server.configured == tables::ServerState::draining &&
         server.drain_deadline.nanoseconds != 0 && !(now < server.drain_deadline);
}

/// The next server that has flows here and should not.
void look_for_next(Path::State& state, const tables::View& view, net::Instant now) {
  Ending& ending = state.ending;
  const net::Tick tick = net::to_tick(now);
  if (ending.looked == tick || !view.is_ready()) return;
  ending.looked = tick;
  for (uint32_t i = 0; i < kServersPerTick; ++i) {
    const uint32_t slot = ending.next_server;
    if (++ending.next_server >= state.setup.sizes.servers) ending.next_server = 0;
    if (state.setup.servers[slot].flows_active.read() == 0) continue;
    const tables::Server* server = view.server(tables::ServerId{slot});
    if (server == nullptr) continue;
    const bool drained = is_drained(*server, now);
    const bool failed = server->state == tables::ServerState::failed &&
                        server->failed_since != ending.swept_for[slot];
    if (!drained && !failed) continue;
    if (failed) ending.swept_for[slot] = server->failed_since;
    ending.is_failure = !drained;
    ending.server = slot;
    ending.sweep.begin();
    return;
  }
}

/// False: there is no room to say so, the same flow again next turn.
bool end_failed(Path::State& state, const tables::View& view, const route::Routes& routes,
                FlowId id, net::Tick now) {
  const flow::Track& track = state.flows.track(id);
  const tables::Service* service = view.service(tables::ServiceId{track.service});
  if (service == nullptr || service->failed_flows == tables::FailedFlows::keep) return true;
  const tables::Pool* pool = view.pool(service->pool);
  if (pool != nullptr && pool->panics != 0) return true;
  if (service->failed_flows == tables::FailedFlows::reset && may_say_farewell(track)) {
    if (!state.farewells.has_room()) return false;
    say_farewell(state, view, routes, id, now);
  } else if (track.stage != flow::Stage::closed) {
    state.end(id);
  } else {
    return true;  // on its way already
  }
  state.line.flows_ended.add(1);
  return true;
}

}  // namespace

void end_flows_of_gone(Path::State& state, const tables::View& view, const route::Routes& routes,
                       net::Instant now) {
  Ending& ending = state.ending;
  if (!ending.sweep.running()) return look_for_next(state, view, now);
  const uint32_t most = ending.is_failure ? kEntriesPerTurnOfFailed : kEntriesPerTurn;
  ending.sweep.slice(state.flows, most, [&](FlowId id) {
    if (state.flows.track(id).server != ending.server) return true;
    if (ending.is_failure) return end_failed(state, view, routes, id, net::to_tick(now));
    state.end(id);
    state.line.flows_ended.add(1);
    return true;
  });
}

}  // namespace nezu::path
