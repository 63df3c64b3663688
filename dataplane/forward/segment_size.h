// The maximum segment size that a SYN announces (RFC 9293 3.7.1), lowered on its way.
//
// One worker at a time; packets that the parser has passed, so that the whole TCP header lies in
// one piece. A SYN without the option means 536 or 1,220 bytes already and is left alone.
#pragma once

#include <algorithm>

#include "dataplane/forward/tcp_options.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/net/packet.h"

namespace nezu::forward {

/// `lowered(size)`: the new one, which is written if it is smaller.
template <typename Lowered>
inline void change_segment_size(net::Packet& packet, Lowered lowered) {
  const uint32_t at = find_tcp_option(packet, tcp_option::kSegmentSize, 4);
  if (at == 0) return;
  uint8_t* field = packet.head + packet.l4 + at + 2;
  const auto from = net::load<uint16_t>(field);
  const uint16_t size = lowered(net::swap16(from));
  if (net::swap16(from) <= size) return;
  const uint16_t to = net::swap16(size);
  net::store(field, to);
  // At an odd place its bytes count the other way round.
  const net::Change change =
      at % 2 == 0 ? net::change16(from, to) : net::change16(net::swap16(from), size);
  auto& tcp = *packet.at<net::Tcp>(packet.l4);
  tcp.checksum.set_raw(net::updated(tcp.checksum.raw(), change));
}

inline void lower_segment_size(net::Packet& packet, uint16_t most) {
  change_segment_size(packet, [most](uint16_t) { return most; });
}

/// By as much as every segment will grow; never below what every stack can send.
inline void lower_segment_size_by(net::Packet& packet, uint16_t bytes) {
  constexpr uint32_t kLeast = 88;
  change_segment_size(packet, [bytes](uint16_t size) {
    return size <= bytes + kLeast ? size : static_cast<uint16_t>(size - bytes);
  });
}

}  // namespace nezu::forward
