// Bytes put into a packet or taken out of it, with every length and checksum that they touch.
//
// One worker at a time, on packets that the parser has passed. What stands in front of the place is
// moved, as that is shorter than what stands behind: `head` moves and every offset up to the place
// stays. Places are at an even distance from the transport header, and so are the bytes' numbers,
// but where a function says otherwise.
#pragma once

#include <cstring>

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/net/packet.h"

namespace nezu::forward {

/// The IP header's length field becomes what `ip_length` says, its checksum with it.
inline void write_ip_length(net::Packet& packet) {
  if (packet.family == net::Family::ipv4) {
    auto& ip = *packet.at<net::Ipv4>(packet.l3);
    const uint16_t from = ip.total_length.raw();
    ip.total_length = packet.ip_length;
    ip.checksum.set_raw(
        net::updated(ip.checksum.raw(), net::change16(from, ip.total_length.raw())));
  } else {
    packet.at<net::Ipv6>(packet.l3)->payload_length =
        static_cast<uint16_t>(packet.ip_length - sizeof(net::Ipv6));
  }
}

/// From the transport header to the packet's end, as the pseudo-header counts it.
inline uint32_t transport_length(const net::Packet& packet) {
  return packet.ip_length - (packet.l4 - packet.l3);
}

/// How the pseudo-header's sum changes with the length.
inline net::Change change_of_length(uint32_t from, uint32_t to) {
  return net::change16(net::swap16(static_cast<uint16_t>(from)),
                       net::swap16(static_cast<uint16_t>(to)));
}

/// Puts `bytes` in, `at` bytes behind the frame's begin; they are not written. IP header and
/// lengths are right afterwards, the transport's checksum is not.
inline uint8_t* open_gap(net::Packet& packet, uint32_t at, uint32_t bytes) {
  std::memmove(packet.head - bytes, packet.head, at);
  packet.head -= bytes;
  packet.head_length += bytes;
  packet.length += bytes;
  packet.room += bytes;
  packet.ip_length = static_cast<uint16_t>(packet.ip_length + bytes);
  write_ip_length(packet);
  return packet.head + at;
}

/// Takes `bytes` out, likewise.
inline void close_gap(net::Packet& packet, uint32_t at, uint32_t bytes) {
  std::memmove(packet.head + bytes, packet.head, at);
  packet.head += bytes;
  packet.head_length -= bytes;
  packet.length -= bytes;
  packet.room -= bytes;
  packet.ip_length = static_cast<uint16_t>(packet.ip_length - bytes);
  write_ip_length(packet);
}

/// Ends the packet behind its TCP header: the payload goes, the checksum is not right any more.
inline void cut_payload(net::Packet& packet) {
  const uint32_t end = packet.l4 + packet.at<net::Tcp>(packet.l4)->header_length();
  packet.length = packet.head_length = end;
  packet.ip_length = static_cast<uint16_t>(end - packet.l3);
  write_ip_length(packet);
}

/// The TCP checksum of a packet that lies in one piece, from scratch.
inline void sum_tcp(net::Packet& packet) {
  const bool v4 = packet.family == net::Family::ipv4;
  const uint8_t* addresses =
      packet.head + packet.l3 + (v4 ? offsetof(net::Ipv4, source) : offsetof(net::Ipv6, source));
  const uint32_t length = transport_length(packet);
  auto& tcp = *packet.at<net::Tcp>(packet.l4);
  tcp.checksum.set_raw(0);
  const net::Sum pseudo =
      net::pseudo_header(addresses, v4 ? 8 : 32, static_cast<uint8_t>(net::Protocol::tcp), length);
  tcp.checksum.set_raw(net::checksum_of(net::add(pseudo, &tcp, length)));
}

/// Of a UDP datagram that lies in one piece; none at all sums up.
inline net::Sum sum_of_datagram(const net::Packet& packet) {
  const bool v4 = packet.family == net::Family::ipv4;
  const uint8_t* addresses =
      packet.head + packet.l3 + (v4 ? offsetof(net::Ipv4, source) : offsetof(net::Ipv6, source));
  const uint32_t length = transport_length(packet);
  const net::Sum pseudo =
      net::pseudo_header(addresses, v4 ? 8 : 32, static_cast<uint8_t>(net::Protocol::udp), length);
  return net::add(pseudo, packet.head + packet.l4, length);
}
inline bool udp_sums_up(const net::Packet& packet) {
  return packet.at<net::Udp>(packet.l4)->checksum.raw() == 0 ||
         net::checksum_of(sum_of_datagram(packet)) == 0;
}

/// The payload behind the UDP header has become `bytes` long: lengths and sums follow.
inline void set_datagram_length(net::Packet& packet, uint32_t bytes) {
  const uint32_t length = sizeof(net::Udp) + bytes;
  packet.ip_length = static_cast<uint16_t>(packet.l4 - packet.l3 + length);
  packet.length = packet.head_length = packet.l4 + length;
  write_ip_length(packet);
  auto& udp = *packet.at<net::Udp>(packet.l4);
  udp.length = static_cast<uint16_t>(length);
  if (packet.family == net::Family::ipv4 && udp.checksum.raw() == 0) return;
  udp.checksum.set_raw(0);
  udp.checksum.set_raw(net::udp_form(net::checksum_of(sum_of_datagram(packet))));
}

}  // namespace nezu::forward
