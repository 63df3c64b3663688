// What an agent on a server says: one line in the words of HAProxy's agent-check.
//
//   line   = *( word / blank ) [ "#" reason ]      blank = " " / TAB / ","
//   word   = 1*DIGIT "%" / "maxconn:" 1*DIGIT
//          / "ready" / "drain" / "maint"           what its administrator wants
//          / "up" / "down" / "fail" / "stopped"    whether it can serve
//
// Words in any order and any case; of several that contradict each other the last one holds. What a
// line does not say stays as it was. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "controlplane/compile/share.h"

namespace nezu::health {

/// Longer lines are nobody's agent.
inline constexpr size_t kLongestAgentLine = 1024;
/// A larger percentage counts as this.
inline constexpr uint16_t kMostAgentPercent = 1000;

struct AgentWords {
  enum class Order : uint8_t { none, ready, drain, maintenance };

  std::optional<uint16_t> percent;
  std::optional<uint32_t> max_flows;
  Order order = Order::none;
  std::optional<bool> is_up;
  std::string reason;   ///< behind "#"; printable ASCII
  std::string unknown;  ///< the first word that is none of these; printable ASCII

  /// It says something.
  bool exists() const { return percent || max_flows || order != Order::none || is_up.has_value(); }
  bool operator==(const AgentWords&) const = default;
};

/// Up to its first CR or LF.
AgentWords read_agent_line(std::string_view line);

/// The line within what has been received, without its end; nothing while it is not whole.
/// `closed`: the other side sends no more, which ends a line as well.
std::optional<std::string_view> agent_line(std::string_view received, bool closed);

/// What was said comes into force, all else stays.
void obey(const AgentWords& words, compile::Share& share);

/// For people: printable ASCII, at most 120 characters.
std::string shown(std::string_view line);

}  // namespace nezu::health
