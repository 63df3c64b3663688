// The maximum segment size that a SYN announces (RFC 9293 3.7.1), lowered on its way.
//
// One worker at a time; packets that the parser has passed, so that the whole TCP header lies in
// one piece. A SYN without the option means 536 or 1,220 bytes already and is left alone.
#pragma once

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/net/packet.h"

namespace nezu::forward {

inline void lower_segment_size(net::Packet& packet, uint16_t most) {
  constexpr uint8_t kEnd = 0, kNothing = 1, kSegmentSize = 2, kLength = 4;
  auto& tcp = *packet.at<net::Tcp>(packet.l4);
  uint8_t* header = packet.head + packet.l4;
  const uint32_t end = tcp.header_length();
  for (uint32_t at = sizeof(net::Tcp); at < end && header[at] != kEnd;) {
    if (header[at] == kNothing) {
      ++at;
      continue;
    }
    const uint32_t length = at + 1 < end ? header[at + 1] : 0;
    if (length < 2 || at + length > end) return;  // the receiver's to judge
    if (header[at] == kSegmentSize && length == kLength) {
      const auto from = net::load<uint16_t>(header + at + 2);
      if (net::swap16(from) <= most) return;
      const uint16_t to = net::swap16(most);
      net::store(header + at + 2, to);
      // At an odd place its bytes count the other way round.
      const net::Change change =
          at % 2 == 0 ? net::change16(from, to) : net::change16(net::swap16(from), most);
      tcp.checksum.set_raw(net::updated(tcp.checksum.raw(), change));
      return;
    }
    at += length;
  }
}

}  // namespace nezu::forward
