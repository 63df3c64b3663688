// What the packet becomes: addresses and ports of the other side of its flow.
#include "dataplane/forward/full_nat.h"
#include "dataplane/forward/icmp_error.h"
#include "dataplane/forward/nat.h"
#include "dataplane/path_turn.h"

namespace nezu::path {
namespace {

using flow::Direction;
using flow::FlowId;

/// Both ends as packets of that direction carry them when they leave: the other tuple, mirrored.
forward::Translation4 translation(const flow::Entry4& e, Direction direction) {
  if (direction == Direction::to_server) {
    return {{e.to_client.destination, e.to_client.destination_port},
            {e.to_client.source, e.to_client.source_port}};
  }
  return {{e.to_server.destination, e.to_server.destination_port},
          {e.to_server.source, e.to_server.source_port}};
}
forward::Translation6 translation(const flow::Entry6& e, Direction direction) {
  if (direction == Direction::to_server) {
    return {{e.to_client.destination, e.to_client.destination_port},
            {e.to_client.source, e.to_client.source_port}};
  }
  return {{e.to_server.destination, e.to_server.destination_port},
          {e.to_server.source, e.to_server.source_port}};
}

template <typename Entry>
void translate_one(net::Packet& packet, const Entry& entry, Direction direction) {
  const auto to = translation(entry, direction);
  if (packet.shape == net::Shape::icmp_error) [[unlikely]] {
    (void)forward::icmp_error(packet, to);
  } else if (entry.track.mode == tables::Mode::fullnat) {
    (void)forward::full_nat(packet, to);
  } else if (direction == Direction::to_server) {
    (void)forward::nat_to_server(packet, to.destination);
  } else {
    (void)forward::nat_to_client(packet, to.source);
  }
}

/// Transit: one hop further, nothing else.
void pass(net::Packet& packet) {
  if (!forward::may_hop(packet)) return;
  if (is_v4(packet)) {
    net::Edit4(packet, net::Touch::addresses).hop();
  } else {
    net::Edit6(packet, net::Touch::addresses).hop();
  }
}

}  // namespace

void translate(Turn& turn) {
  const flow::Table& flows = turn.state.flows;
  for (net::Packet& packet : turn.burst.all()) {
    if (packet.verdict != net::Verdict::undecided) [[unlikely]]
      continue;
    const FlowId id(packet.flow);
    if (!id.exists()) [[unlikely]] {
      pass(packet);
    } else if (id.wide()) {
      translate_one(packet, flows.wide(id), id.direction());
    } else {
      translate_one(packet, flows.narrow(id), id.direction());
    }
  }
}

}  // namespace nezu::path
