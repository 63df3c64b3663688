#include "tests/dsl/frame.h"

#include <algorithm>
#include <ostream>

#include "dataplane/net/headers.h"
#include "dataplane/net/text.h"

namespace nezu::dsl {
namespace {

struct Field {
  size_t end;
  const char* name;
};
constexpr Field kEthernet[] = {{6, "destination MAC"}, {12, "source MAC"}, {14, "type"}};
constexpr Field kVlan[] = {{2, "tag"}, {4, "type"}};
constexpr Field kIpv4[] = {
    {1, "version"}, {2, "tos"},       {4, "total length"}, {6, "id"},      {8, "fragment"},
    {9, "ttl"},     {10, "protocol"}, {12, "checksum"},    {16, "source"}, {20, "destination"}};
constexpr Field kIpv6[] = {{4, "version, class, label"},
                           {6, "payload length"},
                           {7, "next header"},
                           {8, "hop limit"},
                           {24, "source"},
                           {40, "destination"}};
constexpr Field kTcp[] = {{2, "source port"},      {4, "destination port"}, {8, "sequence"},
                          {12, "acknowledgement"}, {13, "data offset"},     {14, "flags"},
                          {16, "window"},          {18, "checksum"},        {20, "urgent"}};
constexpr Field kUdp[] = {
    {2, "source port"}, {4, "destination port"}, {6, "length"}, {8, "checksum"}};
constexpr Field kIcmp[] = {{1, "type"}, {2, "code"}, {4, "checksum"}, {8, "rest"}};

/// Walks the headers of `bytes` until the one that holds `offset`.
std::string field_at(std::span<const uint8_t> bytes, size_t offset) {
  size_t at = 0;
  std::string found;
  const auto look = [&](const char* header, std::span<const Field> fields) {
    for (const Field& field : fields) {
      if (found.empty() && offset < at + field.end) found = std::string(header) + ' ' + field.name;
    }
    at += fields.back().end;
    return !found.empty() || at >= bytes.size();
  };
  const auto type_before = [&] {
    return static_cast<uint16_t>(bytes[at - 2] << 8 | bytes[at - 1]);
  };
  if (bytes.size() < 14 || look("ethernet", kEthernet)) return found;
  while (type_before() == net::kEtherVlan && bytes.size() >= at + 4) {
    if (look("vlan", kVlan)) return found;
  }
  uint8_t protocol = 0;
  const size_t ip = at;
  if (type_before() == net::kEtherIpv4) {
    if (bytes.size() < ip + 20 || look("ipv4", kIpv4)) return found;
    protocol = bytes[ip + 9];
    at = ip + (bytes[ip] & 15u) * 4;
    if (offset < at) return "ipv4 options";
  } else if (type_before() == net::kEtherIpv6) {
    if (bytes.size() < ip + 40 || look("ipv6", kIpv6)) return found;
    protocol = bytes[ip + 6];
  } else {
    return "payload";
  }
  if (protocol == 6) look("tcp", kTcp);
  if (protocol == 17) look("udp", kUdp);
  if (protocol == 1 || protocol == 58) look("icmp", kIcmp);
  return found.empty() ? "payload" : found;
}

}  // namespace

Frame::Frame(Bytes bytes) { place(bytes); }

Frame::Frame(const Frame& other) : difference_(other.difference_) {
  place(other.bytes());
  const uint8_t* head = packet_.head;
  const uint32_t room = packet_.room;
  packet_ = other.packet_;
  packet_.head = const_cast<uint8_t*>(head);
  packet_.room = room;
}

Frame& Frame::operator=(const Frame& other) {
  if (this == &other) return *this;
  Frame copy(other);
  storage_ = std::move(copy.storage_);  // moving keeps the bytes where the packet points
  packet_ = copy.packet_;
  difference_ = copy.difference_;
  return *this;
}

void Frame::place(std::span<const uint8_t> bytes) {
  storage_.assign(kLine + kHeadroom + bytes.size() + kTailroom, 0xee);
  const auto start = reinterpret_cast<uintptr_t>(storage_.data());
  uint8_t* head = storage_.data() + (kLine - start % kLine) + kHeadroom;
  std::ranges::copy(bytes, head);
  const auto length = static_cast<uint32_t>(bytes.size());
  packet_.arrive(head, nullptr, length, length, length + static_cast<uint32_t>(kTailroom), 0);
}

Frame Frame::cut(size_t length) const {
  return Bytes(bytes().begin(), bytes().begin() + static_cast<ptrdiff_t>(std::min(length, size())));
}

Frame Frame::padded(size_t length) const {
  Bytes longer(bytes().begin(), bytes().end());
  longer.resize(std::max(length, longer.size()));
  return longer;
}

Frame Frame::with(size_t offset, uint8_t value) const {
  Frame changed = Bytes(bytes().begin(), bytes().end());
  changed[offset] = value;
  return changed;
}

Frame Frame::split(size_t length) const {
  Frame changed = Bytes(bytes().begin(), bytes().end());
  changed.packet_.head_length = static_cast<uint32_t>(std::min(length, size()));
  return changed;
}

std::string first_difference(std::span<const uint8_t> a, std::span<const uint8_t> b) {
  const auto [in_a, in_b] = std::ranges::mismatch(a, b);
  if (in_a == a.end() && in_b == b.end()) return {};
  const auto at = static_cast<size_t>(in_a - a.begin());
  const auto text = [at](std::span<const uint8_t> bytes) {
    return at < bytes.size() ? net::hex_dump(bytes.subspan(at, 1)).substr(6)
                             : std::string("its end");
  };
  return "first difference at byte " + std::to_string(at) + " (" +
         field_at(a.size() > b.size() ? a : b, at) + "): " + text(a) + " and " + text(b);
}

bool operator==(const Frame& a, const Frame& b) {
  a.difference_ = first_difference(a.bytes(), b.bytes());
  b.difference_.clear();
  return a.difference_.empty();
}

void PrintTo(const Frame& frame, std::ostream* out) {
  *out << net::describe(frame.bytes()) << '\n' << net::hex_dump(frame.bytes());
  if (!frame.difference_.empty()) *out << '\n' << frame.difference_;
}

}  // namespace nezu::dsl
