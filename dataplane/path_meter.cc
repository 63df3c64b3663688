// Packets of flows whose service may have so many a second, or so many bits. Before anything is
// opened or changed for them: those that open a flow are asked about in `admit`.
#include "dataplane/path_turn.h"

namespace nezu::path {

net::Reason why_beyond_traffic(Turn& turn, const net::Packet& packet,
                               const tables::Service& service, const net::Address& client) {
  const Setup& setup = turn.state.setup;
  if (turn.is_metered || setup.meters == nullptr) return net::Reason::none;
  const admit::Meters::Verdict verdict = setup.meters->pass(
      setup.worker, service, client, packet.length, turn.view.generation(), turn.now);
  if (verdict.forgot) turn.state.line.limits_forgotten.add(1);
  return verdict.reason;
}

void meter_one(Turn& turn, net::Packet& packet) {
  const flow::FlowId id(packet.flow);
  const tables::Service* service =
      turn.view.service(tables::ServiceId{turn.state.flows.track(id).service});
  if (service == nullptr) return;
  const net::Reason beyond = why_not_passed(turn, packet, *service, turn.state.client_of(id));
  if (beyond != net::Reason::none) packet.drop(beyond);
}

namespace {

/// Of a packet, what the next step works on; without tokens: it is not metered.
struct Asked {
  admit::Tokens::OfService* tokens;
  uint64_t client;
  uint16_t service;
};

}  // namespace

/// In steps, each of which asks for the memory of the next. Most packets are covered by what the
/// worker has drawn.
void meter(Turn& turn) {
  const Path::State& state = turn.state;
  if (state.setup.meters == nullptr) return;
  admit::Meters& meters = *state.setup.meters;
  admit::Tokens& tokens = meters.tokens(state.setup.worker);
  const auto generation = static_cast<uint32_t>(turn.view.generation());
  std::array<Asked, net::kBurstCapacity> asked;            // NOLINT: filled up to `count`
  std::array<uint32_t, net::kBurstCapacity> uncovered_at;  // NOLINT: filled up to `uncovered`
  const uint32_t count = turn.burst.count;
  for (uint32_t i = 0; i < count; ++i) {
    const net::Packet& packet = turn.burst.packets[i];
    const flow::FlowId id(packet.flow);
    asked[i].tokens = nullptr;
    if (packet.verdict != net::Verdict::undecided || !id.exists()) continue;
    asked[i].service = state.flows.track(id).service;
    if (meters.has(asked[i].service)) {
      asked[i].tokens = &tokens.of(asked[i].service);
      __builtin_prefetch(asked[i].tokens, 1);
    }
  }
  for (uint32_t i = 0; i < count; ++i) {
    admit::Tokens::OfService*& known = asked[i].tokens;
    if (known == nullptr) continue;
    if (known->generation != generation) [[unlikely]] {
      meters.learn(*known, turn.view.service(tables::ServiceId{asked[i].service}),
                   turn.view.generation());
    }
    asked[i].client = 0;
    if (known->has_clients()) {
      const flow::FlowId id(turn.burst.packets[i].flow);
      asked[i].client = id.wide() ? meters.hash(asked[i].service, known->word, state.client_of(id))
                                  : meters.hash4(asked[i].service, known->word,
                                                 state.flows.narrow(id).to_server.source);
      tokens.prefetch(asked[i].client);
    } else if (!known->is_limited()) {
      known = nullptr;
    }
  }
  uint32_t uncovered = 0;
  for (uint32_t i = 0; i < count; ++i) {
    if (asked[i].tokens == nullptr) continue;
    const uint64_t bits = uint64_t{turn.burst.packets[i].length} * 8;
    if (tokens.spend(*asked[i].tokens, asked[i].client, bits)) continue;
    if (asked[i].client != 0) meters.prefetch(asked[i].client);
    asked[uncovered] = asked[i];
    uncovered_at[uncovered++] = i;
  }
  for (uint32_t n = 0; n < uncovered; ++n) {
    const uint32_t i = uncovered_at[n];
    net::Packet& packet = turn.burst.packets[i];
    const tables::Service* service = turn.view.service(tables::ServiceId{asked[n].service});
    const uint64_t bits = uint64_t{packet.length} * 8;
    if (tokens.spend(*asked[n].tokens, asked[n].client, bits)) continue;  // one before it has drawn
    const admit::Meters::Verdict verdict =
        meters.pass(tokens, *service, *asked[n].tokens, asked[n].client, bits, turn.now);
    if (verdict.forgot) state.line.limits_forgotten.add(1);
    if (verdict.reason != net::Reason::none) packet.drop(verdict.reason);
  }
}

}  // namespace nezu::path
