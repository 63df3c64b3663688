#include "controlplane/compile/pings.h"

#include <algorithm>

namespace nezu::compile {

bool Pings::any_answers(const config::Names& services) {
  return std::any_of(services.begin(), services.end(), [this](const std::string& name) {
    return answers(*model_.services().find(name));
  });
}

bool Pings::answers(const v1::VirtualService& service) {
  if (service.has_enabled() && !service.enabled()) {
    return false;
  }
  switch (service.ping()) {
    case v1::PING_POLICY_ANY:
      return readiness_of(service.pool()).ready > 0;
    case v1::PING_POLICY_ALL: {
      const Readiness pool = readiness_of(service.pool());
      return pool.members > 0 && pool.ready == pool.members;
    }
    case v1::PING_POLICY_NEVER:
      return false;
    default:
      return true;
  }
}

Pings::Readiness Pings::readiness_of(const std::string& name) {
  const auto [known, is_new] = pools_.try_emplace(name);
  if (const v1::Pool* pool = is_new ? model_.pools().find(name) : nullptr) {
    const PoolImage image = compile_pool(*pool, conditions_);
    known->second = {image.members.size(), image.ready_count};
  }
  return known->second;
}

}  // namespace nezu::compile
