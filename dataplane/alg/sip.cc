#include "dataplane/alg/sip.h"
#include "dataplane/alg/sip_lines.h"

namespace nezu::alg {
namespace {

constexpr std::string_view kVersion = "SIP/2.0";

bool is_start(std::string_view line, bool& is_request) {
  if (begins_with(line, "SIP/2.0 ")) {
    is_request = false;
    return line.size() >= 11 && number_of(line.substr(8, 3), 699) &&
           (line.size() == 11 || line[11] == ' ');
  }
  is_request = true;
  const size_t first = line.find(' '), last = line.rfind(' ');
  return first != std::string_view::npos && first != 0 && last > first + 1 &&
         is_word(line.substr(last + 1), kVersion);
}

bool read_sdp(std::string_view body, SipMessage& message) {
  net::Address everywhere;
  SipMedia* now = nullptr;
  for (Lines lines(body); lines.next();) {
    const std::string_view line = lines.line();
    if (line.size() < 2 || line[1] != '=') continue;
    if (line[0] == 'c') {
      (now != nullptr ? now->address : everywhere) =
          connection(line.substr(2)).value_or(net::Address{});
    } else if (line[0] == 'm') {
      if (message.media_count == kMostSipMedia) return false;
      now = &message.media[message.media_count++];
      *now = {};
      now->address = everywhere;
      now->port = stream_of(line.substr(2)).first;
      if (now->port != 0 && now->port != 65535) {
        now->control_port = static_cast<uint16_t>(now->port + 1);
      }
    } else if (const auto control = control_of(line); control && now != nullptr) {
      now->control_port = control->port;
    }
  }
  return true;
}

}  // namespace

bool is_keep_alive(std::string_view datagram) {
  return datagram.size() <= 4 && std::all_of(datagram.begin(), datagram.end(), [](char c) {
           return c == '\r' || c == '\n' || c == '\0';
         });
}

SipMessage read_sip(std::string_view text) {
  SipMessage message;
  if (text.size() > kMostSipText) {
    message.state = SipMessage::State::too_long;
    return message;
  }
  Lines lines(text);
  if (!lines.next() || !is_start(lines.line(), message.is_request)) return message;
  std::optional<uint32_t> length;
  bool ends = false;
  while (!ends && lines.next()) {
    ends = lines.has_end() && lines.line().empty();
    if (ends) break;
    lines.add_folded();
    const auto field = field_of(lines.line());
    if (!field || !lines.has_end()) return message;
    const std::string_view value = trimmed(field->value);
    if (field->kind == Header::call_id) {
      if (!message.call_id.empty() || value.empty()) return message;
      message.call_id = value;
    } else if (field->kind == Header::length) {
      if (length) return message;
      length = number_of(value, kMostSipText);
      if (!length) return message;
    } else if (field->kind == Header::type) {
      message.has_sdp = begins_with(value, "APPLICATION/SDP");
    } else if (field->kind == Header::to) {
      const size_t end = std::min(value.rfind('>'), value.size());
      const std::string_view parameters = value.substr(end == value.size() ? 0 : end);
      for (size_t at = parameters.find(';'); at != std::string_view::npos;
           at = parameters.find(';', at + 1)) {
        if (begins_with(trimmed(parameters.substr(at + 1)), "TAG")) {
          message.is_within_dialogue = true;
        }
      }
    }
  }
  if (!ends || message.call_id.empty()) return message;
  message.body = static_cast<uint32_t>(lines.behind());
  const auto there = static_cast<uint32_t>(text.size()) - message.body;
  message.body_length = length.value_or(there);
  if (message.body_length > there) return message;  // RFC 3261 18.3: cut off
  if (message.has_sdp && !read_sdp(text.substr(message.body, message.body_length), message)) {
    message.state = SipMessage::State::too_long;
    return message;
  }
  message.state = SipMessage::State::good;
  return message;
}

}  // namespace nezu::alg
