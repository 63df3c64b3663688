// What a filter may ask about one frame: plain values, taken from what the parser found.
//
// Any thread. Of frames that the parser refuses, addresses and protocol are there as far as the
// frame has them.
#pragma once

#include <cstdint>

#include "dataplane/net/packet.h"

namespace nezu::capture {

struct Headers {
  net::Address source, destination;
  uint16_t source_port = 0, destination_port = 0;  ///< host order
  net::Protocol protocol = net::Protocol::any;
  uint8_t version = 0;  ///< 4, 6; 0: there is no such packet
  bool has_ports = false;
};

struct Look {
  Headers outer;
  Headers inner;  ///< what an ICMP error quotes, as it stands there
  net::Instance instance = net::Instance::unknown;
  uint16_t interface = 0;  ///< port by which it came in, or leaves
  uint16_t vlan = 0;       ///< 0: untagged
  uint8_t tcp_flags = 0;
  bool is_arp = false;
};

/// Of a frame that parse::parse has seen, whatever that said of it.
Look look_at(const net::Packet& parsed, net::Instance instance);

}  // namespace nezu::capture
