#include "dataplane/forward/handshake.h"

#include <cstring>

#include "dataplane/forward/gap.h"
#include "dataplane/net/headers.h"

namespace nezu::forward {

using net::Handshake;
using net::kNoScale;

SynOffer offer_of(const net::Packet& packet) {
  SynOffer offer;
  Handshake& says = offer.handshake;
  if (packet.family == net::Family::ipv6) says.segment_size = 1220;  // RFC 9293 3.7.1
  each_tcp_option(packet, [&](uint32_t at) {
    const uint8_t* option = packet.head + packet.l4 + at;
    const auto is = [option](uint8_t kind, uint8_t length) {
      return option[0] == kind && option[1] == length;
    };
    if (is(tcp_option::kSegmentSize, 4)) {
      says.segment_size = net::swap16(net::load<uint16_t>(option + 2));
    } else if (is(tcp_option::kWindowScale, 3)) {
      says.window_scale = std::min<uint8_t>(option[2], 14);
    } else if (is(tcp_option::kSackAllowed, 2)) {
      says.sack = true;
    } else if (is(tcp_option::kTimestamps, 10)) {
      says.timestamps = true;
      offer.timestamp = net::swap32(net::load<uint32_t>(option + 2));
    }
    return false;
  });
  return offer;
}

bool become_syn(net::Packet& packet, uint32_t first, const Handshake& handshake) {
  TcpOptions options;
  options.add_segment_size(handshake.segment_size);
  const auto timestamps = timestamps_of(packet);
  if (handshake.timestamps && timestamps) {
    options.add_timestamps(timestamps->value, 0, handshake.sack);
  } else if (handshake.sack) {
    options.add_sack_allowed();
  }
  if (handshake.window_scale != kNoScale) options.add_window_scale(handshake.window_scale);
  const auto length = static_cast<uint32_t>(sizeof(net::Tcp) + options.bytes().size());
  if (std::max(packet.room, packet.head_length) < packet.l4 + length) return false;
  auto& tcp = *packet.at<net::Tcp>(packet.l4);
  // A SYN's window has no scale (RFC 7323 2.2).
  const uint32_t scale = handshake.window_scale != kNoScale ? handshake.window_scale : 0;
  const uint32_t window = std::min<uint32_t>(uint32_t{tcp.window} << scale, 0xffff);
  tcp.sequence = first;
  tcp.acknowledgement = 0;
  tcp.offset = static_cast<uint8_t>(length / 4 << 4);
  tcp.flags = packet.tcp_flags = net::kTcpSyn;
  tcp.window = static_cast<uint16_t>(window);
  tcp.urgent = 0;
  std::memcpy(packet.head + packet.l4 + sizeof(net::Tcp), options.bytes().data(),
              options.bytes().size());
  cut_payload(packet);
  sum_tcp(packet);
  return true;
}

void become_window(net::Packet& packet, uint8_t scale) {
  auto& tcp = *packet.at<net::Tcp>(packet.l4);
  for (const uint8_t kind :
       {tcp_option::kSegmentSize, tcp_option::kWindowScale, tcp_option::kSackAllowed}) {
    const uint32_t at = find_tcp_option(packet, kind, 0);
    uint8_t* option = packet.head + packet.l4 + at;
    if (at != 0) std::memset(option, tcp_option::kNothing, option[1]);
  }
  tcp.flags = packet.tcp_flags = net::kTcpAck;
  tcp.sequence = tcp.sequence + 1;
  tcp.window = static_cast<uint16_t>(tcp.window >> (scale != kNoScale ? scale : 0));
  cut_payload(packet);
  sum_tcp(packet);
}

}  // namespace nezu::forward
