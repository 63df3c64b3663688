// A flow as people see it: in replies to requests, and in explanations.
#pragma once

#include <cstdint>

#include "dataplane/net/address.h"
#include "dataplane/tables/blocks.h"

namespace nezu::tables {

struct FlowRecord {
  net::Address client, vip, server, snat;
  uint16_t client_port, service_port, server_port, snat_port;  ///< host order; snat_port 0: none
  net::Protocol protocol;
  Timeout state;
  uint16_t worker;
  ServiceId service;
  ServerId server_id;
  uint32_t seconds_left;  ///< until it expires idle
  net::Instance instance;
  net::MacAddress sender;  ///< that answers go back to; all 0: by the routes
};

}  // namespace nezu::tables
