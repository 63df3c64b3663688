// For tests of admission: pool blocks with what lies behind them, as in the region.
#pragma once

#include <memory>
#include <vector>

#include "dataplane/tables/blocks.h"
#include "dataplane/tables/layout.h"

namespace nezu::admit {

/// A pool block with its members behind it.
class PoolBlock {
 public:
  PoolBlock(tables::Scheduler scheduler, const std::vector<uint32_t>& weights, uint32_t id = 0)
      : memory_(sizeof(tables::Pool) + weights.size() * sizeof(tables::Member) + 64) {
    void* at = memory_.data();
    size_t room = memory_.size();
    pool_ = new (std::align(64, sizeof(tables::Pool), at, room)) tables::Pool;
    pool_->id = tables::PoolId{id};
    pool_->scheduler = scheduler;
    pool_->member_count = static_cast<uint32_t>(weights.size());
    for (uint32_t i = 0; i < weights.size(); ++i) {
      tables::Member member;
      member.server = tables::ServerId{i};
      member.weight = weights[i];
      pool_->members()[i] = member;
      pool_->ready_count += weights[i] != 0;
    }
  }
  tables::Pool& operator*() { return *pool_; }
  tables::Pool* operator->() { return pool_; }

 private:
  std::vector<std::byte> memory_;
  tables::Pool* pool_;
};

inline tables::Sizes sizes() {
  tables::Sizes sizes;
  sizes.pools = 8;
  sizes.servers = 2048;
  sizes.services = 8;
  return sizes;
}

}  // namespace nezu::admit
