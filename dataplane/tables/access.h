// Which clients may open flows: an access list as one published block.
//
// The address space of each family falls into stretches that are allowed and denied in turn; the
// block holds where they begin, so that a look-up is one binary search. The longest prefix of the
// configured ones decides, which the writer works out (`build_access_list`, allocates).
//
//   AccessList | AccessKey6 x count6 | uint32_t x count4
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/net/address.h"
#include "dataplane/net/endian.h"

namespace nezu::tables {

struct AccessKey6 {
  uint64_t high = 0, low = 0;  ///< host order
  auto operator<=>(const AccessKey6&) const = default;
};

struct alignas(64) AccessList {
  uint64_t fingerprint = 0;          ///< of all that follows: equal lists are shared
  uint32_t count6 = 0, count4 = 0;   ///< beginnings, ascending
  uint8_t denies6 = 0, denies4 = 0;  ///< what is before the first
  std::array<uint8_t, 46> reserved{};

  std::span<const AccessKey6> starts6() const {
    return {reinterpret_cast<const AccessKey6*>(this + 1), count6};
  }
  /// Host order.
  std::span<const uint32_t> starts4() const {
    return {reinterpret_cast<const uint32_t*>(starts6().data() + count6), count4};
  }
  uint64_t bytes() const {
    return sizeof(AccessList) + uint64_t{count6} * sizeof(AccessKey6) +
           uint64_t{count4} * sizeof(uint32_t);
  }
  bool allows(const net::Address& client) const {
    if (client.is_v4()) return (is_behind(starts4(), client.v4_host()) ^ denies4) == 0;
    const AccessKey6 key{__builtin_bswap64(net::load<uint64_t>(&client.bytes[0])),
                         __builtin_bswap64(net::load<uint64_t>(&client.bytes[8]))};
    return (is_behind(starts6(), key) ^ denies6) == 0;
  }

 private:
  /// 1 where the stretch that holds `key` is another kind than the first.
  template <typename Key>
  static uint32_t is_behind(std::span<const Key> starts, const Key& key) {
    return static_cast<uint32_t>(std::upper_bound(starts.begin(), starts.end(), key) -
                                 starts.begin()) &
           1;
  }
};
static_assert(sizeof(AccessList) == 64);

// --- the writer's ------------------------------------------------------------------------------

struct AccessSpec {
  std::vector<net::Prefix> allow, deny;  ///< no prefix in both
  bool deny_others = false;
};
/// Empty when it denies nobody.
std::vector<uint8_t> build_access_list(const AccessSpec& spec);

struct InstanceAccessSpec {
  net::Instance instance = net::Instance::standard;
  std::vector<uint8_t> list;  ///< as build_access_list made it
};

}  // namespace nezu::tables
