// Between the families: an IPv4 packet becomes an IPv6 packet, or the other way round (RFC 7915).
//
// One worker at a time, on packets that the parser has passed. `to` is what the packet becomes.
// Each answers false when the packet ends here, unchanged, with its reason set:
//
//   ttl_exceeded           as for every hop
//   ipv4_source_route      RFC 7915 4.1: whoever sent it is to be told (reply.h)
//   udp_checksum_missing   a sum of 0 in a fragment, or from IPv6 (RFC 7915 4.5, RFC 8200 8.1)
//   family_untranslatable  no counterpart: fragmented ICMP, AH, some ICMP types and pointers
//
//   IPv4 -> IPv6   the frame grows in front (`head` moves back by up to 28 bytes, for ICMP errors
//                  by kHeadroom); traffic class = TOS, flow label 0; options are left out
//   IPv6 -> IPv4   it shrinks; hop-by-hop, routing and destination options are left out
//   both           one hop; fragments with their header; sums change by what the pseudo-header does
//
// The audit of every MUST is tests/unit/forward/RFC7915.md.
#pragma once

#include "dataplane/forward/translation.h"

namespace nezu::forward {

/// What a packet may grow by (fragment header included), and an IPv6 one shrinks by at least.
inline constexpr uint32_t kFamilyGrowth = sizeof(net::Ipv6) - sizeof(net::Ipv4);
inline constexpr uint32_t kFamilyMostGrowth = kFamilyGrowth + sizeof(net::Ipv6Fragment);
/// Bytes that must be free in front of a frame.
inline constexpr uint32_t kFamilyHeadroom = 56;

/// Shape::transport and Shape::fragment. `id`: for the IPv4 header of what is no fragment, another
/// one each time (RFC 6864 4.3).
[[nodiscard]] bool to_ipv6(net::Packet& packet, const Translation6& to);
[[nodiscard]] bool to_ipv4(net::Packet& packet, const Translation4& to, uint16_t id);

/// The MTUs of the next hops on both sides of the translation, for too-big messages.
struct HopMtus {
  uint16_t ipv4 = 0xffff, ipv6 = 0xffff;
};
/// Shape::icmp_error with `inner_l4`. As in icmp_error.h, `to` is what ordinary packets of that
/// direction become; outside the error comes from `from`.
[[nodiscard]] bool icmp_error_to_ipv6(net::Packet& packet, const Translation6& to,
                                      const std::array<uint8_t, 16>& from, HopMtus mtus);
[[nodiscard]] bool icmp_error_to_ipv4(net::Packet& packet, const Translation4& to, uint32_t from,
                                      HopMtus mtus, uint16_t id);

/// The bytes that this packet will have more in the other family, by which a way out that is too
/// narrow is told. Negative: less.
int32_t family_growth(const net::Packet& packet);

}  // namespace nezu::forward
