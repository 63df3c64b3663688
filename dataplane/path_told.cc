// Flows whose servers are told the client's address without a number changing: as a TCP option, or
// in front of each datagram.
#include "dataplane/forward/family.h"
#include "dataplane/forward/segment_size.h"
#include "dataplane/forward/translation.h"
#include "dataplane/path_turn.h"

namespace nezu::path {
namespace {

using flow::Direction;
using flow::FlowId;

/// What is left of the way out once the packet is of the server's family.
uint32_t room_of(const Turn& turn, const net::Packet& packet, FlowId id) {
  const uint32_t mtu = turn.hops[static_cast<size_t>(&packet - turn.part.data())]->mtu;
  const int32_t growth = is_mixed(turn, id) ? forward::family_growth(packet) : 0;
  return static_cast<uint32_t>(static_cast<int32_t>(mtu) - growth);
}

/// The server's kernel reads the option where the connection becomes its own: in the ACK that ends
/// the handshake or, if it waits for data or sends SYN cookies, in the first segment after it. So
/// all segments carry it until the server has said something beyond its SYN-ACK.
void tag(Turn& turn, net::Packet& packet, FlowId id) {
  flow::Track& track = turn.state.flows.track(id);
  const bool syn = (packet.tcp_flags & net::kTcpSyn) != 0;
  if (id.direction() == Direction::to_server) {
    if (syn || packet.first_fragment) return;
    if (!forward::put_option(packet, caller_of(turn, id), room_of(turn, packet, id))) {
      turn.state.line.client_address_left_out.add(1);
    }
  } else if (syn) {
    const forward::Caller caller = caller_of(turn, id);
    forward::lower_segment_size_by(packet,
                                   static_cast<uint16_t>(forward::option_bytes(caller.family)));
  } else {
    track.mode = is_mixed(turn, id) ? tables::Mode::across : tables::Mode::fullnat;
  }
}

/// False: the packet ends here.
bool prefix(const Turn& turn, net::Packet& packet, FlowId id) {
  if (id.direction() == Direction::to_client) return true;
  // The header's length would have to be that of whole fragments, and the first one is full.
  if (packet.first_fragment || packet.shape == net::Shape::fragment) {
    packet.drop(net::Reason::payload_fragment);
    return false;
  }
  forward::put_in_front(packet, caller_of(turn, id));
  return true;
}

}  // namespace

void translate_told(Turn& turn, net::Packet& packet) {
  if (!forward::may_hop(packet)) return;  // told with what came in
  const FlowId id(packet.flow);
  const bool datagram = turn.state.flows.track(id).mode == tables::Mode::prefixed;
  if (packet.shape == net::Shape::icmp_error) {
    if (datagram && id.direction() == Direction::to_client) {
      forward::lower_told_mtu(packet, forward::proxy_bytes(caller_of(turn, id).family));
    }
  } else if (datagram) {
    if (!prefix(turn, packet, id)) return;
  } else if (packet.shape == net::Shape::transport) {
    tag(turn, packet, id);
  }
  translate_flow(turn, packet);
}

}  // namespace nezu::path
