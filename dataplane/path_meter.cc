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

/// What the stage works on in one burst: of each packet by its place there.
struct Asked {
  admit::Tokens::OfService* tokens;  ///< null: it is not metered
  uint64_t client;                   ///< his hash; 0: he has no limits
  uint16_t service;
};

/// Steps, each of which asks for the memory of the next.
class Metering {
 public:
  explicit Metering(Turn& turn)
      : turn_(turn),
        meters_(*turn.state.setup.meters),
        tokens_(meters_.tokens(turn.state.setup.worker)),
        count_(turn.burst.count) {}

  void find_services() {
    for (uint32_t i = 0; i < count_; ++i) {
      const net::Packet& packet = turn_.burst.packets[i];
      const flow::FlowId id(packet.flow);
      asked_[i].tokens = nullptr;
      if (packet.verdict != net::Verdict::undecided || !id.exists()) continue;
      asked_[i].service = turn_.state.flows.track(id).service;
      if (!meters_.has(asked_[i].service)) continue;
      asked_[i].tokens = &tokens_.of(asked_[i].service);
      __builtin_prefetch(asked_[i].tokens, 1);
    }
  }

  void find_clients() {
    const uint64_t generation = turn_.view.generation();
    for (uint32_t i = 0; i < count_; ++i) {
      Asked& one = asked_[i];
      if (one.tokens == nullptr) continue;
      if (one.tokens->generation != static_cast<uint32_t>(generation)) [[unlikely]] {
        meters_.learn(*one.tokens, turn_.view.service(tables::ServiceId{one.service}), generation);
      }
      one.client = 0;
      if (one.tokens->has_clients()) {
        one.client = client(flow::FlowId(turn_.burst.packets[i].flow), one);
        tokens_.prefetch(one.client);
      } else if (!one.tokens->is_limited()) {
        one.tokens = nullptr;
      }
    }
  }

  /// Most packets are covered by what the worker has drawn.
  void spend() {
    for (uint32_t i = 0; i < count_; ++i) {
      const Asked& one = asked_[i];
      if (one.tokens == nullptr || tokens_.spend(*one.tokens, one.client, bits(i))) continue;
      if (one.client != 0) meters_.prefetch(one.client);
      uncovered_[uncovered_count_++] = i;
    }
  }

  void draw() {
    for (uint32_t n = 0; n < uncovered_count_; ++n) {
      const uint32_t i = uncovered_[n];
      const Asked& one = asked_[i];
      if (tokens_.spend(*one.tokens, one.client, bits(i))) continue;  // one before it has drawn
      const tables::Service* service = turn_.view.service(tables::ServiceId{one.service});
      const admit::Meters::Verdict verdict =
          meters_.pass(tokens_, *service, *one.tokens, one.client, bits(i), turn_.now);
      if (verdict.forgot) turn_.state.line.limits_forgotten.add(1);
      if (verdict.reason != net::Reason::none) turn_.burst.packets[i].drop(verdict.reason);
    }
  }

 private:
  uint64_t bits(uint32_t i) const { return uint64_t{turn_.burst.packets[i].length} * 8; }
  uint64_t client(flow::FlowId id, const Asked& one) const {
    const Path::State& state = turn_.state;
    return id.wide() ? meters_.hash(one.service, one.tokens->word, state.client_of(id))
                     : meters_.hash4(one.service, one.tokens->word,
                                     state.flows.narrow(id).to_server.source);
  }

  Turn& turn_;
  admit::Meters& meters_;
  admit::Tokens& tokens_;
  const uint32_t count_;
  uint32_t uncovered_count_ = 0;
  // NOLINTNEXTLINE: filled up to their counts
  std::array<Asked, net::kBurstCapacity> asked_;
  std::array<uint32_t, net::kBurstCapacity> uncovered_;
};

}  // namespace

void meter(Turn& turn) {
  if (turn.state.setup.meters == nullptr) return;
  Metering metering(turn);
  metering.find_services();
  metering.find_clients();
  metering.spend();
  metering.draw();
}

}  // namespace nezu::path
