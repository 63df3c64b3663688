#include "dataplane/tables/explain.h"

#include <type_traits>

namespace nezu::tables {
namespace {

template <typename Enum>
bool is_within(Enum value, Enum last) {
  return static_cast<std::underlying_type_t<Enum>>(value) <=
         static_cast<std::underlying_type_t<Enum>>(last);
}

bool is_sound(const ExplainedPass& pass) {
  return is_within(pass.decided, ExplainStage::dispatch) &&
         is_within(pass.verdict, net::Verdict::split) &&
         static_cast<size_t>(pass.reason) < net::kReasonCount;
}

}  // namespace

bool is_sound(const ExplainOrder& order) {
  return order.length >= kLeastExplained && order.length <= kMostExplained;
}

bool is_sound(const Explanation& explanation) {
  if (!is_within(explanation.fault, ExplainFault::worker_silent) ||
      explanation.pass_count > kMostExplainedPasses || explanation.length > kMostExplainedAfter) {
    return false;
  }
  if (explanation.fault == ExplainFault::none && explanation.pass_count == 0) return false;
  for (uint32_t i = 0; i < explanation.pass_count; ++i) {
    if (!is_sound(explanation.passes[i])) return false;
  }
  return is_within(explanation.whose, Whose::kernel) &&
         is_within(explanation.origin, FlowOrigin::reopened) &&
         is_within(explanation.mode, Mode::spoken) &&
         is_within(explanation.flow.state, Timeout::other) &&
         is_within(explanation.packet.shape, net::Shape::control) &&
         (explanation.packet.family == net::Family::ipv4 ||
          explanation.packet.family == net::Family::ipv6);
}

}  // namespace nezu::tables
