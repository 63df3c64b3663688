// The health checks: probes every server by its checks and tells who is up and who is down.
//
// Owns one thread with one epoll set; thousands of checks run on it (non-blocking sockets,
// libcurl's multi interface). Any thread may call any member; none waits for a probe or for a
// callback.
//
// What it promises:
// * A verdict changes only by the rise and fall of probes that were really sent (verdict.h draws
//   it). A restart adopts the verdicts of before; an unchanged check keeps its counts when others
//   are reconfigured.
// * What is the engine's own fault (no descriptors, no permission, a dead or stuck thread) is no
//   server's failure: the verdicts stay as they are and `frozen` says why. A pool is never emptied
//   by a broken checker.
// * The caller can freeze it as well, while probes cannot mean anything (`freeze`).
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/health/check.h"
#include "controlplane/health/weights.h"

namespace nezu::health {

enum class Health : uint8_t {
  unknown,  ///< no probe has answered yet, or the server has no check
  up,
  down,
};

/// A server's verdict has changed.
struct Change {
  tables::ServerIdentity server;
  Health health = Health::unknown;
  std::string text;  ///< why: the last probe's result
  std::chrono::system_clock::time_point when;
};

/// All that is known about one check or agent: what `nezu check explain` prints.
struct CheckReport {
  Check check;
  Health health = Health::unknown;
  bool recovering = false;     ///< good again, but its hold-down has not passed, or ...
  bool awaits_return = false;  ///< ... nobody has let it return
  std::string last_result;     ///< "HTTP 200 in 3 ms", "connection refused"
  bool last_succeeded = false;
  bool last_broken = false;  ///< the probe could not run: nothing was counted
  uint64_t last_bytes = 0;   ///< received from the server
  std::chrono::microseconds last_took{0};
  std::chrono::system_clock::time_point last_probe;   ///< its start; epoch: none yet
  std::chrono::system_clock::time_point last_change;  ///< of the verdict; epoch: never
  uint32_t successes_in_row = 0;
  uint32_t failures_in_row = 0;
  uint64_t successes = 0;
  uint64_t failures = 0;
  uint64_t broken = 0;
  // Kind agent only.
  std::string line;                             ///< what it said last, which is in force; printable
  bool is_silent = false;                       ///< it did not answer twice in a row
  std::chrono::system_clock::time_point heard;  ///< when it did; epoch: never
};

struct Status {
  bool frozen = false;
  std::string reason;  ///< a sentence; empty unless frozen
  size_t checks = 0;
  size_t broken_checks = 0;  ///< whose last probe could not run
  size_t silent_agents = 0;
  size_t in_flight = 0;
  uint64_t probes = 0;
};

class Engine {
 public:
  struct Options {
    std::string user_agent = "nezu-health";  ///< main appends "/<version>"
    uint64_t seed = 0;                       ///< of jitter; 0: random
    size_t max_in_flight =
        4096;  ///< probes at a time, and at most half of RLIMIT_NOFILE; more wait
    std::chrono::milliseconds stuck_after{5000};  ///< a turn that takes longer is an alarm
    /// Asked 100 ms after a failure (or at the check's next result) and before it counts; false:
    /// nothing gets through just now, whoever is at fault. Looks closer than whoever calls `freeze`
    /// now and then. Called on the engine's thread. Empty: failures count at once.
    std::function<bool()> gets_through = {};
  };
  struct Callbacks {
    /// Verdicts that changed together. Called on the engine's thread without any lock held; may
    /// call back into the engine. The time it takes is not held against the servers.
    std::function<void(const std::vector<Change>&)> changed;
    /// What agents said, and how long checks with `is_weighed` took. Same thread and rules.
    std::function<void(const std::vector<Heard>&)> heard = {};
    /// `frozen` or its reason changed. Same thread; a stuck thread is seen by `status()` only.
    std::function<void(const Status&)> alarm;
  };
  /// Verdicts to start from: true is up.
  using Adopted = std::map<tables::ServerIdentity, bool>;

  Engine(Options options, Callbacks callbacks);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// What agents had said before a restart, before the first list: one that said "down" takes that
  /// back itself.
  void adopt(compile::Shares shares);
  /// The whole list of checks from now on. A check that the engine does not know yet starts with
  /// its server's verdict in `adopted` (else unknown, and its first probe decides). A known check
  /// keeps its verdict; if its definition is equal it keeps its counts and schedule as well. A
  /// server that has lost its last check is reported once as unknown.
  void configure(std::vector<Check> checks, const Adopted& adopted = {});
  /// The same for some pools; the checks of all others stay, and cost nothing.
  void reconfigure(ChecksByPool pools, const Adopted& adopted = {});

  /// While frozen so, probes go on but count nothing. Say why in a sentence, as in "the data plane
  /// is not running". `thaw` starts all counts afresh.
  void freeze(std::string reason);
  void thaw();

  /// Whatever checks of the server wait for it (CheckReport::awaits_return) let it return.
  void let_return(const tables::ServerIdentity& server);
  /// One of its checks waits for that, no other finds it bad, and checks are not frozen.
  bool awaits_return(const tables::ServerIdentity& server) const;

  std::vector<CheckReport> explain(const tables::ServerIdentity& server) const;
  std::vector<CheckReport> reports() const;
  Health health(const tables::ServerIdentity& server) const;
  Status status() const;

 private:
  class Thread;
  std::unique_ptr<Thread> thread_;
};

std::string_view to_string(Kind kind);
std::string_view to_string(Health health);

/// A sentence that says what makes this check impossible (a regex that does not compile, a path
/// without "/", ...); empty when it can run.
std::string problem_of(const Check& check);

}  // namespace nezu::health
