// Which packets are masqueraded: the rules of source NAT as one published block, found by the
// longest prefix of the source.
//
//   SourceRules | SourcePrefix x prefixes | SourcePrefix x excepts | Interface x interfaces
//               | SourceRule x rules | uint32_t x order
//
// Prefixes are sorted by first address, then from short to long; `parent` is the longest one that
// spans a prefix. So the longest of an address is the last one that begins at or before it, or
// one of that one's ancestors. `order` holds, for each prefix, its rules as they are tried.
//
// The writer builds the block (`build_source_rules`, allocates); readers only index.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/net/address.h"
#include "dataplane/tables/ids.h"
#include "dataplane/tables/interface.h"

namespace nezu::tables {

/// A part of one of the arrays.
struct Part {
  uint32_t first = 0, count = 0;
};

struct SourceRule {
  ServiceId service = no_id<ServiceId>();  ///< whose slot holds counters, timeouts, addresses
  Part inside, outside;                    ///< interfaces; none: any
  Part except;
  uint32_t by_source = 0;  ///< 1: it names networks or pools
};
static_assert(sizeof(SourceRule) == 32);

inline constexpr uint32_t kNoPrefix = 0xffffffffu;

struct SourcePrefix {
  net::Address first;  ///< its lowest address
  uint32_t parent = kNoPrefix;
  Part order;
  uint8_t bits = 0;    ///< of the 128, an IPv4 address being mapped
  uint8_t inside = 0;  ///< 1: its hosts are inside ones
  std::array<uint8_t, 2> reserved{};

  /// Of all 128 bits: ::/0 spans mapped addresses, too.
  bool spans(const net::Address& address) const;
  bool contains(const net::Address& address) const {
    return address.is_v4() == first.is_v4() && spans(address);
  }
};
static_assert(sizeof(SourcePrefix) == 32);

struct alignas(64) SourceRules {
  uint64_t fingerprint = 0;  ///< of all that follows
  uint32_t prefix_count = 0, except_count = 0, interface_count = 0, rule_count = 0;
  uint32_t order_count = 0;
  std::array<uint8_t, 36> reserved{};

  std::span<const SourcePrefix> prefixes() const {
    return {reinterpret_cast<const SourcePrefix*>(this + 1), prefix_count};
  }
  std::span<const SourcePrefix> excepts() const {
    return {prefixes().data() + prefix_count, except_count};
  }
  std::span<const Interface> interfaces() const {
    return {reinterpret_cast<const Interface*>(excepts().data() + except_count), interface_count};
  }
  std::span<const SourceRule> rules() const {
    return {reinterpret_cast<const SourceRule*>(interfaces().data() + interface_count), rule_count};
  }
  std::span<const uint32_t> order() const {
    return {reinterpret_cast<const uint32_t*>(rules().data() + rule_count), order_count};
  }
  uint64_t bytes() const {
    return sizeof(SourceRules) + (uint64_t{prefix_count} + except_count) * sizeof(SourcePrefix) +
           uint64_t{interface_count} * sizeof(Interface) +
           uint64_t{rule_count} * sizeof(SourceRule) + uint64_t{order_count} * sizeof(uint32_t);
  }
  /// The longest prefix that contains the address; kNoPrefix: none.
  uint32_t find(const net::Address& address) const;
};
static_assert(sizeof(SourceRules) == 64);

inline bool SourcePrefix::spans(const net::Address& address) const {
  const uint32_t whole = bits / 8, rest = bits % 8;
  for (uint32_t i = 0; i < whole; ++i) {
    if (address.bytes[i] != first.bytes[i]) return false;
  }
  return rest == 0 || (address.bytes[whole] ^ first.bytes[whole]) >> (8 - rest) == 0;
}

// --- the writer's ------------------------------------------------------------------------------

struct SourceRuleSpec {
  ServiceId service = no_id<ServiceId>();
  std::vector<net::Prefix> sources;  ///< none: any host behind `inside`
  std::vector<Interface> inside, outside;
  std::vector<net::Prefix> except;
};

/// The block for rules in the order in which they are tried; empty without rules. Also any number
/// of equal prefixes.
std::vector<uint8_t> build_source_rules(std::span<const SourceRuleSpec> rules);

}  // namespace nezu::tables
