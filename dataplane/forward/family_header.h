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
  const uint32_t label = net::swap32(6u << 28 | uint32_t{header.traffic_class} << 20);  // no flow
  net::store(&ip, label | uint64_t{net::swap16(header.payload)} << 32 |
                      uint64_t{header.next} << 48 | uint64_t{header.hops} << 56);
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
/// Put together in registers: a header that is read back for its sum would stall.
inline void write(net::Ipv4& ip, const Ipv4Header& header, uint32_t source, uint32_t destination) {
  const uint64_t front =
      0x45u | uint64_t{header.service} << 8 | uint64_t{net::swap16(header.total)} << 16 |
      uint64_t{net::swap16(header.id)} << 32 | uint64_t{net::swap16(header.fragment)} << 48;
  const uint32_t middle = header.hops | uint32_t{header.protocol} << 8;
  const net::Sum sum = (front >> 32) + (front & 0xffffffff) + middle + source + destination;
  auto* at = reinterpret_cast<uint8_t*>(&ip);
  net::store(at, front);
  net::store(at + 8, middle | uint32_t{net::checksum_of(sum)} << 16);
  net::store(at + 12, source | uint64_t{destination} << 32);
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
