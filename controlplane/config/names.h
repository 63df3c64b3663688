// How objects of the configuration are named in paths, and how servers are told apart.
//
// Any thread; nothing here throws.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "dataplane/tables/blocks.h"
#include "nezu/v1/change.pb.h"
#include "nezu/v1/configuration.pb.h"

namespace nezu::config {

/// All that can be configured.
inline constexpr v1::Protocol kProtocols[] = {v1::PROTOCOL_TCP, v1::PROTOCOL_UDP, v1::PROTOCOL_SCTP,
                                              v1::PROTOCOL_ANY, v1::PROTOCOL_GRE, v1::PROTOCOL_ESP};
net::Protocol to_net(v1::Protocol protocol);
/// PROTOCOL_UNSPECIFIED for one that cannot be configured.
v1::Protocol to_proto(net::Protocol protocol);
bool has_ports(v1::Protocol protocol);
/// The address of a normalised service; one alone is a prefix of full length.
net::Prefix vip_of(const v1::VirtualService& service);
bool is_prefix(const v1::VirtualService& service);
/// Of more than one address or protocol, or of a range of ports.
bool is_wide(const v1::VirtualService& service);
/// Wide, or for some clients: tables::Rule.
bool is_open(const v1::VirtualService& service);
/// The `sources` of a normalised service; none where one of them, "0.0.0.0/0", is everybody.
const google::protobuf::RepeatedPtrField<std::string>& sources_of(
    const v1::VirtualService& service);
/// For clients of some prefixes, or who come in by some interfaces.
bool is_for_some(const v1::VirtualService& service);
/// TCP, UDP and SCTP at one port.
bool has_one_port(const v1::VirtualService& service);
v1::ServerIdentity to_proto(const tables::ServerIdentity& identity);

/// Nothing when the address is none. An unspecified protocol is `fallback`.
std::optional<tables::ServerIdentity> identity_of(const v1::ServerIdentity& server,
                                                  v1::Protocol fallback = v1::PROTOCOL_TCP);
std::optional<tables::ServerIdentity> identity_of(const v1::RealServer& server,
                                                  v1::Protocol fallback = v1::PROTOCOL_TCP);

/// Where a normalised pool has this server; -1: nowhere.
int find_server(const v1::Pool& pool, const tables::ServerIdentity& server);

/// "10.0.0.1:80", "[2001:db8::1]:53/udp": the text by which checks, logs and people know a server.
std::string to_text(const tables::ServerIdentity& identity);

/// services["shop"], pools["web"], snat_sets["out"].
std::string service_path(std::string_view name);
std::string pool_path(std::string_view name);
std::string snat_set_path(std::string_view name);
std::string source_nat_path(std::string_view name);
std::string instance_path(std::string_view name);
/// pools["web"].servers["10.0.0.1:80"].
std::string server_path(std::string_view pool, const v1::RealServer& server);

/// "tcp", "udp", "any".
std::string_view to_text(v1::Protocol protocol);

}  // namespace nezu::config
