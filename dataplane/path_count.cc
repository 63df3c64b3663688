// Every packet is counted once, when its verdict is final.
#include "dataplane/path_turn.h"

namespace nezu::path {
namespace {

// Both kinds of counters begin with packets and bytes to the server, then to the client.
static_assert(offsetof(tables::ServiceCounters, packets_to_client) == 16 &&
              offsetof(tables::ServerCounters, packets_to_client) == 16 &&
              offsetof(tables::ServiceCounters, bytes_to_server) == 8);

template <typename Counters>
void add(Counters& counters, flow::Direction direction, uint32_t bytes) {
  // By arithmetic: which way the next packet goes cannot be foretold.
  tables::Counter* pair = &counters.packets_to_server + 2 * index(direction);
  pair[0].add(1);
  pair[1].add(bytes);
}

void count_unforwarded(tables::WorkerLine& line, const net::Packet& packet) {
  switch (packet.verdict) {
    case net::Verdict::drop:
      line.reasons[static_cast<size_t>(packet.reason)].add(1);
      break;
    case net::Verdict::reply: {
      const net::Reason reason =
          packet.reason == net::Reason::none ? net::Reason::answered : packet.reason;
      line.reasons[static_cast<size_t>(reason)].add(1);
      break;
    }
    case net::Verdict::twin:
      line.to_twin.add(1);
      break;
    case net::Verdict::undecided:
    case net::Verdict::forward:
    case net::Verdict::hand_over:  // by whoever moves it
    case net::Verdict::hold:
      break;
  }
}

}  // namespace

void count(Turn& turn) {
  const Setup& setup = turn.state.setup;
  for (const net::Packet& packet : turn.burst.all()) {
    if (packet.verdict != net::Verdict::forward && packet.verdict != net::Verdict::hold)
        [[unlikely]] {
      count_unforwarded(turn.state.line, packet);
      continue;
    }
    const flow::FlowId id(packet.flow);
    if (!id.exists()) continue;  // transit
    const flow::Track& track = turn.state.flows.track(id);
    if (track.service < setup.sizes.services) [[likely]] {
      add(setup.services[track.service], id.direction(), packet.length);
    }
    if (track.server < setup.sizes.servers) [[likely]] {
      add(setup.servers[track.server], id.direction(), packet.length);
    }
  }
}

}  // namespace nezu::path
