// Modes in which answers pass us by: the servers hold the VIP, so that nothing is translated.
#include "dataplane/forward/translation.h"
#include "dataplane/forward/tunnel.h"
#include "dataplane/path_turn.h"

namespace nezu::path {
namespace {

void into_ipv4(net::Packet& packet, const flow::Track& track, const net::Address& source,
               uint32_t server) {
  if (source.v4_raw() == 0) [[unlikely]]
    return packet.drop(net::Reason::tunnel_source_missing);
  forward::encapsulate(
      packet, forward::Ipv4Tunnel{track.mode, track.snat, source.v4_raw(), server, packet.hash});
}

void into_ipv6(net::Packet& packet, const flow::Track& track, const net::Address& source,
               const std::array<uint8_t, 16>& server) {
  if (source == net::Address{}) [[unlikely]]
    return packet.drop(net::Reason::tunnel_source_missing);
  forward::encapsulate(
      packet, forward::Ipv6Tunnel{track.mode, track.snat, source.bytes, server, packet.hash});
}

/// `source` of the routes is unspecified where we have no address of that family.
void into_tunnel(Turn& turn, net::Packet& packet, const flow::Track& track) {
  turn.state.tunnels = true;
  const flow::FlowId id(packet.flow);
  const uint16_t link = turn.hops[static_cast<size_t>(&packet - turn.part.data())]->link;
  if (!id.wide()) {
    const uint32_t server = turn.state.flows.narrow(id).to_client.source;
    return into_ipv4(packet, track, turn.routes.source(link, net::Family::ipv4), server);
  }
  const std::array<uint8_t, 16>& server = turn.state.flows.wide(id).to_client.source;
  if (flow::is_mapped(server)) {
    return into_ipv4(packet, track, turn.routes.source(link, net::Family::ipv4),
                     flow::unmapped(server));
  }
  into_ipv6(packet, track, turn.routes.source(link, net::Family::ipv6), server);
}

}  // namespace

// `route`: as any router would, but to the server that was chosen: `dispatch` writes its MAC. ICMP
// errors about answers of the server come to the VIP and so to us, and go the same way.
void send_one_way(Turn& turn, net::Packet& packet) {
  if (!forward::pass_on(packet)) return;
  const flow::Track& track = turn.state.flows.track(flow::FlowId(packet.flow));
  if (tables::is_tunnel(track.mode)) into_tunnel(turn, packet, track);
}

}  // namespace nezu::path
