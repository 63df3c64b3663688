// Within parse/: writing a packet's tuple in whole registers, as the hash reads it back: a tuple
// put together from smaller stores would stall there.
#pragma once

#include <emmintrin.h>

#include <cstdint>

#include "dataplane/net/packet.h"

namespace nezu::parse {

/// Ports (raw, as in the first four bytes of TCP and UDP), instance and protocol, as they stand
/// behind the addresses in both kinds of tuple.
inline uint64_t tuple_end(uint32_t ports, net::Instance instance, uint8_t protocol) {
  return ports | static_cast<uint64_t>(instance) << 32 | uint64_t{protocol} << 48;
}

/// `addresses`: the last 8 bytes of an IPv4 header, as a word.
inline void set_tuple4(net::Packet& p, uint64_t addresses, uint64_t end) {
  _mm_store_si128(reinterpret_cast<__m128i*>(&p.tuple4),
                  _mm_set_epi64x(static_cast<int64_t>(end), static_cast<int64_t>(addresses)));
}

/// `addresses`: the last 32 bytes of an IPv6 header.
inline void set_tuple6(net::Packet& p, const uint8_t* addresses, uint64_t end) {
  const auto* from = reinterpret_cast<const __m128i*>(addresses);
  auto* tuple = reinterpret_cast<__m128i*>(&p.tuple6);
  _mm_store_si128(tuple, _mm_loadu_si128(from));
  _mm_store_si128(tuple + 1, _mm_loadu_si128(from + 1));
  _mm_store_si128(tuple + 2, _mm_set_epi64x(0, static_cast<int64_t>(end)));
}

/// Adds ports to a tuple that has none.
inline void set_ports(net::Packet& p, uint16_t source, uint16_t destination) {
  const uint64_t ports = source | uint32_t{destination} << 16;
  if (p.family == net::Family::ipv4) {
    const auto* words = reinterpret_cast<const uint8_t*>(&p.tuple4);
    set_tuple4(p, net::load<uint64_t>(words), net::load<uint64_t>(words + 8) | ports);
  } else {
    auto* last = reinterpret_cast<__m128i*>(&p.tuple6) + 2;
    _mm_store_si128(
        last, _mm_or_si128(_mm_load_si128(last), _mm_set_epi64x(0, static_cast<int64_t>(ports))));
  }
}

}  // namespace nezu::parse
