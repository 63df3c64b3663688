// Ports and their VLANs as tables name them. Part of the contract, as tables/blocks.h.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace nezu::tables {

/// Names of ports stand in tables as this: their numbers may be others after the next start.
constexpr uint64_t port_identity(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return hash;
}

/// A port, or one VLAN of it.
struct Interface {
  uint64_t port = 0;  ///< port_identity
  uint16_t vlan = 0;  ///< 0: any, and none
  std::array<uint8_t, 6> reserved{};
  bool operator==(const Interface&) const = default;

  bool has(uint64_t other, uint16_t tag) const {
    return port == other && (vlan == 0 || vlan == tag);
  }
};
static_assert(sizeof(Interface) == 16);

}  // namespace nezu::tables
