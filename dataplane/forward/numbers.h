// The numbers of a TCP segment (sequence, acknowledgement, SACK blocks) become others, with the
// checksum.
//
// One worker at a time; packets that the parser has passed. `acknowledged` is what a number of the
// other stream becomes.
#pragma once

#include <cstring>

#include "dataplane/forward/segment_size.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/net/packet.h"

namespace nezu::forward {

/// RFC 2018 3. A block that comes out empty is taken out: what it told of is nothing to its reader.
template <typename Acknowledged>
inline net::Change renumber_blocks(net::Packet& packet, Acknowledged acknowledged) {
  constexpr uint8_t kBlocks = 5, kNothing = 1;
  constexpr uint32_t kBlock = 8;
  const uint32_t at = find_tcp_option(packet, kBlocks, 0);
  if (at == 0) return 0;
  uint8_t* header = packet.head + packet.l4;
  // An option may stand at an odd place: all of them are summed, before and after.
  const uint32_t options = packet.at<net::Tcp>(packet.l4)->header_length() - sizeof(net::Tcp);
  const net::Sum before = net::add(0, header + sizeof(net::Tcp), options);
  uint8_t* option = header + at;
  const uint32_t length = option[1];
  uint32_t to = 2;
  for (uint32_t from = 2; from + kBlock <= length; from += kBlock) {
    const uint32_t left = acknowledged(net::swap32(net::load<uint32_t>(option + from)));
    const uint32_t right = acknowledged(net::swap32(net::load<uint32_t>(option + from + 4)));
    if (left == right) continue;
    net::store(option + to, net::swap32(left));
    net::store(option + to + 4, net::swap32(right));
    to += kBlock;
  }
  if (to != length) {
    const uint32_t kept = to > 2 ? to : 0;
    if (kept != 0) option[1] = static_cast<uint8_t>(kept);
    std::memset(option + kept, kNothing, length - kept);
  }
  return static_cast<net::Change>(net::add(0, header + sizeof(net::Tcp), options)) -
         static_cast<net::Change>(before);
}

template <typename Acknowledged>
inline void renumber(net::Packet& packet, uint32_t sequence, Acknowledged acknowledged) {
  auto& tcp = *packet.at<net::Tcp>(packet.l4);
  net::Change change = 0;
  const auto replace = [&change](net::Big32& field, uint32_t value) {
    const uint32_t from = field.raw();
    field = value;
    change += net::change32(from, field.raw());
  };
  replace(tcp.sequence, sequence);
  if ((tcp.flags & net::kTcpAck) != 0) {
    replace(tcp.acknowledgement, acknowledged(tcp.acknowledgement));
    if (tcp.header_length() > sizeof(net::Tcp)) change += renumber_blocks(packet, acknowledged);
  }
  tcp.checksum.set_raw(net::updated(tcp.checksum.raw(), change));
}

/// The sequence number in the segment that an ICMP error quotes, with both checksums.
template <typename Acknowledged>
inline void renumber_quoted(net::Packet& packet, Acknowledged acknowledged) {
  if (packet.inner_l4 == 0) return;
  auto& tcp = *packet.at<net::Tcp>(packet.inner_l4);
  const uint32_t from = tcp.sequence.raw();
  tcp.sequence = acknowledged(tcp.sequence);
  net::Change change = net::change32(from, tcp.sequence.raw());
  const uint32_t end = packet.l3 + packet.ip_length;
  if (packet.inner_l4 + offsetof(net::Tcp, checksum) + 2 <= end &&
      packet.inner_l4 + offsetof(net::Tcp, checksum) + 2 <= packet.head_length) {
    const uint16_t sum = tcp.checksum.raw();
    tcp.checksum.set_raw(net::updated(sum, change));
    change += net::change16(sum, tcp.checksum.raw());
  }
  auto& icmp = *packet.at<net::Icmp>(packet.l4);
  icmp.checksum.set_raw(net::updated(icmp.checksum.raw(), change));
}

}  // namespace nezu::forward
