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

/// Room in front of every frame: a tunnel's headers (forward/tunnel.h) and a VLAN tag.
inline constexpr uint32_t kHeadroom = 64;
static_assert(kHeadroom + 64 <= RTE_PKTMBUF_HEADROOM, "frames may come in again after that");

inline rte_mbuf* mbuf_of(const net::Packet& packet) {
  return static_cast<rte_mbuf*>(packet.buffer);
}

/// What the device said of the sums, as a reason to drop; `none` when they are right or unknown.
inline net::Reason fault_of(const rte_mbuf* buffer) {
  const uint64_t said = buffer->ol_flags;
  if ((said & (RTE_MBUF_F_RX_IP_CKSUM_BAD | RTE_MBUF_F_RX_L4_CKSUM_BAD)) == 0) [[likely]] {
    return net::Reason::none;
  }
  // Both bits of a pair together mean that it does not say.
  if ((said & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_BAD) {
    return net::Reason::ipv4_checksum;
  }
  return (said & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_BAD
             ? net::Reason::transport_checksum
             : net::Reason::none;
}

/// False when the headers could not be made contiguous, a tag that the device took off could not be
/// put back, or there is no room in front.
bool arrive(net::Packet& packet, rte_mbuf* buffer, uint16_t port);

/// What stages changed (begin, length) comes into the buffer; call before it goes anywhere.
void depart(net::Packet& packet);

/// After `depart`, of a packet with `sum_l4`: computes its sums.
void sum_up(net::Packet& packet);
/// The same by the device that sends it. False where it could not: ICMP.
bool ask_for_sums(net::Packet& packet);

/// One buffer instead of a chain, from `pool` where the first has no room. Null: none was free; the
/// chain is unchanged.
rte_mbuf* joined(rte_mbuf* chain, rte_mempool* pool);

}  // namespace nezu::device
