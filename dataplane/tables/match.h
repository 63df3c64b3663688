// Which service a packet is for: one address, protocol and port first, then whatever is more
// specific.
//
// The order: an exact service; the rules of that address (ranges before every port, a protocol
// before any); the same of each prefix that holds it, longest first. An address of ours is never
// for a service in `redirect`, which takes what goes to others. Costs one look-up more for each
// length of prefix that exists, and nothing when there is none.
#pragma once

#include <bit>

#include "dataplane/tables/view.h"

namespace nezu::tables {

/// The order of an address's rules: narrower ranges first, a protocol before any.
inline bool is_before(const Rule& a, const Rule& b) {
  const auto width = [](const Rule& rule) { return rule.last_port - rule.first_port; };
  if (width(a) != width(b)) return width(a) < width(b);
  if ((a.protocol == net::Protocol::any) != (b.protocol == net::Protocol::any)) {
    return b.protocol == net::Protocol::any;
  }
  if (a.first_port != b.first_port) return a.first_port < b.first_port;
  return a.protocol != b.protocol ? a.protocol < b.protocol : a.service < b.service;
}
/// What a service that is not exact is found by.
inline Rule rule_of(const ServiceKey& key, ServiceId id) {
  Rule rule;
  rule.protocol = key.protocol;
  rule.service = id;
  if (key.port != 0) {
    rule.first_port = key.port;
    rule.last_port = key.last_port != 0 ? key.last_port : key.port;
  }
  return rule;
}

struct Match {
  const LocalAddress* local = nullptr;  ///< the address is ours
  /// The prefix of `service`; without a service, the longest whose direction follows the side of
  /// the port (LocalAddress::by_side).
  const LocalAddress* prefix = nullptr;
  const Service* service = nullptr;
};

inline const Service* by_rules(const View& view, const LocalAddress& local, net::Protocol protocol,
                               uint16_t port) {
  for (uint32_t i = 0; i < local.rule_count; ++i) {
    const Rule& rule = local.rules()[i];
    if (rule.matches(protocol, port)) return view.service(rule.service);
  }
  return nullptr;
}

/// Adds what prefixes say to `match`.
inline void match_prefixes(const View& view, net::Instance instance, const net::Address& address,
                           net::Protocol protocol, uint16_t port, Match& match) {
  const PrefixLengths& lengths = view.root()->prefixes;
  const bool v4 = address.is_v4();
  for (uint32_t word = v4 ? 0 : 1; word < (v4 ? 1 : lengths.words.size()); ++word) {
    for (uint64_t left = lengths.words[word]; left != 0; left &= left - 1) {
      const auto bit = static_cast<uint32_t>(std::countr_zero(left));
      const auto host_bits = static_cast<uint8_t>((word == 2 ? 64 : 0) + bit + 1);
      const LocalAddress* prefix =
          view.prefix(instance, net::masked(address, host_bits), host_bits);
      if (prefix == nullptr || (prefix->by_side != 0 && match.local != nullptr)) continue;
      match.service = by_rules(view, *prefix, protocol, port);
      if (match.service != nullptr || (prefix->by_side != 0 && match.prefix == nullptr)) {
        match.prefix = prefix;
      }
      if (match.service != nullptr) return;
    }
  }
}

/// `port`: host order; 0 where the protocol has none.
inline Match match(const View& view, net::Instance instance, const net::Address& address,
                   net::Protocol protocol, uint16_t port) {
  Match match;
  match.local = view.address(instance, address);
  if (match.local != nullptr) {
    match.service = view.service(ServiceKey{address, instance, port, protocol});
    if (match.service != nullptr) return match;
    match.service = by_rules(view, *match.local, protocol, port);
    if (match.service != nullptr) return match;
  }
  if (view.is_ready() && view.root()->prefixes.any()) [[unlikely]] {
    match_prefixes(view, instance, address, protocol, port, match);
  }
  return match;
}

}  // namespace nezu::tables
