// A run of consecutive addresses of one family, as operators write it: "192.0.2.1",
// "192.0.2.1-192.0.2.9" or "192.0.2.0/28".
//
// Any thread; not for the packet path (it allocates).
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "dataplane/net/address.h"

namespace nezu::net {

struct Range {
  Address first;
  Address last;
  auto operator<=>(const Range&) const = default;

  bool contains(const Address& address) const {
    return address.is_v4() == first.is_v4() && first <= address && address <= last;
  }
  /// How many addresses; at most `limit` is told apart.
  uint64_t count(uint64_t limit) const;
};

/// The address after this one; the all-ones address has none and wraps to the first.
inline Address next(Address address) {
  const size_t lowest = address.is_v4() ? 12 : 0;
  for (size_t i = address.bytes.size(); i-- > lowest;) {
    if (++address.bytes[i] != 0) {
      break;
    }
  }
  return address;
}

inline uint64_t Range::count(uint64_t limit) const {
  uint64_t n = 1;
  for (Address address = first; address != last && n < limit; address = next(address)) {
    ++n;
  }
  return n;
}

/// Nothing for text that is none of the three forms, or a range that runs backwards.
inline std::optional<Range> parse_range(std::string_view text) {
  if (const size_t dash = text.find('-'); dash != std::string_view::npos) {
    const auto first = parse_address(text.substr(0, dash));
    const auto last = parse_address(text.substr(dash + 1));
    if (!first || !last || first->is_v4() != last->is_v4() || *last < *first) {
      return std::nullopt;
    }
    return Range{*first, *last};
  }
  if (text.find('/') != std::string_view::npos) {
    const auto prefix = parse_prefix(text);
    if (!prefix) {
      return std::nullopt;
    }
    Range range{prefix->address, prefix->address};
    const unsigned from = prefix->length + (prefix->address.is_v4() ? 96u : 0u);
    for (unsigned bit = from; bit < 128; ++bit) {
      const auto mask = static_cast<uint8_t>(0x80u >> (bit % 8));
      range.first.bytes[bit / 8] = static_cast<uint8_t>(range.first.bytes[bit / 8] & ~mask);
      range.last.bytes[bit / 8] = static_cast<uint8_t>(range.last.bytes[bit / 8] | mask);
    }
    return range;
  }
  const auto one = parse_address(text);
  return one ? std::optional<Range>(Range{*one, *one}) : std::nullopt;
}

/// All its addresses in order; at most `limit` of them.
inline std::vector<Address> expand(const Range& range, size_t limit) {
  std::vector<Address> addresses;
  for (Address address = range.first; addresses.size() < limit; address = next(address)) {
    addresses.push_back(address);
    if (address == range.last) {
      break;
    }
  }
  return addresses;
}

/// Ports, both ends included. 0: none.
struct PortRange {
  uint16_t first = 0, last = 0;
  bool operator==(const PortRange&) const = default;
};

/// "10000-10999" or "10000"; nothing for other text, port 0 or a range that runs backwards.
inline std::optional<PortRange> parse_port_range(std::string_view text) {
  PortRange range;
  const char* end = text.data() + text.size();
  auto read = std::from_chars(text.data(), end, range.first);
  range.last = range.first;
  if (read.ec == std::errc{} && read.ptr != end && *read.ptr == '-') {
    read = std::from_chars(read.ptr + 1, end, range.last);
  }
  const bool good =
      read.ec == std::errc{} && read.ptr == end && range.first != 0 && range.first <= range.last;
  return good ? std::optional(range) : std::nullopt;
}

}  // namespace nezu::net
