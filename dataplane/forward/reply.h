// Answers of our own, made of the packet that asked for them: in its buffer, back to where it came
// from (Ethernet addresses swapped, VLAN tag kept), verdict `reply`.
//
// One worker at a time; packets that the parser has passed. Each answers false, and has changed
// nothing, when no answer may be sent (RFC 1122 3.2.2, RFC 4443 2.4 e: never about an error, a
// later fragment, or what went to many) or when the buffer has no room. An answer is one contiguous
// piece: `length` == `head_length`, and device/ lets go of any further segments. Checksums are
// complete. How often answers may leave is the caller's to limit.
#pragma once

#include "dataplane/forward/tcp_options.h"
#include "dataplane/net/packet.h"

namespace nezu::forward {

/// The RST that refuses a TCP segment (RFC 9293 3.10.7.1).
[[nodiscard]] bool reply_reset(net::Packet& packet);

/// The ABORT that refuses an SCTP packet of no association (RFC 9260 8.4).
[[nodiscard]] bool reply_abort(net::Packet& packet);

/// Echo request -> echo reply, of any length, also over several segments.
[[nodiscard]] bool reply_echo(net::Packet& packet);

/// TCP: up to `acknowledgement` all has come. For a segment with an acknowledgement of its own; the
/// window is small, as whoever it speaks for may have any scale (RFC 7323 2).
[[nodiscard]] bool reply_acknowledgement(net::Packet& packet, uint32_t acknowledgement);

/// A SYN is answered with that sequence number and a closed window (RFC 9293 3.10.7.2).
[[nodiscard]] bool reply_syn_ack(net::Packet& packet, uint32_t sequence, const TcpOptions& options);

/// From the address that the packet was for: no such port or, where there are none, protocol.
[[nodiscard]] bool reply_unreachable(net::Packet& packet);
/// "Communication administratively prohibited", from the address that the packet was for.
[[nodiscard]] bool reply_prohibited(net::Packet& packet);

/// From `source`, an address of ours of the packet's family.
[[nodiscard]] bool reply_time_exceeded(net::Packet& packet, const net::Address& source);
/// IPv4 only: "source route failed", for a route that cannot be followed across families.
[[nodiscard]] bool reply_source_route_failed(net::Packet& packet, const net::Address& source);
/// IPv4: fragmentation needed (RFC 1191); IPv6: packet too big. `mtu`: of the IP packet.
[[nodiscard]] bool reply_too_big(net::Packet& packet, const net::Address& source, uint16_t mtu);

}  // namespace nezu::forward
