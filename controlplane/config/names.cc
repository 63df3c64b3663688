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
  switch (protocol) {
    case v1::PROTOCOL_UDP:
      return net::Protocol::udp;
    case v1::PROTOCOL_SCTP:
      return net::Protocol::sctp;
    case v1::PROTOCOL_ANY:
      return net::Protocol::any;
    case v1::PROTOCOL_GRE:
      return net::Protocol::gre;
    case v1::PROTOCOL_ESP:
      return net::Protocol::esp;
    default:
      return net::Protocol::tcp;
  }
}

v1::Protocol to_proto(net::Protocol protocol) {
  for (const v1::Protocol each : kProtocols) {
    if (to_net(each) == protocol) {
      return each;
    }
  }
  return v1::PROTOCOL_UNSPECIFIED;
}

bool has_ports(v1::Protocol protocol) { return net::has_ports(to_net(protocol)); }

net::Prefix vip_of(const v1::VirtualService& service) {
  return net::parse_prefix(service.address()).value_or(net::Prefix{});
}

bool is_prefix(const v1::VirtualService& service) {
  const net::Prefix vip = vip_of(service);
  return vip.length < (vip.address.is_v4() ? 32 : 128);
}

bool is_wide(const v1::VirtualService& service) {
  return service.last_port() != 0 || service.protocol() == v1::PROTOCOL_ANY || is_prefix(service);
}

bool is_open(const v1::VirtualService& service) { return is_wide(service) || is_for_some(service); }

const google::protobuf::RepeatedPtrField<std::string>& sources_of(
    const v1::VirtualService& service) {
  static const google::protobuf::RepeatedPtrField<std::string> kEverybody;
  const auto& sources = service.sources();
  const bool has_all = std::any_of(sources.begin(), sources.end(), [](const std::string& source) {
    return source == "0.0.0.0/0" || source == "::/0";
  });
  return has_all ? kEverybody : sources;
}

bool is_for_some(const v1::VirtualService& service) {
  return !sources_of(service).empty() || !service.interfaces().empty();
}

bool has_one_port(const v1::VirtualService& service) {
  return service.port() != 0 && service.last_port() == 0;
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
  std::string text = identity.port == 0 ? net::to_string(identity.address)
                                        : net::to_string(identity.address, identity.port);
  if (identity.protocol != net::Protocol::tcp) {
    text += "/" + std::string(net::to_string(identity.protocol));
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

std::string_view to_text(v1::Protocol protocol) { return net::to_string(to_net(protocol)); }

}  // namespace nezu::config
