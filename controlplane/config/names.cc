#include "controlplane/config/names.h"

#include <algorithm>

#include "controlplane/config/yaml.h"

namespace nezu::config {
namespace {

std::optional<tables::ServerIdentity> identity(uint32_t instance, const std::string& address,
                                               uint32_t port, v1::Protocol protocol,
                                               v1::Protocol fallback) {
  const auto parsed = net::parse_address(address);
  if (!parsed) {
    return std::nullopt;
  }
  tables::ServerIdentity result;
  result.address = *parsed;
  result.instance = static_cast<net::Instance>(instance);
  result.port = static_cast<uint16_t>(port);
  result.protocol = to_net(protocol == v1::PROTOCOL_UNSPECIFIED ? fallback : protocol);
  return result;
}

std::string quoted(std::string_view list, std::string_view name) {
  return std::string(list) + "[\"" + std::string(name) + "\"]";
}

}  // namespace

net::Protocol to_net(v1::Protocol protocol) {
  return protocol == v1::PROTOCOL_UDP ? net::Protocol::udp : net::Protocol::tcp;
}

v1::Protocol to_proto(net::Protocol protocol) {
  return protocol == net::Protocol::udp ? v1::PROTOCOL_UDP : v1::PROTOCOL_TCP;
}

v1::ServerIdentity to_proto(const tables::ServerIdentity& identity) {
  v1::ServerIdentity server;
  server.set_instance(static_cast<uint32_t>(identity.instance));
  server.set_address(net::to_string(identity.address));
  server.set_port(identity.port);
  server.set_protocol(to_proto(identity.protocol));
  return server;
}

std::optional<tables::ServerIdentity> identity_of(const v1::ServerIdentity& server,
                                                  v1::Protocol fallback) {
  return identity(server.instance(), server.address(), server.port(), server.protocol(), fallback);
}

std::optional<tables::ServerIdentity> identity_of(const v1::RealServer& server,
                                                  v1::Protocol fallback) {
  return identity(server.instance(), server.address(), server.port(), server.protocol(), fallback);
}

int find_server(const v1::Pool& pool, const tables::ServerIdentity& server) {
  // Servers are in order of identity.
  const auto at = std::lower_bound(pool.servers().begin(), pool.servers().end(), server,
                                   [&pool](const v1::RealServer& member, const auto& wanted) {
                                     return identity_of(member, pool.protocol()) < wanted;
                                   });
  return at != pool.servers().end() && identity_of(*at, pool.protocol()) == server
             ? static_cast<int>(at - pool.servers().begin())
             : -1;
}

std::string to_text(const tables::ServerIdentity& identity) {
  std::string text = net::to_string(identity.address, identity.port);
  if (identity.protocol == net::Protocol::udp) {
    text += "/udp";
  }
  if (identity.instance != net::Instance::standard) {
    text += "@" + std::to_string(static_cast<uint32_t>(identity.instance));
  }
  return text;
}

std::string service_path(std::string_view name) { return quoted("services", name); }
std::string pool_path(std::string_view name) { return quoted("pools", name); }
std::string snat_set_path(std::string_view name) { return quoted("snat_sets", name); }
std::string source_nat_path(std::string_view name) { return quoted("source_nats", name); }

std::string instance_path(std::string_view name) { return quoted("instances", name); }

std::string server_path(std::string_view pool, const v1::RealServer& server) {
  return pool_path(pool) + ".servers" + element_label(server, 0);
}

std::string_view to_text(v1::Protocol protocol) {
  return protocol == v1::PROTOCOL_UDP ? "udp" : "tcp";
}

}  // namespace nezu::config
