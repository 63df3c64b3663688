// Packets of flows whose service may have so many a second, or so many bits. Before anything is
// opened or changed for them: those that open a flow are asked about in `admit`.
#include "dataplane/path_turn.h"

namespace nezu::path {

net::Reason why_not_passed(Turn& turn, const net::Packet& packet, const tables::Service& service,
                           const net::Address& client) {
  const Setup& setup = turn.state.setup;
  if (turn.is_metered || setup.meters == nullptr) return net::Reason::none;
  const admit::Meters::Verdict verdict =
      setup.meters->pass(setup.worker, service, client, packet.length, turn.now);
  if (verdict.forgot) turn.state.line.limits_forgotten.add(1);
  return verdict.reason;
}

void meter(Turn& turn) {
  const Path::State& state = turn.state;
  for (net::Packet& packet : turn.burst.all()) {
    const flow::FlowId id(packet.flow);
    if (packet.verdict != net::Verdict::undecided || !id.exists()) continue;
    const tables::Service* service =
        turn.view.service(tables::ServiceId{state.flows.track(id).service});
    if (service == nullptr || !service->traffic.exist()) continue;
    const net::Reason reason = why_not_passed(turn, packet, *service, state.client_of(id));
    if (reason != net::Reason::none) packet.drop(reason);
  }
}

}  // namespace nezu::path
