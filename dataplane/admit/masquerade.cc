#include "dataplane/admit/masquerade.h"

#include <algorithm>

namespace nezu::admit {
namespace {

using tables::Interface;
using tables::SourceRule;
using tables::SourceRules;

bool is_among(const SourceRules& rules, tables::Part part, const Interface& side) {
  const auto all = rules.interfaces().subspan(part.first, part.count);
  return std::any_of(all.begin(), all.end(),
                     [&](const Interface& one) { return one.has(side.port, side.vlan); });
}

bool excepts(const SourceRules& rules, const SourceRule& rule, const net::Address& destination) {
  const auto all = rules.excepts().subspan(rule.except.first, rule.except.count);
  return std::any_of(all.begin(), all.end(), [&](const tables::SourcePrefix& prefix) {
    return prefix.contains(destination);
  });
}

bool crosses(const SourceRules& rules, const SourceRule& rule, const Interface& in,
             const Interface& out) {
  if (rule.inside.count != 0 && !is_among(rules, rule.inside, in)) return false;
  // Who names interfaces alone calls everything behind them inside.
  if (rule.by_source == 0 && is_among(rules, rule.inside, out)) return false;
  return rule.outside.count == 0 || is_among(rules, rule.outside, out);
}

/// The first rule that fits, from the longest prefix of `source` to the shortest.
template <typename Fits>
const SourceRule* first(const SourceRules& rules, const net::Address& source, Fits fits) {
  const auto prefixes = rules.prefixes();
  for (uint32_t at = rules.find(source); at != tables::kNoPrefix; at = prefixes[at].parent) {
    // An IPv4 network may lie within an IPv6 one, mapped.
    if (!prefixes[at].contains(source)) continue;
    const tables::Part part = prefixes[at].order;
    for (const uint32_t number : rules.order().subspan(part.first, part.count)) {
      if (const SourceRule& rule = rules.rules()[number]; fits(rule)) return &rule;
    }
  }
  return nullptr;
}

}  // namespace

bool is_inside(const SourceRules& rules, const net::Address& host) {
  const auto prefixes = rules.prefixes();
  for (uint32_t at = rules.find(host); at != tables::kNoPrefix; at = prefixes[at].parent) {
    if (prefixes[at].inside != 0 && prefixes[at].contains(host)) return true;
  }
  return false;
}

const SourceRule* rule_for(const SourceRules& rules, const net::Address& source,
                           const net::Address& destination, const Interface& in,
                           const Interface& out) {
  return first(rules, source, [&](const SourceRule& rule) {
    return crosses(rules, rule, in, out) && !excepts(rules, rule, destination);
  });
}

const SourceRule* rule_of(const SourceRules& rules, const net::Address& source,
                          const net::Address& destination) {
  return first(rules, source,
               [&](const SourceRule& rule) { return !excepts(rules, rule, destination); });
}

}  // namespace nezu::admit
