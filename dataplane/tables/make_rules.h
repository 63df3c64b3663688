// The rules of an address as the writer makes them, and their order; workers only read them
// (tables/match.h). Allocates.
#pragma once

#include <charconv>
#include <span>
#include <string_view>
#include <vector>

#include "dataplane/tables/blocks.h"

namespace nezu::tables {

/// "front", or "front.100".
inline Interface interface_of(std::string_view text) {
  const size_t dot = text.find('.');
  Interface interface;
  interface.port = port_identity(text.substr(0, dot));
  if (dot != std::string_view::npos) {
    std::from_chars(text.data() + dot + 1, text.data() + text.size(), interface.vlan);
  }
  return interface;
}

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

/// That rule for each pair of clients and interfaces; none: any. True: it asks who.
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

}  // namespace nezu::tables
