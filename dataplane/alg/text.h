// Within alg/: text put together in a room of fixed size, and the numbers and addresses in it.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "dataplane/net/address.h"
#include "dataplane/net/endian.h"

namespace nezu::alg {

constexpr char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
/// `word` is in upper case.
constexpr bool is_word(std::string_view text, std::string_view word) {
  if (text.size() != word.size()) return false;
  for (size_t i = 0; i < word.size(); ++i) {
    if (upper(text[i]) != word[i]) return false;
  }
  return true;
}
constexpr bool begins_with(std::string_view text, std::string_view word) {
  return text.size() >= word.size() && is_word(text.substr(0, word.size()), word);
}

/// Once something does not fit, nothing that follows does.
class Writer {
 public:
  explicit Writer(std::span<char> room) : room_(room) {}

  void text(std::string_view more) {
    if (more.size() > room_.size() - length_) {
      is_short_ = true;
      return;
    }
    if (is_short_) return;
    std::copy(more.begin(), more.end(), room_.begin() + static_cast<ptrdiff_t>(length_));
    length_ += more.size();
  }
  void character(char c) { text({&c, 1}); }
  void number(uint32_t value, int base = 10) {
    std::array<char, 10> digits;
    text({digits.data(), std::to_chars(digits.data(), digits.data() + 10, value, base).ptr});
  }
  void address(const net::Address& address) {
    if (!address.is_v4()) return address6(address);
    for (size_t i = 12; i < 16; ++i) {
      if (i != 12) character('.');
      number(address.bytes[i]);
    }
  }

  bool fits() const { return !is_short_; }
  std::string_view view() const { return {room_.data(), length_}; }
  uint32_t length() const { return static_cast<uint32_t>(length_); }

 private:
  /// RFC 4291 2.2, form 1; the longest run of zeros as "::" (RFC 5952 4.2).
  void address6(const net::Address& address) {
    std::array<uint16_t, 8> groups;
    size_t from = 8, longest = 1;
    for (size_t i = 0; i < 8; ++i) {
      groups[i] = net::swap16(net::load<uint16_t>(&address.bytes[2 * i]));
    }
    for (size_t i = 0; i < 8; ++i) {
      size_t run = 0;
      while (i + run < 8 && groups[i + run] == 0) ++run;
      if (run > longest) from = i, longest = run;
    }
    for (size_t i = 0; i < 8; ++i) {
      if (i == from) {
        text("::");
        i += longest - 1;
        continue;
      }
      if (i != 0 && i != from + longest) character(':');
      number(groups[i], 16);
    }
  }

  std::span<char> room_;
  size_t length_ = 0;
  bool is_short_ = false;
};

/// All of `text`; nothing: no number, or above `most`.
inline std::optional<uint32_t> number_of(std::string_view text, uint32_t most) {
  uint32_t value = 0;
  if (text.empty() || text.size() > 9) return std::nullopt;
  for (const char c : text) {
    if (!is_digit(c)) return std::nullopt;
    value = value * 10 + static_cast<uint32_t>(c - '0');
  }
  return value <= most ? std::optional(value) : std::nullopt;
}

}  // namespace nezu::alg
