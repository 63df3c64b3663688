// What the packet becomes: addresses and ports of the other side of its flow.
#include "dataplane/forward/full_nat.h"
#include "dataplane/forward/icmp_error.h"
#include "dataplane/forward/segment_size.h"
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
net::Ends4 translation(const flow::Entry4& e, Direction direction) {
  const size_t other = direction == Direction::to_server ? offsetof(flow::Entry4, to_client)
                                                         : offsetof(flow::Entry4, to_server);
  const auto* key = reinterpret_cast<const uint8_t*>(&e) + other;
  return net::Ends4{net::load<uint64_t>(key), net::load<uint32_t>(key + 8)}.mirrored();
}
forward::Translation6 translation(const flow::Entry6& e, Direction direction) {
  const size_t other = direction == Direction::to_server ? offsetof(flow::Entry6, to_client)
                                                         : offsetof(flow::Entry6, to_server);
  const auto& key =
      *reinterpret_cast<const flow::Half6*>(reinterpret_cast<const uint8_t*>(&e) + other);
  return {{key.destination, key.destination_port}, {key.source, key.source_port}};
}

// Within the loop on the straight way: a call would cost it 2 % of the whole path.
[[gnu::always_inline]] inline void translate_one(net::Packet& packet, const flow::Entry4& entry,
                                                 Direction direction) {
  const net::Ends4 to = translation(entry, direction);
  if (packet.shape == net::Shape::icmp_error) [[unlikely]] {
    (void)forward::icmp_error(packet, forward::Translation4{to.source(), to.destination()});
  } else {
    (void)forward::full_nat(packet, to);
  }
}
[[gnu::always_inline]] inline void translate_one(net::Packet& packet, const flow::Entry6& entry,
                                                 Direction direction) {
  const forward::Translation6 to = translation(entry, direction);
  if (packet.shape == net::Shape::icmp_error) [[unlikely]] {
    (void)forward::icmp_error(packet, to);
  } else {
    (void)forward::full_nat(packet, to);
  }
}

/// What a service says about the SYNs of its flows, both ways.
void lower_segment_sizes(Turn& turn) {
  for (net::Packet& packet : turn.part) {
    const FlowId id(packet.flow);
    if (packet.verdict != net::Verdict::undecided || (packet.tcp_flags & net::kTcpSyn) == 0 ||
        !id.exists()) {
      continue;
    }
    const tables::ServiceId number{turn.state.flows.track(id).service};
    const tables::Service* service = turn.view.service(number);
    if (service != nullptr && service->max_segment_size != 0) {
      forward::lower_segment_size(packet, service->max_segment_size);
    }
  }
}

}  // namespace

void translate_flow(Turn& turn, net::Packet& packet) {
  const FlowId id(packet.flow);
  const flow::Table& flows = turn.state.flows;
  if (!id.wide()) return translate_one(packet, flows.narrow(id), id.direction());
  const flow::Entry6& entry = flows.wide(id);
  is_mixed(entry) ? translate_across(turn, packet) : translate_one(packet, entry, id.direction());
}

namespace {

/// The modes that are not on the straight way.
[[gnu::noinline]] void translate_otherwise(Turn& turn, net::Packet& packet, tables::Mode mode) {
  if (mode == tables::Mode::across) return translate_across(turn, packet);
  if (tables::is_one_way(mode)) return send_one_way(turn, packet);
  if (tables::has_relay(mode)) return send_redirected(turn, packet);
  if (mode == tables::Mode::masquerade || mode == tables::Mode::announced) {
    return translate_flow(turn, packet);
  }
  if (mode == tables::Mode::spliced) return translate_spliced(turn, packet);
  if (mode == tables::Mode::spoken) return translate_spoken(turn, packet);
  translate_told(turn, packet);
}

}  // namespace

void translate(Turn& turn) {
  if ((turn.burst.tcp_flags & net::kTcpSyn) != 0) lower_segment_sizes(turn);
  const flow::Table& flows = turn.state.flows;
  for (net::Packet& packet : turn.part) {
    if (packet.verdict != net::Verdict::undecided) [[unlikely]]
      continue;
    const FlowId id(packet.flow);
    if (!id.exists()) [[unlikely]] {
      (void)forward::pass_on(packet);  // transit
    } else if (const tables::Mode mode = flows.track(id).mode; mode > tables::Mode::fullnat)
        [[unlikely]] {
      translate_otherwise(turn, packet, mode);
    } else if (id.wide()) {
      translate_one(packet, flows.wide(id), id.direction());
    } else {
      translate_one(packet, flows.narrow(id), id.direction());
    }
  }
}

}  // namespace nezu::path
