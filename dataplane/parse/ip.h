// Within parse/: the network layer.
#pragma once

#include "dataplane/net/packet.h"

namespace nezu::parse {

/// `packet.l3` is set; bytes behind it are unknown yet.
void parse_ipv4(net::Packet& packet, net::Instance instance);
void parse_ipv6(net::Packet& packet, net::Instance instance);

/// Where a walk over IPv6 extension headers ended.
struct Walk {
  net::Reason reason = net::Reason::none;
  uint8_t next = 0;              ///< the first header that is no extension
  uint32_t end = 0;              ///< offset of that header
  uint32_t fragment_header = 0;  ///< its offset; 0: none
  uint16_t fragment_offset = 0;  ///< in bytes
  bool more_fragments = false;
};
/// From the header `next` at offset `at` on; `limit` is the first offset out of bounds. Stops at a
/// later fragment, behind whose fragment header payload lies.
Walk walk_extensions(const uint8_t* head, uint32_t at, uint8_t next, uint32_t limit);

}  // namespace nezu::parse
