// Messages written anew: see sip.h.
#include "dataplane/alg/sip.h"
#include "dataplane/alg/sip_lines.h"

namespace nezu::alg {
namespace {

/// What a host looks like in a header, and what it becomes.
struct Host {
  size_t end = 0;  ///< behind address and port; 0: there is none
  net::Address address;
  bool has_port = false;
  uint16_t port = kSipPort;
};

constexpr bool is_name(char c) {
  return is_digit(c) || (upper(c) >= 'A' && upper(c) <= 'Z') || c == '.' || c == '-' || c == '_';
}

/// An IPv4 address, or one of IPv6 in brackets, with its port, that begins at `at`.
Host host_at(std::string_view text, size_t at) {
  Host host;
  size_t end = at;
  std::string_view address;
  if (text[at] == '[') {
    const size_t close = text.find(']', at);
    if (close == std::string_view::npos || close - at > 46) return host;
    address = text.substr(at + 1, close - at - 1);
    end = close + 1;
  } else {
    if (!is_digit(text[at]) || (at != 0 && is_name(text[at - 1]))) return host;
    while (end < text.size() && is_name(text[end])) ++end;
    if (end - at > 15) return host;
    address = text.substr(at, end - at);
  }
  const auto parsed = net::parse_address(address);
  if (!parsed || parsed->is_v4() == (text[at] == '[')) return host;
  size_t behind = end;
  if (end < text.size() && text[end] == ':') {
    size_t digits = end + 1;
    while (digits < text.size() && is_digit(text[digits])) ++digits;
    const auto port = number_of(text.substr(end + 1, digits - end - 1), 65535);
    if (port) {
      host.has_port = true;
      host.port = static_cast<uint16_t>(*port);
      behind = digits;
    }
  }
  if (behind < text.size() && text[behind] == '@') return host;  // somebody's name
  host.end = behind;
  host.address = *parsed;
  return host;
}

class MessageWriter {
 public:
  MessageWriter(const SipMessage& message, const SipNames& names, std::span<char> to)
      : message_(message), names_(names), out_(to) {}

  uint32_t write(std::string_view text);

 private:
  void places(std::string_view value);
  void via(std::string_view value);
  void one_via(std::string_view value);
  void host(const Host& found, std::string_view as_it_was);
  void address(const net::Address& address) {
    if (!address.is_v4()) out_.character('[');
    out_.address(address);
    if (!address.is_v4()) out_.character(']');
  }
  const SipSwap* swap_of(const net::Address& address) const {
    for (const SipSwap& swap : names_.swaps) {
      if (swap.from == address) return &swap;
    }
    return nullptr;
  }
  const SipSwap* swap_of(const net::Address& address, uint16_t port) const {
    for (const SipSwap& swap : names_.swaps) {
      if (swap.from == address && swap.from_port == port) return &swap;
    }
    return nullptr;
  }

  const SipMessage& message_;
  const SipNames& names_;
  Writer out_;
};

void MessageWriter::host(const Host& found, std::string_view as_it_was) {
  const SipSwap* swap = swap_of(found.address, found.port);
  if (swap == nullptr) return out_.text(as_it_was);
  address(swap->to);
  if (!found.has_port && swap->to_port == kSipPort) return;
  out_.character(':');
  out_.number(swap->to_port);
}

/// Every address of a place but those in quotes.
void MessageWriter::places(std::string_view value) {
  size_t written = 0;
  bool quoted = false;
  for (size_t at = 0; at < value.size();) {
    if (value[at] == '"') quoted = !quoted;
    if (quoted && value[at] == '\\') ++at;
    const bool may_begin = at < value.size() && (is_digit(value[at]) || value[at] == '[');
    const Host found = !quoted && may_begin ? host_at(value, at) : Host{};
    if (found.end == 0) {
      ++at;
      continue;
    }
    out_.text(value.substr(written, at - written));
    host(found, value.substr(at, found.end - at));
    at = written = found.end;
  }
  out_.text(value.substr(written));
}

void MessageWriter::via(std::string_view value) {
  for (size_t at = 0;;) {
    const size_t comma = std::min(value.find(',', at), value.size());
    one_via(value.substr(at, comma - at));
    if (comma == value.size()) return;
    out_.character(',');
    at = comma + 1;
  }
}

/// SIP/2.0/UDP 192.0.2.7:5060;branch=x;received=192.0.2.7;rport=5060
void MessageWriter::one_via(std::string_view value) {
  const size_t parameters = std::min(value.find(';'), value.size());
  places(value.substr(0, parameters));
  // Which of the places `rport` speaks of: of `received`, else of the host in front.
  const auto value_of = [](std::string_view parameter, std::string_view name) {
    const std::string_view text = trimmed(parameter);
    return begins_with(text, name) && text.size() > name.size()
               ? std::optional(text.substr(name.size()))
               : std::nullopt;
  };
  const auto each = [&](auto visit) {
    for (size_t at = parameters; at < value.size();) {
      const size_t next = std::min(value.find(';', at + 1), value.size());
      visit(value.substr(at + 1, next - at - 1));
      at = next;
    }
  };
  const auto parsed = [](std::string_view text) {
    if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
    return text.size() <= 45 ? net::parse_address(text) : std::nullopt;
  };
  std::optional<net::Address> seen;
  each([&](std::string_view parameter) {
    if (const auto text = value_of(parameter, "RECEIVED=")) seen = parsed(*text);
  });
  if (!seen) {
    for (size_t at = 0; at < parameters && !seen; ++at) {
      if (!is_digit(value[at]) && value[at] != '[') continue;
      if (const Host found = host_at(value, at); found.end != 0) seen = found.address;
    }
  }
  each([&](std::string_view parameter) {
    out_.character(';');
    if (const auto text = value_of(parameter, "RECEIVED=")) {
      const auto from = parsed(*text);
      if (const SipSwap* swap = from ? swap_of(*from) : nullptr) {
        out_.text("received=");
        return out_.address(swap->to);
      }
    } else if (const auto port = value_of(parameter, "RPORT=")) {
      const auto from = number_of(*port, 65535);
      const SipSwap* swap = seen && from ? swap_of(*seen, static_cast<uint16_t>(*from)) : nullptr;
      if (swap != nullptr) {
        out_.text("rport=");
        return out_.number(swap->to_port);
      }
    }
    out_.text(parameter);
  });
}

/// The body: each line as it is, or as the other side is to read it.
class BodyWriter {
 public:
  BodyWriter(const SipMessage& message, const SipNames& names, std::span<char> to)
      : message_(message), names_(names), out_(to) {}

  std::string_view write(std::string_view body) {
    for (Lines lines(body); lines.next();) line(lines.line(), lines.whole());
    end_stream();
    return out_.fits() ? out_.view() : std::string_view{};
  }
  bool fits() const { return out_.fits(); }

 private:
  void line(std::string_view line, std::string_view whole);
  void place(std::string_view line);
  void stream(std::string_view line);
  /// RTCP is elsewhere than its receiver would look: before the first attribute, or at the end.
  void end_stream() {
    if (!owes_control_) return;
    owes_control_ = false;
    out_.text("a=rtcp:");
    out_.number(media_[-1].told_control_port);
    out_.text("\r\n");
  }

  const SipMessage& message_;
  const SipNames& names_;
  Writer out_;
  const SipMedia* media_ = message_.media.data();  ///< the next one
  bool owes_control_ = false;
};

/// "c=IN IP4 192.0.2.7", "o=- 1 1 IN IP4 192.0.2.7"
void BodyWriter::place(std::string_view line) {
  const size_t in = line.rfind("IN IP");
  const std::string_view value = in == std::string_view::npos ? "" : line.substr(in);
  if (const auto address = connection(value); !address || *address != names_.own) {
    return out_.text(line);
  }
  out_.text(line.substr(0, in));
  out_.text(names_.told.is_v4() ? "IN IP4 " : "IN IP6 ");
  out_.address(names_.told);
}

void BodyWriter::stream(std::string_view line) {
  const SipMedia& media = *media_++;
  if (media.told_port == 0) return out_.text(line);
  const Stream stream = stream_of(line.substr(2));
  out_.text("m=");
  out_.text(stream.kind);
  out_.character(' ');
  out_.number(media.told_port);
  out_.character(' ');
  out_.text(stream.rest);
  owes_control_ = media.told_control_port != 0 && media.told_control_port != media.told_port + 1;
}

void BodyWriter::line(std::string_view line, std::string_view whole) {
  const char kind = line.size() >= 2 && line[1] == '=' ? line[0] : '\0';
  const auto control = control_of(line);
  if (control && media_ != message_.media.data() && media_[-1].told_control_port != 0) {
    owes_control_ = false;
    out_.text("a=rtcp:");
    out_.number(media_[-1].told_control_port);
    if (!control->rest.empty()) {
      out_.character(' ');
      place(control->rest);
    }
    return out_.text(whole.substr(line.size()));
  }
  if (kind == 'a' || kind == 'm') end_stream();
  if (kind == 'c' || kind == 'o') {
    place(line);
  } else if (kind == 'm') {
    stream(line);
  } else {
    out_.text(line);
  }
  out_.text(whole.substr(line.size()));
}

uint32_t MessageWriter::write(std::string_view text) {
  std::array<char, kMostSipText> room;
  const std::string_view said = text.substr(message_.body, message_.body_length);
  BodyWriter body(message_, names_, room);
  const std::string_view put = message_.has_sdp ? body.write(said) : said;
  if (!body.fits()) return 0;
  Lines lines(text.substr(0, message_.body));
  lines.next();
  message_.is_request ? places(lines.whole()) : out_.text(lines.whole());
  while (lines.next()) {
    lines.add_folded();
    const std::string_view line = lines.line();
    const auto field = line.empty() ? std::nullopt : field_of(line);
    const Header kind = field ? field->kind : Header::other;
    if (kind != Header::places && kind != Header::via && kind != Header::length) {
      out_.text(lines.whole());
      continue;
    }
    out_.text(line.substr(0, line.size() - field->value.size()));
    if (kind == Header::places) places(field->value);
    if (kind == Header::via) via(field->value);
    if (kind == Header::length) {
      out_.character(' ');
      out_.number(static_cast<uint32_t>(put.size()));
    }
    out_.text(lines.whole().substr(line.size()));
  }
  out_.text(put);
  return out_.fits() ? out_.length() : 0;
}

}  // namespace

uint32_t write_sip(std::string_view text, const SipMessage& message, const SipNames& names,
                   std::span<char> to) {
  return MessageWriter(message, names, to).write(text);
}

}  // namespace nezu::alg
