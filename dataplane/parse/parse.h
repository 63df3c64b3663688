// Parsing: from bytes to what Packet says about them, each malformed packet ending with its reason.
//
// Owns the bounds: every offset that a passed packet carries lies, with the header it points at,
// within its contiguous bytes, so that no later stage checks again. One worker at a time; no state.
//
// RFC 791, 792, 8200, 4302, 4443, 9293, 768; 802.1Q. Follows one VLAN tag and up to
// kMaxExtensionHeaders IPv6 extension headers (hop-by-hop, routing, destination options, fragment,
// authentication). Frames may be longer than their contiguous bytes (jumbo, multi-segment): headers
// that reach beyond those end as truncated, so device/ makes them contiguous first.
//
// What passes, by Shape: `transport` and `icmp_error` have been checked to the end of their
// headers; `fragment` and `control` only their IP headers (and IPv6 extension headers); `other` not
// at all behind the Ethernet header. Transport checksums are not verified: what was wrong stays
// wrong by the same amount, and its receiver sees that.
#pragma once

#include <array>

#include "dataplane/net/packet.h"
#include "dataplane/net/spaces.h"

namespace nezu::parse {

inline constexpr uint32_t kMaxExtensionHeaders = 8;

/// Every packet of a burst; all that packet.h calls the parser's is set anew, the verdict undecided
/// or drop.
void parse(net::Burst& burst, net::Instance instance = net::Instance::standard);
/// Those from `from` to before `to`; a burst is parsed from its front. `spaces` tell the instance
/// of each by its port and VLAN; a VLAN that is nobody's ends as `vlan_unknown`.
void parse(net::Burst& burst, uint32_t from, uint32_t to, const net::Spaces& spaces);

/// One packet. May be repeated on the same bytes. All are in `instance`, whatever their VLAN.
void parse(net::Packet& packet, net::Instance instance = net::Instance::standard);
void parse(net::Packet& packet, const net::Spaces& spaces);

/// The same by the general way only, which `parse` leaves out for plain IPv4 TCP and UDP: for
/// tests, which hold the two against each other.
void parse_generally(net::Packet& packet, net::Instance instance = net::Instance::standard);
void parse_generally(net::Packet& packet, const net::Spaces& spaces);

/// Every reason that the parser may give; each has a test.
inline constexpr auto kReasons = std::to_array<net::Reason>({
    net::Reason::ethernet_truncated,    net::Reason::vlan_stacked,
    net::Reason::vlan_unknown,          net::Reason::ipv4_truncated,
    net::Reason::ipv4_header_invalid,   net::Reason::ipv4_checksum,
    net::Reason::ipv6_truncated,        net::Reason::ipv6_header_invalid,
    net::Reason::ipv6_extensions_limit, net::Reason::ipv6_extension_truncated,
    net::Reason::ipv6_extension_order,  net::Reason::ipv6_routing_header,
    net::Reason::address_invalid,       net::Reason::fragment_invalid,
    net::Reason::transport_truncated,   net::Reason::tcp_header_invalid,
    net::Reason::udp_length_invalid,    net::Reason::port_zero,
    net::Reason::tcp_flags_invalid,     net::Reason::icmp_inner_invalid,
});

}  // namespace nezu::parse
