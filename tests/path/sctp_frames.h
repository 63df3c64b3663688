// SCTP packets for tests, summed by plain bitwise code that shares nothing with net/crc32c.h.
#pragma once

#include <algorithm>
#include <vector>

#include "tests/dsl/dsl.h"

namespace nezu::lab {

inline uint32_t plain_crc32c(const dsl::Bytes& bytes) {
  uint32_t value = 0xffffffffu;
  for (const uint8_t byte : bytes) {
    value ^= byte;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) * 0x82f63b78u);
  }
  return ~value;
}

inline dsl::Bytes chunk(uint8_t type, uint8_t flags = 0, dsl::Bytes value = {}) {
  const auto length = static_cast<uint16_t>(4 + value.size());
  dsl::Bytes bytes((length + 3u) / 4 * 4, 0);
  bytes[0] = type;
  bytes[1] = flags;
  bytes[2] = static_cast<uint8_t>(length >> 8);
  bytes[3] = static_cast<uint8_t>(length);
  std::copy(value.begin(), value.end(), bytes.begin() + 4);
  return bytes;
}
/// INIT (1) or INIT ACK (2).
inline dsl::Bytes initiation(uint8_t type, uint32_t tag) {
  dsl::Bytes value(16, 0);
  for (int i = 0; i < 4; ++i)
    value[static_cast<size_t>(i)] = static_cast<uint8_t>(tag >> (24 - 8 * i));
  return chunk(type, 0, value);
}

/// What stands behind the IP header.
inline dsl::Payload sctp(uint16_t source, uint16_t destination, uint32_t tag,
                         const dsl::Bytes& chunks) {
  dsl::Bytes bytes(12 + chunks.size(), 0);
  bytes[0] = static_cast<uint8_t>(source >> 8);
  bytes[1] = static_cast<uint8_t>(source);
  bytes[2] = static_cast<uint8_t>(destination >> 8);
  bytes[3] = static_cast<uint8_t>(destination);
  for (size_t i = 0; i < 4; ++i) bytes[4 + i] = static_cast<uint8_t>(tag >> (24 - 8 * i));
  std::copy(chunks.begin(), chunks.end(), bytes.begin() + 12);
  const uint32_t sum = plain_crc32c(bytes);
  for (size_t i = 0; i < 4; ++i) bytes[8 + i] = static_cast<uint8_t>(sum >> (8 * i));
  return dsl::raw(bytes, 132);
}

/// Of an untagged packet without options.
inline bool sctp_sums_up(const dsl::Frame& frame) {
  const auto all = frame.bytes();
  dsl::Bytes bytes(all.begin() + (all[12] == 8 ? 34 : 54), all.end());
  uint32_t sum = 0;
  for (size_t i = 0; i < 4; ++i) sum |= uint32_t{bytes[8 + i]} << (8 * i);
  for (size_t i = 0; i < 4; ++i) bytes[8 + i] = 0;
  return sum == plain_crc32c(bytes);
}

}  // namespace nezu::lab
