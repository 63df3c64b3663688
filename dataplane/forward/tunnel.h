// Tunnels to servers: another IP header in front of the packet, with nothing, GRE, or UDP and GUE
// between them.
//
//   ipip   RFC 2003, 2473, 4213: protocol 4 or 41
//   gre    RFC 2784, without checksum, key and sequence number
//   gue    draft-ietf-intarea-gue-09, variant 0 without options, as Linux' `fou ... gue` takes it
//
// One worker at a time. The outer header: hop limit 64, DSCP and ECN of the inner one (RFC
// 6040 4.1, normal mode), "don't fragment" over IPv4 and so no id (RFC 6864 4.1). Who spreads flows
// by what it sees of them finds the flow in the UDP source port (49152-65535) and in the IPv6 flow
// label (RFC 6438). UDP over IPv4 goes without a checksum (RFC 768; the inner ones are there). Over
// IPv6 it has one that costs no look at the payload: what a right transport checksum covers sums up
// to the complement of its pseudo-header. Where that is not known (an inner datagram without a
// checksum, or shorter than its packet) the bytes are added up, or, if they do not lie in one
// piece, it is 0 (RFC 6935; Linux: `udp6zerocsumrx`).
#pragma once

#include <array>

#include "dataplane/net/packet.h"
#include "dataplane/tables/blocks.h"

namespace nezu::forward {

/// Bytes that a packet gets in front of it, at most.
inline constexpr uint32_t kMostTunnelBytes = 40 + 8 + 4;

constexpr uint32_t tunnel_bytes(tables::Mode mode, net::Family outer) {
  const uint32_t ip = outer == net::Family::ipv4 ? 20 : 40;
  if (mode == tables::Mode::tunnel_gre) return ip + 4;
  return mode == tables::Mode::tunnel_gue ? ip + 8 + 4 : ip;
}
static_assert(tunnel_bytes(tables::Mode::tunnel_gue, net::Family::ipv6) == kMostTunnelBytes);

/// The outer header, by its family. Addresses as they lie in packets.
struct Ipv4Tunnel {
  tables::Mode mode = tables::Mode::tunnel_ipip;
  uint16_t port = 0;                     ///< gue: where the server listens, host order
  uint32_t source = 0, destination = 0;  ///< ours, the server's
  uint64_t hash = 0;                     ///< of the flow
};
struct Ipv6Tunnel {
  tables::Mode mode = tables::Mode::tunnel_ipip;
  uint16_t port = 0;
  const std::array<uint8_t, 16>&source, &destination;
  uint64_t hash = 0;
};

/// The packet's own hop has been made. Needs kMostTunnelBytes in front of `head`; afterwards `l3`
/// is the outer header, and padding behind the packet is gone.
void encapsulate(net::Packet& packet, const Ipv4Tunnel& tunnel);
void encapsulate(net::Packet& packet, const Ipv6Tunnel& tunnel);

}  // namespace nezu::forward
