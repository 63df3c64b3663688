// What is published whole and has no slots.
#include <algorithm>
#include <cstring>
#include <vector>

#include "dataplane/tables/writer.h"

namespace nezu::tables {

void Transaction::put_source_rules(std::span<const uint8_t> block) {
  const SourceRules* live = live_.source_rules();
  const auto is_live = [&] {
    return live == nullptr ? block.empty()
                           : block.size() == live->bytes() &&
                                 std::memcmp(block.data(), live, block.size()) == 0;
  };
  if (is_live()) return;
  if (live != nullptr) replaced_.push_back(source_rules_.offset);
  source_rules_ = {};
  if (!block.empty()) source_rules_.offset = stage(block.data(), block.size(), nullptr, 0);
}

void Transaction::put(std::span<const Membership> memberships, std::span<const Bridge> bridges) {
  if (std::ranges::equal(live_.memberships(), memberships) &&
      std::ranges::equal(live_.bridges(), bridges)) {
    return;
  }
  if (memberships_.exists()) replaced_.push_back(memberships_.offset);
  memberships_ = {};
  if (memberships.empty() && bridges.empty()) return;
  Memberships block;
  block.count = static_cast<uint32_t>(memberships.size());
  block.bridge_count = static_cast<uint32_t>(bridges.size());
  std::vector<uint8_t> lists(memberships.size_bytes() + bridges.size_bytes());
  if (!memberships.empty()) std::memcpy(lists.data(), memberships.data(), memberships.size_bytes());
  if (!bridges.empty()) {
    std::memcpy(lists.data() + memberships.size_bytes(), bridges.data(), bridges.size_bytes());
  }
  memberships_ = {stage(&block, sizeof block, lists.data(), lists.size())};
}

void Transaction::put(std::span<const InstanceAccessSpec> lists) {
  const auto live = live_.instance_access();
  const auto is_live = [this](const InstanceAccessSpec& wanted, const InstanceAccess& one) {
    return wanted.instance == one.instance &&
           net::load<uint64_t>(wanted.list.data()) == live_.at(one.list)->fingerprint;
  };
  if (std::equal(lists.begin(), lists.end(), live.begin(), live.end(), is_live)) return;
  for (const InstanceAccess& one : live) {
    unshared_.push_back({&writer_.access_lists_, live_.at(one.list)->fingerprint});
  }
  if (instance_access_.exists()) replaced_.push_back(instance_access_.offset);
  instance_access_ = {};
  if (lists.empty()) return;
  std::vector<InstanceAccess> all;
  for (const InstanceAccessSpec& wanted : lists) {
    InstanceAccess& one = all.emplace_back();
    one.instance = wanted.instance;
    one.list = stage_access(wanted.list);
  }
  InstanceAccesses block;
  block.count = static_cast<uint32_t>(all.size());
  instance_access_ = {stage(&block, sizeof block, all.data(), all.size() * sizeof all[0])};
}

}  // namespace nezu::tables
