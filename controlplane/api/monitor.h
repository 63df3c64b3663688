// Looks at the region a few times a second: rates, news for watchers, and whether health checks
// mean anything.
//
// A look costs what was published since the last one and what is draining; once a second all
// counters are copied, for rates.
//
// Owns a thread. Any thread may call the public members; no exception leaves it.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "controlplane/api/committer.h"
#include "controlplane/api/observer.h"
#include "controlplane/health/engine.h"

namespace nezu::api {

class Monitor {
 public:
  Monitor(publish::Publisher& publisher, Committer& committer, health::Engine& health,
          const health::Weights& weights, WatchHub& hub);
  ~Monitor();
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;

  void start();
  void stop();
  /// Something was published: look soon, at these servers.
  void wake(const compile::Touched& touched);

  /// A reading to take rates against: about a second old; an empty one at the very beginning.
  std::shared_ptr<const publish::Reading> earlier() const;

 private:
  void run();
  void look();
  void look_at_servers();
  void keep(std::shared_ptr<const publish::Reading> reading);
  void watch_data_plane();

  publish::Publisher& publisher_;
  Committer& committer_;
  health::Engine& health_;
  const health::Weights& weights_;
  Observer observer_;

  mutable std::mutex mutex_;  ///< of all below
  std::condition_variable wake_;
  std::deque<std::shared_ptr<const publish::Reading>> samples_;  ///< oldest first, a second apart
  std::set<tables::ServerIdentity> touched_;  ///< servers that were published since the last look
  bool is_woken_ = false;
  bool stops_ = false;

  bool is_frozen_ = false;     ///< monitor thread only
  uint64_t steady_since_ = 0;  ///< the same data plane has forwarded since then
  std::optional<uint32_t>
      forwarding_pid_;  ///< of that data plane; 0: none; nothing: not looked yet
  std::thread thread_;
};

}  // namespace nezu::api
