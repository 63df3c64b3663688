// Services whose datagrams are scheduled one by one, whoever sends them and from whatever port:
// resolvers and RADIUS clients that ask everything from one port.
//
// The first datagram of a client to a server files a flow in a lane of its own (path_lanes.h), by
// which answers come back and which all later ones to that server use. Pieces of a datagram must
// meet at one server: those go by a hash of what they have in common.
#include "dataplane/path_lanes.h"
#include "dataplane/path_open.h"

namespace nezu::path {
namespace {

using flow::FlowId;
using net::Reason;

bool takes_new(const tables::Member& member) {
  return member.state == tables::ServerState::ready && member.weight != 0;
}

/// The same one for all pieces of a datagram, as long as the pool is the same.
const tables::Member* member_for_pieces(const Turn& turn, const net::Packet& packet,
                                        const tables::Pool& pool) {
  if (pool.ready_count == 0) return nullptr;
  const uint64_t hash = turn.state.steering.flow_hash()(steer::Trains::key_of(packet));
  auto left = static_cast<uint32_t>((hash >> 32) * pool.ready_count >> 32);
  for (uint32_t i = 0; i < pool.member_count; ++i) {
    const tables::Member& member = pool.members()[i];
    if (takes_new(member) && left-- == 0) return &member;
  }
  return nullptr;
}

/// Why the client gets no flow to one more server; none: it may.
Reason why_no_more(Turn& turn, Opening& opening, const net::Packet& packet,
                   const tables::Service& service, const net::Address& client) {
  if (packet.shape == net::Shape::fragment) return Reason::fragment_unmatched;
  return service.limits.exist() ? why_beyond(turn, opening, service, client) : Reason::none;
}

}  // namespace

template <typename F>
void admit_datagram(Turn& turn, Opening& opening, net::Packet& packet,
                    const typename F::Tuple& tuple, const tables::Service& service, uint8_t shard) {
  if (service.enabled == 0) {
    return refuse(turn, packet, Reason::service_disabled, service.refusal);
  }
  const net::Address client = address_of(tuple.source);
  Reason out = why_denied(turn, service, tuple.instance, client);
  if (out != Reason::none) return opening.refused(packet, service, out, tables::Refusal::drop);
  out = why_not_passed(turn, packet, service, client);
  if (out != Reason::none) return refuse(turn, packet, out, tables::Refusal::drop);
  const tables::Pool* pool = turn.view.pool(service.pool);
  if (pool == nullptr) return opening.refused(packet, service, Reason::no_server);
  const bool in_pieces = packet.first_fragment || packet.shape == net::Shape::fragment;
  const tables::Member* member = in_pieces ? member_for_pieces(turn, packet, *pool) : nullptr;
  if (member == nullptr) member = opening.would_choose<F>(tuple, service, *pool);
  if (member == nullptr) {
    // Whom nobody may take anew goes on with those who have him.
    opening.settle();
    packet.flow = lanes::flow_to_any(turn, tuple, *pool, lanes::kPlaces).word();
    if (packet.flow == net::kNoFlow) opening.nobody(packet, service, *pool);
    return;
  }
  const auto server = static_cast<uint16_t>(index(member->server));
  FlowId id = lanes::flow_to(turn, tuple, server, lanes::kPlaces);
  typename F::Tuple own = tuple;
  for (uint32_t place = 0; place < lanes::kPlaces && !id.exists(); ++place) {
    own.lane = lanes::lane_of(server, place);
    if (!opening.may_have(turn.state.flows.hash_of(own))) continue;
    // An earlier packet of this burst may have opened it.
    opening.settle();
    id = lanes::flow_to(turn, tuple, server, lanes::kPlaces);
    break;
  }
  if (id.exists()) {
    packet.flow = id.word();
    return;
  }
  own.lane = lanes::free_lane(turn, tuple, server, lanes::kPlaces);
  if (own.lane == 0) {  // he shares a server's
    own.lane = lanes::lane_of(server, 0);
    packet.flow = turn.state.flows.find(own).word();
    return;
  }
  if (out = why_no_more(turn, opening, packet, service, client); out != Reason::none) {
    return opening.refused(packet, service, out, tables::Refusal::drop);
  }
  packet.hash = turn.state.flows.hash_of(own);
  opening.prepare_for<F>(packet, own, service, shard, *member);
}

template void admit_datagram<V4>(Turn&, Opening&, net::Packet&, const net::Tuple4&,
                                 const tables::Service&, uint8_t);
template void admit_datagram<V6>(Turn&, Opening&, net::Packet&, const net::Tuple6&,
                                 const tables::Service&, uint8_t);

}  // namespace nezu::path
