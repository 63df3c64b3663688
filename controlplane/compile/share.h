// What a server itself says of its weight, by its agent or by the time of its answers: the share
// that it takes of what the operator gave it.
//
// A plain value; any thread. The health checks find it out, members.cc makes weights of it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "dataplane/tables/blocks.h"

namespace nezu::compile {

/// In the order of the configuration's choices.
enum class ShareSource : uint8_t { agent, response_time };

struct Share {
  /// It means something only in a pool whose weights come from there.
  ShareSource source = ShareSource::agent;
  uint16_t percent = 100;  ///< of the configured weight
  // The agent's word until it takes it back; is_down counts among the health checks.
  bool drains = false;
  bool in_maintenance = false;
  bool is_down = false;
  std::optional<uint32_t> max_flows;  ///< instead of the configured threshold
  bool operator==(const Share&) const = default;
};

/// By pool. A member that is not here has its whole weight.
using PoolShares = std::map<tables::ServerIdentity, Share>;
using Shares = std::map<std::string, PoolShares>;

}  // namespace nezu::compile
