// What the packet becomes: addresses and ports of the other side of its flow.
#include "dataplane/forward/full_nat.h"
#include "dataplane/forward/icmp_error.h"
#include "dataplane/path_turn.h"

namespace nezu::path {
namespace {

using flow::Direction;
using flow::FlowId;

// Both tuples of an entry begin alike, so that the other one is found without a branch: directions
// of packets that follow one another are as good as random.
static_assert(offsetof(flow::Half4, source) == offsetof(net::Tuple4, source) &&
              offsetof(flow::Half4, destination) == offsetof(net::Tuple4, destination) &&
              offsetof(flow::Half4, source_port) == offsetof(net::Tuple4, source_port) &&
              offsetof(flow::Half4, destination_port) == offsetof(net::Tuple4, destination_port));
static_assert(offsetof(flow::Half6, source) == offsetof(net::Tuple6, source) &&
              offsetof(flow::Half6, destination) == offsetof(net::Tuple6, destination) &&
              offsetof(flow::Half6, source_port) == offsetof(net::Tuple6, source_port) &&
              offsetof(flow::Half6, destination_port) == offsetof(net::Tuple6, destination_port));

/// Both ends as packets of that direction carry them when they leave: the other tuple, mirrored. In
/// `nat` the client's side comes out as it went in.
forward::Translation4 translation(const flow::Entry4& e, Direction direction) {
  const size_t other = direction == Direction::to_server ? offsetof(flow::Entry4, to_client)
                                                         : offsetof(flow::Entry4, to_server);
  const auto* key = reinterpret_cast<const uint8_t*>(&e) + other;
  const auto addresses = net::load<uint64_t>(key);
  const auto ports = net::load<uint32_t>(key + 8);
  return {{static_cast<uint32_t>(addresses >> 32), static_cast<uint16_t>(ports >> 16)},
          {static_cast<uint32_t>(addresses), static_cast<uint16_t>(ports)}};
}
forward::Translation6 translation(const flow::Entry6& e, Direction direction) {
  const size_t other = direction == Direction::to_server ? offsetof(flow::Entry6, to_client)
                                                         : offsetof(flow::Entry6, to_server);
  const auto& key =
      *reinterpret_cast<const flow::Half6*>(reinterpret_cast<const uint8_t*>(&e) + other);
  return {{key.destination, key.destination_port}, {key.source, key.source_port}};
}

template <typename Entry>
void translate_one(net::Packet& packet, const Entry& entry, Direction direction) {
  const auto to = translation(entry, direction);
  if (packet.shape == net::Shape::icmp_error) [[unlikely]] {
    (void)forward::icmp_error(packet, to);
  } else {
    (void)forward::full_nat(packet, to);
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
