// A packet that is described in words, as the frame that it would be.
//
// Pure. What cannot be understood, or makes no packet, is a Failure(usage).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nezu::cli {

struct DescribedPacket {
  std::string protocol;  ///< tcp, udp or icmp
  std::string from, to;  ///< ADDRESS:PORT; of icmp ADDRESS
  std::string flags;     ///< of TCP, "syn,ack"; empty: syn
  std::optional<uint32_t> vlan;
  uint32_t size = 0;  ///< bytes of payload
  uint32_t ttl = 64;
  std::string mac;  ///< of the destination; empty: the port's own
};

/// Complete with its sums. A destination MAC of zeros stands for the port's.
std::vector<uint8_t> frame_of(const DescribedPacket& packet);

/// "0200 00:00 ..." with any spaces, colons and line ends between digits.
std::vector<uint8_t> frame_of_hex(const std::string& text);

}  // namespace nezu::cli
