// SCTP's ports, with its CRC32c (RFC 9260 6.8), which covers no address.
//
// One worker at a time. Answers false when the packet ends here, with its reason set.
#pragma once

#include "dataplane/net/crc32c.h"
#include "dataplane/net/headers.h"
#include "dataplane/net/packet.h"

namespace nezu::forward {

/// `ports`: as they lie in the header. Packets of other protocols, and later fragments, stay.
[[nodiscard]] inline bool set_sctp_ports(net::Packet& packet, uint32_t ports) {
  if (packet.protocol != net::Protocol::sctp || packet.shape != net::Shape::transport) return true;
  uint8_t* header = packet.head + packet.l4;
  const uint32_t delta = net::load<uint32_t>(header) ^ ports;
  if (delta == 0) return true;
  // The sum is over the whole packet, whose length a fragment does not tell.
  if (packet.first_fragment) {
    packet.drop(net::Reason::sctp_fragment);
    return false;
  }
  const uint32_t length = packet.l3 + uint32_t{packet.ip_length} - packet.l4;
  net::store(header, ports);
  uint8_t* sum = header + offsetof(net::Sctp, checksum);
  net::store(sum, net::load<uint32_t>(sum) ^ net::crc32c_change(delta, length - 4));
  return true;
}

}  // namespace nezu::forward
