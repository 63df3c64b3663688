// `nat`: only the server's side is translated; the client's address and port stay.
//
// One worker at a time; packets of Shape::transport or Shape::fragment (addresses only). Each
// answers false when the packet ends here, with its reason set.
#pragma once

#include "dataplane/forward/translation.h"

namespace nezu::forward {

/// From the client: the virtual service's address and port become the server's.
[[nodiscard]] inline bool nat_to_server(net::Packet& packet, net::Endpoint4 server) {
  return rewrite<net::Edit4>(packet, [&](net::Edit4& edit) { edit.destination(server); });
}
[[nodiscard]] inline bool nat_to_server(net::Packet& packet, const net::Endpoint6& server) {
  return rewrite<net::Edit6>(packet, [&](net::Edit6& edit) { edit.destination(server); });
}

/// From the server: its address and port become the virtual service's.
[[nodiscard]] inline bool nat_to_client(net::Packet& packet, net::Endpoint4 service) {
  return rewrite<net::Edit4>(packet, [&](net::Edit4& edit) { edit.source(service); });
}
[[nodiscard]] inline bool nat_to_client(net::Packet& packet, const net::Endpoint6& service) {
  return rewrite<net::Edit6>(packet, [&](net::Edit6& edit) { edit.source(service); });
}

}  // namespace nezu::forward
