// Every packet is counted once, when its verdict is final.
#include "dataplane/path_turn.h"

namespace nezu::path {
namespace {

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
    case net::Verdict::both:
      line.to_twin.add(1);
      break;
    case net::Verdict::split:  // its pieces are counted as packets
      line.fragmented.add(1);
      break;
    case net::Verdict::undecided:
    case net::Verdict::forward:
    case net::Verdict::hand_over:  // by whoever moves it
    case net::Verdict::kept:       // when it comes back
    case net::Verdict::across:     // by `pass_across`
    case net::Verdict::hold:
      break;
  }
}

}  // namespace

void count(Turn& turn) {
  const Setup& setup = turn.state.setup;
  for (const net::Packet& packet : turn.part) {
    if (packet.verdict != net::Verdict::forward && packet.verdict != net::Verdict::hold)
        [[unlikely]] {
      count_unforwarded(turn.state.line, packet);
      continue;
    }
    const flow::FlowId id(packet.flow);
    if (!id.exists()) {
      turn.state.line.transit.add(1);
      turn.state.line.transit_bytes.add(packet.length);
      continue;
    }
    const flow::Track& track = turn.state.flows.track(id);
    const size_t way = index(id.direction());
    if (track.service < setup.sizes.services) [[likely]] {
      setup.services[track.service].traffic[way].add(packet.length);
    }
    if (track.server < setup.sizes.servers) [[likely]] {
      setup.servers[track.server].traffic[way].add(packet.length);
    }
  }
}

}  // namespace nezu::path
