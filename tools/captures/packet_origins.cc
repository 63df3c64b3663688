#include "tools/captures/packet_origins.h"

#include <cstring>

namespace nezu::captures {
namespace {

// draft-ietf-opsawg-pcapng, section 4.
constexpr uint32_t kSection = 0x0A0D0D0A, kInterface = 1, kOldPacket = 2, kSimplePacket = 3,
                   kPacket = 6;
constexpr uint32_t kByteOrder = 0x1A2B3C4D;
constexpr uint16_t kInterfaceName = 2, kPacketFlags = 2;
constexpr size_t kAround = 12;  ///< type and length in front of a body, the length again behind it
constexpr uint32_t kLongestBlock = 1 << 20;
constexpr size_t kInterfaceHead = 8, kPacketHead = 20, kCapturedAt = 12;

size_t padded(size_t size) { return (size + 3) / 4 * 4; }

}  // namespace

uint32_t PacketOrigins::word(const std::string& body, size_t at) const {
  uint32_t value = 0;
  if (at + sizeof value > body.size()) return 0;
  std::memcpy(&value, body.data() + at, sizeof value);
  return swapped_ ? __builtin_bswap32(value) : value;
}

uint16_t PacketOrigins::half(const std::string& body, size_t at) const {
  uint16_t value = 0;
  if (at + sizeof value > body.size()) return 0;
  std::memcpy(&value, body.data() + at, sizeof value);
  return swapped_ ? __builtin_bswap16(value) : value;
}

std::optional<std::string> PacketOrigins::option(const std::string& body, size_t at,
                                                 uint16_t code) const {
  while (at + 4 <= body.size()) {
    const uint16_t found = half(body, at);
    const size_t length = half(body, at + 2);
    if (found == 0 || length > body.size() - at - 4) break;
    if (found == code) return body.substr(at + 4, length);
    at += 4 + padded(length);
  }
  return std::nullopt;
}

/// The head of a section tells the byte order, also of its own length.
bool PacketOrigins::begin_section(Block& block, uint32_t length_as_read) {
  uint32_t order = 0;
  if (!stream_->read(reinterpret_cast<char*>(&order), sizeof order)) return false;
  swapped_ = order == __builtin_bswap32(kByteOrder);
  if (!swapped_ && order != kByteOrder) return false;
  const uint32_t length = swapped_ ? __builtin_bswap32(length_as_read) : length_as_read;
  if (length < kAround + sizeof order || length > kLongestBlock || length % 4 != 0) return false;
  block.body.resize(length - kAround - sizeof order + sizeof length);
  in_section_ = true;
  interfaces_.clear();
  return static_cast<bool>(
      stream_->read(block.body.data(), static_cast<std::streamsize>(block.body.size())));
}

bool PacketOrigins::read(Block& block) {
  uint32_t head[2];
  if (!stream_->read(reinterpret_cast<char*>(head), sizeof head)) return false;
  block.type = head[0];
  if (block.type == kSection) return begin_section(block, head[1]);
  if (!in_section_) return false;
  block.type = swapped_ ? __builtin_bswap32(head[0]) : head[0];
  const uint32_t length = swapped_ ? __builtin_bswap32(head[1]) : head[1];
  if (length < kAround || length > kLongestBlock || length % 4 != 0) return false;
  block.body.resize(length - sizeof head);
  if (!stream_->read(block.body.data(), static_cast<std::streamsize>(block.body.size()))) {
    return false;
  }
  block.body.resize(length - kAround);
  return true;
}

std::optional<Origin> PacketOrigins::origin(uint32_t interface, Direction direction) const {
  if (interface >= interfaces_.size()) return std::nullopt;
  return Origin{interfaces_[interface], direction};
}

std::optional<Origin> PacketOrigins::next() {
  Block block;
  while (is_open_ && (is_open_ = read(block))) {
    switch (block.type) {
      case kInterface:
        interfaces_.push_back(option(block.body, kInterfaceHead, kInterfaceName).value_or(""));
        break;
      case kOldPacket:
        return origin(half(block.body, 0), Direction::unknown);
      case kSimplePacket:
        return origin(0, Direction::unknown);
      case kPacket: {
        const size_t behind = kPacketHead + padded(word(block.body, kCapturedAt));
        const auto flags = option(block.body, behind, kPacketFlags);
        const uint32_t direction = flags ? word(*flags, 0) & 3 : 0;
        return origin(word(block.body, 0),
                      direction == 3 ? Direction::unknown : static_cast<Direction>(direction));
      }
      default:
        break;
    }
  }
  return std::nullopt;
}

}  // namespace nezu::captures
