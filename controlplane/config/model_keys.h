// Within config/: by what the model finds who refers to whom.
#pragma once

#include <string>

#include "controlplane/config/names.h"
#include "dataplane/net/range.h"
#include "nezu/v1/configuration.pb.h"

namespace nezu::config {

inline std::string address_key(uint32_t instance, const std::string& address) {
  return std::to_string(instance) + " " + address;
}

/// Services for everybody: one at each place. Those for some are told apart where links are
/// checked.
inline std::string service_key(const v1::VirtualService& service) {
  const std::string place =
      address_key(service.instance(), service.address()) + " " + std::to_string(service.port()) +
      "-" + std::to_string(service.last_port()) + " " + std::to_string(service.protocol());
  return is_for_some(service) ? place + " some" : place;
}

inline std::string kind_key(const std::string& pool, v1::Protocol protocol, bool is_v4) {
  return pool + " " + std::to_string(protocol) + (is_v4 ? " 4" : " 6");
}
inline std::string kind_key(const v1::VirtualService& service) {
  const auto vip = net::parse_prefix(service.address());
  return kind_key(service.pool(), service.protocol(), !vip || vip->address.is_v4());
}

/// Of a RealServer or a ServerIdentity.
template <typename Server>
inline std::string server_key(const Server& server) {
  return address_key(server.instance(), server.address()) + " " + std::to_string(server.port()) +
         " " + std::to_string(server.protocol());
}

inline std::string mark_key(uint32_t instance, uint32_t mark) {
  return std::to_string(instance) + " " + std::to_string(mark);
}
inline std::string mark_key(const v1::VirtualService& service) {
  return mark_key(service.instance(), service.mark());
}

}  // namespace nezu::config
