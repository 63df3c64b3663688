// A TCP RST out of nothing, as one end of a connection would have sent it.
//
// Any thread.
#pragma once

#include <cstdint>
#include <span>

#include "dataplane/net/packet.h"

namespace nezu::forward {

/// Ethernet, a tag, IPv6, TCP.
inline constexpr uint32_t kLongestReset = 14 + 4 + 40 + 20;

struct Reset {
  uint16_t vlan = 0;                           ///< 0: untagged
  uint32_t sequence = 0, acknowledgement = 0;  ///< host order
};

/// The whole frame, from the tuple's source to its destination, with right checksums; Ethernet
/// addresses are left 0. Says how many bytes it has.
uint32_t write_reset(std::span<uint8_t, kLongestReset> frame, const net::Tuple4& way,
                     const Reset& reset);
uint32_t write_reset(std::span<uint8_t, kLongestReset> frame, const net::Tuple6& way,
                     const Reset& reset);

}  // namespace nezu::forward
