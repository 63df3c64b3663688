#include "controlplane/api/slow_start.h"

#include <algorithm>

namespace nezu::api {
namespace {

std::chrono::seconds longest_of(const config::Model& model, const tables::ServerIdentity& server) {
  uint32_t longest = 0;
  for (const std::string& name : model.pools_of(server)) {
    longest = std::max(longest, model.pools().find(name)->slow_start_s());
  }
  return std::chrono::seconds(longest);
}

bool is_ready(const v1::RealServer& server) {
  return server.state() == v1::ADMIN_STATE_READY || server.state() == v1::ADMIN_STATE_UNSPECIFIED;
}

bool was_ready(const v1::Pool& before, const tables::ServerIdentity& identity) {
  return std::any_of(before.servers().begin(), before.servers().end(),
                     [&](const v1::RealServer& server) {
                       return compile::identity_of(server, before) == identity && is_ready(server);
                     });
}

}  // namespace

void SlowStart::note_recovery(const config::Model& model, const tables::ServerIdentity& server,
                              Time now) {
  if (longest_of(model, server).count() != 0) {
    since_[server] = now;
  }
}

void SlowStart::note_change(const store::Edit& edit, const store::Edit& undo, Time now) {
  for (const v1::Pool& pool : edit.pools()) {
    const auto before =
        std::find_if(undo.pools().begin(), undo.pools().end(),
                     [&pool](const v1::Pool& other) { return other.name() == pool.name(); });
    if (pool.slow_start_s() == 0 || before == undo.pools().end()) {
      continue;
    }
    for (const v1::RealServer& server : pool.servers()) {
      const tables::ServerIdentity identity = compile::identity_of(server, pool);
      if (is_ready(server) && !was_ready(*before, identity)) {
        since_[identity] = now;
      }
    }
  }
}

bool SlowStart::step(const config::Model& model, Time now, compile::Touched& touched) {
  const bool any = !since_.empty();
  for (auto at = since_.begin(); at != since_.end();) {
    const config::Names& pools = model.pools_of(at->first);
    touched.pools.insert(pools.begin(), pools.end());
    const bool is_over = now - at->second >= longest_of(model, at->first);
    at = is_over ? since_.erase(at) : std::next(at);
  }
  return any;
}

compile::Ages SlowStart::ages(Time now) const {
  compile::Ages ages;
  for (const auto& [server, since] : since_) {
    ages[server] = std::chrono::duration_cast<std::chrono::milliseconds>(now - since);
  }
  return ages;
}

}  // namespace nezu::api
