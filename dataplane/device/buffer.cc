#include "dataplane/device/buffer.h"

#include <rte_ether.h>

#include <algorithm>
#include <cstring>

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"

namespace nezu::device {
namespace {

using namespace net;

/// The bytes of all segments from `offset` on, as a sum.
Sum sum_of(const rte_mbuf* buffer, uint32_t offset, uint32_t length) {
  Sum sum = 0;
  bool odd = false;
  for (; buffer != nullptr && length != 0; buffer = buffer->next) {
    const uint32_t size = buffer->data_len;
    if (offset >= size) {
      offset -= size;
      continue;
    }
    const uint32_t part = std::min(size - offset, length);
    const uint16_t one = fold(add(0, rte_pktmbuf_mtod_offset(buffer, uint8_t*, offset), part));
    sum += odd ? swap16(one) : one;
    odd ^= (part & 1) != 0;
    length -= part;
    offset = 0;
  }
  return sum;
}

/// Moves bytes from later segments to the end of the first, until that holds `wanted` of them or
/// all that there are.
bool pull_up(rte_mbuf* first, uint32_t wanted) {
  wanted = std::min(wanted, first->pkt_len);
  if (wanted > first->data_len + uint32_t{rte_pktmbuf_tailroom(first)}) return false;
  while (first->data_len < wanted) {
    rte_mbuf* next = first->next;
    const auto part =
        static_cast<uint16_t>(std::min<uint32_t>(wanted - first->data_len, next->data_len));
    std::memcpy(rte_pktmbuf_mtod_offset(first, uint8_t*, first->data_len),
                rte_pktmbuf_mtod(next, uint8_t*), part);
    first->data_len = static_cast<uint16_t>(first->data_len + part);
    next->data_off = static_cast<uint16_t>(next->data_off + part);
    next->data_len = static_cast<uint16_t>(next->data_len - part);
    if (next->data_len != 0) continue;
    first->next = next->next;
    --first->nb_segs;
    rte_pktmbuf_free_seg(next);
  }
  return true;
}

/// Moves the first segment's bytes back until there is room in front of them.
bool make_headroom(rte_mbuf* buffer) {
  const auto missing = static_cast<uint16_t>(kHeadroom - rte_pktmbuf_headroom(buffer));
  if (missing > rte_pktmbuf_tailroom(buffer)) return false;
  uint8_t* from = rte_pktmbuf_mtod(buffer, uint8_t*);
  std::memmove(from + missing, from, buffer->data_len);
  buffer->data_off = static_cast<uint16_t>(buffer->data_off + missing);
  return true;
}

/// Where the checksum of L4 stands, and what it begins with.
struct L4Sum {
  uint8_t* field;
  Sum begin;
};
L4Sum l4_sum(const Packet& packet, uint32_t length) {
  const bool v4 = packet.family == Family::ipv4;
  const uint8_t* addresses =
      packet.head + packet.l3 + (v4 ? offsetof(Ipv4, source) : offsetof(Ipv6, source));
  const Sum pseudo =
      pseudo_header(addresses, v4 ? 8 : 32, static_cast<uint8_t>(packet.protocol), length);
  uint8_t* l4 = packet.head + packet.l4;
  if (packet.protocol == Protocol::tcp) return {l4 + offsetof(Tcp, checksum), pseudo};
  if (packet.protocol == Protocol::udp) return {l4 + offsetof(Udp, checksum), pseudo};
  return {l4 + offsetof(Icmp, checksum), packet.protocol == Protocol::icmp ? 0 : pseudo};
}

uint32_t l4_length(const Packet& packet) { return packet.l3 + packet.ip_length - packet.l4; }

}  // namespace

bool arrive(Packet& packet, rte_mbuf* buffer, uint16_t port) {
  buffer->port = port;  // our number, for the thread that has it next
  bool whole = true;
  if (buffer->nb_segs > 1 && buffer->data_len < kContiguous) [[unlikely]] {
    whole = pull_up(buffer, kContiguous);
  }
  // A tag that was taken off by the device (for a virtual function, unasked) belongs to the frame.
  if ((buffer->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0) [[unlikely]] {
    buffer->ol_flags &= ~(RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_VLAN);
    whole = whole && rte_vlan_insert(&buffer) == 0;
  }
  if (rte_pktmbuf_headroom(buffer) < kHeadroom) [[unlikely]] {
    whole = whole && make_headroom(buffer);
  }
  packet.arrive(rte_pktmbuf_mtod(buffer, uint8_t*), buffer, buffer->data_len, buffer->pkt_len,
                static_cast<uint32_t>(buffer->data_len) + rte_pktmbuf_tailroom(buffer), port);
  return whole;
}

void depart(Packet& packet) {
  rte_mbuf* buffer = mbuf_of(packet);
  buffer->data_off =
      static_cast<uint16_t>(packet.head - static_cast<const uint8_t*>(buffer->buf_addr));
  buffer->data_len = static_cast<uint16_t>(packet.head_length);
  buffer->pkt_len = packet.length;
  if (packet.length == packet.head_length && buffer->next != nullptr) [[unlikely]] {
    rte_pktmbuf_free(buffer->next);
    buffer->next = nullptr;
    buffer->nb_segs = 1;
  }
}

void sum_up(Packet& packet) {
  packet.sum_l4 = false;
  const uint32_t length = l4_length(packet);
  const auto [field, begin] = l4_sum(packet, length);
  store<uint16_t>(field, 0);
  const uint16_t checksum = checksum_of(begin + sum_of(mbuf_of(packet), packet.l4, length));
  store(field, packet.protocol == Protocol::udp ? udp_form(checksum) : checksum);
  if (packet.family == Family::ipv4) {
    Ipv4& ip = *packet.at<Ipv4>(packet.l3);
    ip.checksum = 0;
    ip.checksum.set_raw(checksum_of(add(0, &ip, ip.header_length())));
  }
}

bool ask_for_sums(Packet& packet) {
  const bool tcp = packet.protocol == Protocol::tcp;
  if (!tcp && packet.protocol != Protocol::udp) return false;
  packet.sum_l4 = false;
  rte_mbuf* buffer = mbuf_of(packet);
  buffer->l2_len = packet.l3;
  buffer->l3_len = packet.l4 - packet.l3;
  buffer->ol_flags |= tcp ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM;
  if (packet.family == Family::ipv4) {
    packet.at<Ipv4>(packet.l3)->checksum = 0;
    buffer->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
  } else {
    buffer->ol_flags |= RTE_MBUF_F_TX_IPV6;
  }
  const auto [field, begin] = l4_sum(packet, l4_length(packet));
  store(field, fold(begin));
  return true;
}

rte_mbuf* joined(rte_mbuf* chain, rte_mempool* pool) {
  if (rte_pktmbuf_linearize(chain) == 0) return chain;
  rte_mbuf* one = rte_pktmbuf_copy(chain, pool, 0, UINT32_MAX);
  if (one == nullptr) return nullptr;
  if (one->nb_segs > 1) {  // longer than any frame that may leave
    rte_pktmbuf_free(one);
    return nullptr;
  }
  rte_pktmbuf_free(chain);
  return one;
}

}  // namespace nezu::device
