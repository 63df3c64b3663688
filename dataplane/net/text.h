// A frame as one readable line, for people: test failures, explain, captures.
//
// Any thread; allocates, so never on the packet path. Reads any bytes: what is cut off or does not
// sum up is said where it stands.
//
//   ipv4 192.0.2.7 > 203.0.113.10 ttl 64 / tcp 40000 > 80 syn seq 7 win 65535 / 5 bytes
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace nezu::net {

/// From the Ethernet header on.
std::string describe(std::span<const uint8_t> frame);
/// From the IP header on, whichever version it says.
std::string describe_ip(std::span<const uint8_t> packet);

/// "0000  02 00 ..." in lines of 16 bytes.
std::string hex_dump(std::span<const uint8_t> bytes);

}  // namespace nezu::net
