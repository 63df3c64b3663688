// Within forward/: the headers that a packet gets when it changes family, outside and inside an
// ICMP error. RFC 7915 4.1 and 5.1.
#pragma once

#include <cstring>

#include "dataplane/forward/translation.h"
#include "dataplane/net/checksum.h"

namespace nezu::forward {

/// RFC 7915 5.1: a longer IPv4 packet may not be fragmented, so that its sender finds the MTU.
inline constexpr uint32_t kNoFragmentsUpTo = 1260;

struct Ipv6Header {
  uint8_t traffic_class;
  uint8_t hops;
  uint8_t next;
  uint16_t payload;
};
inline void write(net::Ipv6& ip, const Ipv6Header& header, const std::array<uint8_t, 16>& source,
                  const std::array<uint8_t, 16>& destination) {
  ip.version_class_label = 6u << 28 | uint32_t{header.traffic_class} << 20;  // flow label 0
  ip.payload_length = header.payload;
  ip.next = header.next;
  ip.hop_limit = header.hops;
  ip.source = source;
  ip.destination = destination;
}

struct Ipv4Header {
  uint8_t service;
  uint8_t hops;
  uint8_t protocol;
  uint16_t total;
  uint16_t id;
  uint16_t fragment;
};
inline void write(net::Ipv4& ip, const Ipv4Header& header, uint32_t source, uint32_t destination) {
  net::Ipv4 made{};
  made.version_length = 0x45;
  made.service = header.service;
  made.total_length = header.total;
  made.id = header.id;
  made.fragment = header.fragment;
  made.ttl = header.hops;
  made.protocol = header.protocol;
  made.checksum = 0;
  made.source.set_raw(source);
  made.destination.set_raw(destination);
  made.checksum.set_raw(net::checksum_of(net::add(0, &made, sizeof made)));
  ip = made;
}

inline net::Ipv6Fragment fragment_header(const net::Ipv4& from, uint8_t next) {
  net::Ipv6Fragment to{};
  const uint16_t fragment = from.fragment;
  to.next = next;
  to.offset_more = static_cast<uint16_t>((fragment & net::Ipv4::kOffset) << 3 |
                                         ((fragment & net::Ipv4::kMoreFragments) != 0 ? 1 : 0));
  to.id = uint16_t{from.id};
  return to;
}
inline void fragment_of(const net::Ipv6Fragment& from, Ipv4Header& to) {
  const uint16_t offset = from.offset_more;
  to.fragment = static_cast<uint16_t>(
      offset >> 3 | ((offset & net::Ipv6Fragment::kMore) != 0 ? net::Ipv4::kMoreFragments : 0));
  to.id = static_cast<uint16_t>(uint32_t{from.id});
}

inline net::Sum sum_of(const std::array<uint8_t, 16>& address) {
  return net::add(0, address.data(), address.size());
}
inline net::Sum sum_of(const Translation6& to) {
  return sum_of(to.source.address) + sum_of(to.destination.address);
}

/// A source route with somewhere left to go, in the options of an IPv4 header.
bool has_source_route(const uint8_t* options, uint32_t length);
/// An authentication header between `at`, which is a `next`, and `l4`.
bool has_authentication(const uint8_t* head, uint32_t at, uint8_t next, uint32_t l4);
/// The offset of a fragment header there; 0: none.
uint32_t quoted_fragment(const uint8_t* head, uint32_t at, uint8_t next, uint32_t l4);

}  // namespace nezu::forward
