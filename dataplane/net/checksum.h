// The Internet checksum: full sums, and RFC 1624's incremental update.
//
// Any thread. All 16-bit values here are raw, as they lie in memory: a one's complement sum comes
// out in the order of its input (RFC 1071 2 B), so nothing is ever swapped. Sums are kept in 64
// bits and folded once, at the end; 32-bit words may be added as they are, as 2^16 = 1 modulo
// 0xffff.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "dataplane/net/endian.h"

namespace nezu::net {

/// An unfolded one's complement sum. Holds 2^31 words of 32 bits without overflow.
using Sum = uint64_t;

/// To 16 bits, each half added to the other with its carry. A sum that is not 0 never folds to 0
/// but to 0xffff, its other zero.
constexpr uint16_t fold(Sum sum) {
  const auto word = static_cast<uint32_t>((sum + std::rotl(sum, 32)) >> 32);
  return static_cast<uint16_t>((word + std::rotl(word, 16)) >> 16);
}

/// Adds bytes that begin at an even offset of what is summed; an odd last one counts with a zero
/// behind it.
inline Sum add(Sum sum, const void* bytes, size_t length) {
  const auto* from = static_cast<const uint8_t*>(bytes);
  for (; length >= 8; from += 8, length -= 8) {
    const auto word = load<uint64_t>(from);
    sum += (word >> 32) + (word & 0xffffffff);
  }
  if (length >= 4) {
    sum += load<uint32_t>(from);
    from += 4;
    length -= 4;
  }
  if (length >= 2) {
    sum += load<uint16_t>(from);
    from += 2;
    length -= 2;
  }
  if (length != 0) sum += *from;
  return sum;
}

/// The checksum field for bytes whose own field counts as 0 (or has been left out).
constexpr uint16_t checksum_of(Sum sum) { return static_cast<uint16_t>(~fold(sum)); }

/// True when an IPv4 header of 20 bytes sums up: with its checksum field in, all bits are ones.
inline bool ipv4_header_sums_up(const void* header) {
  const auto* at = static_cast<const uint8_t*>(header);
  const auto first = load<uint64_t>(at);
  const uint64_t rest = load<uint32_t>(at + 16);
  uint64_t sum = first + load<uint64_t>(at + 8);
  sum += sum < first;  // 2^64 = 1 as well: carries go round to the bottom
  sum += rest;
  sum += sum < rest;
  return fold(sum) == 0xffff;
}

/// The pseudo-header's part (RFC 9293 3.1, RFC 8200 8.1). `addresses`: source, then destination, as
/// they lie in the IP header: 8 or 32 bytes.
inline Sum pseudo_header(const void* addresses, size_t address_bytes, uint8_t protocol,
                         uint32_t transport_length) {
  return add(0, addresses, address_bytes) + swap32(transport_length) + swap16(protocol);
}

/// What a changed field adds to the sum of what it stands in; changes add up.
using Change = int64_t;
constexpr Change change16(uint16_t from, uint16_t to) { return Change{to} - from; }
constexpr Change change32(uint32_t from, uint32_t to) { return Change{to} - from; }
/// 2^64 = 1 modulo 0xffff as well: a borrow goes round to the bottom.
constexpr Change change64(uint64_t from, uint64_t to) {
  const uint64_t difference = to - from;
  return static_cast<Change>((difference >> 32) + (difference & 0xffffffff)) - (to < from ? 1 : 0);
}

/// RFC 1624 eqn. 3, ~(~HC + ~m + m'), with ~x written as 0 - x: both are the same modulo 0xffff. A
/// multiple of that on top keeps the sum above 0, so that it never makes 0xffff (-0) out of a
/// header that has any bit set, as eqn. 2 of RFC 1141 does.
constexpr uint16_t updated(uint16_t checksum, Change change) {
  constexpr Change kZero = Change{0xffff} << 32;
  return checksum_of(static_cast<Sum>(kZero + change - checksum));
}

/// A UDP checksum that comes out as 0 is sent as 0xffff, as 0 says "none" (RFC 768).
constexpr uint16_t udp_form(uint16_t checksum) {
  return checksum == 0 ? uint16_t{0xffff} : checksum;
}
/// The same for UDP: "none" stays "none".
constexpr uint16_t updated_udp(uint16_t checksum, Change change) {
  return checksum == 0 ? uint16_t{0} : udp_form(updated(checksum, change));
}

}  // namespace nezu::net
