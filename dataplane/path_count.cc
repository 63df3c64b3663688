// Every packet is counted once, when its verdict is final.
#include "dataplane/path_turn.h"

namespace nezu::path {
namespace {

/// Packets of one service, server and direction that came behind one another.
struct Run {
  uint32_t key = 0xffffffff;  ///< service and server slot
  flow::Direction direction = flow::Direction::to_server;
  uint64_t packets = 0, bytes = 0;
};

template <typename Counters>
void add(Counters& counters, const Run& run) {
  if (run.direction == flow::Direction::to_server) {
    counters.packets_to_server.add(run.packets);
    counters.bytes_to_server.add(run.bytes);
  } else {
    counters.packets_to_client.add(run.packets);
    counters.bytes_to_client.add(run.bytes);
  }
}

void write(const Path::State& state, const Run& run) {
  if (run.packets == 0) return;
  const uint32_t service = run.key >> 16, server = run.key & 0xffff;
  if (service < state.setup.sizes.services) add(state.setup.services[service], run);
  if (server < state.setup.sizes.servers) add(state.setup.servers[server], run);
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
  Run run;
  for (const net::Packet& packet : turn.burst.all()) {
    if (packet.verdict != net::Verdict::forward && packet.verdict != net::Verdict::hold)
        [[unlikely]] {
      count_unforwarded(turn.state.line, packet);
      continue;
    }
    const flow::FlowId id(packet.flow);
    if (!id.exists()) continue;  // transit
    const flow::Track& track = turn.state.flows.track(id);
    const uint32_t key = uint32_t{track.service} << 16 | track.server;
    if (key != run.key || id.direction() != run.direction) {
      write(turn.state, run);
      run = {key, id.direction(), 0, 0};
    }
    ++run.packets;
    run.bytes += packet.length;
  }
  write(turn.state, run);
}

}  // namespace nezu::path
