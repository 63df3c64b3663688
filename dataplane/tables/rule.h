// What services are found by that are not of one address, protocol and port (tables/match.h). Part
// of the contract, as tables/blocks.h.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/net/address.h"
#include "dataplane/tables/ids.h"

namespace nezu::tables {

/// A service of more than one port or protocol, or at a prefix.
struct Rule {
  uint16_t first_port = 0, last_port = 0xffff;  ///< host order; without ports: 0 is looked for
  net::Protocol protocol = net::Protocol::any;
  std::array<uint8_t, 3> reserved{};
  ServiceId service = no_id<ServiceId>();
  bool operator==(const Rule&) const = default;
  constexpr bool matches(net::Protocol of, uint16_t port) const {
    return (protocol == net::Protocol::any || protocol == of) && first_port <= port &&
           port <= last_port;
  }
};
static_assert(sizeof(Rule) == 12);

/// Host bits of the prefixes that exist: bit n - 1 of the first word for n in IPv4, of the others
/// in IPv6.
struct PrefixLengths {
  std::array<uint64_t, 3> words{};
  bool operator==(const PrefixLengths&) const = default;
  bool any() const { return (words[0] | words[1] | words[2]) != 0; }
};

}  // namespace nezu::tables
