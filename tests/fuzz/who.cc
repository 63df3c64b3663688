// Any text as lists of who may come and of whose packets a service takes: what is published says of
// each address what the longest prefix in words says.
//
// Input: words. "+P" allows prefix P, "-P" denies it, "!" denies others; "P" or "P:wan" or
// "P:wan.7" is a rule of a service for clients in P, by that interface; "?A" asks about address
// A, "?A:wan.7" by that interface. Words that are none of these mean nothing.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "dataplane/tables/access.h"
#include "dataplane/tables/make_rules.h"

namespace {

using namespace nezu;

void require(bool good, const char* what, const std::string& word) {
  if (good) return;
  std::fprintf(stderr, "%s: %s\n", what, word.c_str());
  std::abort();
}

struct Place {
  std::string text;
  tables::Interface entry;
};

/// What stands before a ':' that is followed by a letter, and the interface behind it.
Place split(const std::string& word) {
  const size_t at = word.rfind(':');
  if (at == std::string::npos || at + 1 == word.size() || word[at + 1] < 'g') return {word, {}};
  return {word.substr(0, at), tables::interface_of(std::string_view(word).substr(at + 1))};
}

std::optional<net::Prefix> prefix_of(const std::string& text) {
  auto prefix = net::parse_prefix(text);
  if (!prefix) return std::nullopt;
  const uint32_t whole = prefix->address.is_v4() ? 32 : 128;
  prefix->address = net::masked(prefix->address, whole - prefix->length);
  return prefix;
}

bool put_once(std::vector<net::Prefix>& to, const std::vector<net::Prefix>& other,
              const net::Prefix& prefix) {
  const auto has = [&](const auto& list) {
    return std::find(list.begin(), list.end(), prefix) != list.end();
  };
  if (has(to) || has(other)) return false;
  to.push_back(prefix);
  return true;
}

class World {
 public:
  void read(const std::string& word) {
    if (word == "!") {
      access_.deny_others = true;
    } else if (word[0] == '+' || word[0] == '-') {
      if (const auto prefix = prefix_of(word.substr(1))) {
        word[0] == '+' ? put_once(access_.allow, access_.deny, *prefix)
                       : put_once(access_.deny, access_.allow, *prefix);
      }
    } else if (word[0] != '?') {
      const Place place = split(word);
      if (const auto prefix = prefix_of(place.text)) add_rule(*prefix, place.entry);
    }
  }
  void build() {
    list_ = tables::build_access_list(access_);
    rules_ = in_words_;
    std::sort(rules_.begin(), rules_.end(), tables::is_before);
  }
  void ask(const std::string& word) const {
    const Place place = split(word.substr(1));
    const auto address = net::parse_address(place.text);
    if (!address) return;
    require(is_allowed(*address) == allowed_in_words(*address), "access list", word);
    const tables::Caller caller{&*address, place.entry};
    require(taken_by(caller) == taken_in_words(caller), "rules", word);
  }

 private:
  /// Its number is its service's.
  void add_rule(const net::Prefix& prefix, const tables::Interface& entry) {
    constexpr size_t kMost = 64;
    if (in_words_.size() == kMost) return;
    tables::Rule rule;
    rule.first_port = rule.last_port = 53;
    rule.protocol = net::Protocol::udp;
    rule.service = tables::ServiceId{static_cast<uint32_t>(in_words_.size())};
    std::vector<tables::Interface> by;
    if (entry.port != 0) by.push_back(entry);
    std::vector<tables::Rule> made;
    require(tables::add_rules(rule, std::span(&prefix, 1), by, made), "asks who", "");
    const auto same = [&](const tables::Rule& other) {
      return other.source == made[0].source && other.source_bits == made[0].source_bits &&
             other.entry == made[0].entry;
    };
    if (std::none_of(in_words_.begin(), in_words_.end(), same)) in_words_.push_back(made[0]);
  }
  bool is_allowed(const net::Address& address) const {
    if (list_.empty()) return true;
    // As the region has it: at an address of its alignment.
    alignas(64) static uint8_t room[1 << 16];
    if (list_.size() > sizeof room) return allowed_in_words(address);
    std::copy(list_.begin(), list_.end(), room);
    return reinterpret_cast<const tables::AccessList*>(room)->allows(address);
  }
  bool allowed_in_words(const net::Address& address) const {
    int longest = -1;
    bool allowed = !access_.deny_others;
    for (const auto* list : {&access_.allow, &access_.deny}) {
      for (const net::Prefix& prefix : *list) {
        if (prefix.contains(address) && int{prefix.length} > longest) {
          longest = prefix.length;
          allowed = list == &access_.allow;
        }
      }
    }
    return allowed;
  }
  tables::ServiceId taken_by(const tables::Caller& caller) const {
    for (const tables::Rule& rule : rules_) {
      if (rule.matches(net::Protocol::udp, 53) && rule.takes(caller)) return rule.service;
    }
    return tables::no_id<tables::ServiceId>();
  }
  /// The longest prefix, then a VLAN, then an interface, then any.
  tables::ServiceId taken_in_words(const tables::Caller& caller) const {
    const tables::Rule* best = nullptr;
    const auto rank = [](const tables::Rule& rule) {
      return std::pair(rule.source_bits, rule.entry.port == 0 ? 2 : rule.entry.vlan == 0 ? 1 : 0);
    };
    for (const tables::Rule& rule : in_words_) {
      const auto length = static_cast<uint8_t>((rule.source.is_v4() ? 32 : 128) - rule.source_bits);
      const bool by = rule.entry.port == 0 || caller.entry.port == 0 ||
                      (rule.entry.port == caller.entry.port &&
                       (rule.entry.vlan == 0 || rule.entry.vlan == caller.entry.vlan));
      const bool fits = by && net::Prefix{rule.source, length}.contains(*caller.client);
      if (fits && (best == nullptr || rank(rule) < rank(*best))) best = &rule;
    }
    // Without an interface in the question several may fit alike: then the first of them.
    return best != nullptr ? best->service : tables::no_id<tables::ServiceId>();
  }

  tables::AccessSpec access_;
  std::vector<uint8_t> list_;
  std::vector<tables::Rule> in_words_, rules_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), std::min<size_t>(size, 1 << 14));
  World world;
  std::string word;
  for (std::istringstream words(text); words >> word;) world.read(word);
  world.build();
  for (std::istringstream words(text); words >> word;) {
    if (word[0] == '?') world.ask(word);
  }
  return 0;
}
