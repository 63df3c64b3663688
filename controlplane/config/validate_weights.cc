#include "controlplane/config/validate.h"
#include "dataplane/net/address.h"

namespace nezu::config {
namespace {

constexpr size_t kLongestSend = 255;

/// What a scheduler would make of weights that change by themselves; empty: what is wanted.
const char* why_not(v1::Scheduler scheduler) {
  switch (scheduler) {
    case v1::SCHEDULER_RR:
    case v1::SCHEDULER_LC:
      return "This scheduler looks at no weights; use wrr or wlc.";
    case v1::SCHEDULER_SH:
    case v1::SCHEDULER_MH:
    case v1::SCHEDULER_DH:
      return "Each change of a weight would make the hash send clients elsewhere, on each node "
             "to another server; use wlc, with persistence where clients must stay.";
    case v1::SCHEDULER_LBLC:
    case v1::SCHEDULER_LBLCR:
      return "This scheduler takes weights as numbers of flows, which shares of them would change; "
             "use wlc.";
    case v1::SCHEDULER_FO:
    case v1::SCHEDULER_OVF:
      return "This scheduler goes by the order of weights, which shares of them would change; use "
             "wlc.";
    default:
      return "";
  }
}

void check_agent(const v1::Agent& agent, const std::string& path, Problems& problems) {
  if (!agent.address().empty() && !net::parse_address(agent.address())) {
    complain(problems, path + ".address", agent.address(),
             "This is no IPv4 or IPv6 address; leave it out to ask at each server's own.");
  }
  check_range(agent.port(), 1, 65535, "", path + ".port", problems);
  check_range(agent.interval_ms(), 100, 3600000, "ms", path + ".interval_ms", problems);
  check_range(agent.timeout_ms(), 10, 60000, "ms", path + ".timeout_ms", problems);
  if (agent.timeout_ms() > agent.interval_ms()) {
    complain(problems, path + ".timeout_ms", std::to_string(agent.timeout_ms()),
             "The timeout must not be longer than the interval of " +
                 std::to_string(agent.interval_ms()) + " ms; shorten it or ask less often.");
  }
  if (agent.send().size() > kLongestSend) {
    complain(problems, path + ".send", agent.send(),
             "The text is longer than " + std::to_string(kLongestSend) + " bytes; shorten it.");
  }
}

}  // namespace

void check_weights(const v1::Pool& pool, const std::string& path, Problems& problems) {
  check_known(pool.weights(), v1::Weights_IsValid, path + ".weights", problems);
  const bool by_agent = pool.weights() == v1::WEIGHTS_AGENT;
  const bool by_time = pool.weights() == v1::WEIGHTS_RESPONSE_TIME;
  const char* why = by_agent || by_time ? why_not(pool.scheduler()) : "";
  if (*why != 0) {
    complain(problems, path + ".weights", word_of(pool.weights()), why);
  }
  if (pool.has_agent()) {
    check_agent(pool.agent(), path + ".agent", problems);
  }
  if (by_agent && !pool.has_agent()) {
    complain(problems, path + ".agent", "",
             "Weights come from an agent, so it must be told where: give agent: {port: 9707}.");
  }
  if (!by_agent && pool.has_agent()) {
    complain(problems, path + ".agent", std::to_string(pool.agent().port()),
             "Nobody would ask the agent; give weights: agent, or leave it out.");
  }
  if (by_time && !pool.has_check()) {
    complain(
        problems, path + ".weights", word_of(pool.weights()),
        "The times are those of the answers to checks, and the pool has none; give it a check.");
  }
  check_range(pool.weight_floor_percent(), 0, 100, "%", path + ".weight_floor_percent", problems);
  if (!by_time && pool.weight_floor_percent() != 0) {
    complain(problems, path + ".weight_floor_percent", std::to_string(pool.weight_floor_percent()),
             "Only weights of response times have a floor; give weights: response_time, or leave "
             "it out.");
  }
}

}  // namespace nezu::config
