// Strong types for the slots that tables hand out: small numbers, valid on one node only.
//
// What goes to a file, a peer or a person carries the identity instead (tables/layout.h).
#pragma once

#include <cstdint>

namespace nezu::tables {

enum class ServiceId : uint32_t {};
enum class PoolId : uint32_t {};
enum class ServerId : uint32_t {};
enum class AddressId : uint32_t {};

inline constexpr uint32_t kNoSlot = 0xffffffffu;

template <typename Id>
constexpr uint32_t index(Id id) {
  return static_cast<uint32_t>(id);
}
template <typename Id>
constexpr bool is_slot(Id id) {
  return index(id) != kNoSlot;
}
template <typename Id>
constexpr Id no_id() {
  return static_cast<Id>(kNoSlot);
}

}  // namespace nezu::tables
