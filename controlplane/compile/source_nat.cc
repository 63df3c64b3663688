// Source addresses, and source NAT rules: their slots, and the order in which they are tried.
#include <algorithm>
#include <set>

#include "controlplane/compile/compile.h"
#include "controlplane/compile/prefixes.h"
#include "dataplane/net/range.h"

namespace nezu::compile {
namespace {

constexpr size_t kMostSnatAddresses = 4096;

void add_servers(const v1::Pool& pool, std::vector<net::Prefix>& to) {
  for (const v1::RealServer& server : pool.servers()) {
    if (const auto address = net::parse_address(server.address())) {
      to.push_back({*address, static_cast<uint8_t>(address->is_v4() ? 32 : 128)});
    }
  }
}

}  // namespace

SnatSetImage compile_snat_set(const v1::SnatSet& set) {
  SnatSetImage image;
  image.name = set.name();
  image.instance = static_cast<net::Instance>(set.instance());
  std::set<net::Address> addresses;
  for (const std::string& text : set.addresses()) {
    if (const auto range = net::parse_range(text)) {
      for (const net::Address& address : net::expand(*range, kMostSnatAddresses)) {
        addresses.insert(address);
      }
    }
  }
  image.addresses.assign(addresses.begin(), addresses.end());
  std::stable_partition(image.addresses.begin(), image.addresses.end(),
                        [](const net::Address& address) { return address.is_v4(); });
  return image;
}

RuleImage compile_rule(const v1::SourceNat& rule) {
  RuleImage image;
  image.name = rule.name();
  image.snat_set = rule.snat_set();
  image.max_segment_size = static_cast<uint16_t>(rule.max_segment_size());
  image.application = application_of(rule.application());
  image.enabled = !rule.has_enabled() || rule.enabled();
  image.timeouts = timeouts_of(rule.timeouts());
  return image;
}

std::vector<RuleMatch> compile_matches(const config::Model& model) {
  std::vector<const v1::SourceNat*> rules;  // by name, as the table is
  for (const auto& [name, rule] : model.source_nats()) {
    if (!rule->has_enabled() || rule->enabled()) {
      rules.push_back(rule.get());
    }
  }
  std::stable_sort(rules.begin(), rules.end(),
                   [](const auto* a, const auto* b) { return a->order() < b->order(); });
  std::vector<RuleMatch> matches;
  for (const v1::SourceNat* rule : rules) {
    RuleMatch match;
    match.name = rule->name();
    match.sources = prefixes_of(rule->networks());
    for (const std::string& name : rule->pools()) {
      if (const v1::Pool* pool = model.pools().find(name)) {
        add_servers(*pool, match.sources);
      }
    }
    // Pools without servers: nobody is inside, which is not anybody.
    if (match.sources.empty() && !rule->pools().empty()) {
      continue;
    }
    match.inside = interfaces_of(rule->interfaces());
    match.outside = interfaces_of(rule->outside_interfaces());
    match.except = prefixes_of(rule->except());
    matches.push_back(std::move(match));
  }
  return matches;
}

}  // namespace nezu::compile
