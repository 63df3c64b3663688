#include "dataplane/alg/rtsp.h"

#include <algorithm>
#include <optional>

namespace nezu::alg {
namespace {

using Kind = RtspPlace::Kind;

constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

constexpr std::string_view kLength = "CONTENT-LENGTH", kTransport = "TRANSPORT";

/// `begun` is a begin of `word`, or that and more behind blanks and a colon.
bool may_become(std::string_view begun, std::string_view word) {
  const size_t common = std::min(begun.size(), word.size());
  if (!is_word(begun.substr(0, common), word.substr(0, common))) return false;
  for (size_t i = common; i < begun.size() && begun[i] != ':'; ++i) {
    if (!is_blank(begun[i])) return false;
  }
  return true;
}

/// What stands between delimiters, one after the other; quoted ones do not count.
class Parts {
 public:
  Parts(std::string_view text, char delimiter) : text_(text), delimiter_(delimiter) {}
  bool next(std::string_view& part) {
    if (at_ > text_.size()) return false;
    size_t end = at_;
    for (bool quoted = false; end < text_.size(); ++end) {
      if (text_[end] == '"') quoted = !quoted;
      if (!quoted && text_[end] == delimiter_) break;
    }
    part = text_.substr(at_, end - at_);
    at_ = end + 1;
    return true;
  }

 private:
  std::string_view text_;
  char delimiter_;
  size_t at_ = 0;
};

struct Parameter {
  std::string_view name, value;
};
Parameter parameter_of(std::string_view part) {
  const size_t equals = std::min(part.find('='), part.size());
  return {trimmed(part.substr(0, equals)), trimmed(part.substr(std::min(equals + 1, part.size())))};
}

/// By datagrams, to one receiver.
bool is_ours(std::string_view transport) {
  Parts parts(transport, ';');
  std::string_view part;
  for (bool first = true; parts.next(part); first = false) {
    const Parameter one = parameter_of(part);
    if (first) {
      const size_t slash = one.name.rfind('/');
      if (slash != std::string_view::npos && is_word(one.name.substr(slash + 1), "TCP")) {
        return false;
      }
    } else if (is_word(one.name, "MULTICAST") || is_word(one.name, "INTERLEAVED")) {
      return false;
    }
  }
  return true;
}

/// 4588 or 4588-4589
bool read_ports(std::string_view text, RtspPlace& into) {
  const size_t dash = std::min(text.find('-'), text.size());
  const auto first = number_of(trimmed(text.substr(0, dash)), 65535);
  if (!first || *first == 0) return false;
  into.first = static_cast<uint16_t>(*first);
  into.last = static_cast<uint16_t>(std::min<uint32_t>(*first + 1, 65535));
  if (dash == text.size()) return true;
  const auto last = number_of(trimmed(text.substr(dash + 1)), 65535);
  if (!last || *last == 0) return false;
  into.last = static_cast<uint16_t>(*last);
  into.is_pair = true;
  return true;
}

void read_host(std::string_view& text, RtspPlace& into) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    text = text.substr(1, text.size() - 2);
  }
  std::string_view address = text;
  into.is_bracketed = address.size() >= 2 && address.front() == '[' && address.back() == ']';
  if (into.is_bracketed) address = address.substr(1, address.size() - 2);
  if (address.size() > 45) return;
  const auto read = net::parse_address(address);
  into.is_literal = read && !(read->is_v4() && into.is_bracketed);
  if (into.is_literal) into.address = *read;
}

std::optional<Kind> kind_of(std::string_view name) {
  if (is_word(name, "CLIENT_PORT")) return Kind::client_port;
  if (is_word(name, "SERVER_PORT")) return Kind::server_port;
  if (is_word(name, "SOURCE")) return Kind::source;
  if (is_word(name, "DESTINATION")) return Kind::destination;
  return std::nullopt;
}

}  // namespace

bool is_rtsp_start(std::string_view line) {
  constexpr std::string_view kVersion = "RTSP/";
  if (line.starts_with(kVersion)) return true;
  const size_t space = line.rfind(' ');
  return space != std::string_view::npos && space != 0 &&
         line.substr(space + 1).starts_with(kVersion);
}

RtspHeader read_rtsp_header(std::string_view line) {
  RtspHeader header;
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return header;
  const std::string_view name = trimmed(line.substr(0, colon));
  header.value = static_cast<uint32_t>(colon + 1);
  if (is_word(name, kTransport)) header.kind = RtspHeader::Kind::transport;
  if (!is_word(name, kLength)) return header;
  header.kind = RtspHeader::Kind::length;
  const auto length = number_of(trimmed(line.substr(colon + 1)), kMostRtspBody);
  header.is_broken = !length;
  header.length = length.value_or(0);
  return header;
}

bool may_be_rtsp_header(std::string_view begun) {
  return may_become(begun, kLength) || may_become(begun, kTransport);
}

RtspTransports read_rtsp_transports(std::string_view line, uint32_t value) {
  RtspTransports read;
  if (value > line.size()) return read;
  Parts transports(line.substr(value), ',');
  std::string_view transport;
  for (uint8_t number = 0; transports.next(transport); ++number) {
    if (!is_ours(transport)) continue;
    Parts parts(transport, ';');
    std::string_view part;
    while (parts.next(part)) {
      Parameter one = parameter_of(part);
      const auto kind = kind_of(one.name);
      if (!kind) continue;
      RtspPlace place;
      place.kind = *kind;
      place.transport = number;
      const bool ports = *kind == Kind::client_port || *kind == Kind::server_port;
      if (!ports && one.value.empty()) continue;  // the sender's own
      if (!ports) read_host(one.value, place);
      if ((ports && !read_ports(one.value, place)) || read.count == RtspTransports::kMost) {
        read.is_broken = true;
        continue;
      }
      place.begin = static_cast<uint16_t>(one.value.data() - line.data());
      place.end = static_cast<uint16_t>(place.begin + one.value.size());
      read.places[read.count++] = place;
    }
  }
  return read;
}

void write_rtsp_ports(Writer& to, uint16_t first, uint16_t last, bool pair) {
  to.number(first);
  if (!pair) return;
  to.character('-');
  to.number(last);
}

namespace {
constexpr std::string_view kConnection4 = "c=IN IP4 ";
constexpr uint32_t kFamilyAt = 5;  ///< of "IP4"
}  // namespace

bool read_sdp_connection4(std::string_view line, uint32_t& begin, uint32_t& end) {
  if (!line.starts_with(kConnection4)) return false;
  std::string_view text = line.substr(kConnection4.size());
  text = text.substr(0, text.find_first_of(" /"));
  if (text.size() > 15) return false;
  const auto address = net::parse_address(text);
  if (!address || !address->is_v4() || address->is_multicast()) return false;
  begin = kFamilyAt;
  end = static_cast<uint32_t>(kConnection4.size() + text.size());
  return true;
}

bool may_be_sdp_connection4(std::string_view begun) {
  const size_t common = std::min(begun.size(), kConnection4.size());
  return begun.substr(0, common) == kConnection4.substr(0, common);
}

void write_sdp_unspecified6(Writer& to, uint32_t length) {
  to.text("IP6 ::");
  for (uint32_t at = 6; at < length; ++at) {
    // ::0:0:0, the last group longer where the number of bytes is even.
    const uint32_t behind = at - 6;
    to.character(behind % 2 == 1 && at + 1 < length ? ':' : '0');
  }
}

}  // namespace nezu::alg
