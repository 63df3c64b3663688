// Writes pcapng (draft-ietf-opsawg-pcapng): Ethernet interfaces by name, and packets with times in
// nanoseconds, a direction and a comment.
//
// One thread at a time. Interfaces are numbered in the order in which they are added, from 0.
#pragma once

#include <cstdint>
#include <ostream>
#include <span>
#include <string>
#include <string_view>

namespace nezu::captures {

/// As seen by the interface.
enum class Direction : uint32_t { unknown = 0, in = 1, out = 2 };

struct Written {
  uint32_t interface = 0;
  uint64_t when = 0;    ///< ns since 1970
  uint32_t length = 0;  ///< of the frame, if it is longer than `bytes`
  std::span<const uint8_t> bytes;
  Direction direction = Direction::unknown;
  std::string_view comment;  ///< empty: none
};

class Pcapng {
 public:
  /// Writes the head. `program` is told in it. The stream must outlive this object.
  Pcapng(std::ostream& stream, std::string_view program);

  uint32_t add_interface(std::string_view name);
  void write(const Written& packet);
  uint64_t packets() const { return packets_; }

 private:
  void begin(uint32_t type);
  void put16(uint16_t value);
  void put32(uint32_t value);
  void put_bytes(const void* bytes, size_t size);
  void option(uint16_t code, const void* bytes, size_t size);
  void option(uint16_t code, std::string_view text) { option(code, text.data(), text.size()); }
  void end();

  std::ostream& stream_;
  std::string block_;
  uint32_t interfaces_ = 0;
  uint64_t packets_ = 0;
};

}  // namespace nezu::captures
