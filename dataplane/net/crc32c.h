// CRC32c, and how it changes when bytes far from the end do.
//
// Any thread. RFC 9260 appendix A (SCTP): the sum lies in the packet as the register's complement,
// lowest byte first. It is linear: what a change of some bytes adds to it depends on the change and
// on how many bytes follow, not on what they are. So a port is rewritten without a look at the
// payload, and a packet that was damaged before stays damaged.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace nezu::net {

namespace crc32c_detail {

inline constexpr uint32_t kPolynomial = 0x82f63b78;  // reflected
inline constexpr uint32_t kOne = 0x80000000;         // x^0

/// a * b modulo the polynomial, both reflected.
constexpr uint32_t product(uint32_t a, uint32_t b) {
  uint32_t sum = 0;
  for (uint32_t bit = kOne; bit != 0; bit >>= 1) {
    sum ^= (a & bit) != 0 ? b : 0;
    b = (b >> 1) ^ ((b & 1) != 0 ? kPolynomial : 0);
  }
  return sum;
}

/// x^(8 * step * n) for n from 0.
constexpr std::array<uint32_t, 256> powers(uint32_t step) {
  uint32_t one_step = kOne;
  for (uint32_t i = 0; i < step; ++i) one_step = product(one_step, kOne >> 8);
  std::array<uint32_t, 256> all{};
  uint32_t power = kOne;
  for (uint32_t& each : all) {
    each = power;
    power = product(power, one_step);
  }
  return all;
}
inline constexpr std::array<uint32_t, 256> kBytes = powers(1);
/// x^(8 * 256 * n).
inline constexpr std::array<uint32_t, 256> kPages = [] {
  std::array<uint32_t, 256> all{};
  const uint32_t page = product(kBytes[255], kBytes[1]);
  uint32_t power = kOne;
  for (uint32_t& each : all) {
    each = power;
    power = product(power, page);
  }
  return all;
}();

inline constexpr std::array<uint32_t, 256> kTable = [] {
  std::array<uint32_t, 256> all{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) {
      value = (value >> 1) ^ ((value & 1) != 0 ? kPolynomial : 0);
    }
    all[byte] = value;
  }
  return all;
}();

}  // namespace crc32c_detail

/// The register after more bytes.
constexpr uint32_t crc32c_add(uint32_t value, const uint8_t* bytes, size_t length) {
  for (size_t i = 0; i < length; ++i) {
    value = (value >> 8) ^ crc32c_detail::kTable[(value ^ bytes[i]) & 0xff];
  }
  return value;
}

/// Of a whole message, as SCTP writes it.
constexpr uint32_t crc32c(const uint8_t* bytes, size_t length) {
  return ~crc32c_add(0xffffffffu, bytes, length);
}

/// By what the sum changes (exclusive or) when four bytes change by `delta` (the same; as they lie
/// in memory) and `behind` bytes, up to 65,535, follow them.
constexpr uint32_t crc32c_change(uint32_t delta, uint32_t behind) {
  using namespace crc32c_detail;
  // Four bytes into an empty register are 32 steps of the register that holds them.
  const uint32_t value = product(delta, kBytes[4]);
  return product(product(value, kPages[behind >> 8]), kBytes[behind & 0xff]);
}

}  // namespace nezu::net
