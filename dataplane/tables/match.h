// Which service a packet is for: one address, protocol and port first, then whatever is more
// specific.
//
// The order: an exact service; the rules of that address (ranges before every port, a protocol
// before any); the same of each prefix that holds it, longest first. Of several at one address,
// protocol and range, that of the longest prefix of clients goes first, then that of an interface;
// so those go before the exact one, which everybody may use. An address of ours is never for a
// service in `redirect`, which takes what goes to others. Costs one look-up more for each length of
// prefix that exists, and nothing when there is none.
#pragma once

#include <bit>
#include <span>
#include <vector>

#include "dataplane/tables/view.h"

namespace nezu::tables {

/// The order of an address's rules: narrower ranges first, a protocol before any, few clients
/// before many.
inline bool is_before(const Rule& a, const Rule& b) {
  const auto width = [](const Rule& rule) { return rule.last_port - rule.first_port; };
  if (width(a) != width(b)) return width(a) < width(b);
  if ((a.protocol == net::Protocol::any) != (b.protocol == net::Protocol::any)) {
    return b.protocol == net::Protocol::any;
  }
  if (a.first_port != b.first_port) return a.first_port < b.first_port;
  if (a.protocol != b.protocol) return a.protocol < b.protocol;
  if (a.source_bits != b.source_bits) return a.source_bits < b.source_bits;
  const auto entry = [](const Rule& rule) {
    return rule.entry.port == 0 ? 0 : rule.entry.vlan == 0 ? 1 : 2;
  };
  if (entry(a) != entry(b)) return entry(a) > entry(b);
  return a.service < b.service;
}
/// What a service that is not exact is found by; nobody is asked who he is.
inline Rule rule_of(const ServiceKey& key, ServiceId id) {
  Rule rule;
  rule.protocol = key.protocol;
  rule.service = id;
  if (key.port != 0) {
    rule.first_port = key.port;
    rule.last_port = key.last_port != 0 ? key.last_port : key.port;
  } else if (key.protocol != net::Protocol::any && !net::has_ports(key.protocol)) {
    rule.last_port = 0;
  }
  return rule;
}
/// The key of a service that is not for everybody: it is found by rules (ServiceKey::is_exact).
inline ServiceKey key_for_some(ServiceKey key) {
  if (key.last_port == 0) key.last_port = key.port != 0 ? key.port : 0xffff;
  return key;
}

/// The writer's: that rule for each pair of clients and interfaces; none: any. True: it asks who.
inline bool add_rules(Rule rule, std::span<const net::Prefix> sources,
                      std::span<const Interface> interfaces, std::vector<Rule>& to) {
  const auto add_each_interface = [&] {
    if (interfaces.empty()) to.push_back(rule);
    for (const Interface& interface : interfaces) {
      rule.entry = interface;
      to.push_back(rule);
    }
  };
  if (sources.empty()) add_each_interface();
  for (const net::Prefix& source : sources) {
    rule.source_bits = static_cast<uint8_t>((source.address.is_v4() ? 32 : 128) - source.length);
    rule.source = net::masked(source.address, rule.source_bits);
    add_each_interface();
  }
  return !sources.empty() || !interfaces.empty();
}

struct Match {
  const LocalAddress* local = nullptr;  ///< the address is ours
  /// The prefix of `service`; without a service, the longest that has one for others, or whose
  /// direction follows the side of the port (LocalAddress::by_side).
  const LocalAddress* prefix = nullptr;
  const Service* service = nullptr;
  bool asked_who = false;  ///< another caller might have got another service
};

/// `narrow`: only rules that go before an exact service.
inline const Service* by_rules(const View& view, const LocalAddress& local, net::Protocol protocol,
                               uint16_t port, const Caller& caller, bool& others,
                               bool narrow = false) {
  for (uint32_t i = 0; i < local.rule_count; ++i) {
    const Rule& rule = local.rules()[i];
    if (narrow && rule.first_port != rule.last_port) break;
    if (!rule.matches(protocol, port) || (narrow && !rule.is_narrow())) continue;
    if (rule.takes(caller)) return view.service(rule.service);
    others = true;
  }
  return nullptr;
}

/// Adds what prefixes say to `match`.
inline void match_prefixes(const View& view, net::Instance instance, const net::Address& address,
                           net::Protocol protocol, uint16_t port, const Caller& caller,
                           Match& match) {
  const PrefixLengths& lengths = view.root()->prefixes;
  const bool v4 = address.is_v4();
  for (uint32_t word = v4 ? 0 : 1; word < (v4 ? 1 : lengths.words.size()); ++word) {
    for (uint64_t left = lengths.words[word]; left != 0; left &= left - 1) {
      const auto bit = static_cast<uint32_t>(std::countr_zero(left));
      const auto host_bits = static_cast<uint8_t>((word == 2 ? 64 : 0) + bit + 1);
      const LocalAddress* prefix =
          view.prefix(instance, net::masked(address, host_bits), host_bits);
      if (prefix == nullptr || (prefix->by_side != 0 && match.local != nullptr)) continue;
      bool others = false;
      match.service = by_rules(view, *prefix, protocol, port, caller, others);
      match.asked_who |= prefix->asks_who != 0;
      if (match.service != nullptr ||
          ((others || prefix->by_side != 0) && match.prefix == nullptr)) {
        match.prefix = prefix;
      }
      if (match.service != nullptr) return;
    }
  }
}

/// `port`: host order; 0 where the protocol has none.
inline Match match(const View& view, net::Instance instance, const net::Address& address,
                   net::Protocol protocol, uint16_t port, const Caller& caller) {
  Match match;
  match.local = view.address(instance, address);
  if (match.local != nullptr) {
    bool others = false;
    match.asked_who = match.local->asks_who != 0;
    if (match.asked_who) [[unlikely]] {
      match.service = by_rules(view, *match.local, protocol, port, caller, others, true);
      if (match.service != nullptr) return match;
    }
    match.service = view.service(ServiceKey{address, instance, port, protocol});
    if (match.service != nullptr) return match;
    match.service = by_rules(view, *match.local, protocol, port, caller, others);
    if (match.service != nullptr) return match;
  }
  if (view.is_ready() && view.root()->prefixes.any()) [[unlikely]] {
    match_prefixes(view, instance, address, protocol, port, caller, match);
  }
  return match;
}

}  // namespace nezu::tables
