// A way out: the port, and the Ethernet addresses that a frame needs to leave by it.
//
// One writer, the housekeeper; read by every worker. All but the atomic fields is written before
// the index of a hop is published and stays while the index is in use. `word` holds MAC and state
// together, so that a neighbour that moves is one store: no reader sees half of a change, nothing
// is rebuilt. One that moves to the other side of a bridge has another port, too.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>

#include "dataplane/net/address.h"
#include "dataplane/net/endian.h"

namespace nezu::route {

enum class HopState : uint8_t {
  asking,  ///< its MAC is not known: packets are held
  ready,   ///< the only state to send in
  failed,  ///< it was asked and did not answer: packets are dropped
  link,    ///< stands for all hosts of a link that are not known yet: packets are held
  across,  ///< to the other side of a bridge, as the frame says already
};

/// MAC in the lower 48 bits, first byte lowest; state above.
constexpr uint64_t hop_word(const net::MacAddress& mac, HopState state) {
  uint64_t word = static_cast<uint64_t>(state) << 48;
  for (unsigned i = 0; i < 6; ++i) word |= static_cast<uint64_t>(mac.bytes[i]) << (8 * i);
  return word;
}

struct alignas(64) NextHop {
  std::atomic<uint64_t> word{0};
  net::MacAddress source;  ///< of the port
  std::atomic<uint16_t> port{0};
  uint16_t vlan = 0;             ///< 0: untagged
  std::atomic<uint16_t> mtu{0};  ///< longest IP packet
  net::Instance instance = net::Instance::standard;
  uint16_t link = 0;
  net::Address gateway;  ///< who is asked for by ARP or NDP; unspecified for HopState::link

  HopState state() const { return state_of(word.load(std::memory_order_relaxed)); }
  /// Destination and source MAC, as a frame that goes this way begins. False when the hop is not
  /// ready: nothing is written then, and `state` tells whether to hold or to drop.
  bool write_addresses(uint8_t* frame) const {
    const uint64_t now = word.load(std::memory_order_relaxed);
    if (state_of(now) != HopState::ready) [[unlikely]] {
      return false;
    }
    // Twelve bytes in two stores: the source begins in what the state took.
    constexpr uint64_t kMac = (uint64_t{1} << 48) - 1;
    net::store(frame, (now & kMac) | uint64_t{net::load<uint16_t>(source.bytes.data())} << 48);
    net::store(frame + 8, net::load<uint32_t>(source.bytes.data() + 2));
    return true;
  }
  static HopState state_of(uint64_t word) { return static_cast<HopState>(word >> 48 & 0xff); }
};
static_assert(sizeof(NextHop) == 64);

}  // namespace nezu::route
