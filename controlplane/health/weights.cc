#include "controlplane/health/weights.h"

#include <set>

namespace nezu::health {

using compile::Share;
using compile::ShareSource;

namespace {

/// Whether it says anything new.
bool obeyed(const AgentWords& words, Share& share) {
  const Share before = share;
  obey(words, share);
  return share != before;
}

void measure(const Heard& heard, ResponseWeights& times) {
  if (const auto* took = std::get_if<std::chrono::microseconds>(&heard.what)) {
    times.answered(heard.server, *took);
  } else {
    times.lost(heard.server);
  }
}

}  // namespace

void Weights::adopt(compile::Shares shares) {
  const std::lock_guard lock(mutex_);
  adopted_ = std::move(shares);
}

void Weights::configure(const std::string& name, const std::optional<Wanted>& wanted) {
  const std::lock_guard lock(mutex_);
  compile::PoolShares before;
  if (const auto known = adopted_.extract(name)) {
    before = known.mapped();
  }
  if (!wanted) {
    pools_.erase(name);
    return;
  }
  Pool& pool = pools_[name];
  if (pool.source != wanted->source) {
    pool = {};
    pool.source = wanted->source;
  }
  pool.times.set_floor(wanted->floor_percent);
  compile::PoolShares now;
  for (const tables::ServerIdentity& server : wanted->servers) {
    const auto kept = pool.shares.find(server);
    const auto old = before.find(server);
    if (kept != pool.shares.end()) {
      now[server] = kept->second;
    } else if (old != before.end() && old->second.source == wanted->source) {
      now[server] = old->second;
      pool.times.adopt(server, old->second.percent);
    } else {
      now[server].source = wanted->source;
    }
  }
  for (const auto& [server, share] : pool.shares) {
    if (!now.contains(server)) {
      pool.times.forget(server);
    }
  }
  pool.shares = std::move(now);
}

compile::Shares Weights::hear(const std::vector<Heard>& news) {
  const std::lock_guard lock(mutex_);
  compile::Shares changed;
  std::set<std::string> measured;
  for (const Heard& heard : news) {
    const auto pool = pools_.find(heard.pool);
    if (pool == pools_.end() || !pool->second.shares.contains(heard.server)) {
      continue;  // it was asked before the configuration changed
    }
    if (const auto* words = std::get_if<AgentWords>(&heard.what)) {
      Share& share = pool->second.shares.at(heard.server);
      if (pool->second.source == ShareSource::agent && obeyed(*words, share)) {
        changed[heard.pool][heard.server] = share;
      }
    } else if (pool->second.source == ShareSource::response_time) {
      measure(heard, pool->second.times);
      measured.insert(heard.pool);
    }
  }
  for (const std::string& name : measured) {
    Pool& pool = pools_.at(name);
    for (const tables::ServerIdentity& server : pool.times.settle()) {
      Share& share = pool.shares.at(server);
      share.percent = pool.times.percent(server);
      changed[name][server] = share;
    }
  }
  return changed;
}

compile::Shares Weights::shares() const {
  const std::lock_guard lock(mutex_);
  compile::Shares all;
  for (const auto& [name, pool] : pools_) {
    all[name] = pool.shares;
  }
  return all;
}

std::optional<Weights::View> Weights::view(const std::string& name,
                                           const tables::ServerIdentity& server) const {
  const std::lock_guard lock(mutex_);
  const auto pool = pools_.find(name);
  if (pool == pools_.end()) {
    return std::nullopt;
  }
  const auto share = pool->second.shares.find(server);
  if (share == pool->second.shares.end()) {
    return std::nullopt;
  }
  return View{share->second, pool->second.times.smoothed(server)};
}

}  // namespace nezu::health
