// What the engine knows about its checks: it outlives a failure of the thread that runs them.
//
// Written by the engine's thread only, under `mutex`; that thread reads without it, all others
// with it.
#pragma once

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
  Time started{};
  const Check& check() const { return report.check; }
};

struct Memory {
  using Key = std::pair<tables::ServerIdentity, std::string>;  // server, pool

  mutable std::mutex mutex;
  std::map<Key, std::unique_ptr<Entry>> entries;  // a server's checks lie side by side
  std::map<std::string, std::set<tables::ServerIdentity>> pools;  // the same, by pool
  std::map<tables::ServerIdentity, Health> servers;
  std::vector<Change> changes;  // not yet told
  std::string freeze_reason;    // the caller's; empty: not frozen by it
  std::string fault;            // of the thread itself
  std::string broken_reason;    // the last probe that could not run
  size_t broken_checks = 0;
  size_t in_flight = 0;
  uint64_t probes = 0;

  template <typename Visit>
  void each_of(const tables::ServerIdentity& server, const Visit& visit) const {
    for (auto at = entries.lower_bound({server, ""});
         at != entries.end() && at->first.first == server; ++at) {
      visit(*at->second);
    }
  }
};

}  // namespace nezu::health
