// A frame in a test: bytes that it owns, as a Packet for the stages, compared and printed for
// people.
//
//   Frame frame = eth() / ipv4("192.0.2.7", "203.0.113.10") / tcp(40000, 80).syn();
//   parse::parse(frame.packet());
//   EXPECT_EQ(frame, eth() / ipv4("10.0.0.1", "10.0.1.5") / tcp(5001, 8080).syn());
//
// When two frames differ, both are printed decoded, with the first byte that differs and the field
// that it belongs to.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <span>
#include <string>
#include <vector>

#include "dataplane/net/packet.h"

namespace nezu::dsl {

using Bytes = std::vector<uint8_t>;

class Frame {
 public:
  Frame(Bytes bytes = {});  // NOLINT: bytes are a frame
  Frame(const Frame& other);
  Frame& operator=(const Frame& other);

  /// What stages work on. Changes of its `head` and `length` change this frame.
  net::Packet& packet() { return packet_; }
  const net::Packet& packet() const { return packet_; }

  std::span<const uint8_t> bytes() const { return {packet_.head, packet_.length}; }
  size_t size() const { return packet_.length; }
  uint8_t& operator[](size_t offset) { return packet_.head[offset]; }

  // Variations, each a new frame.
  Frame cut(size_t length) const;  ///< the first `length` bytes
  Frame padded(
      size_t length) const;  ///< zeros behind it up to `length`, as Ethernet's minimum of 60
  Frame with(size_t offset, uint8_t value) const;
  /// As if only the first `length` bytes lay in the first segment.
  Frame split(size_t length) const;

  friend bool operator==(const Frame& a, const Frame& b);
  friend void PrintTo(const Frame& frame, std::ostream* out);

 private:
  /// As in a packet buffer: the frame begins on a cache line, with room on both sides for headers
  /// put in front and longer replies.
  static constexpr size_t kLine = 64, kHeadroom = 128, kTailroom = 2048;
  void place(std::span<const uint8_t> bytes);

  std::vector<uint8_t> storage_;
  net::Packet packet_;
  mutable std::string difference_;  ///< what the last comparison found, for PrintTo
};

/// The first difference in words, or nothing.
std::string first_difference(std::span<const uint8_t> a, std::span<const uint8_t> b);

}  // namespace nezu::dsl
