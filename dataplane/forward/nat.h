// `nat`: only the server's side is translated; the client's address and port stay.
//
// One worker at a time; packets of Shape::transport or Shape::fragment (addresses only). Each
// answers false when the packet ends here, with its reason set.
#pragma once

#include "dataplane/forward/translation.h"

namespace nezu::forward {

/// From the client: the virtual service's address and port become the server's.
[[nodiscard]] inline bool nat_to_server(net::Packet& packet, net::Endpoint4 server) {
  if (!may_hop(packet)) return false;
  net::Edit4 edit{packet};
  edit.destination(server);
  edit.hop();
  return true;
}
[[nodiscard]] inline bool nat_to_server(net::Packet& packet, const net::Endpoint6& server) {
  if (!may_hop(packet)) return false;
  net::Edit6 edit{packet};
  edit.destination(server);
  edit.hop();
  return true;
}

/// From the server: its address and port become the virtual service's.
[[nodiscard]] inline bool nat_to_client(net::Packet& packet, net::Endpoint4 service) {
  if (!may_hop(packet)) return false;
  net::Edit4 edit{packet};
  edit.source(service);
  edit.hop();
  return true;
}
[[nodiscard]] inline bool nat_to_client(net::Packet& packet, const net::Endpoint6& service) {
  if (!may_hop(packet)) return false;
  net::Edit6 edit{packet};
  edit.source(service);
  edit.hop();
  return true;
}

}  // namespace nezu::forward
