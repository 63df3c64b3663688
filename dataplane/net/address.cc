#include "dataplane/net/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace nezu::net {
namespace {

/// All of `text` as a decimal number up to `limit`, without sign or leading zero.
std::optional<unsigned> parse_number(std::string_view text, unsigned limit) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > limit) return {};
  if (text.size() > 1 && text.front() == '0') return {};
  return value;
}

void append_hex(std::string& text, unsigned value) {
  char digits[8];
  const auto end = std::to_chars(digits, digits + sizeof digits, value, 16).ptr;
  text.append(digits, end);
}

std::string v4_text(const uint8_t* bytes) {
  std::string text;
  for (int i = 0; i < 4; ++i) {
    if (i != 0) text += '.';
    text += std::to_string(bytes[i]);
  }
  return text;
}

/// RFC 5952 4: lower case, no leading zeros, "::" for the first longest run of at least two zeros.
std::string v6_text(const uint8_t* bytes) {
  unsigned groups[8];
  for (int i = 0; i < 8; ++i)
    groups[i] = static_cast<unsigned>(bytes[2 * i] << 8 | bytes[2 * i + 1]);
  int best = -1, best_length = 1;
  for (int i = 0; i < 8; ++i) {
    int end = i;
    while (end < 8 && groups[end] == 0) ++end;
    if (end - i > best_length) best = i, best_length = end - i;
    i = std::max(i, end - 1);
  }
  std::string text;
  for (int i = 0; i < 8; ++i) {
    if (i == best) {
      text += "::";
      i += best_length - 1;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    append_hex(text, groups[i]);
  }
  return text;
}

}  // namespace

bool Address::is_unspecified() const {
  if (is_v4()) return v4_raw() == 0;
  return std::ranges::all_of(bytes, [](uint8_t byte) { return byte == 0; });
}

bool Address::is_multicast() const { return is_v4() ? bytes[12] >> 4 == 14 : bytes[0] == 0xff; }

bool Address::is_link_local() const {
  if (is_v4()) return bytes[12] == 169 && bytes[13] == 254;
  return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
}

bool Address::is_loopback() const {
  if (is_v4()) return bytes[12] == 127;
  return bytes[15] == 1 &&
         std::all_of(bytes.begin(), bytes.end() - 1, [](uint8_t b) { return b == 0; });
}

bool Prefix::contains(const Address& other) const {
  if (address.family() != other.family()) return false;
  const size_t first = address.is_v4() ? 12 : 0;
  size_t bits = std::min<size_t>(length, (16 - first) * 8);
  for (size_t i = first; bits != 0; ++i) {
    const size_t here = std::min<size_t>(bits, 8);
    const auto mask = static_cast<uint8_t>(0xff00 >> here);
    if (((address.bytes[i] ^ other.bytes[i]) & mask) != 0) return false;
    bits -= here;
  }
  return true;
}

std::optional<Address> parse_address(std::string_view text) {
  const std::string terminated(text);  // inet_pton wants a terminator
  if (terminated.find('\0') != std::string::npos) return {};
  if (uint32_t raw = 0; inet_pton(AF_INET, terminated.c_str(), &raw) == 1) {
    return Address::v4_raw(raw);
  }
  Address address;
  if (inet_pton(AF_INET6, terminated.c_str(), address.bytes.data()) == 1) return address;
  return {};
}

Address masked(Address address, uint32_t host_bits) {
  for (size_t i = 16; host_bits != 0; --i) {
    const uint32_t bits = host_bits < 8 ? host_bits : 8;
    address.bytes[i - 1] = static_cast<uint8_t>(address.bytes[i - 1] & (0xff << bits));
    host_bits -= bits;
  }
  return address;
}

std::optional<Prefix> parse_prefix(std::string_view text) {
  const size_t slash = text.find('/');
  const auto address = parse_address(text.substr(0, slash));
  if (!address) return {};
  const unsigned longest = address->is_v4() ? 32 : 128;
  if (slash == std::string_view::npos) return Prefix{*address, static_cast<uint8_t>(longest)};
  const auto length = parse_number(text.substr(slash + 1), longest);
  if (!length) return {};
  return Prefix{*address, static_cast<uint8_t>(*length)};
}

std::optional<MacAddress> parse_mac(std::string_view text) {
  MacAddress mac;
  if (text.size() != 17) return {};
  for (size_t i = 0; i < 6; ++i) {
    const char* digits = text.data() + 3 * i;
    const auto [end, error] = std::from_chars(digits, digits + 2, mac.bytes[i], 16);
    if (error != std::errc{} || end != digits + 2) return {};
    if (i != 5 && digits[2] != ':') return {};
  }
  return mac;
}

std::string to_string(const Address& address) {
  return address.is_v4() ? v4_text(&address.bytes[12]) : v6_text(address.bytes.data());
}

std::string to_string(const Prefix& prefix) {
  return to_string(prefix.address) + '/' + std::to_string(prefix.length);
}

std::string to_string(const MacAddress& mac) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : mac.bytes) {
    if (!text.empty()) text += ':';
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::string_view to_string(Protocol protocol) {
  switch (protocol) {
    case Protocol::any:
      return "any";
    case Protocol::icmp:
      return "icmp";
    case Protocol::tcp:
      return "tcp";
    case Protocol::udp:
      return "udp";
    case Protocol::gre:
      return "gre";
    case Protocol::esp:
      return "esp";
    case Protocol::icmpv6:
      return "icmpv6";
    case Protocol::sctp:
      return "sctp";
  }
  return "other";
}

std::string to_string(const Address& address, uint16_t port) {
  const std::string text = to_string(address);
  return (address.is_v4() ? text : '[' + text + ']') + ':' + std::to_string(port);
}

}  // namespace nezu::net
