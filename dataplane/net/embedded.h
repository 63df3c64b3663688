// IPv4 addresses inside IPv6 prefixes (RFC 6052 2.2).
//
// Any thread; plain values. The octet of bits 64 to 71 is 0 and passed over; so is what lies behind
// the IPv4 address.
//
//   /32   p p p p 4 4 4 4 0 . . . . . . .      /56   p p p p p p p 4 0 4 4 4 . . . .
//   /40   p p p p p 4 4 4 0 4 . . . . . .      /64   p p p p p p p p 0 4 4 4 4 . . .
//   /48   p p p p p p 4 4 0 4 4 . . . . .      /96   p p p p p p p p 0 p p p 4 4 4 4
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/net/address.h"
#include "dataplane/net/endian.h"

namespace nezu::net {

inline constexpr std::array<uint8_t, 6> kEmbeddingLengths = {32, 40, 48, 56, 64, 96};
inline constexpr uint8_t kPassedOver = 8;  ///< the octet

/// A prefix, as tables hold it. Length 0: none.
struct EmbeddingPrefix {
  std::array<uint8_t, 12> bytes{};
  uint8_t length = 0;  ///< one of kEmbeddingLengths
  bool exists() const { return length != 0; }
  bool operator==(const EmbeddingPrefix&) const = default;
};
static_assert(sizeof(EmbeddingPrefix) == 13);

/// Where the n-th octet of the IPv4 address stands.
constexpr uint32_t embedded_octet(uint8_t length, uint32_t n) {
  const uint32_t at = length / 8u + n;
  return length < 96 && at >= kPassedOver ? at + 1 : at;
}

/// `raw`: as it lies in a packet.
inline std::array<uint8_t, 16> embedded(const EmbeddingPrefix& prefix, uint32_t raw) {
  std::array<uint8_t, 16> address{};
  for (uint32_t i = 0; i < prefix.length / 8u; ++i) address[i] = prefix.bytes[i];
  for (uint32_t i = 0; i < 4; ++i) {
    address[embedded_octet(prefix.length, i)] = static_cast<uint8_t>(raw >> 8 * i);
  }
  return address;
}
/// The IPv4 address in an address below a prefix of that length.
inline uint32_t extracted(uint8_t length, const std::array<uint8_t, 16>& address) {
  uint32_t raw = 0;
  for (uint32_t i = 0; i < 4; ++i) raw |= uint32_t{address[embedded_octet(length, i)]} << 8 * i;
  return raw;
}
/// Whether an IPv4 address is embedded there: the prefix, and nothing around the address.
inline bool embeds(const EmbeddingPrefix& prefix, const std::array<uint8_t, 16>& address) {
  return prefix.exists() && embedded(prefix, extracted(prefix.length, address)) == address;
}

/// The well-known prefix 64:ff9b::/96 (RFC 6052 2.1).
constexpr bool is_well_known(const EmbeddingPrefix& prefix) {
  constexpr EmbeddingPrefix kWellKnown{{0, 0x64, 0xff, 0x9b}, 96};
  return prefix == kWellKnown;
}
/// IPv4 addresses that mean something only within a site (RFC 6890), host order.
constexpr bool is_global_v4(uint32_t address) {
  const auto within = [address](uint32_t network, uint32_t bits) {
    return (address ^ network) >> (32 - bits) == 0;
  };
  return !(within(0x0a000000, 8) || within(0xac100000, 12) || within(0xc0a80000, 16) ||
           within(0x64400000, 10) || within(0x7f000000, 8) || within(0xa9fe0000, 16) ||
           within(0x00000000, 8) || within(0xc6120000, 15) || within(0xc0000000, 24) ||
           within(0xf0000000, 4) || within(0xe0000000, 4));
}

}  // namespace nezu::net
