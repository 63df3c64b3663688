// What boxes that bridge the same two networks say to each other: one small frame.
//
//   03:4e:65:7a:75:01 | source MAC | [802.1Q tag] | 0x88b5 | "nezu" | version 1 | flags | side
//   | priority | MAC of the box | zeros up to 60 bytes
//
// The address is a group of our own, which ordinary bridges flood; the Ethertype is the one for
// local experiments (IEEE 802, 9.2.3). Any thread; pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/net/packet.h"

namespace nezu::link {

/// The two sides of a bridge.
enum class BridgeSide : uint8_t { clients, servers };
constexpr BridgeSide opposite(BridgeSide side) {
  return side == BridgeSide::clients ? BridgeSide::servers : BridgeSide::clients;
}

/// Whose bridge it is. The better one bridges.
struct BridgeId {
  uint8_t priority = 0;
  net::MacAddress mac;
  bool operator==(const BridgeId&) const = default;
  /// A higher priority; of equal ones, the lower MAC.
  bool is_better_than(const BridgeId& other) const {
    return priority != other.priority ? priority > other.priority : mac.bytes < other.mac.bytes;
  }
};

struct Hello {
  BridgeId id;
  BridgeSide side = BridgeSide::clients;  ///< by which it was sent
  /// The box only looks whether there is a better one: it claims nothing yet.
  bool listens = false;
  bool operator==(const Hello&) const = default;
};

inline constexpr net::MacAddress kHelloGroup{{0x03, 0x4e, 0x65, 0x7a, 0x75, 0x01}};
inline constexpr size_t kHelloBytes = 60;
using HelloFrame = std::array<uint8_t, kHelloBytes>;

/// Without a tag.
HelloFrame write_hello(const Hello& hello);
/// Whether the frame is one, of whatever version: it is not for the kernel.
bool is_hello(std::span<const uint8_t> frame);
/// Nothing for one that cannot be understood.
std::optional<Hello> read_hello(std::span<const uint8_t> frame);

}  // namespace nezu::link
