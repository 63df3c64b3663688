#include "dataplane/tables/source_rules.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "dataplane/net/hash.h"

namespace nezu::tables {
namespace {

/// Without the bits behind its length.
SourcePrefix prefix_of(const net::Prefix& from) {
  SourcePrefix prefix;
  prefix.bits = static_cast<uint8_t>(from.length + (from.address.is_v4() ? 96 : 0));
  prefix.first = from.address;
  for (uint32_t bit = prefix.bits; bit < 128; ++bit) {
    prefix.first.bytes[bit / 8] &= static_cast<uint8_t>(~(0x80u >> (bit % 8)));
  }
  prefix.inside = from.length != 0 ? 1 : 0;
  return prefix;
}

template <typename T>
uint8_t* append(uint8_t* to, const std::vector<T>& items) {
  if (!items.empty()) std::memcpy(to, items.data(), items.size() * sizeof(T));
  return to + items.size() * sizeof(T);
}

class Builder {
 public:
  void add(const SourceRuleSpec& spec) {
    SourceRule rule;
    rule.service = spec.service;
    rule.by_source = spec.sources.empty() ? 0 : 1;
    rule.inside = put(spec.inside);
    rule.outside = put(spec.outside);
    rule.except.first = static_cast<uint32_t>(excepts_.size());
    rule.except.count = static_cast<uint32_t>(spec.except.size());
    for (const net::Prefix& except : spec.except) excepts_.push_back(prefix_of(except));
    const auto number = static_cast<uint32_t>(rules_.size());
    rules_.push_back(rule);
    const auto enter = [&](const net::Prefix& source) {
      const SourcePrefix prefix = prefix_of(source);
      std::vector<uint32_t>& order = sources_[{prefix.first, prefix.bits}];
      if (order.empty() || order.back() != number) order.push_back(number);
    };
    for (const net::Prefix& source : spec.sources) enter(source);
    if (spec.sources.empty()) {
      enter({net::Address::v4(0), 0});
      enter({net::Address{}, 0});
    }
  }

  std::vector<uint8_t> finish() {
    link();
    SourceRules head;
    head.prefix_count = static_cast<uint32_t>(prefixes_.size());
    head.except_count = static_cast<uint32_t>(excepts_.size());
    head.interface_count = static_cast<uint32_t>(interfaces_.size());
    head.rule_count = static_cast<uint32_t>(rules_.size());
    head.order_count = static_cast<uint32_t>(order_.size());
    std::vector<uint8_t> bytes(head.bytes());
    uint8_t* to = append(&bytes[sizeof head], prefixes_);
    to = append(to, excepts_);
    to = append(to, interfaces_);
    to = append(to, rules_);
    append(to, order_);
    uint64_t hash = net::mix64(bytes.size());
    for (size_t i = sizeof head; i < bytes.size(); i += 4) {
      hash = net::mix64(hash ^ net::load<uint32_t>(&bytes[i]));
    }
    head.fingerprint = hash;
    std::memcpy(bytes.data(), &head, sizeof head);
    return bytes;
  }

 private:
  Part put(const std::vector<Interface>& interfaces) {
    const Part part{static_cast<uint32_t>(interfaces_.size()),
                    static_cast<uint32_t>(interfaces.size())};
    interfaces_.insert(interfaces_.end(), interfaces.begin(), interfaces.end());
    return part;
  }
  /// Shorter prefixes stand before those that they contain: the open ones are a stack.
  void link() {
    for (const auto& [key, order] : sources_) {
      SourcePrefix prefix;
      prefix.first = key.first;
      prefix.bits = key.second;
      prefix.inside = prefix.bits != (key.first.is_v4() ? 96 : 0) ? 1 : 0;
      prefix.order = {static_cast<uint32_t>(order_.size()), static_cast<uint32_t>(order.size())};
      order_.insert(order_.end(), order.begin(), order.end());
      prefix.parent = prefixes_.empty() ? kNoPrefix : static_cast<uint32_t>(prefixes_.size() - 1);
      while (prefix.parent != kNoPrefix && !prefixes_[prefix.parent].spans(prefix.first)) {
        prefix.parent = prefixes_[prefix.parent].parent;
      }
      prefixes_.push_back(prefix);
    }
  }

  std::map<std::pair<net::Address, uint8_t>, std::vector<uint32_t>> sources_;
  std::vector<SourcePrefix> prefixes_, excepts_;
  std::vector<Interface> interfaces_;
  std::vector<SourceRule> rules_;
  std::vector<uint32_t> order_;
};

}  // namespace

uint32_t SourceRules::find(const net::Address& address) const {
  const auto all = prefixes();
  const auto behind = std::upper_bound(
      all.begin(), all.end(), address,
      [](const net::Address& one, const SourcePrefix& prefix) { return one < prefix.first; });
  auto at = behind == all.begin() ? kNoPrefix : static_cast<uint32_t>(behind - all.begin() - 1);
  while (at != kNoPrefix && !all[at].contains(address)) at = all[at].parent;
  return at;
}

std::vector<uint8_t> build_source_rules(std::span<const SourceRuleSpec> rules) {
  if (rules.empty()) return {};
  Builder builder;
  for (const SourceRuleSpec& rule : rules) builder.add(rule);
  return builder.finish();
}

}  // namespace nezu::tables
