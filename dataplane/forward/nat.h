// `nat`: only the server's side is translated; the client's address and port stay.
//
// One worker at a time; packets of Shape::transport or Shape::fragment (addresses only). Each
// answers false when the packet ends here, with its reason set.
#pragma once

#include "dataplane/forward/translation.h"

namespace nezu::forward {

/// The ports as they lie there, but for the one at `offset`.
inline uint32_t ports_with(const net::Packet& packet, size_t offset, uint16_t port) {
  const auto ports = net::load<uint32_t>(packet.head + packet.l4);
  return offset == 0 ? (ports & 0xffff0000u) | port : (ports & 0xffffu) | uint32_t{port} << 16;
}

/// From the client: the virtual service's address and port become the server's.
[[nodiscard]] inline bool nat_to_server(net::Packet& packet, net::Endpoint4 server) {
  return rewrite<net::Edit4>(
      packet, [&](net::Edit4& edit) { edit.destination(server); },
      [&] { return ports_with(packet, 2, server.port); });
}
[[nodiscard]] inline bool nat_to_server(net::Packet& packet, const net::Endpoint6& server) {
  return rewrite<net::Edit6>(
      packet, [&](net::Edit6& edit) { edit.destination(server); },
      [&] { return ports_with(packet, 2, server.port); });
}

/// From the server: its address and port become the virtual service's.
[[nodiscard]] inline bool nat_to_client(net::Packet& packet, net::Endpoint4 service) {
  return rewrite<net::Edit4>(
      packet, [&](net::Edit4& edit) { edit.source(service); },
      [&] { return ports_with(packet, 0, service.port); });
}
[[nodiscard]] inline bool nat_to_client(net::Packet& packet, const net::Endpoint6& service) {
  return rewrite<net::Edit6>(
      packet, [&](net::Edit6& edit) { edit.source(service); },
      [&] { return ports_with(packet, 0, service.port); });
}

}  // namespace nezu::forward
