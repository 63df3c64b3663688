// Whether a configuration can be put in force: every problem at once, each a sentence with the
// path of the field, the value and the remedy.
//
// First each object by itself, then the links between objects of a model to which an edit has
// been applied. Both cost what the edit is big, not what the configuration is big. Pure.
#pragma once

#include <optional>
#include <string>

#include "controlplane/config/model.h"
#include "controlplane/config/yaml.h"

namespace nezu::config {

/// Adds one problem; `value` is cut to a sensible length.
void complain(Problems& problems, std::string field, std::string_view value, std::string text);

/// What is wrong with the objects of a normalised edit, each by itself.
Problems problems_within(const store::Edit& edit);

/// What is wrong between the objects that `edit` touched and all others; `model` has it applied.
Problems problems_between(const Model& model, const store::Edit& edit);

/// The part of it that is about network instances.
void check_instances(const Model& model, const store::Edit& edit, Problems& problems);
/// The part of warnings_of that is.
void warn_interfaces(const Model& model, const store::Edit& edit, Problems& warnings);
/// Those of all instances, when the edit has one (validate_bridges.cc).
void check_bridges(const Model& model, const store::Edit& edit, Problems& problems);

/// What can be put in force, but is probably not meant; `model` has `edit` applied. The first
/// kMostWarnings, and how many more there are.
inline constexpr size_t kMostWarnings = 50;
Problems warnings_of(const Model& model, const store::Edit& edit);

// Parts of problems_within, one for each kind of object (validate_service.cc, validate_check.cc and
// so on).
void validate(const v1::VirtualService& service, Problems& problems);
void validate(const v1::Pool& pool, Problems& problems);
void validate(const v1::SnatSet& set, Problems& problems);
void validate(const v1::NetworkInstance& instance, Problems& problems);
void validate_bridges(const v1::NetworkInstance& instance, Problems& problems);
void validate(const v1::Settings& settings, Problems& problems);
void validate(const v1::SourceNat& rule, Problems& problems);
void validate(const v1::HealthCheck& check, const std::string& path, Problems& problems);

/// Of one pool by itself (validate_weights.cc).
void check_weights(const v1::Pool& pool, const std::string& path, Problems& problems);

/// The part of problems_between, and of warnings_of, about source NAT rules
/// (validate_source_nat.cc).
void check_source_nats(const Model& model, const store::Edit& edit, Problems& problems);
void warn_source_nats(const Model& model, const store::Edit& edit, Problems& warnings);

// What several kinds of objects have.
void check_access(const v1::AccessList& access, const std::string& path, Problems& problems);
using Texts = google::protobuf::RepeatedPtrField<std::string>;
/// Prefixes or addresses (validate_networks.cc).
void check_networks(const Texts& list, int most, const std::string& path, Problems& problems);
/// "back" or "back.100".
void check_interfaces(const Texts& list, const std::string& path, Problems& problems);
void check_name(const std::string& name, const std::string& path, Problems& problems);
void check_timeouts(const v1::Timeouts& timeouts, const std::string& path, Problems& problems);
inline constexpr size_t kLongestDescription = 255;
/// "a, b, c and 4 more".
std::string list_of(const Names& names);
bool has_family(const v1::SnatSet& set, bool is_v4);
inline const char* family_text(bool is_v4) { return is_v4 ? "IPv4" : "IPv6"; }
/// A link of a network instance: "front" or "front.10".
struct LinkName {
  std::string port;
  uint16_t vlan = 0;  ///< 0: the untagged frames
};
std::optional<LinkName> parse_link(const std::string& text);

/// The address when it can be used on the wire.
std::optional<net::Address> check_address(const std::string& text, const std::string& path,
                                          Problems& problems);
/// RFC 6052 2.2: the prefix when clients can stand in it.
std::optional<net::Prefix> check_client_prefix(const std::string& text, const std::string& path,
                                               Problems& problems);
void check_port(uint32_t port, const std::string& path, Problems& problems);
/// Of an enum of protobuf, with its `..._IsValid`.
template <typename Enum>
void check_known(Enum value, bool (*is_valid)(int), const std::string& path, Problems& problems) {
  if (!is_valid(static_cast<int>(value))) {
    complain(problems, path, std::to_string(static_cast<int>(value)),
             "This number names no choice that this version knows; see the documentation.");
  }
}

/// As files write it, or the number of one that this version does not know.
template <typename Enum>
std::string word_of(Enum value) {
  const auto* known = google::protobuf::GetEnumDescriptor<Enum>()->FindValueByNumber(value);
  return known != nullptr ? short_name(*known) : std::to_string(value);
}

// Parts of these (validate_vip.cc).
void check_vip(const v1::VirtualService& service, const std::string& path, Problems& problems);
void check_ports(const v1::VirtualService& service, const std::string& path, Problems& problems);
/// Between a service and its pool, and between services of one address.
void check_ports_of(const v1::VirtualService& service, const v1::Pool& pool, Problems& problems);
void check_ranges_of(const Model& model, const v1::VirtualService& service, Problems& problems);
void check_passive_of(const v1::VirtualService& service, const v1::Pool& pool, Problems& problems);
/// Of one service by itself (validate_clients.cc).
void check_persistence(const v1::VirtualService& service, const std::string& path,
                       Problems& problems);
void check_limits(const v1::Limits& limits, const std::string& path, Problems& problems);
void check_syn_cookies(const v1::VirtualService& service, const std::string& path,
                       Problems& problems);
void check_callers(const v1::VirtualService& service, const std::string& path, Problems& problems);
void check_one_packet(const v1::VirtualService& service, const std::string& path,
                      Problems& problems);
/// Between such a service and its pool: only some schedulers send each datagram elsewhere.
void check_one_packet_of(const v1::VirtualService& service, const v1::Pool& pool,
                         Problems& problems);
/// Of two services at one place none takes the same callers.
void check_callers_of(const Model& model, const v1::VirtualService& service, Problems& problems);
/// The services of one address ask for few callers, all together.
void check_caller_pairs(const Model& model, const store::Edit& edit, Problems& problems);
/// Services of one mark have the same persistence.
void check_mark(const Model& model, const v1::VirtualService& service, Problems& problems);
void check_passive_alone(const Model& model, const v1::VirtualService& service, Problems& problems);
void check_portless_alone(const Model& model, const v1::VirtualService& service,
                          Problems& problems);

/// A "must be from 1 to 9" when it is not.
void check_range(uint64_t value, uint64_t first, uint64_t last, const char* unit,
                 const std::string& path, Problems& problems);
void check_length(const std::string& text, size_t longest, const std::string& path,
                  Problems& problems);

inline constexpr size_t kMostSnatAddresses = 4096;

}  // namespace nezu::config
