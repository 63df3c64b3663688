// Packets of flows whose service may have so many a second, or so many bits. Before anything is
// opened or changed for them: those that open a flow are asked about in `admit`.
#include "dataplane/path_turn.h"

namespace nezu::path {

net::Reason why_beyond_traffic(Turn& turn, const net::Packet& packet,
                               const tables::Service& service, const net::Address& client) {
  const Setup& setup = turn.state.setup;
  if (turn.is_metered || setup.meters == nullptr) return net::Reason::none;
  const admit::Meters::Verdict verdict =
      setup.meters->pass(setup.worker, service, client, packet.length, turn.now);
  if (verdict.forgot) turn.state.line.limits_forgotten.add(1);
  return verdict.reason;
}

namespace {

/// Of a packet, what the next step works on; no service: it is not metered.
struct Asked {
  const tables::Service* service;
  uint64_t word;
};

}  // namespace

/// In three steps, each of which asks for the memory of the next.
void meter(Turn& turn) {
  const Path::State& state = turn.state;
  const Setup& setup = state.setup;
  if (setup.meters == nullptr) return;
  std::array<Asked, net::kBurstCapacity> asked;  // NOLINT: filled up to `count`
  const uint32_t count = turn.burst.count;
  for (uint32_t i = 0; i < count; ++i) {
    const net::Packet& packet = turn.burst.packets[i];
    const flow::FlowId id(packet.flow);
    asked[i].service = nullptr;
    if (packet.verdict != net::Verdict::undecided || !id.exists()) continue;
    asked[i].service = turn.view.service(tables::ServiceId{state.flows.track(id).service});
    if (asked[i].service != nullptr) __builtin_prefetch(&asked[i].service->traffic);
  }
  for (uint32_t i = 0; i < count; ++i) {
    const tables::Service*& service = asked[i].service;
    if (service == nullptr) continue;
    if (!service->traffic.exist()) {
      service = nullptr;
      continue;
    }
    const flow::FlowId id(turn.burst.packets[i].flow);
    asked[i].word = setup.meters->ask(setup.worker, *service, state.client_of(id));
  }
  for (uint32_t i = 0; i < count; ++i) {
    if (asked[i].service == nullptr) continue;
    net::Packet& packet = turn.burst.packets[i];
    const admit::Meters::Verdict verdict =
        setup.meters->pass(setup.worker, *asked[i].service, asked[i].word, packet.length, turn.now);
    if (verdict.forgot) state.line.limits_forgotten.add(1);
    if (verdict.reason != net::Reason::none) packet.drop(verdict.reason);
  }
}

}  // namespace nezu::path
