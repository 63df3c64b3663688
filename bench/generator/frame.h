// Frames of a flow: headers made once, then written with each size and stamp.
//
// Any thread, on values of its own. Ethernet, at most one 802.1Q tag, IPv4 (RFC 791, don't-fragment
// set, so that an id of 0 is right: RFC 6864) or IPv6 (RFC 8200), UDP with its checksum. What does
// not change of the sums is added up once.
#pragma once

#include <array>
#include <cstdint>

#include "bench/generator/stamp.h"
#include "dataplane/net/address.h"
#include "dataplane/net/checksum.h"

namespace nezu::generator {

/// A flow as it stands in a frame.
struct Tuple {
  net::Address source, destination;  ///< of one family
  uint16_t source_port = 0, destination_port = 0;
  Tuple mirrored() const { return {destination, source, destination_port, source_port}; }
  bool operator==(const Tuple&) const = default;
};

/// Who sends to whom on a link.
struct Link {
  net::MacAddress source, destination;
  uint16_t vlan = 0;  ///< 0: untagged
};

inline constexpr uint32_t kMostHeaders = 14 + 4 + 40 + 20;

struct Headers {
  std::array<uint8_t, kMostHeaders> bytes{};
  uint8_t l3 = 0, l4 = 0, length = 0;  ///< offsets; `length`: where the payload begins
  bool is_v4 = true;
  net::Sum ip_sum = 0;   ///< IPv4 header without its length and checksum
  net::Sum udp_sum = 0;  ///< pseudo-header and ports, without both lengths
};
/// Of UDP.
Headers make_headers(const Tuple& flow, const Link& link);

/// What follows the headers in all frames of one size (with FCS) and kind of headers.
struct Body {
  uint32_t frame = 0;    ///< bytes in the buffer, without FCS
  uint16_t payload = 0;  ///< bytes behind the headers, stamp included
  net::Sum filler = 0;   ///< sum of the payload behind the stamp
};
/// The least size, with FCS, that has room for a stamp: 64 for IPv4, 84 for IPv6, untagged.
uint32_t least_size(const Headers& headers);
/// `size` is at least `least_size` and at most kLongestFrame.
Body make_body(const Headers& headers, uint32_t size);

/// `to` has room for body.frame bytes.
void write_frame(uint8_t* to, const Headers& headers, const Body& body, const Stamp& stamp);

}  // namespace nezu::generator
