// TCP options: those of a packet, and a few of our own in a row.
//
// One worker at a time; packets that the parser has passed, so that the whole TCP header lies in
// one piece. An option of an impossible length ends the search: it is the receiver's to judge.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/net/packet.h"

namespace nezu::forward {

namespace tcp_option {
inline constexpr uint8_t kEnd = 0, kNothing = 1, kSegmentSize = 2, kWindowScale = 3,
                         kSackAllowed = 4, kTimestamps = 8;
}  // namespace tcp_option

/// Calls `found(at)` with where each option stands in the TCP header, until it says true. Where
/// that was; 0: nowhere.
template <typename Found>
inline uint32_t each_tcp_option(const net::Packet& packet, Found found) {
  const uint8_t* header = packet.head + packet.l4;
  const uint32_t end = packet.at<net::Tcp>(packet.l4)->header_length();
  for (uint32_t at = sizeof(net::Tcp); at < end && header[at] != tcp_option::kEnd;) {
    if (header[at] == tcp_option::kNothing) {
      ++at;
      continue;
    }
    const uint32_t size = at + 1 < end ? header[at + 1] : 0;
    if (size < 2 || at + size > end) return 0;
    if (found(at)) return at;
    at += size;
  }
  return 0;
}

/// Where an option of that kind and length (0: any) stands in the TCP header, from its first byte;
/// 0: not there.
inline uint32_t find_tcp_option(const net::Packet& packet, uint8_t kind, uint32_t length) {
  const uint8_t* header = packet.head + packet.l4;
  return each_tcp_option(packet, [=](uint32_t at) {
    return header[at] == kind && (length == 0 || header[at + 1] == length);
  });
}

/// RFC 7323 3.2.
struct Timestamps {
  uint32_t value = 0, echo = 0;
};
inline std::optional<Timestamps> timestamps_of(const net::Packet& packet) {
  const uint32_t at = find_tcp_option(packet, tcp_option::kTimestamps, 10);
  if (at == 0) return std::nullopt;
  const uint8_t* field = packet.head + packet.l4 + at + 2;
  return Timestamps{net::swap32(net::load<uint32_t>(field)),
                    net::swap32(net::load<uint32_t>(field + 4))};
}

/// Both become others by `change(timestamps)`, the checksum with them.
template <typename Change>
inline void change_timestamps(net::Packet& packet, Change change) {
  const uint32_t at = find_tcp_option(packet, tcp_option::kTimestamps, 10);
  if (at == 0) return;
  uint8_t* field = packet.head + packet.l4 + at + 2;
  const auto value = net::load<uint32_t>(field), echo = net::load<uint32_t>(field + 4);
  const Timestamps to = change(Timestamps{net::swap32(value), net::swap32(echo)});
  net::store(field, net::swap32(to.value));
  net::store(field + 4, net::swap32(to.echo));
  const net::Change even =
      net::change32(value, net::swap32(to.value)) + net::change32(echo, net::swap32(to.echo));
  // At an odd place bytes count the other way round, which multiplies by 2^8 (RFC 1071 2 B).
  const net::Change by = at % 2 == 0 ? even : even * 256;
  auto& tcp = *packet.at<net::Tcp>(packet.l4);
  tcp.checksum.set_raw(net::updated(tcp.checksum.raw(), by));
}

/// Options in a row, padded to whole words: all that a SYN says.
class TcpOptions {
 public:
  void add_segment_size(uint16_t size) { put(word(tcp_option::kSegmentSize, 4, 0, 0) | size); }
  void add_window_scale(uint8_t scale) {
    put(word(tcp_option::kNothing, tcp_option::kWindowScale, 3, scale));
  }
  void add_timestamps(uint32_t value, uint32_t echo, bool sack_allowed = false) {
    put(sack_allowed
            ? word(tcp_option::kSackAllowed, 2, tcp_option::kTimestamps, 10)
            : word(tcp_option::kNothing, tcp_option::kNothing, tcp_option::kTimestamps, 10));
    put(value);
    put(echo);
  }
  void add_sack_allowed() {
    put(word(tcp_option::kNothing, tcp_option::kNothing, tcp_option::kSackAllowed, 2));
  }
  std::span<const uint8_t> bytes() const {
    return {reinterpret_cast<const uint8_t*>(words_.data()), count_ * sizeof(uint32_t)};
  }

 private:
  static constexpr uint32_t word(uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
    return uint32_t{a} << 24 | uint32_t{b} << 16 | uint32_t{c} << 8 | d;
  }
  void put(uint32_t word) { words_[count_++] = net::swap32(word); }

  std::array<uint32_t, 6> words_{};  ///< as they go into the packet
  uint32_t count_ = 0;
};

}  // namespace nezu::forward
