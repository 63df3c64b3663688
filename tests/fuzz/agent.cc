// Any bytes as what an agent sends: a line is found by its end and nowhere else, what is understood
// of it means the same when it is written plainly, and obeying it twice is obeying it once.
//
// Input: the bytes; the lowest bit of the first one says whether the connection is closed.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "controlplane/health/agent_words.h"

namespace {

using namespace nezu;
using health::AgentWords;

void require(bool good, const char* what, std::string_view text) {
  if (good) return;
  std::fprintf(stderr, "%s: %.*s\n", what, static_cast<int>(text.size()), text.data());
  std::abort();
}

std::string plain(const AgentWords& words) {
  std::string text = words.percent ? std::to_string(*words.percent) + "% " : "";
  text += words.order == AgentWords::Order::ready         ? "ready "
          : words.order == AgentWords::Order::drain       ? "drain "
          : words.order == AgentWords::Order::maintenance ? "maint "
                                                          : "";
  text += !words.is_up ? "" : *words.is_up ? "up " : "down ";
  text += words.max_flows ? "maxconn:" + std::to_string(*words.max_flows) : "";
  return text;
}

void check(std::string_view received, bool closed) {
  const auto line = health::agent_line(received, closed);
  const size_t end = received.find_first_of("\r\n");
  require(line.has_value() == (closed || end != std::string_view::npos), "an end", received);
  if (!line) return;
  require(*line == received.substr(0, end), "the line", received);
  const AgentWords words = health::read_agent_line(*line);
  require(!words.percent || *words.percent <= health::kMostAgentPercent, "percent", *line);
  for (const std::string& shown : {words.reason, words.unknown, health::shown(*line)}) {
    for (const char c : shown) require(c >= 0x20 && c <= 0x7e, "printable", *line);
  }
  AgentWords again = health::read_agent_line(plain(words));
  require(again.unknown.empty() && again.exists() == words.exists(), "plain words", *line);
  again.reason = words.reason;
  again.unknown = words.unknown;
  require(again == words, "the same", *line);
  compile::Share once;
  health::obey(words, once);
  compile::Share twice = once;
  health::obey(words, twice);
  require(once == twice, "twice", *line);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const bool closed = (data[0] & 1) != 0;
  check({reinterpret_cast<const char*>(data) + 1, size - 1}, closed);
  return 0;
}
