// A TCP segment without payload out of nothing, as one end of a connection would have sent it.
//
// Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/forward/tcp_options.h"
#include "dataplane/net/packet.h"

namespace nezu::forward {

/// Ethernet, a tag, IPv6, TCP with timestamps.
inline constexpr uint32_t kLongestSegment = 14 + 4 + 40 + 20 + 12;

struct Segment {
  uint16_t vlan = 0;                           ///< 0: untagged
  uint32_t sequence = 0, acknowledgement = 0;  ///< host order
  uint8_t flags = net::kTcpRst | net::kTcpAck;
  uint16_t window = 0;
  std::optional<Timestamps> timestamps;
};

/// The whole frame, from the tuple's source to its destination, with right checksums; Ethernet
/// addresses are left 0. Says how many bytes it has.
uint32_t write_segment(std::span<uint8_t, kLongestSegment> frame, const net::Tuple4& way,
                       const Segment& segment);
uint32_t write_segment(std::span<uint8_t, kLongestSegment> frame, const net::Tuple6& way,
                       const Segment& segment);

}  // namespace nezu::forward
