// What the runner does with agents: their word on whether the server is up counts beside the
// checks, everything else that they say is passed on. A silent one changes nothing.
#include "controlplane/health/runner.h"

namespace nezu::health {
namespace {

/// One answer that a busy machine gives too late is nothing to tell.
constexpr uint32_t kSilentAfter = 2;

}  // namespace

/// One that had said "down" before the restart takes it back itself. Who else was down then is
/// nobody's any more, unless a check adopts it.
void Runner::begin_agent(Entry& entry, const Engine::Adopted& adopted) {
  const Check& check = entry.check();
  entry.report.last_result = "not asked yet";
  if (const auto before = adopted.find(check.server); before != adopted.end()) {
    memory_.servers.try_emplace(check.server, before->second ? Health::up : Health::down);
  }
  const auto pool = memory_.adopted.find(check.pool);
  if (pool == memory_.adopted.end()) {
    return;
  }
  if (const auto share = pool->second.extract(check.server); share && share.mapped().is_down) {
    entry.verdict = Verdict::adopted(false);
    memory_.servers.try_emplace(check.server, Health::down);
    entry.report.last_result = "adopted: it had said that it is down; not asked yet";
  }
}

void Runner::hear(Entry& entry, const Outcome& outcome) {
  CheckReport& report = entry.report;
  if (outcome.kind != Outcome::Kind::success) {
    report.successes_in_row = 0;
    report.failures_in_row += outcome.kind == Outcome::Kind::failure ? 1 : 0;
    set_silent(entry, ++entry.unanswered >= kSilentAfter);
    return;
  }
  entry.unanswered = 0;
  set_silent(entry, false);
  if (memory_.freeze_reason.empty()) {
    report.line = shown(outcome.line);
    report.heard = std::chrono::system_clock::now();
    obey(entry, read_agent_line(outcome.line));
  }
  ++report.successes_in_row;
  report.failures_in_row = 0;
}

void Runner::obey(Entry& entry, const AgentWords& words) {
  const Check& check = entry.check();
  memory_.heard.push_back({check.pool, check.server, words});
  const bool is_known = entry.verdict.state() != Verdict::State::unknown;
  if (!words.is_up || (is_known && entry.verdict.is_up() == *words.is_up)) {
    return;
  }
  entry.verdict = Verdict::adopted(*words.is_up);
  const auto action = *words.is_up ? Verdict::Action::bring_up : Verdict::Action::take_down;
  act(entry, action, "its agent said \"" + entry.report.line + '"');
}

}  // namespace nezu::health
