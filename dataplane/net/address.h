// Addresses, ports and protocols as plain values, and their text form.
//
// Any thread. Standard library only. An `Address` is 16 bytes in network order; an IPv4 address
// lies in the IPv4-mapped form (::ffff:a.b.c.d, RFC 4291 2.5.5.2), so that one comparison serves
// both families and the family can be read from the value.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "dataplane/net/endian.h"

namespace nezu::net {

enum class Family : uint8_t { ipv4 = 4, ipv6 = 6 };

/// Numbers of the IANA protocol registry.
enum class Protocol : uint8_t {
  any = 0,
  icmp = 1,
  tcp = 6,
  udp = 17,
  gre = 47,
  esp = 50,
  icmpv6 = 58,
  sctp = 132,
};
constexpr bool is_icmp(Protocol protocol) {
  return protocol == Protocol::icmp || protocol == Protocol::icmpv6;
}
/// Source and destination port are the first four bytes of its header.
constexpr bool has_ports(Protocol protocol) {
  return protocol == Protocol::tcp || protocol == Protocol::udp || protocol == Protocol::sctp;
}

/// An isolated address space; 0 is the default one.
enum class Instance : uint16_t {
  standard = 0,
  unknown = 0xffff,  ///< nobody's: no packet, route or address is in it
};

/// Who sends into a port, as its option says.
enum class Side : uint8_t {
  unknown,  ///< both, or not told
  clients,  ///< packets to services: the client is the source
  servers,  ///< answers: the client is the destination
};

struct Address {
  std::array<uint8_t, 16> bytes{};

  static Address v4(uint32_t host_order) {
    Address address;
    address.bytes[10] = address.bytes[11] = 0xff;
    store(&address.bytes[12], swap32(host_order));
    return address;
  }
  /// `raw` is as it lies in the packet.
  static Address v4_raw(uint32_t raw) {
    Address address;
    address.bytes[10] = address.bytes[11] = 0xff;
    store(&address.bytes[12], raw);
    return address;
  }
  static Address v6(const void* sixteen_bytes) {
    Address address;
    std::memcpy(address.bytes.data(), sixteen_bytes, 16);
    return address;
  }

  bool is_v4() const {
    return load<uint64_t>(&bytes[0]) == 0 && load<uint32_t>(&bytes[8]) == 0xffff0000u;
  }
  Family family() const { return is_v4() ? Family::ipv4 : Family::ipv6; }
  uint32_t v4_host() const { return swap32(v4_raw()); }
  uint32_t v4_raw() const { return load<uint32_t>(&bytes[12]); }
  bool is_unspecified() const;
  bool is_multicast() const;
  bool is_link_local() const;
  bool is_loopback() const;
  bool is_broadcast() const { return is_v4() && v4_raw() == 0xffffffffu; }

  auto operator<=>(const Address&) const = default;
  /// Two words, where the default would call memcmp.
  bool operator==(const Address& other) const {
    return ((load<uint64_t>(&bytes[0]) ^ load<uint64_t>(&other.bytes[0])) |
            (load<uint64_t>(&bytes[8]) ^ load<uint64_t>(&other.bytes[8]))) == 0;
  }
};
static_assert(sizeof(Address) == 16);

struct MacAddress {
  std::array<uint8_t, 6> bytes{};
  bool is_multicast() const { return (bytes[0] & 1) != 0; }
  auto operator<=>(const MacAddress&) const = default;
};

struct Prefix {
  Address address;
  uint8_t length = 0;  ///< bits of the address's own family: 0-32 or 0-128
  bool contains(const Address& other) const;
  auto operator<=>(const Prefix&) const = default;
};

/// The address with its last `host_bits` (up to 128) at 0.
Address masked(Address address, uint32_t host_bits);

/// Text as in RFC 5952; IPv4 dotted. `parse_*` answer nothing for text that is not exactly one.
std::optional<Address> parse_address(std::string_view text);
std::optional<Prefix> parse_prefix(std::string_view text);
std::optional<MacAddress> parse_mac(std::string_view text);
std::string to_string(const Address& address);
std::string to_string(const Prefix& prefix);
std::string to_string(const MacAddress& mac);
std::string_view to_string(Protocol protocol);
/// "192.0.2.1:80", "[2001:db8::1]:80".
std::string to_string(const Address& address, uint16_t port);

}  // namespace nezu::net
