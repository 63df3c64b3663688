// What the data plane says of a packet, in words for people and in fields for programs.
//
// Pure: names are arguments. `told` is sound and has no fault.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>

#include "controlplane/api/flow_records.h"
#include "dataplane/tables/explain.h"
#include "nezu/v1/explain.pb.h"

namespace nezu::api {

struct ExplainNames {
  SlotNames slots;
  std::map<uint32_t, std::string> ports, servers;  ///< by number, by slot
  /// Of a service by name: "pool web, by wrr"; empty: it is not configured any more.
  std::function<std::string(const std::string& service)> choice;
};

/// `frame`: as it came in, by port number `port`.
void put(const tables::Explanation& told, std::span<const uint8_t> frame, uint16_t port,
         const ExplainNames& names, v1::ExplainResponse& to);

}  // namespace nezu::api
