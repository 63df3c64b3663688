// A handshake that a SYN cookie has taken over, and the numbers that differ from it on.
//
// One worker at a time; packets that the parser has passed. Segments become others in their buffer
// and on their way, with right checksums.
#pragma once

#include <algorithm>
#include <cstdint>

#include "dataplane/forward/tcp_options.h"
#include "dataplane/net/handshake.h"
#include "dataplane/net/packet.h"

namespace nezu::forward {

/// What a SYN offers, and its own timestamp.
struct SynOffer {
  net::Handshake handshake;
  uint32_t timestamp = 0;
};
SynOffer offer_of(const net::Packet& packet);

/// The client's segment becomes its SYN again, as far as it is known: of the first sequence number
/// `first`, with what `handshake` says, its own timestamp and its window. What it carries goes; the
/// client sends it again. False, and nothing has changed: the buffer has no room.
[[nodiscard]] bool become_syn(net::Packet& packet, uint32_t first, const net::Handshake& handshake);

/// A server's SYN-ACK becomes an acknowledgement that opens the window for a client which was told
/// `scale`; kNoScale: none. What it says once only is overwritten.
void become_window(net::Packet& packet, uint8_t scale);

/// Windows by as many bits to the left (negative: right) as the two sides' scales differ.
inline void scale_window(net::Packet& packet, int8_t shift) {
  if (shift == 0) return;
  auto& tcp = *packet.at<net::Tcp>(packet.l4);
  const uint32_t window = tcp.window;
  const uint32_t scaled = shift > 0 ? std::min<uint32_t>(window << shift, 0xffff)
                                    : window >> static_cast<uint8_t>(-shift);
  const uint16_t from = tcp.window.raw();
  tcp.window = static_cast<uint16_t>(scaled);
  tcp.checksum.set_raw(net::updated(tcp.checksum.raw(), net::change16(from, tcp.window.raw())));
}

}  // namespace nezu::forward
