// An IPv4 packet that its way out is too narrow for, and that may be fragmented (RFC 791 3.2, RFC
// 1812 5.2.7.2): the pieces that take its place, each with the headers of the packet as it came in.
//
// So they go through the stages as if they had come in so: every mode translates them as it does
// other fragments, tunnels are put around each (the server puts the inner packet together, no
// tunnel end has to), and RFC 7915 makes IPv6 fragments of them. What is a fragment already is cut
// further. Any thread; pure.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "dataplane/net/packet.h"

namespace nezu::forward {

class Pieces {
 public:
  /// At most so many: 9,216 bytes to 1,280, with tunnels, are fewer.
  static constexpr uint32_t kMost = 16;

  /// `packet`: IPv4 without DF, as the parser left it. `longest`: of the IP packets to come.
  Pieces(const net::Packet& packet, uint16_t longest);

  /// 0: it cannot be done.
  uint32_t count() const { return count_; }

  struct Piece {
    std::span<const uint8_t> headers;  ///< Ethernet to IP; until the next one is asked for
    uint32_t from = 0;                 ///< its payload begins so far behind the packet's `head`
    uint32_t length = 0;
  };
  Piece piece(uint32_t number);

 private:
  void write_later_header();

  const net::Packet& packet_;
  uint32_t header_length_ = 0, later_length_ = 0;  ///< of IP: the first piece's, all others'
  uint32_t payload_ = 0, unit_ = 0, count_ = 0;
  std::array<uint8_t, 14 + 4 + 60> headers_{};
};

}  // namespace nezu::forward
