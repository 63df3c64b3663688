// The client's address for servers that see an SNAT address: a TCP option, or a header of the PROXY
// protocol, version 2, in front of what the client says.
//
//   option   kind 254, length 8 or 20: port, then the IPv4 or IPv6 address, as the kernel module
//   toa
//            and DPVS have it. Behind the fixed header; no number changes.
//   header   12 bytes of signature, 0x21 (version 2, PROXY), family and protocol, length; then the
//            client's and the service's address, and both ports: 28 bytes, or 52
//
// One worker at a time; packets of Shape::transport that are no fragments. Both are told in the
// client's own family, before it may change.
#pragma once

#include <array>

#include "dataplane/net/packet.h"

namespace nezu::forward {

/// What a client's packet was addressed to, as its tuple says it.
struct Caller {
  net::Family family = net::Family::ipv4;
  net::Protocol protocol = net::Protocol::tcp;
  std::array<uint8_t, 16> client{}, service{};  ///< the first 4 bytes of each for IPv4
  uint16_t client_port = 0, service_port = 0;   ///< as they lie in the packet
  static Caller of(const net::Tuple4& to_service);
  static Caller of(const net::Tuple6& to_service);
  uint32_t address_bytes() const { return family == net::Family::ipv4 ? 4 : 16; }
};

constexpr uint32_t option_bytes(net::Family family) { return family == net::Family::ipv4 ? 8 : 20; }
constexpr uint32_t proxy_bytes(net::Family family) { return family == net::Family::ipv4 ? 28 : 52; }
inline constexpr uint32_t kMostProxyBytes = 52;

/// TCP: the option is put in. False, and nothing is changed, when the header or the way out (`mtu`)
/// has no room for it.
[[nodiscard]] bool put_option(net::Packet& packet, const Caller& caller, uint32_t mtu);

/// Writes a PROXY header; its length.
uint32_t write_proxy_header(const Caller& caller, uint8_t* to);

/// UDP: the header is put in front of the payload.
void put_in_front(net::Packet& packet, const Caller& caller);

/// TCP: the same. A segment that would be longer than `mtu` then is cut behind its header: what it
/// said comes again.
void put_before_stream(net::Packet& packet, const Caller& caller, uint32_t mtu);

/// An ICMP error that says how long a datagram may be: the header in front leaves that much less.
void lower_told_mtu(net::Packet& packet, uint32_t bytes);

}  // namespace nezu::forward
