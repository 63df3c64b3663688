// Within the path: the ends of a flow that announces others, and the ports that are told for them.
#pragma once

#include "dataplane/path_turn.h"

namespace nezu::path {

/// Both tuples of a flow on which further ones are announced; ports in host order.
struct Control {
  net::Address client, vip, server, seen;  ///< seen: by the server, as its client
  uint16_t client_port, vip_port, server_port, seen_port;
  net::Instance instance;
  const flow::Track* track;
  bool is_full() const { return (track->flags & flow::flag::kFullNat) != 0; }
  bool is_mixed() const { return client.is_v4() != server.is_v4(); }
  bool is_outward() const { return flow::is_outward(*track); }
};
Control control_of(const Turn& turn, flow::FlowId id);
uint8_t shard_of(const Turn& turn, const net::Address& client, uint16_t port);
/// A port of the VIP that leads the client nowhere but to the server's `port`, that one itself if
/// it may be; 0: none.
uint16_t passive_port(const Turn& turn, const Control& control, net::Protocol protocol,
                      uint16_t port);

/// A port of the address that the server sees, for datagrams to the client's `port`; the same one
/// as long as it is announced; 0: none.
uint16_t told_port(const Turn& turn, const Control& control, uint16_t port);
/// The server may come to `told`, which leads to the client's `port`; false: there is no place.
bool expect_from_server(Turn& turn, const Control& control, net::Protocol protocol, uint16_t port,
                        uint16_t told, net::Tick life = steer::Announcements::kLife);
/// The client may come to the VIP's `told`, which leads to the server's `port`.
bool expect_from_client(Turn& turn, const Control& control, net::Protocol protocol, uint16_t port,
                        uint16_t told, net::Tick life = steer::Announcements::kLife);

}  // namespace nezu::path
