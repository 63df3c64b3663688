// Within device/: between DPDK's buffers and what the stages see.
//
// Any thread, on buffers of its own.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "dataplane/net/packet.h"

namespace nezu::device {

/// Headers that may be looked at lie within this many bytes (parse: 8 extension headers, and an
/// inner packet), so that at least these are made contiguous.
inline constexpr uint32_t kContiguous = 512;

inline rte_mbuf* mbuf_of(const net::Packet& packet) {
  return static_cast<rte_mbuf*>(packet.buffer);
}

/// False when the headers could not be made contiguous.
bool arrive(net::Packet& packet, rte_mbuf* buffer, uint16_t port);

/// What stages changed (begin, length) comes into the buffer. Call before sending.
void depart(net::Packet& packet);

/// Computes the sums of a packet with `sum_l4`.
void sum_up(net::Packet& packet);

}  // namespace nezu::device
