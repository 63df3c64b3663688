// Puts together what agents say and how long checks take: the shares that servers have of their
// configured weights, for those pools that want it.
//
// Any thread. A server that nothing is heard of keeps the share that it had, also that of the
// process before (`adopt`).
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "controlplane/compile/share.h"
#include "controlplane/health/agent_words.h"
#include "controlplane/health/response_weights.h"

namespace nezu::health {

/// What the engine has learnt about one member of a pool.
struct Heard {
  struct Failed {};
  std::string pool;
  tables::ServerIdentity server;
  /// The agent's words; how long a good check took; or it has failed by its checks.
  std::variant<AgentWords, std::chrono::microseconds, Failed> what;
};

class Weights {
 public:
  struct Wanted {
    compile::ShareSource source = compile::ShareSource::agent;
    uint32_t floor_percent = 10;
    std::vector<tables::ServerIdentity> servers;
  };

  /// Before anything else: what the process before had published.
  void adopt(compile::Shares shares);
  /// Nothing: the pool is gone, or its weights are as configured. What is not in `wanted` any more
  /// is forgotten.
  void configure(const std::string& pool, const std::optional<Wanted>& wanted);

  /// The shares that are different now.
  compile::Shares hear(const std::vector<Heard>& news);

  compile::Shares shares() const;
  struct View {
    compile::Share share;
    std::chrono::microseconds response{0};  ///< smoothed; 0: not known
  };
  /// Nothing: this pool's weights do not follow the server.
  std::optional<View> view(const std::string& pool, const tables::ServerIdentity& server) const;

 private:
  struct Pool {
    compile::ShareSource source = compile::ShareSource::agent;
    compile::PoolShares shares;  // of every member
    ResponseWeights times{0};
  };

  mutable std::mutex mutex_;
  compile::Shares adopted_;  // of pools that are not configured yet
  std::map<std::string, Pool> pools_;
};

}  // namespace nezu::health
