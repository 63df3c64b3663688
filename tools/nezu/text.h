// Values as people write and read them: addresses with ports, durations, scaled numbers.
//
// Pure. What is given on the command line and cannot be understood is a Failure(usage).
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/generated_enum_reflection.h>
#include <google/protobuf/timestamp.pb.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "nezu/v1/change.pb.h"

namespace nezu::cli {

struct AddressPort {
  std::string address;
  uint32_t port = 0;  ///< 0: none was given
};

/// "10.0.0.1:80", "[2001:db8::1]:80"; without a port also "10.0.0.1", "2001:db8::1".
AddressPort parse_address_port(std::string_view text);
/// "tcp", "udp", "sctp", ...
std::optional<v1::Protocol> parse_protocol(std::string_view text);
/// "10.0.0.1:80", "[2001:db8::1]:53/udp", "10.0.0.1/gre".
v1::ServerIdentity parse_server(std::string_view text);
/// "500ms", "30s", "5m", "2h"; a bare number is seconds.
std::chrono::milliseconds parse_duration(std::string_view text);

std::string address_port(std::string_view address, uint32_t port);
/// "10.0.0.1:80", with "/udp" when it is not TCP.
std::string server_text(const v1::ServerIdentity& server);
/// "@10" behind what is in a network instance; nothing in the standard one.
std::string instance_text(uint32_t instance);

/// 9999, 12.3k, 4.57M, 1.20G.
std::string scaled(double value);
/// 512 B, 1.5 KiB, 2.0 GiB.
std::string bytes_text(uint64_t bytes);
/// 850 bit/s, 1.20 Gbit/s.
std::string bit_rate(double bits_per_second);
/// "42 %".
std::string percent(double share);
/// "12s", "3m 20s", "2h 5m", "3d 4h".
std::string duration_text(uint64_t seconds);
/// Local time, "2026-03-01 14:05:09"; "-" when unset.
std::string time_text(const google::protobuf::Timestamp& time, bool is_set);

std::string enum_text(const google::protobuf::EnumDescriptor& type, int value);
/// The value's name without its prefix, as "draining"; "-" for an unspecified one.
template <typename Enum>
std::string name_of(Enum value) {
  return enum_text(*google::protobuf::GetEnumDescriptor<Enum>(), static_cast<int>(value));
}

}  // namespace nezu::cli
