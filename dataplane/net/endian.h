// Big-endian integers as they stand in packets, and unaligned loads and stores.
//
// Any thread. Standard library only. Shapes: a `Big16`/`Big32` lies in memory in network order with
// alignment 1, so that a header view can be a plain struct over the bytes of a packet.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace nezu::net {

static_assert(std::endian::native == std::endian::little, "written for little-endian machines");

constexpr uint16_t swap16(uint16_t value) { return __builtin_bswap16(value); }
constexpr uint32_t swap32(uint32_t value) { return __builtin_bswap32(value); }

/// Reads a `T` from any address; compiles to one load.
template <typename T>
inline T load(const void* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

/// Writes a `T` to any address; compiles to one store.
template <typename T>
inline void store(void* to, T value) {
  std::memcpy(to, &value, sizeof value);
}

class Big16 {
 public:
  Big16() = default;
  explicit Big16(uint16_t host) { *this = host; }
  Big16& operator=(uint16_t host) {
    store(bytes_, swap16(host));
    return *this;
  }
  operator uint16_t() const { return swap16(load<uint16_t>(bytes_)); }  // NOLINT: reads as a number
  /// The two bytes as they lie in memory: what one's complement sums add up.
  uint16_t raw() const { return load<uint16_t>(bytes_); }
  void set_raw(uint16_t raw) { store(bytes_, raw); }

 private:
  uint8_t bytes_[2];
};

class Big32 {
 public:
  Big32() = default;
  explicit Big32(uint32_t host) { *this = host; }
  Big32& operator=(uint32_t host) {
    store(bytes_, swap32(host));
    return *this;
  }
  operator uint32_t() const { return swap32(load<uint32_t>(bytes_)); }  // NOLINT: reads as a number
  uint32_t raw() const { return load<uint32_t>(bytes_); }
  void set_raw(uint32_t raw) { store(bytes_, raw); }

 private:
  uint8_t bytes_[4];
};

static_assert(sizeof(Big16) == 2 && alignof(Big16) == 1);
static_assert(sizeof(Big32) == 4 && alignof(Big32) == 1);

}  // namespace nezu::net
