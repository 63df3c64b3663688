// Within alg/: what messages of SIP, and the SDP in them, are made of.
#pragma once

#include <algorithm>
#include <optional>

#include "dataplane/alg/text.h"

namespace nezu::alg {

/// Lines one after the other, each with what ends it.
class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text) {}
  bool next() {
    if (at_ >= text_.size()) return false;
    const size_t feed = text_.find('\n', at_);
    begin_ = at_;
    at_ = feed == std::string_view::npos ? text_.size() : feed + 1;
    has_end_ = feed != std::string_view::npos;
    return true;
  }
  /// A header goes on in lines that begin with a space (RFC 3261 7.3.1).
  void add_folded() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) {
      const size_t feed = text_.find('\n', at_);
      at_ = feed == std::string_view::npos ? text_.size() : feed + 1;
      has_end_ = feed != std::string_view::npos;
    }
  }
  std::string_view whole() const { return text_.substr(begin_, at_ - begin_); }
  std::string_view line() const {
    std::string_view line = whole();
    if (has_end_) line.remove_suffix(1);
    if (has_end_ && line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }
  bool has_end() const { return has_end_; }
  size_t behind() const { return at_; }

 private:
  std::string_view text_;
  size_t at_ = 0, begin_ = 0;
  bool has_end_ = false;
};

inline bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
inline std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

enum class Header : uint8_t { other, places, via, call_id, length, type, to };
inline Header header_of(std::string_view name) {
  struct Known {
    std::string_view name;
    Header kind;
  };
  static constexpr std::array<Known, 15> kKnown = {{{"VIA", Header::via},
                                                    {"V", Header::via},
                                                    {"CONTACT", Header::places},
                                                    {"M", Header::places},
                                                    {"RECORD-ROUTE", Header::places},
                                                    {"ROUTE", Header::places},
                                                    {"PATH", Header::places},
                                                    {"SERVICE-ROUTE", Header::places},
                                                    {"CALL-ID", Header::call_id},
                                                    {"I", Header::call_id},
                                                    {"CONTENT-LENGTH", Header::length},
                                                    {"L", Header::length},
                                                    {"CONTENT-TYPE", Header::type},
                                                    {"C", Header::type},
                                                    {"TO", Header::to}}};
  if (is_word(name, "T")) return Header::to;
  for (const Known& known : kKnown) {
    if (is_word(name, known.name)) return known.kind;
  }
  return Header::other;
}

struct Field {
  Header kind = Header::other;
  std::string_view value;
};
/// Nothing: no header.
inline std::optional<Field> field_of(std::string_view line) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  return Field{header_of(trimmed(line.substr(0, colon))), line.substr(colon + 1)};
}

/// The next word of a line of SDP; `rest` begins behind it.
inline std::string_view word(std::string_view& rest) {
  const size_t space = std::min(rest.find(' '), rest.size());
  const std::string_view one = rest.substr(0, space);
  rest.remove_prefix(std::min(space + 1, rest.size()));
  return one;
}

/// "IN IP4 192.0.2.7", also with a TTL behind it; nothing: another kind of address.
inline std::optional<net::Address> connection(std::string_view value) {
  if (word(value) != "IN") return std::nullopt;
  const std::string_view family = word(value);
  std::string_view text = word(value);
  text = text.substr(0, text.find('/'));
  if (text.size() > 45) return std::nullopt;
  const auto address = net::parse_address(text);
  if (!address || (family == "IP4") != address->is_v4()) return std::nullopt;
  return address;
}

/// m=audio 4000 RTP/AVP 0
struct Stream {
  std::string_view kind, port, rest;  ///< `port` with a number of ports behind it
  uint16_t first = 0;                 ///< 0: refused, or no datagrams
};
inline Stream stream_of(std::string_view value) {
  Stream stream;
  stream.kind = word(value);
  stream.port = word(value);
  stream.rest = value;
  const auto port = number_of(stream.port.substr(0, stream.port.find('/')), 65535);
  const bool datagrams = begins_with(value, "RTP/") || begins_with(value, "UDP");
  stream.first = port && datagrams ? static_cast<uint16_t>(*port) : uint16_t{0};
  return stream;
}

/// a=rtcp:53020 [IN IP4 192.0.2.7]
struct Control {
  uint16_t port = 0;
  std::string_view rest;
};
inline std::optional<Control> control_of(std::string_view line) {
  constexpr std::string_view kBegin = "a=rtcp:";
  if (!line.starts_with(kBegin)) return std::nullopt;
  std::string_view rest = line.substr(kBegin.size());
  const auto port = number_of(word(rest), 65535);
  return port ? std::optional(Control{static_cast<uint16_t>(*port), rest}) : std::nullopt;
}

}  // namespace nezu::alg
