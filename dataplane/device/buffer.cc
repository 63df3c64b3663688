#include "dataplane/device/buffer.h"

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

}  // namespace

bool arrive(Packet& packet, rte_mbuf* buffer, uint16_t port) {
  buffer->port = port;  // our number, for the thread that has it next
  if (buffer->nb_segs > 1 && buffer->data_len < kContiguous) [[unlikely]] {
    if (rte_pktmbuf_linearize(buffer) != 0) {
      packet.arrive(rte_pktmbuf_mtod(buffer, uint8_t*), buffer, buffer->data_len, buffer->pkt_len,
                    buffer->data_len, port);
      return buffer->data_len >= kContiguous;
    }
  }
  packet.arrive(rte_pktmbuf_mtod(buffer, uint8_t*), buffer, buffer->data_len, buffer->pkt_len,
                static_cast<uint32_t>(buffer->data_len) + rte_pktmbuf_tailroom(buffer), port);
  return true;
}

void depart(Packet& packet) {
  rte_mbuf* buffer = mbuf_of(packet);
  if (packet.sum_l4) [[unlikely]] {
    sum_up(packet);
  }
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
  rte_mbuf* buffer = mbuf_of(packet);
  packet.sum_l4 = false;
  const uint32_t length = packet.l3 + packet.ip_length - packet.l4;
  const bool v4 = packet.family == Family::ipv4;
  const uint8_t* addresses =
      packet.head + packet.l3 + (v4 ? offsetof(Ipv4, source) : offsetof(Ipv6, source));
  size_t at = 0;
  Sum sum = pseudo_header(addresses, v4 ? 8 : 32, static_cast<uint8_t>(packet.protocol), length);
  if (packet.protocol == Protocol::tcp) {
    at = offsetof(Tcp, checksum);
  } else if (packet.protocol == Protocol::udp) {
    at = offsetof(Udp, checksum);
  } else {
    at = offsetof(Icmp, checksum);
    if (packet.protocol == Protocol::icmp) sum = 0;
  }
  uint8_t* field = packet.head + packet.l4 + at;
  store<uint16_t>(field, 0);
  sum += sum_of(buffer, packet.l4, length);
  const uint16_t checksum = checksum_of(sum);
  store(field, packet.protocol == Protocol::udp ? udp_form(checksum) : checksum);
  if (v4) {
    Ipv4& ip = *packet.at<Ipv4>(packet.l3);
    ip.checksum = 0;
    ip.checksum.set_raw(checksum_of(add(0, &ip, ip.header_length())));
  }
}

}  // namespace nezu::device
