#include "dataplane/alg/ftp.h"

#include <algorithm>
#include <array>
#include <optional>

#include "dataplane/alg/text.h"

namespace nezu::alg {
namespace {

using Kind = FtpLine::Kind;

/// `word` in upper case; what follows it, from behind the spaces on. Nothing: another word.
std::optional<size_t> behind(std::string_view line, std::string_view word) {
  if (!begins_with(line, word)) return std::nullopt;
  size_t at = word.size();
  if (at < line.size() && line[at] != ' ') return std::nullopt;
  while (at < line.size() && line[at] == ' ') ++at;
  return at;
}

/// A number of at most `most`; moves `at` behind its digits.
std::optional<uint32_t> number(std::string_view text, size_t& at, uint32_t most) {
  uint32_t value = 0;
  const size_t from = at;
  while (at < text.size() && is_digit(text[at]) && at - from < 6) {
    value = value * 10 + static_cast<uint32_t>(text[at++] - '0');
  }
  return at != from && value <= most ? std::optional(value) : std::nullopt;
}

/// h1,h2,h3,h4,p1,p2 from `at` on.
bool read_numbers(std::string_view line, size_t at, FtpLine& into) {
  std::array<uint8_t, 6> all{};
  into.begin = static_cast<uint16_t>(at);
  for (size_t i = 0; i < all.size(); ++i) {
    if (i != 0 && (at >= line.size() || line[at++] != ',')) return false;
    const auto one = number(line, at, 255);
    if (!one) return false;
    all[i] = static_cast<uint8_t>(*one);
  }
  into.end = static_cast<uint16_t>(at);
  into.address = net::Address::v4_raw(net::load<uint32_t>(all.data()));
  into.port = static_cast<uint16_t>(all[4] << 8 | all[5]);
  return true;
}

/// |family|address|port| from `at` on (RFC 2428 2).
bool read_triple(std::string_view line, size_t at, FtpLine& into) {
  if (at >= line.size() || line[at] < 33 || line[at] > 126) return false;
  const char delimiter = into.delimiter = line[at];
  into.begin = static_cast<uint16_t>(at++);
  const size_t family = at;
  if (at + 2 > line.size() || line[at + 1] != delimiter) return false;
  at += 2;
  const size_t end = line.find(delimiter, at);
  if (end == std::string_view::npos || end - at > 45) return false;
  const auto address = net::parse_address(line.substr(at, end - at));
  at = end + 1;
  const auto port = number(line, at, 65535);
  if (!address || !port || at >= line.size() || line[at] != delimiter) return false;
  if (line[family] != (address->is_v4() ? '1' : '2')) return false;
  into.end = static_cast<uint16_t>(at + 1);
  into.address = *address;
  into.port = static_cast<uint16_t>(*port);
  return true;
}

FtpLine as(Kind kind, bool good, FtpLine line) {
  line.kind = good ? kind : Kind::broken;
  return line;
}

/// The first digit behind the text of a 227 (RFC 1123 4.1.2.6: with or without brackets).
size_t first_digit(std::string_view line, size_t at) {
  while (at < line.size() && !is_digit(line[at])) ++at;
  return at;
}

}  // namespace

FtpLine read_ftp_command(std::string_view line) {
  FtpLine result;
  if (const auto at = behind(line, "PORT")) {
    const bool good = read_numbers(line, *at, result);
    return as(Kind::active, good && result.end == line.size(), result);
  }
  if (const auto at = behind(line, "EPRT")) {
    result.is_extended = true;
    const bool good = read_triple(line, *at, result);
    return as(Kind::active, good && result.end == line.size(), result);
  }
  if (behind(line, "PASV")) return as(Kind::passive, true, result);
  if (const auto at = behind(line, "EPSV")) {
    return as(behind(line.substr(*at), "ALL") ? Kind::all : Kind::extended, true, result);
  }
  return result;
}

FtpLine read_ftp_reply(std::string_view line) {
  FtpLine result;
  if (behind(line, "234")) return as(Kind::secured, true, result);
  if (behind(line, "227")) {
    return as(Kind::waits, read_numbers(line, first_digit(line, 3), result), result);
  }
  if (!behind(line, "229")) return result;
  // (<d><d><d><port><d>), RFC 2428 3
  size_t at = line.find('(');
  if (at == std::string_view::npos || at + 5 > line.size())
    return as(Kind::waits_here, false, result);
  const char delimiter = result.delimiter = line[++at];
  const bool three = line[at + 1] == delimiter && line[at + 2] == delimiter && !is_digit(delimiter);
  at += 3;
  result.begin = static_cast<uint16_t>(at);
  const auto port = three ? number(line, at, 65535) : std::nullopt;
  result.end = static_cast<uint16_t>(at);
  if (port) result.port = static_cast<uint16_t>(*port);
  return as(Kind::waits_here, port && at < line.size() && line[at] == delimiter, result);
}

bool may_matter(std::string_view begun, bool is_command) {
  static constexpr std::array<std::string_view, 4> kCommands = {"PORT ", "EPRT ", "PASV", "EPSV"};
  static constexpr std::array<std::string_view, 3> kReplies = {"227 ", "229 ", "234 "};
  const auto fits = [begun](std::string_view word) {
    const size_t size = std::min(word.size(), begun.size());
    return is_word(begun.substr(0, size), word.substr(0, size));
  };
  return is_command ? std::any_of(kCommands.begin(), kCommands.end(), fits)
                    : std::any_of(kReplies.begin(), kReplies.end(), fits);
}

namespace {

/// 192,0,2,7,156,64
void numbers(Writer& out, const net::Address& address, uint16_t port) {
  for (size_t i = 12; i < 16; ++i) {
    out.number(address.bytes[i]);
    out.character(',');
  }
  out.number(port >> 8);
  out.character(',');
  out.number(port & 0xff);
}
/// |1|192.0.2.7|40000|
void triple(Writer& out, char delimiter, const net::Address& whose, uint16_t port) {
  out.character(delimiter);
  out.character(whose.is_v4() ? '1' : '2');
  out.character(delimiter);
  out.address(whose);
  out.character(delimiter);
  out.number(port);
  out.character(delimiter);
}

}  // namespace

uint32_t write_ftp(FtpForm form, char delimiter, const net::Address& address, uint16_t port,
                   char* to) {
  Writer out({to, kMostFtpText});
  switch (form) {
    case FtpForm::numbers:
      numbers(out, address, port);
      break;
    case FtpForm::triple:
      triple(out, delimiter, address, port);
      break;
    case FtpForm::port:
      out.number(port);
      break;
    case FtpForm::port_line:
      out.text("PORT ");
      numbers(out, address, port);
      break;
    case FtpForm::eprt_line:
      out.text("EPRT ");
      triple(out, '|', address, port);
      break;
    case FtpForm::pasv_line:
      out.text("PASV");
      break;
    case FtpForm::epsv_line:
      out.text("EPSV");
      break;
    case FtpForm::noop_line:
      out.text("NOOP");
      break;
    case FtpForm::waits_line:
      out.text("227 Entering Passive Mode (");
      numbers(out, address, port);
      out.text(").");
      break;
    case FtpForm::waits_here_line:
      out.text("229 Entering Extended Passive Mode (|||");
      out.number(port);
      out.text("|)");
      break;
  }
  return out.length();
}

}  // namespace nezu::alg
