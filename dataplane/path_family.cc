// Packets of flows whose client and server are of different families.
#include "dataplane/forward/family.h"
#include "dataplane/net/headers.h"
#include "dataplane/path_turn.h"

namespace nezu::path {
namespace {

using flow::Direction;
using flow::FlowId;

/// As translation() of path_translate.cc: the key of the other direction, mirrored.
const flow::Half6& other_key(const flow::Entry6& entry, Direction direction) {
  return direction == Direction::to_server
             ? entry.to_client
             : *reinterpret_cast<const flow::Half6*>(&entry.to_server);
}

/// Of the way out and of the way that answers would take, as far as it is known.
forward::HopMtus mtus_of(const Turn& turn, const net::Packet& packet, FlowId id) {
  const flow::Track& track = turn.state.flows.track(id);
  const uint16_t out = turn.hops[static_cast<size_t>(&packet - turn.part.data())]->mtu;
  const uint16_t hop = track.hops[index(flow::opposite(id.direction()))];
  const bool known = track.routes_version == turn.routes.version() && hop != flow::kNoHop;
  const uint16_t back = known ? turn.routes.at(hop).mtu.load() : uint16_t{0xffff};
  return is_v4(packet) ? forward::HopMtus{back, out} : forward::HopMtus{out, back};
}

/// Who tells an IPv6 server: the IPv4 router itself where the prefix can say so (RFC 7915 4.2),
/// else we, as the client.
std::array<uint8_t, 16> teller_of(const Turn& turn, const net::Packet& packet, FlowId id,
                                  const std::array<uint8_t, 16>& client) {
  const flow::Track& track = turn.state.flows.track(id);
  const tables::Service* service = turn.view.service(tables::ServiceId{track.service});
  const bool full = (track.flags & flow::flag::kFullNat) != 0;
  if (full || id.direction() != Direction::to_server || service == nullptr ||
      !net::embeds(service->client_prefix, client)) {
    return client;
  }
  return net::embedded(service->client_prefix, packet.at<net::Ipv4>(packet.l3)->source.raw());
}

/// What grows is written into the line in front of the frame, which nobody has touched.
void ask_for_room(const Turn& turn, const net::Packet& packet) {
  constexpr ptrdiff_t kAhead = 4;
  const net::Packet* next = &packet + kAhead;
  if (next < turn.part.data() + turn.part.size() && is_v4(*next)) {
    __builtin_prefetch(next->head - forward::kFamilyGrowth, 1);
  }
}

}  // namespace

void translate_across(Turn& turn, net::Packet& packet) {
  ask_for_room(turn, packet);
  const FlowId id(packet.flow);
  const flow::Half6& key = other_key(turn.state.flows.wide(id), id.direction());
  const bool error = packet.shape == net::Shape::icmp_error;
  if (is_v4(packet)) {
    const forward::Translation6 to{{key.destination, key.destination_port},
                                   {key.source, key.source_port}};
    (void)(error ? forward::icmp_error_to_ipv6(packet, to,
                                               teller_of(turn, packet, id, to.source.address),
                                               mtus_of(turn, packet, id))
                 : forward::to_ipv6(packet, to));
    return;
  }
  const forward::Translation4 to{{flow::unmapped(key.destination), key.destination_port},
                                 {flow::unmapped(key.source), key.source_port}};
  const uint16_t packet_id = ++turn.state.packet_id;
  (void)(error ? forward::icmp_error_to_ipv4(packet, to, to.source.address,
                                             mtus_of(turn, packet, id), packet_id)
               : forward::to_ipv4(packet, to, packet_id));
}

}  // namespace nezu::path
