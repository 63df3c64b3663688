// Headers as they stand in a packet: plain structs of alignment 1, to be laid over its bytes.
//
// Any thread. Nothing here checks bounds: the parser does, once, and what it let through cannot
// fail later. Fields read as host-order numbers (Big16, Big32); `raw` forms are as they lie in
// memory. RFC 791 (IPv4), RFC 8200 (IPv6), RFC 9293 (TCP), RFC 768 (UDP), RFC 792 and 4443 (ICMP),
// RFC 826.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/net/address.h"
#include "dataplane/net/endian.h"

namespace nezu::net {

inline constexpr uint16_t kEtherIpv4 = 0x0800, kEtherArp = 0x0806, kEtherVlan = 0x8100,
                          kEtherServiceVlan = 0x88a8, kEtherIpv6 = 0x86dd;

struct Ethernet {
  MacAddress destination;
  MacAddress source;
  Big16 type;
};
static_assert(sizeof(Ethernet) == 14);

/// 802.1Q: what follows the type 0x8100.
struct Vlan {
  Big16 control;  ///< 3 bits priority, drop eligible, 12 bits id
  Big16 type;
  uint16_t id() const { return control & 0x0fff; }
};
static_assert(sizeof(Vlan) == 4);

struct Arp {
  Big16 hardware;  ///< 1: Ethernet
  Big16 protocol;  ///< kEtherIpv4
  uint8_t hardware_length;
  uint8_t protocol_length;
  Big16 operation;  ///< 1: request, 2: reply
  MacAddress sender_mac;
  Big32 sender;
  MacAddress target_mac;
  Big32 target;
};
static_assert(sizeof(Arp) == 28);

struct Ipv4 {
  uint8_t version_length;
  uint8_t service;  ///< DSCP and ECN
  Big16 total_length;
  Big16 id;
  Big16 fragment;  ///< 3 flags, then the offset in units of 8 bytes
  uint8_t ttl;
  uint8_t protocol;
  Big16 checksum;
  Big32 source;
  Big32 destination;

  static constexpr uint16_t kDontFragment = 0x4000, kMoreFragments = 0x2000, kOffset = 0x1fff;
  uint8_t version() const { return version_length >> 4; }
  uint32_t header_length() const { return (version_length & 15u) * 4; }
};
static_assert(sizeof(Ipv4) == 20);

struct Ipv6 {
  Big32 version_class_label;
  Big16 payload_length;
  uint8_t next;
  uint8_t hop_limit;
  std::array<uint8_t, 16> source;
  std::array<uint8_t, 16> destination;

  uint8_t version() const { return static_cast<uint8_t>(version_class_label >> 28); }
};
static_assert(sizeof(Ipv6) == 40);

/// Numbers of IPv6 headers that may stand before the transport header (RFC 8200 4).
inline constexpr uint8_t kNextHopByHop = 0, kNextRouting = 43, kNextFragment = 44,
                         kNextAuthentication = 51, kNextNone = 59, kNextDestination = 60;

/// The common shape of hop-by-hop, destination options and routing headers.
struct Ipv6Extension {
  uint8_t next;
  uint8_t length;         ///< in units of 8 bytes, the first not counted (AH: of 4, first two not)
  uint8_t type;           ///< routing: its type
  uint8_t segments_left;  ///< routing
  uint8_t rest[4];
};
static_assert(sizeof(Ipv6Extension) == 8);

struct Ipv6Fragment {
  uint8_t next;
  uint8_t reserved;
  Big16 offset_more;  ///< offset in bytes in the upper 13 bits; bit 0: more fragments
  Big32 id;
  static constexpr uint16_t kOffset = 0xfff8, kMore = 1;
};
static_assert(sizeof(Ipv6Fragment) == 8);

struct Tcp {
  Big16 source;
  Big16 destination;
  Big32 sequence;
  Big32 acknowledgement;
  uint8_t offset;  ///< header length in its upper half, in words
  uint8_t flags;
  Big16 window;
  Big16 checksum;
  Big16 urgent;
  uint32_t header_length() const { return (offset >> 4) * 4u; }
};
static_assert(sizeof(Tcp) == 20);

struct Udp {
  Big16 source;
  Big16 destination;
  Big16 length;
  Big16 checksum;  ///< 0: none (IPv4; IPv6 only in RFC 6935's tunnels)
};
static_assert(sizeof(Udp) == 8);

/// SCTP's common header, and the first bytes of each chunk behind it (RFC 9260 3).
struct Sctp {
  Big16 source;
  Big16 destination;
  Big32 tag;
  std::array<uint8_t, 4> checksum;  ///< CRC32c of all, its lowest byte first
};
struct SctpChunk {
  uint8_t type;
  uint8_t flags;
  Big16 length;  ///< without the padding to 4 bytes
};
static_assert(sizeof(Sctp) == 12 && alignof(Sctp) == 1 && sizeof(SctpChunk) == 4);

/// ICMP echo: who asks, and which of its requests.
struct IcmpEcho {
  Big16 id;
  Big16 sequence;
};
/// ICMP type 3 code 4 (RFC 1191).
struct IcmpTooBig {
  Big16 unused;
  Big16 mtu;
};
/// ICMP and ICMPv6 alike: type, code, checksum and four bytes that depend on the type.
struct Icmp {
  uint8_t type;
  uint8_t code;
  Big16 checksum;
  union {
    IcmpEcho echo;
    IcmpTooBig too_big;
    Big32 rest;  ///< ICMPv6 packet too big: the MTU; parameter problem: the pointer
  };
};
static_assert(sizeof(Icmp) == 8);

namespace sctp {
inline constexpr uint8_t kInit = 1, kInitAck = 2, kAbort = 6, kShutdown = 7, kShutdownAck = 8,
                         kCookieEcho = 10, kShutdownComplete = 14;
/// ABORT and SHUTDOWN COMPLETE: the tag is the receiver's own, reflected.
inline constexpr uint8_t kReflected = 1;
}  // namespace sctp

namespace icmp {
inline constexpr uint8_t kEchoReply = 0, kUnreachable = 3, kEchoRequest = 8, kTimeExceeded = 11,
                         kParameterProblem = 12;
inline constexpr uint8_t kCodePort = 3, kCodeTooBig = 4, kCodeFiltered = 13;
}  // namespace icmp

namespace icmpv6 {
inline constexpr uint8_t kUnreachable = 1, kTooBig = 2, kTimeExceeded = 3, kParameterProblem = 4,
                         kEchoRequest = 128, kEchoReply = 129, kRouterSolicitation = 133,
                         kNeighbourSolicitation = 135, kNeighbourAdvertisement = 136,
                         kRedirect = 137;
inline constexpr uint8_t kCodePort = 4;
}  // namespace icmpv6

}  // namespace nezu::net
