// Modes in which answers pass us by: the servers hold the VIP, so that nothing is translated.
#include "dataplane/forward/translation.h"
#include "dataplane/forward/tunnel.h"
#include "dataplane/path_turn.h"

namespace nezu::path {
namespace {

void into_tunnel(const Turn& turn, net::Packet& packet, const flow::Track& track) {
  const net::Address server = server_of(turn, flow::FlowId(packet.flow));
  const route::NextHop& hop = *turn.hops[static_cast<size_t>(&packet - turn.part.data())];
  const net::Address& source = turn.routes.source(hop.link, server.family());
  if (source == net::Address{}) [[unlikely]]
    return packet.drop(net::Reason::tunnel_source_missing);
  forward::encapsulate(packet, {track.mode, track.snat, source, server, packet.hash});
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
