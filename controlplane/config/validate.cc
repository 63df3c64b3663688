#include "controlplane/config/validate.h"

#include <algorithm>
#include <set>

#include "controlplane/config/names.h"
#include "dataplane/net/embedded.h"
#include "dataplane/net/range.h"
#include "dataplane/tables/blocks.h"

namespace nezu::config {
namespace {

constexpr size_t kLongestName = 63;
void check_server(const v1::Pool& pool, const v1::RealServer& server, Problems& problems) {
  const std::string path = server_path(pool.name(), server);
  if (server.instance() != pool.instance()) {
    complain(problems, path + ".instance", std::to_string(server.instance()),
             "A server is in its pool's network instance; leave it out here and set the pool's.");
  }
  check_address(server.address(), path + ".address", problems);
  check_range(server.port(), 0, 65535, "", path + ".port", problems);
  if (!has_ports(pool.protocol()) && server.port() != 0) {
    complain(problems, path + ".port", std::to_string(server.port()),
             "A server of protocol " + std::string(to_text(pool.protocol())) +
                 " is an address alone; leave the port out.");
  }
  const bool by_tcp = pool.has_check() && !pool.check().has_icmp();
  if (by_tcp && server.port() == 0 && pool.check().port() == 0) {
    complain(problems, path + ".port", "",
             "The server has no port of its own, so its check needs one: give the check a port, or "
             "use an icmp check.");
  }
  if (!server.check_address().empty()) {
    check_address(server.check_address(), path + ".check_address", problems);
  }
  check_range(server.weight(), 0, 65535, "", path + ".weight", problems);
  if (server.resume_flows() > server.max_flows()) {
    complain(problems, path + ".resume_flows", std::to_string(server.resume_flows()),
             server.max_flows() == 0
                 ? "Without max_flows the server is never full; give max_flows, or leave this out."
                 : "New flows begin again below max_flows; give 1 to that.");
  }
  check_known(server.state(), v1::AdminState_IsValid, path + ".state", problems);
  check_length(server.description(), 63, path + ".description", problems);
  if (server.protocol() != pool.protocol()) {
    complain(problems, path + ".protocol", to_text(server.protocol()),
             "A server's protocol is its pool's; leave it out here and set the pool's.");
  }
  if (server.has_drain_deadline() && server.state() != v1::ADMIN_STATE_DRAIN) {
    complain(problems, path + ".drain_deadline", "",
             "Only a draining server has a deadline; set state: drain or leave it out.");
  }
}

/// What only hashing schedulers know: given to others it would be ignored without a word.
void check_hash(const v1::Pool& pool, const std::string& path, Problems& problems) {
  const v1::Scheduler scheduler = pool.scheduler();
  const bool by_hash = scheduler == v1::SCHEDULER_SH || scheduler == v1::SCHEDULER_MH ||
                       scheduler == v1::SCHEDULER_DH;
  if (pool.hash_with_port() && !by_hash) {
    complain(problems, path + ".hash_with_port", "true",
             "Only schedulers sh, mh and dh hash; give the pool one of them, or leave it out.");
  }
  if (pool.hash_destination() && !by_hash) {
    complain(problems, path + ".hash_destination", "true",
             "Only schedulers sh and mh hash, and dh always by destination; give the pool one of "
             "them, or leave it out.");
  }
  if (pool.ring_size() != 0 && scheduler != v1::SCHEDULER_MH) {
    complain(problems, path + ".ring_size", std::to_string(pool.ring_size()),
             "Only scheduler mh has a ring whose size can be chosen; use it, or leave this out.");
  }
  if (pool.seed() != 0 && scheduler != v1::SCHEDULER_MH) {
    complain(problems, path + ".seed", std::to_string(pool.seed()),
             "Only scheduler mh takes a seed; use it, or leave this out.");
  }
}

/// What goes with which scheduler.
void check_order(const v1::Pool& pool, const std::string& path, Problems& problems) {
  const v1::Scheduler scheduler = pool.scheduler();
  const bool in_order = scheduler == v1::SCHEDULER_FO || scheduler == v1::SCHEDULER_OVF;
  const bool by_capacity = scheduler == v1::SCHEDULER_LBLC || scheduler == v1::SCHEDULER_LBLCR;
  const bool by_hash = scheduler == v1::SCHEDULER_SH || scheduler == v1::SCHEDULER_MH ||
                       scheduler == v1::SCHEDULER_DH;
  check_range(pool.slow_start_s(), 0, 3600, "s", path + ".slow_start_s", problems);
  check_range(pool.panic_percent(), 0, 100, "%", path + ".panic_percent", problems);
  if (by_capacity && pool.slow_start_s() != 0) {
    complain(problems, path + ".slow_start_s", std::to_string(pool.slow_start_s()),
             "Schedulers lblc and lblcr take weights as numbers of flows, which slow start would "
             "scale; leave it out.");
  }
  if (in_order && pool.slow_start_s() != 0) {
    complain(
        problems, path + ".slow_start_s", std::to_string(pool.slow_start_s()),
        "Schedulers fo and ovf go by the order of weights, which part of a weight would change; "
        "leave it out.");
  }
  if (pool.load_bound_percent() != 0) {
    check_range(pool.load_bound_percent(), 101, 1000, "%", path + ".load_bound_percent", problems);
    if (!by_hash) {
      complain(problems, path + ".load_bound_percent", std::to_string(pool.load_bound_percent()),
               "Only hashes (sh, mh, dh) give a server more than its share; leave it out.");
    }
  }
}

}  // namespace

std::optional<net::Address> check_address(const std::string& text, const std::string& path,
                                          Problems& problems) {
  if (text.empty()) {
    complain(problems, path, text,
             "The address is missing; give an IPv4 or IPv6 address as 203.0.113.10.");
    return std::nullopt;
  }
  const auto address = net::parse_address(text);
  if (!address) {
    complain(problems, path, text,
             "This is no IPv4 or IPv6 address; write it as 203.0.113.10 or 2001:db8::10, without "
             "port or prefix length.");
    return std::nullopt;
  }
  const char* bad = address->is_unspecified()  ? "unspecified"
                    : address->is_multicast()  ? "a multicast address"
                    : address->is_loopback()   ? "a loopback address"
                    : address->is_broadcast()  ? "the broadcast address"
                    : address->is_link_local() ? "link-local"
                                               : nullptr;
  if (bad != nullptr) {
    complain(problems, path, text,
             std::string("The address is ") + bad + "; use a unicast address that can be routed.");
    return std::nullopt;
  }
  return address;
}

void check_port(uint32_t port, const std::string& path, Problems& problems) {
  if (port == 0 || port > 65535) {
    complain(problems, path, std::to_string(port),
             port == 0 ? "The port is missing; give one from 1 to 65535."
                       : "The port must be from 1 to 65535.");
  }
}

std::optional<net::Prefix> check_client_prefix(const std::string& text, const std::string& path,
                                               Problems& problems) {
  const auto prefix = net::parse_prefix(text);
  if (!prefix || prefix->address.is_v4()) {
    complain(problems, path, text, "This is no IPv6 prefix; write it as 2001:db8:64::/96.");
    return std::nullopt;
  }
  const auto& lengths = net::kEmbeddingLengths;
  if (std::find(lengths.begin(), lengths.end(), prefix->length) == lengths.end()) {
    complain(problems, path, text,
             "IPv4 addresses stand in prefixes of 32, 40, 48, 56, 64 or 96 bits (RFC 6052); choose "
             "one of these.");
    return std::nullopt;
  }
  if (prefix->address.bytes[net::kPassedOver] != 0) {
    complain(problems, path, text,
             "Bits 64 to 71 of such a prefix must be 0 (RFC 6052); choose another one.");
    return std::nullopt;
  }
  if (prefix->address.is_multicast() || prefix->address.is_link_local()) {
    complain(problems, path, text, "The prefix holds no unicast addresses that can be routed.");
    return std::nullopt;
  }
  return prefix;
}

void check_name(const std::string& name, const std::string& path, Problems& problems) {
  const auto is_good = [](unsigned char c) {
    return isalnum(c) || c == '.' || c == '_' || c == '-';
  };
  if (name.empty()) {
    complain(problems, path + ".name", name,
             "The name is missing; give every object a unique one.");
  } else if (name.size() > kLongestName || !std::all_of(name.begin(), name.end(), is_good)) {
    complain(problems, path + ".name", name,
             "The name must be 1 to 63 letters, digits, '.', '_' or '-'.");
  }
}

void check_timeouts(const v1::Timeouts& timeouts, const std::string& path, Problems& problems) {
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  timeouts.GetReflection()->ListFields(timeouts, &fields);
  for (const auto* field : fields) {
    check_range(timeouts.GetReflection()->GetUInt32(timeouts, field), 1, 86400, "s",
                path + "." + field->name(), problems);
  }
}

void complain(Problems& problems, std::string field, std::string_view value, std::string text) {
  v1::Problem& problem = problems.emplace_back();
  problem.set_field(std::move(field));
  problem.set_value(std::string(value.substr(0, 255)));
  problem.set_description(std::move(text));
}

void check_range(uint64_t value, uint64_t first, uint64_t last, const char* unit,
                 const std::string& path, Problems& problems) {
  if (value < first || value > last) {
    const std::string space = *unit == 0 ? "" : " ";
    complain(problems, path, std::to_string(value),
             "The value must be from " + std::to_string(first) + " to " + std::to_string(last) +
                 space + unit + ".");
  }
}

void check_length(const std::string& text, size_t longest, const std::string& path,
                  Problems& problems) {
  if (text.size() > longest) {
    complain(problems, path, text,
             "The text is longer than " + std::to_string(longest) + " bytes; shorten it.");
  }
  if (std::any_of(text.begin(), text.end(),
                  [](unsigned char c) { return c < 0x20 || c == 0x7f; })) {
    complain(problems, path, text, "The text has control characters; remove them.");
  }
}

void validate(const v1::Pool& pool, Problems& problems) {
  const std::string path = pool_path(pool.name());
  check_name(pool.name(), path, problems);
  check_known(pool.scheduler(), v1::Scheduler_IsValid, path + ".scheduler", problems);
  check_known(pool.protocol(), v1::Protocol_IsValid, path + ".protocol", problems);
  check_length(pool.description(), kLongestDescription, path + ".description", problems);
  const uint32_t size = pool.ring_size();
  const auto is_prime = [](uint32_t n) {
    for (uint32_t d = 2; d * d <= n; ++d) {
      if (n % d == 0) {
        return false;
      }
    }
    return n > 1;
  };
  if (size != 0 && (size < 251 || size > 65537 || !is_prime(size))) {
    complain(problems, path + ".ring_size", std::to_string(size),
             "The ring's size must be a prime from 251 to 65537, as 1009, 4099, 16411 or 65537; "
             "or leave it out.");
  }
  check_hash(pool, path, problems);
  check_order(pool, path, problems);
  check_weights(pool, path, problems);
  if (pool.has_check()) {
    validate(pool.check(), path + ".check", problems);
  }
  std::set<tables::ServerIdentity> seen;
  for (const v1::RealServer& server : pool.servers()) {
    check_server(pool, server, problems);
    const auto identity = identity_of(server);
    if (identity && !seen.insert(*identity).second) {
      complain(problems, server_path(pool.name(), server), to_text(*identity),
               "The pool has this server twice; keep one and give it the sum of the weights.");
    }
  }
}

void validate(const v1::SnatSet& set, Problems& problems) {
  const std::string path = snat_set_path(set.name());
  check_name(set.name(), path, problems);
  if (set.addresses().empty()) {
    complain(problems, path + ".addresses", "", "The list is empty; give at least one address.");
  }
  uint64_t count = 0;
  std::vector<net::Range> ranges;
  for (int i = 0; i < set.addresses_size(); ++i) {
    const std::string at = path + ".addresses[" + std::to_string(i) + "]";
    const auto range = net::parse_range(set.addresses(i));
    if (!range) {
      complain(problems, at, set.addresses(i),
               "This is no address, range or prefix; write 192.0.2.1, 192.0.2.1-192.0.2.9 or "
               "192.0.2.0/28.");
      continue;
    }
    count += range->count(kMostSnatAddresses + 1);
    check_address(net::to_string(range->first), at, problems);
    check_address(net::to_string(range->last), at, problems);
    for (const net::Range& other : ranges) {
      if (other.contains(range->first) || range->contains(other.first)) {
        complain(problems, at, set.addresses(i),
                 "It overlaps another entry of the list; merge them.");
      }
    }
    ranges.push_back(*range);
  }
  if (count > kMostSnatAddresses) {
    complain(problems, path + ".addresses", "",
             "The set has more than 4096 addresses; each gives 64512 ports, so fewer will do.");
  }
}

void validate(const v1::Settings& settings, Problems& problems) {
  if (settings.client_prefixes_size() > static_cast<int>(tables::kClientPrefixes)) {
    complain(problems, "settings.client_prefixes", std::to_string(settings.client_prefixes_size()),
             "There may be at most " + std::to_string(tables::kClientPrefixes) +
                 " client prefixes; services can share one.");
  }
  for (int i = 0; i < settings.client_prefixes_size(); ++i) {
    const std::string path = "settings.client_prefixes[" + std::to_string(i) + "]";
    const auto one = check_client_prefix(settings.client_prefixes(i), path, problems);
    for (int j = 0; one && j < i; ++j) {
      const auto other = net::parse_prefix(settings.client_prefixes(j));
      if (other && (other->contains(one->address) || one->contains(other->address))) {
        complain(problems, path, settings.client_prefixes(i),
                 "The prefix overlaps " + settings.client_prefixes(j) +
                     ", so that an address in both would have two meanings; keep one of them.");
      }
    }
  }
  check_access(settings.access(), "settings.access", problems);
  check_known(settings.transit(), v1::Transit_IsValid, "settings.transit", problems);
  check_range(settings.embryonic_percent(), 1, 100, "%", "settings.embryonic_percent", problems);
}

std::string list_of(const Names& names) {
  std::string text;
  size_t count = 0;
  for (const std::string& name : names) {
    if (++count > 5) {
      return text + " and " + std::to_string(names.size() - 5) + " more";
    }
    text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

bool has_family(const v1::SnatSet& set, bool is_v4) {
  for (const std::string& text : set.addresses()) {
    const auto range = net::parse_range(text);
    if (range && range->first.is_v4() == is_v4) {
      return true;
    }
  }
  return false;
}

Problems problems_within(const store::Edit& edit) {
  Problems problems;
  for (const v1::VirtualService& service : edit.services()) {
    validate(service, problems);
  }
  for (const v1::Pool& pool : edit.pools()) {
    validate(pool, problems);
  }
  for (const v1::SnatSet& set : edit.snat_sets()) {
    validate(set, problems);
  }
  for (const v1::SourceNat& rule : edit.source_nats()) {
    validate(rule, problems);
  }
  for (const v1::NetworkInstance& instance : edit.instances()) {
    validate(instance, problems);
  }
  if (edit.has_settings()) {
    validate(edit.settings(), problems);
  }
  return problems;
}

}  // namespace nezu::config
