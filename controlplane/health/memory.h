// What the engine knows about its checks: it outlives a failure of the thread that runs them.
//
// Written by the engine's thread only, under `mutex`; that thread reads without it, all others
// with it.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/health/engine.h"
#include "controlplane/health/loop.h"
#include "controlplane/health/probe.h"
#include "controlplane/health/verdict.h"

namespace nezu::health {

/// One check with its verdict; the timers belong to the loop that runs now.
struct Entry {
  Verdict verdict;
  CheckReport report;  // holds the check
  Loop::Timer due = Loop::Timer::none;
  Loop::Timer deadline = Loop::Timer::none;
  Loop::Timer doubt = Loop::Timer::none;  // a failure that is not believed yet
  Ticket ticket{};                        // of the probe in flight; 0: none
  bool waits = false;                     // in line for a free place in flight
  bool counted_broken = false;            // in Memory::broken_checks
  uint32_t unanswered = 0;                // by an agent, in a row
  Time started{};
  const Check& check() const { return report.check; }
};

Health health_of(const Verdict& verdict);

/// An agent need not say whether its server is up, and then it has no say in it.
inline bool decides(const Entry& entry) {
  return entry.check().kind != Kind::agent || entry.verdict.state() != Verdict::State::unknown;
}

struct Memory {
  struct Key {
    tables::ServerIdentity server;
    std::string pool;
    bool is_agent = false;
    auto operator<=>(const Key&) const = default;
  };

  mutable std::mutex mutex;
  std::map<Key, std::unique_ptr<Entry>> entries;  // a server's checks lie side by side
  std::map<std::string, std::set<Key>> pools;     // the same, by pool
  std::map<tables::ServerIdentity, Health> servers;
  compile::Shares adopted;      // the agents' words of an earlier life
  std::vector<Change> changes;  // not yet told
  std::vector<Heard> heard;     // not yet told
  std::string freeze_reason;    // the caller's; empty: not frozen by it
  std::string fault;            // of the thread itself
  std::string broken_reason;    // the last probe that could not run
  size_t broken_checks = 0;
  size_t silent_agents = 0;
  size_t in_flight = 0;
  uint64_t probes = 0;

  template <typename Visit>
  void each_of(const tables::ServerIdentity& server, const Visit& visit) const {
    for (auto at = entries.lower_bound({server, "", false});
         at != entries.end() && at->first.server == server; ++at) {
      visit(*at->second);
    }
  }
};

}  // namespace nezu::health
