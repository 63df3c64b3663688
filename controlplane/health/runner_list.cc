// Which checks and agents the runner has: what a configuration adds, changes and takes away.
#include <algorithm>

#include "controlplane/health/runner.h"

namespace nezu::health {

void Runner::configure(Wanted wanted, const Engine::Adopted& adopted) {
  const std::lock_guard lock(memory_.mutex);
  if (wanted.is_whole) {
    for (const auto& [pool, keys] : memory_.pools) {
      wanted.pools.try_emplace(pool);
    }
  }
  Servers touched;
  for (auto& [pool, checks] : wanted.pools) {
    touched.merge(configure(pool, std::move(checks), adopted));
  }
  for (const tables::ServerIdentity& server : touched) {
    settle(server);
  }
}

Runner::Servers Runner::configure(const std::string& pool, std::vector<Check> checks,
                                  const Engine::Adopted& adopted) {
  std::map<Memory::Key, Check*> wanted;
  for (Check& check : checks) {
    wanted[{check.server, pool, check.kind == Kind::agent}] = &check;
  }
  Servers touched;
  std::set<Memory::Key> now;
  for (const auto& [key, check] : wanted) {
    const auto known = memory_.entries.find(key);
    if (known == memory_.entries.end()) {
      add(key, std::move(*check), adopted);
    } else if (known->second->check() != *check) {
      redefine(*known->second, std::move(*check));
    }
    now.insert(key);
    touched.insert(key.server);
  }
  std::set<Memory::Key>& before = memory_.pools[pool];
  for (const Memory::Key& key : before) {
    touched.insert(key.server);
    if (!now.contains(key)) {
      remove(key);
    }
  }
  if (now.empty()) {
    memory_.pools.erase(pool);
  } else {
    before = std::move(now);
  }
  return touched;
}

void Runner::remove(const Memory::Key& key) {
  const auto at = memory_.entries.find(key);
  abandon(*at->second);
  set_broken(*at->second, false);
  set_silent(*at->second, false);
  memory_.entries.erase(at);
}

void Runner::add(const Memory::Key& key, Check check, const Engine::Adopted& adopted) {
  auto entry = std::make_unique<Entry>();
  entry->report.check = std::move(check);
  key.is_agent ? begin_agent(*entry, adopted) : begin_check(*entry, adopted);
  entry->report.health = health_of(entry->verdict);
  schedule_first(*entry);
  memory_.entries.emplace(key, std::move(entry));
}

void Runner::begin_check(Entry& entry, const Engine::Adopted& adopted) {
  const Check& check = entry.check();
  const auto before = adopted.find(check.server);
  const bool known = before != adopted.end();
  // Whoever must be let to return does not do so by another name of its pool.
  const auto now = memory_.servers.find(check.server);
  if (!known && check.manual_return && now != memory_.servers.end() &&
      now->second == Health::down) {
    entry.verdict = Verdict::adopted(false);
  }
  if (known) {
    entry.verdict = Verdict::adopted(before->second);
    memory_.servers.try_emplace(check.server, before->second ? Health::up : Health::down);
    entry.report.last_result = "adopted; not probed yet";
  } else {
    entry.report.last_result = "not probed yet";
  }
}

void Runner::redefine(Entry& entry, Check check) {
  abandon(entry);
  set_broken(entry, false);
  forget_counts(entry);
  entry.report.check = std::move(check);
  const auto within = std::min<Milliseconds>(entry.check().interval, kFirstWithin);
  schedule(entry, Loop::now() + up_to(within));
}

void Runner::forget_counts(Entry& entry) {
  entry.verdict.forget_counts();
  entry.report.successes_in_row = entry.report.failures_in_row = 0;
  entry.report.recovering = entry.report.awaits_return = false;
}

/// After its checks may have changed.
void Runner::settle(const tables::ServerIdentity& server) {
  bool has_checks = false;
  memory_.each_of(server, [&](const Entry& entry) { has_checks |= decides(entry); });
  if (has_checks) {
    judge(server, "another check decides");
    return;
  }
  const auto lost = memory_.servers.find(server);
  if (lost == memory_.servers.end()) {
    return;
  }
  if (lost->second != Health::unknown) {
    memory_.changes.push_back(
        {server, Health::unknown, "it has no check any more", std::chrono::system_clock::now()});
  }
  memory_.servers.erase(lost);
}

}  // namespace nezu::health
