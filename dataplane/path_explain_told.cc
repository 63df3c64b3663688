// What an explanation says of a packet when the stages are done with it.
#include <algorithm>

#include "dataplane/path_explain.h"

namespace nezu::path {

using flow::FlowId;

void Trial::tell_packet(const net::Packet& packet, tables::Explanation& out) const {
  tables::ExplainedPacket& to = out.packet;
  to.is_parsed = 1;
  to.shape = packet.shape;
  to.family = packet.family;
  to.instance = net::instance_of(packet);
  to.vlan = packet.vlan;
  if (packet.shape == net::Shape::other) return;
  to.protocol = packet.protocol;
  to.tcp_flags = packet.tcp_flags;
  to.is_first_fragment = packet.first_fragment;
  const auto tell = [&to](const auto& tuple) {
    to.source = address_of(tuple.source);
    to.destination = address_of(tuple.destination);
    to.source_port = net::swap16(tuple.source_port);
    to.destination_port = net::swap16(tuple.destination_port);
    to.protocol = tuple.protocol;
  };
  is_v4(packet) ? tell(packet.tuple4) : tell(packet.tuple6);
}

void Trial::tell_flow(const net::Packet& packet, tables::Explanation& out) {
  const Path::State& state = path_->state();
  const FlowId id(packet.flow);
  if (!id.exists()) return;
  const flow::Track& track = state.flows.track(id);
  const bool is_new = state.line.flows_opened.read() != 0;
  out.origin = !is_new                                 ? tables::FlowOrigin::known
               : state.line.flows_recycled.read() != 0 ? tables::FlowOrigin::reopened
                                                       : tables::FlowOrigin::opened;
  out.has_owner = 1;
  out.owner = live_.worker;
  out.is_to_server = id.direction() == flow::Direction::to_server;
  out.mode = track.mode;
  out.service = tables::ServiceId{track.service};
  out.flow = record_of(state, id, net::to_tick(now_));
  const bool knows_lanes = !question_.wants_lanes || was_asked();  // of very many not all
  out.is_exact = knows_lanes;
  if (!is_new) return;
  if (!heard_.empty()) {
    const Knowledge& known = heard_.back();
    out.is_crowded =
        known.is_crowded[id.wide()] || (track.mode == tables::Mode::spliced && known.splices_full);
  }
  out.is_exact = knows_lanes && !was_told_;
  if (uses_snat(track)) ask_for_source(id, out);
}

/// Which port comes next is for the worker to say; without ports, whether another flow's answers
/// come from that server to that address already.
void Trial::ask_for_source(FlowId id, tables::Explanation& out) {
  const Path::State& state = path_->state();
  const flow::Track& track = state.flows.track(id);
  out.is_exact = 0;
  if (track.mode == tables::Mode::announced || was_told_) return;
  if (out.flow.snat_port != 0) {
    question_.wants_slice = true;
    question_.address = track.snat;
    question_.shard = track.shard;
    question_.peer = state.peer_of(id).word;
  } else if (id.wide()) {
    question_.tuple6 = flow::tuple_to_client(state.flows.wide(id));
    question_.is_v4 = flow::is_mapped(question_.tuple6.source);
    if (question_.is_v4) question_.tuple4 = flow::unmapped(question_.tuple6);
  } else {
    question_.tuple4 = flow::tuple_to_client(state.flows.narrow(id));
  }
  out.is_exact = was_asked();
}

bool Trial::was_asked() const {
  return std::any_of(heard_.begin(), heard_.end(),
                     [this](const Knowledge& one) { return one.question.is_like(question_); });
}

void Trial::tell_end(const net::Packet& packet, tables::Explanation& out) const {
  switch (packet.verdict) {
    case net::Verdict::drop:
    case net::Verdict::undecided:
    case net::Verdict::hand_over:
    case net::Verdict::kept:
    case net::Verdict::split:
      return;
    case net::Verdict::hold:
      out.awaited = packet.awaited;
      [[fallthrough]];
    case net::Verdict::forward:
    case net::Verdict::across:
    case net::Verdict::both:
      out.egress = packet.egress;
      break;
    case net::Verdict::twin:
    case net::Verdict::reply:
      out.egress = packet.port;
      break;
  }
  out.length = std::min(packet.head_length, tables::kMostExplainedAfter);
  std::copy_n(packet.head, out.length, out.frame.begin());
}

void Trial::tell_way(const route::NextHop& hop, tables::Explanation& out) const {
  out.way.exists = 1;
  out.way.state = static_cast<uint8_t>(hop.state());
  out.way.port = hop.port.load(std::memory_order_relaxed);
  out.way.vlan = hop.vlan;
  out.way.mtu = hop.mtu.load(std::memory_order_relaxed);
  out.way.gateway = hop.gateway;
}

}  // namespace nezu::path
