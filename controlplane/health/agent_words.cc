#include "controlplane/health/agent_words.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace nezu::health {
namespace {

constexpr size_t kLongestShown = 120;
constexpr std::string_view kBlanks = " \t,";
constexpr std::string_view kLimit = "maxconn:";

/// `word` is in lower case.
bool is_word(std::string_view text, std::string_view word) {
  return std::equal(text.begin(), text.end(), word.begin(), word.end(), [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == b;
  });
}

/// Decimal digits and nothing else. What is too large for 32 bits is the largest number.
std::optional<uint32_t> number_of(std::string_view text) {
  if (text.empty() || text[0] == '-') {
    return std::nullopt;
  }
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size() || error == std::errc::invalid_argument) {
    return std::nullopt;
  }
  return error == std::errc::result_out_of_range ? UINT32_MAX : value;
}

bool read_number(std::string_view word, AgentWords& words) {
  if (word.ends_with('%')) {
    if (const auto percent = number_of(word.substr(0, word.size() - 1))) {
      words.percent = static_cast<uint16_t>(std::min<uint32_t>(*percent, kMostAgentPercent));
      return true;
    }
    return false;
  }
  if (word.size() > kLimit.size() && is_word(word.substr(0, kLimit.size()), kLimit)) {
    if (const auto limit = number_of(word.substr(kLimit.size()))) {
      words.max_flows = *limit;
      return true;
    }
  }
  return false;
}

bool read_word(std::string_view word, AgentWords& words) {
  using Order = AgentWords::Order;
  if (is_word(word, "up")) {
    words.is_up = true;
  } else if (is_word(word, "down") || is_word(word, "fail") || is_word(word, "stopped")) {
    words.is_up = false;
  } else if (is_word(word, "ready")) {
    words.order = Order::ready;
  } else if (is_word(word, "drain")) {
    words.order = Order::drain;
  } else if (is_word(word, "maint")) {
    words.order = Order::maintenance;
  } else {
    return read_number(word, words);
  }
  return true;
}

}  // namespace

AgentWords read_agent_line(std::string_view line) {
  AgentWords words;
  line = line.substr(0, line.find_first_of("\r\n"));
  if (const size_t reason = line.find('#'); reason != std::string_view::npos) {
    const size_t begin = line.find_first_not_of("# \t", reason);
    words.reason = begin == std::string_view::npos ? "" : shown(line.substr(begin));
    line = line.substr(0, reason);
  }
  for (size_t at = line.find_first_not_of(kBlanks); at != std::string_view::npos;) {
    const size_t end = std::min(line.find_first_of(kBlanks, at), line.size());
    const std::string_view word = line.substr(at, end - at);
    if (!read_word(word, words) && words.unknown.empty()) {
      words.unknown = shown(word);
    }
    at = line.find_first_not_of(kBlanks, end);
  }
  return words;
}

std::optional<std::string_view> agent_line(std::string_view received, bool closed) {
  const size_t end = received.find_first_of("\r\n");
  if (end == std::string_view::npos && !closed) {
    return std::nullopt;
  }
  return received.substr(0, end);
}

void obey(const AgentWords& words, compile::Share& share) {
  share.percent = words.percent.value_or(share.percent);
  if (words.max_flows) {
    share.max_flows = words.max_flows;
  }
  if (words.order != AgentWords::Order::none) {
    share.drains = words.order == AgentWords::Order::drain;
    share.in_maintenance = words.order == AgentWords::Order::maintenance;
  }
  if (words.is_up) {
    share.is_down = !*words.is_up;
  }
}

std::string shown(std::string_view line) {
  std::string text(line.substr(0, kLongestShown));
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c > 0x7e; }, '?');
  return text;
}

}  // namespace nezu::health
