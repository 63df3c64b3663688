// Within api/: flows as the data plane tells them, for the API.
#pragma once

#include <string>
#include <unordered_map>

#include "controlplane/publish/publisher.h"
#include "nezu/v1/flows.pb.h"

namespace nezu::api {

/// Names of services and source NAT rules, by slot.
struct SlotNames {
  std::unordered_map<uint32_t, std::string> services, source_nats;

  explicit SlotNames(const publish::Reading& now);
};

v1::Flow flow_of(const tables::FlowRecord& record, const SlotNames& names);

}  // namespace nezu::api
