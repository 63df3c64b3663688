#include "tools/captures/pcapng.h"

#include <algorithm>
#include <cstring>

namespace nezu::captures {
namespace {

// Section 4: blocks. Section 3.5 and 4.x: their options.
constexpr uint32_t kSection = 0x0A0D0D0A, kInterface = 1, kPacket = 6;
constexpr uint32_t kByteOrder = 0x1A2B3C4D;
constexpr uint16_t kEthernet = 1;
constexpr uint16_t kEnd = 0, kComment = 1, kSectionProgram = 4, kInterfaceName = 2,
                   kInterfaceResolution = 9, kPacketFlags = 2;
constexpr size_t kLongestOption = 0xffff;

}  // namespace

Pcapng::Pcapng(std::ostream& stream, std::string_view program) : stream_(stream) {
  begin(kSection);
  put32(kByteOrder);
  put16(1);  // version 1.0
  put16(0);
  put32(0xffffffff);  // the section's length is not told
  put32(0xffffffff);
  option(kSectionProgram, program);
  end();
}

uint32_t Pcapng::add_interface(std::string_view name) {
  begin(kInterface);
  put16(kEthernet);
  put16(0);
  put32(0);  // no limit
  option(kInterfaceName, name);
  const uint8_t nanoseconds = 9;
  option(kInterfaceResolution, &nanoseconds, 1);
  end();
  return interfaces_++;
}

void Pcapng::write(const Written& packet) {
  const auto captured = static_cast<uint32_t>(packet.bytes.size());
  begin(kPacket);
  put32(packet.interface);
  put32(static_cast<uint32_t>(packet.when >> 32));
  put32(static_cast<uint32_t>(packet.when));
  put32(captured);
  put32(std::max(packet.length, captured));
  put_bytes(packet.bytes.data(), captured);
  if (packet.direction != Direction::unknown) {
    const auto flags = static_cast<uint32_t>(packet.direction);
    option(kPacketFlags, &flags, sizeof flags);
  }
  if (!packet.comment.empty()) option(kComment, packet.comment);
  end();
  ++packets_;
}

void Pcapng::begin(uint32_t type) {
  block_.clear();
  put32(type);
  put32(0);
}
void Pcapng::put16(uint16_t value) {
  block_.append(reinterpret_cast<const char*>(&value), sizeof value);
}
void Pcapng::put32(uint32_t value) {
  block_.append(reinterpret_cast<const char*>(&value), sizeof value);
}
/// To a multiple of four.
void Pcapng::put_bytes(const void* bytes, size_t size) {
  if (size != 0) block_.append(static_cast<const char*>(bytes), size);
  block_.append((4 - size % 4) % 4, '\0');
}
void Pcapng::option(uint16_t code, const void* bytes, size_t size) {
  size = std::min(size, kLongestOption);
  put16(code);
  put16(static_cast<uint16_t>(size));
  put_bytes(bytes, size);
}
void Pcapng::end() {
  put16(kEnd);
  put16(0);
  const auto length = static_cast<uint32_t>(block_.size() + sizeof(uint32_t));
  put32(length);
  std::memcpy(block_.data() + sizeof(uint32_t), &length, sizeof length);
  stream_.write(block_.data(), static_cast<std::streamsize>(block_.size()));
}

}  // namespace nezu::captures
