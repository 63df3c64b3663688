#include "dataplane/parse/ip.h"

#include <algorithm>
#include <cstring>

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/parse/parse.h"
#include "dataplane/parse/transport.h"
#include "dataplane/parse/tuple.h"

namespace nezu::parse {
namespace {

using namespace net;

/// What addresses say about a packet, before anything looks behind them.
enum class Reach : uint8_t { ordinary, local, impossible };

// RFC 1122 3.2.1.3, RFC 6890.
Reach reach_of(uint32_t source, uint32_t destination) {
  const uint32_t from = source >> 24, to = destination >> 24;
  if (from == 127 || to == 127 || from >= 224) return Reach::impossible;
  if (to >= 224) {
    // Multicast and broadcast; who asks for an address (DHCP) has 0.0.0.0. The rest of 240/4 is not
    // to be sent to.
    return to < 240 || destination == 0xffffffff ? Reach::local : Reach::impossible;
  }
  if (from == 0 || to == 0) return Reach::impossible;
  constexpr uint32_t kLinkLocal = 169u << 8 | 254;
  return source >> 16 == kLinkLocal || destination >> 16 == kLinkLocal ? Reach::local
                                                                       : Reach::ordinary;
}

// RFC 4291 2.5 and 2.7. An IPv4-mapped address on the wire would pass for an IPv4 address here.
Reach reach_of(const Address& source, const Address& destination) {
  if (source.is_v4() || destination.is_v4() || source.is_multicast() || source.is_loopback() ||
      destination.is_loopback() || destination.is_unspecified()) {
    return Reach::impossible;
  }
  if (destination.is_multicast()) return Reach::local;
  if (source.is_unspecified()) return Reach::impossible;
  return source.is_link_local() || destination.is_link_local() ? Reach::local : Reach::ordinary;
}

/// A fragment must be whole units of 8 bytes unless it is the last, and end within 65,535 bytes.
bool fragment_is_possible(uint32_t offset, bool more, uint32_t length) {
  return !(more && (length == 0 || length % 8 != 0)) && offset + length <= 0xffff;
}

/// The common end of both families.
void finish(Packet& p, Reach reach, bool later_fragment, Instance instance) {
  if (reach == Reach::impossible) return p.drop(Reason::address_invalid);
  if (reach == Reach::local) {
    p.shape = Shape::control;
  } else if (later_fragment) {
    p.shape = Shape::fragment;
  } else {
    parse_transport(p, std::min<uint32_t>(p.head_length, p.l3 + p.ip_length), instance);
  }
}

}  // namespace

void parse_ipv4(Packet& p, Instance instance) {
  p.family = Family::ipv4;
  if (p.head_length < p.l3 + sizeof(Ipv4)) return p.drop(Reason::ipv4_truncated);
  const Ipv4& ip = *p.at<Ipv4>(p.l3);
  const uint32_t header = ip.header_length(), total = ip.total_length;
  if (ip.version() != 4 || header < sizeof(Ipv4) || total < header) {
    return p.drop(Reason::ipv4_header_invalid);
  }
  if (p.l3 + header > p.head_length || p.l3 + total > p.length) {
    return p.drop(Reason::ipv4_truncated);
  }
  if (fold(add(0, &ip, header)) != 0xffff) return p.drop(Reason::ipv4_checksum);
  p.l4 = static_cast<uint16_t>(p.l3 + header);
  p.ip_length = static_cast<uint16_t>(total);
  p.protocol = static_cast<Protocol>(ip.protocol);
  set_tuple4(p, load<uint64_t>(&ip.source), tuple_end(0, instance, ip.protocol));
  const uint16_t fragment = ip.fragment;
  const uint32_t offset = (fragment & Ipv4::kOffset) * 8u;
  const bool more = (fragment & Ipv4::kMoreFragments) != 0;
  if ((more || offset != 0) && !fragment_is_possible(offset, more, total - header)) {
    return p.drop(Reason::fragment_invalid);
  }
  p.first_fragment = more && offset == 0;
  finish(p, reach_of(ip.source, ip.destination), offset != 0, instance);
}

void parse_ipv6(Packet& p, Instance instance) {
  p.family = Family::ipv6;
  if (p.head_length < p.l3 + sizeof(Ipv6)) return p.drop(Reason::ipv6_truncated);
  const Ipv6& ip = *p.at<Ipv6>(p.l3);
  if (ip.version() != 6) return p.drop(Reason::ipv6_header_invalid);
  const uint32_t total = sizeof(Ipv6) + ip.payload_length;
  // A jumbogram (RFC 2675) says 0 here and ends as one that is too short for what it announces.
  if (total > 0xffff || p.l3 + total > p.length) return p.drop(Reason::ipv6_truncated);
  p.ip_length = static_cast<uint16_t>(total);
  const Walk walk =
      walk_extensions(p.head, p.l3 + sizeof(Ipv6), ip.next, std::min(p.head_length, p.l3 + total));
  if (walk.reason != Reason::none) return p.drop(walk.reason);
  p.l4 = static_cast<uint16_t>(walk.end);
  p.protocol = static_cast<Protocol>(walk.next);
  p.fragment_header = static_cast<uint16_t>(walk.fragment_header);
  set_tuple6(p, ip.source.data(), tuple_end(0, instance, walk.next));
  if (walk.fragment_header != 0) {
    const uint32_t length = p.l3 + total - (walk.fragment_header + sizeof(Ipv6Fragment));
    if (!fragment_is_possible(walk.fragment_offset, walk.more_fragments, length)) {
      return p.drop(Reason::fragment_invalid);
    }
  }
  p.first_fragment = walk.more_fragments && walk.fragment_offset == 0;
  finish(p, reach_of(Address::v6(&ip.source), Address::v6(&ip.destination)),
         walk.fragment_offset != 0, instance);
}

Walk walk_extensions(const uint8_t* head, uint32_t at, uint8_t next, uint32_t limit) {
  Walk walk;
  for (uint32_t count = 0;; ++count) {
    walk.next = next;
    walk.end = at;
    const bool extension = next == kNextHopByHop || next == kNextRouting || next == kNextFragment ||
                           next == kNextAuthentication || next == kNextDestination;
    if (!extension) return walk;
    if (count == kMaxExtensionHeaders) {
      walk.reason = Reason::ipv6_extensions_limit;
      return walk;
    }
    walk.reason = Reason::ipv6_extension_truncated;
    if (at + sizeof(Ipv6Extension) > limit) return walk;
    const auto& header = *reinterpret_cast<const Ipv6Extension*>(head + at);
    uint32_t length = (header.length + 1u) * 8;
    if (next == kNextAuthentication) length = (header.length + 2u) * 4;  // RFC 4302 2.2
    if (next == kNextFragment) length = sizeof(Ipv6Fragment);
    if (at + length > limit) return walk;
    walk.reason = Reason::none;

    // RFC 8200 4.1: hop-by-hop comes first or not at all, a packet is fragmented once.
    if ((next == kNextHopByHop && count != 0) ||
        (next == kNextFragment && walk.fragment_header != 0)) {
      walk.reason = Reason::ipv6_extension_order;
      return walk;
    }
    if (next == kNextRouting && header.segments_left != 0) {
      walk.reason = Reason::ipv6_routing_header;
      return walk;
    }
    if (next == kNextFragment) {
      const auto& fragment = *reinterpret_cast<const Ipv6Fragment*>(&header);
      walk.fragment_header = at;
      walk.fragment_offset = fragment.offset_more & Ipv6Fragment::kOffset;
      walk.more_fragments = (fragment.offset_more & Ipv6Fragment::kMore) != 0;
      if (walk.fragment_offset != 0) {
        walk.next = header.next;
        walk.end = at + length;
        return walk;
      }
    }
    next = header.next;
    at += length;
  }
}

}  // namespace nezu::parse
