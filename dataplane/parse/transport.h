// Within parse/: TCP, UDP, ICMP, ICMPv6, and the packet that an ICMP error quotes.
#pragma once

#include <cstdint>

#include "dataplane/net/headers.h"
#include "dataplane/net/packet.h"

namespace nezu::parse {

/// `packet` is complete up to `l4`, with a tuple without ports. `limit`: the end of the packet or
/// of its contiguous bytes, whichever comes first.
void parse_transport(net::Packet& packet, uint32_t limit, net::Instance instance);

/// Bit n: the lower six TCP flags of value n make sense together. As Linux's conntrack has it: one
/// of SYN, SYN+ACK, RST, RST+ACK, FIN+ACK, ACK; URG with SYN, ACK and FIN+ACK; PSH with any.
constexpr uint64_t sensible_tcp_flags() {
  using namespace net;
  constexpr uint8_t kSensible[] = {
      kTcpSyn,           kTcpSyn | kTcpUrg, kTcpSyn | kTcpAck,           kTcpRst,
      kTcpRst | kTcpAck, kTcpFin | kTcpAck, kTcpFin | kTcpAck | kTcpUrg, kTcpAck,
      kTcpAck | kTcpUrg};
  uint64_t set = 0;
  for (const uint8_t flags : kSensible) {
    set |= uint64_t{1} << flags | uint64_t{1} << (flags | kTcpPsh);
  }
  return set;
}
inline bool tcp_flags_make_sense(uint8_t flags) {
  constexpr uint64_t kSet = sensible_tcp_flags();
  return (kSet >> (flags & 0x3f) & 1) != 0;
}

}  // namespace nezu::parse
