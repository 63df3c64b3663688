// Packets of flows whose service may have so many a second, or so many bits.
#include "dataplane/path_turn.h"

namespace nezu::path {

void meter(Turn& turn) {
  Path::State& state = turn.state;
  for (net::Packet& packet : turn.part) {
    const flow::FlowId id(packet.flow);
    if (packet.verdict != net::Verdict::undecided || !id.exists()) continue;
    const tables::Service* service =
        turn.view.service(tables::ServiceId{state.flows.track(id).service});
    if (service == nullptr || !service->traffic.exist()) continue;
    const admit::Meters::Verdict verdict = state.setup.meters->pass(
        state.setup.worker, *service, state.client_of(id), packet.length, turn.now);
    if (verdict.forgot) state.line.limits_forgotten.add(1);
    if (verdict.reason != net::Reason::none) packet.drop(verdict.reason);
  }
}

}  // namespace nezu::path
