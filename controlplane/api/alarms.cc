#include "controlplane/api/alarms.h"

#include <algorithm>

#include "controlplane/compile/compile.h"

namespace nezu::api {

std::vector<std::string> sides_missing(const config::Model& model,
                                       const std::vector<publish::PortReading>& ports) {
  const auto has = [&ports](net::Side side) {
    return std::any_of(ports.begin(), ports.end(),
                       [side](const publish::PortReading& port) { return port.side == side; });
  };
  if (ports.empty() || model.redirects().empty() || has(net::Side::clients)) {
    return {};
  }
  return {"Service " + *model.redirects().begin() +
          " redirects what comes in by ports on the clients' side, but the data plane has none: "
          "start it with side=clients for these ports and side=servers for the others."};
}

std::vector<std::string> silence_of(const health::Status& status) {
  // While nothing gets through, silence says nothing about them.
  if (status.frozen || status.silent_agents == 0) {
    return {};
  }
  return {
      "Agents of some servers are silent; what they said last stays in force (nezu server list "
      "shows it)."};
}

std::vector<std::string> panics_of(const config::Model& model, const publish::Reading& now,
                                   compile::Shares shares) {
  std::vector<const v1::Pool*> pools;
  for (const auto& [name, pool] : model.pools()) {
    if (pool->panic_percent() != 0) {
      pools.push_back(pool.get());
    }
  }
  if (pools.empty()) {
    return {};
  }
  compile::Conditions conditions;
  conditions.shares = std::move(shares);
  for (const publish::ServerReading& server : now.servers) {
    if (server.health_known) {
      conditions.verdicts[server.identity] = server.healthy;
    }
  }
  std::vector<std::string> panics;
  for (const v1::Pool* pool : pools) {
    if (compile::compile_pool(*pool, conditions).panics) {
      panics.push_back("Pool " + pool->name() + " has fewer than " +
                       std::to_string(pool->panic_percent()) +
                       " % healthy servers: checks are not believed, all of its servers take new "
                       "flows.");
    }
  }
  return panics;
}

}  // namespace nezu::api
