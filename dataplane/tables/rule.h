// What services are found by that are not of one address, protocol and port, or not for everybody
// (tables/match.h). Part of the contract, as tables/blocks.h.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/net/address.h"
#include "dataplane/tables/ids.h"
#include "dataplane/tables/interface.h"

namespace nezu::tables {

/// Who sends a packet, as far as that is known, and by which way it comes in.
struct Caller {
  const net::Address* client = nullptr;  ///< null: whoever
  Interface entry{};                     ///< port 0: whichever
};

/// A service of more than one port or protocol, at a prefix, or for some clients only: one for each
/// pair of their prefixes and of the interfaces by which they come.
struct Rule {
  static constexpr uint8_t kAnyClient = 0xff;

  net::Address source;                          ///< of its clients' prefix: the first one
  Interface entry;                              ///< port 0: any
  uint16_t first_port = 0, last_port = 0xffff;  ///< host order; without ports: 0 is looked for
  net::Protocol protocol = net::Protocol::any;
  uint8_t source_bits = kAnyClient;  ///< of `source`: low bits that do not count
  std::array<uint8_t, 2> reserved{};
  ServiceId service = no_id<ServiceId>();
  std::array<uint8_t, 4> reserved2{};
  bool operator==(const Rule&) const = default;

  constexpr bool matches(net::Protocol of, uint16_t port) const {
    return (protocol == net::Protocol::any || protocol == of) && first_port <= port &&
           port <= last_port;
  }
  constexpr bool asks_who() const { return source_bits != kAnyClient || entry.port != 0; }
  /// As narrow as an exact service: it goes before that.
  constexpr bool is_narrow() const {
    return protocol != net::Protocol::any && first_port == last_port;
  }
  bool takes(const Caller& caller) const {
    if (entry.port != 0 && caller.entry.port != 0 &&
        !entry.has(caller.entry.port, caller.entry.vlan)) {
      return false;
    }
    return source_bits == kAnyClient || caller.client == nullptr ||
           (caller.client->is_v4() == source.is_v4() &&
            net::masked(*caller.client, source_bits) == source);
  }
};
static_assert(sizeof(Rule) == 48);

/// Host bits of the prefixes that exist: bit n - 1 of the first word for n in IPv4, of the others
/// in IPv6.
struct PrefixLengths {
  std::array<uint64_t, 3> words{};
  bool operator==(const PrefixLengths&) const = default;
  bool any() const { return (words[0] | words[1] | words[2]) != 0; }
};

}  // namespace nezu::tables
