// Runs the checks on a loop: when each probe starts, what its outcome does to the verdicts.
//
// Engine thread only. It lives as long as its loop; what it has learnt lies in Memory.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <random>
#include <set>
#include <unordered_map>
#include <vector>

#include "controlplane/health/agent_words.h"
#include "controlplane/health/memory.h"

namespace nezu::health {

/// What there is to be checked from now on.
struct Wanted {
  bool is_whole = false;  ///< nothing but these
  ChecksByPool pools;
};

/// New checks get their first result within this, however long their interval is.
inline constexpr std::chrono::seconds kFirstWithin{1};

class Runner {
 public:
  /// Takes up every check that `memory` holds from an earlier loop.
  Runner(Loop& loop, Memory& memory, const Engine::Options& options);
  ~Runner();

  void configure(Wanted wanted, const Engine::Adopted& adopted);  // runner_list.cc
  void freeze(std::string reason);
  void thaw();
  void let_return(const tables::ServerIdentity& server);

 private:
  using Servers = std::set<tables::ServerIdentity>;
  // runner_list.cc
  /// Returns all servers that it had or has.
  Servers configure(const std::string& pool, std::vector<Check> checks,
                    const Engine::Adopted& adopted);
  void remove(const Memory::Key& key);
  void add(const Memory::Key& key, Check check, const Engine::Adopted& adopted);
  void begin_check(Entry& entry, const Engine::Adopted& adopted);
  void redefine(Entry& entry, Check check);
  static void forget_counts(Entry& entry);
  void settle(const tables::ServerIdentity& server);

  // runner.cc
  Prober& prober(Kind kind) { return *probers_.at(static_cast<size_t>(kind)); }
  void schedule(Entry& entry, Time when);
  void schedule_first(Entry& entry);
  void on_due(Entry& entry);
  void start(Entry& entry);
  void on_deadline(Entry& entry);
  void finish(Ticket ticket, Outcome outcome);
  void record(Entry& entry, const Outcome& outcome, Time now);
  // Agents: runner_agents.cc.
  void begin_agent(Entry& entry, const Engine::Adopted& adopted);
  void hear(Entry& entry, const Outcome& outcome);
  void obey(Entry& entry, const AgentWords& words);
  void doubt(Entry& entry);
  void believe(Entry& entry, Time now);
  void count(Entry& entry, Verdict::Result result, Time now);
  void act(Entry& entry, Verdict::Action action, const std::string& text);
  void set_broken(Entry& entry, bool broken);
  void set_silent(Entry& entry, bool silent);
  void judge(const tables::ServerIdentity& server, const std::string& text);
  void abandon(Entry& entry);
  void start_waiting();

  std::chrono::nanoseconds up_to(std::chrono::nanoseconds most);
  Time next_start(const Entry& entry, Time now);

  Loop& loop_;
  Memory& memory_;
  const size_t max_in_flight_;
  const std::function<bool()> gets_through_;
  std::mt19937_64 random_;
  std::array<std::unique_ptr<Prober>, 4> probers_;  // by Kind
  std::unordered_map<Ticket, Entry*> flying_;
  std::deque<Entry*> waiting_;
  Loop::Timer pump_ = Loop::Timer::none;  // starts the waiting ones
  uint64_t next_ticket_ = 1;
};

}  // namespace nezu::health
