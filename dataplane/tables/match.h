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

#include "dataplane/tables/view.h"

namespace nezu::tables {

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
