#include "dataplane/tables/access.h"

#include <cstring>
#include <map>

#include "dataplane/net/hash.h"

namespace nezu::tables {
namespace {

/// Where stretches begin, and whether they are denied. IPv4 addresses are mapped ones.
using Stretches = std::map<net::Address, bool>;

// An IPv6 prefix may end at an address that looks like a mapped one: the family is told.
net::Address last_of(const net::Prefix& prefix, net::Family family) {
  net::Address last = prefix.address;
  const uint32_t fixed = prefix.length + (family == net::Family::ipv4 ? 96u : 0u);
  for (uint32_t bit = fixed; bit < 128; ++bit) {
    last.bytes[bit / 8] = static_cast<uint8_t>(last.bytes[bit / 8] | 0x80u >> (bit % 8));
  }
  return last;
}

/// False: there is none within the family.
bool next_of(net::Address& address, net::Family family) {
  for (size_t i = 16; i-- > (family == net::Family::ipv4 ? 12u : 0u);) {
    if (++address.bytes[i] != 0) return true;
  }
  return false;
}

/// What the prefix says replaces what shorter ones have said.
void paint(Stretches& stretches, const net::Prefix& prefix, net::Family family, bool denies) {
  const net::Address last = last_of(prefix, family);
  net::Address behind = last;
  if (next_of(behind, family)) {
    const bool was = std::prev(stretches.upper_bound(behind))->second;
    stretches.emplace(behind, was);
  }
  stretches.erase(stretches.lower_bound(prefix.address), stretches.upper_bound(last));
  stretches[prefix.address] = denies;
}

struct Painted {
  bool denies = false;  ///< before the first start
  std::vector<net::Address> starts;
};

Painted paint(const AccessSpec& spec, net::Family family) {
  struct One {
    net::Prefix prefix;
    bool denies;
  };
  std::vector<One> all;
  for (const auto* list : {&spec.allow, &spec.deny}) {
    for (const net::Prefix& prefix : *list) {
      if (prefix.address.family() == family) all.push_back({prefix, list == &spec.deny});
    }
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const One& a, const One& b) { return a.prefix.length < b.prefix.length; });
  Stretches stretches;
  const net::Address lowest =
      family == net::Family::ipv4 ? net::Address::v4_raw(0) : net::Address{};
  stretches[lowest] = spec.deny_others;
  for (const One& one : all) paint(stretches, one.prefix, family, one.denies);
  Painted painted{stretches.begin()->second, {}};
  bool denies = painted.denies;
  for (const auto& [start, kind] : stretches) {
    if (kind == denies) continue;
    denies = kind;
    painted.starts.push_back(start);
  }
  return painted;
}

template <typename T>
void append(std::vector<uint8_t>& to, const T& value) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&value);
  to.insert(to.end(), bytes, bytes + sizeof value);
}

}  // namespace

std::vector<uint8_t> build_access_list(const AccessSpec& spec) {
  const Painted v6 = paint(spec, net::Family::ipv6), v4 = paint(spec, net::Family::ipv4);
  const bool is_void = v6.starts.empty() && v4.starts.empty() && !v6.denies && !v4.denies;
  if (is_void) return {};
  AccessList head;
  head.denies6 = v6.denies ? 1 : 0;
  head.denies4 = v4.denies ? 1 : 0;
  head.count6 = static_cast<uint32_t>(v6.starts.size());
  head.count4 = static_cast<uint32_t>(v4.starts.size());
  std::vector<uint8_t> block;
  block.reserve(head.bytes());
  append(block, head);
  for (const net::Address& start : v6.starts) {
    append(block, AccessKey6{__builtin_bswap64(net::load<uint64_t>(&start.bytes[0])),
                             __builtin_bswap64(net::load<uint64_t>(&start.bytes[8]))});
  }
  for (const net::Address& start : v4.starts) append(block, start.v4_host());
  uint64_t hash = net::mix64(block.size());
  for (size_t at = 0; at < block.size(); at += 4) {
    hash = net::mix64(hash ^ net::load<uint32_t>(&block[at]));
  }
  std::memcpy(block.data(), &hash, sizeof hash);
  return block;
}

}  // namespace nezu::tables
