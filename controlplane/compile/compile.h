// Configuration + health -> what the region is to show of the objects that a change has touched, as
// plain values.
//
// Pure functions of their arguments: no clock, no slots, no region. The publisher gives slots and
// writes only what differs. What the model holds is normalised and valid (controlplane/config).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/compile/ring.h"
#include "controlplane/compile/share.h"
#include "controlplane/compile/touched.h"
#include "dataplane/net/range.h"
#include "dataplane/tables/blocks.h"
#include "nezu/v1/configuration.pb.h"

namespace nezu::compile {

/// Verdicts of the health checks: true is healthy. A server that is not here is not known yet and
/// counts as healthy.
using Verdicts = std::map<tables::ServerIdentity, bool>;

/// How long ago a server became ready; one that is not here was so long before.
using Ages = std::map<tables::ServerIdentity, std::chrono::milliseconds>;

/// What is not configured but found.
struct Conditions {
  Verdicts verdicts;
  Ages ages;
  Shares shares{};
};

struct ServerImage {
  tables::ServerIdentity identity;
  tables::ServerState state = tables::ServerState::ready;
  tables::ServerState configured = tables::ServerState::ready;
  bool healthy = true;
  bool health_known = false;
  net::Instant drain_deadline;  ///< boot time; 0: never
};

struct MemberImage {
  tables::ServerIdentity identity;
  uint32_t weight = 1;                                     ///< the effective one
  tables::ServerState state = tables::ServerState::ready;  ///< the effective one
  uint32_t max_flows = 0, resume_flows = 0;
  std::optional<Share> share;  ///< that `weight` was made of; for the next control plane
};

struct PoolImage {
  std::string name;
  tables::Scheduler scheduler = tables::Scheduler::wlc;
  tables::Locality locality = tables::Locality::none;
  bool hash_with_port = false, hash_destination = false;
  uint64_t identity = 0;
  uint32_t ready_count = 0;
  std::vector<MemberImage> members;  ///< sorted by identity
  uint16_t load_bound_percent = 0;
  bool panics = false;        ///< so few are healthy that the failed ones take new flows as well
  bool has_ring = false;      ///< tables::has_ring
  bool has_sequence = false;  ///< tables::has_sequence
  RingPlan plan;              ///< of whichever it has
};

struct ServiceImage {
  std::string name;
  tables::ServiceKey key;
  tables::Mode mode = tables::Mode::nat;
  uint16_t gue_port = 0;
  uint16_t max_segment_size = 0;
  bool reset_when_idle = false;
  tables::Refusal refusal = tables::Refusal::refuse;
  tables::FailedFlows failed_flows = tables::FailedFlows::keep;
  bool enabled = true;
  uint64_t identity = 0;
  std::string pool;
  std::string snat_set;
  tables::Timeouts timeouts{};
  net::EmbeddingPrefix client_prefix;
  tables::ClientAddress client_address = tables::ClientAddress::none;
  tables::Application application = tables::Application::none;
  net::PortRange passive_ports;
  bool return_to_sender = false;
  uint32_t call_timeout_s = 0;
  tables::Persistence persistence;
  tables::FlowLimits limits;
  tables::TrafficLimits traffic;
  tables::CookieRule cookies;
  bool one_packet = false;
  std::vector<uint8_t>
      access;  ///< as tables::build_access_list makes it; filled by `compile` alone
};

/// A source NAT rule's slot: what its flows look at.
struct RuleImage {
  std::string name;
  std::string snat_set;
  uint16_t max_segment_size = 0;
  tables::Application application = tables::Application::none;
  bool enabled = true;
  tables::Timeouts timeouts{};
};
/// What opens flows of it.
struct RuleMatch {
  std::string name;
  std::vector<net::Prefix> sources;
  std::vector<tables::Interface> inside, outside;
  std::vector<net::Prefix> except;
};

struct SnatSetImage {
  std::string name;
  net::Instance instance = net::Instance::standard;
  std::vector<net::Address> addresses;  ///< IPv4 first, each once
};

struct AddressImage {
  AddressKey key;
  tables::AddressKind kind = tables::AddressKind::vip;
  bool answers_ping = true;
  net::PortRange passive_ports;            ///< a VIP's
  std::string passive_service;             ///< whose they are
  bool by_side = false, portless = false;  ///< as in tables::LocalAddress
  struct OpenService {
    std::string name;
    tables::ServiceKey key;
    std::vector<net::Prefix> sources{};           ///< whose packets it takes; none: everybody's
    std::vector<tables::Interface> interfaces{};  ///< by which they come; none: any
  };
  std::vector<OpenService> open_services;  ///< what its rules are made of
};

/// Every touched object is either here or gone. All lists are ordered by key.
struct Image {
  std::vector<ServiceImage> services;
  std::vector<PoolImage> pools;
  std::vector<ServerImage> servers;
  std::vector<AddressImage> addresses;
  std::vector<RuleImage> rules;
  std::map<std::string, SnatSetImage> snat_sets;  ///< those that `services` and `rules` use
  /// Of all rules that are enabled, in their order; none: as before.
  std::optional<std::vector<RuleMatch>> matches;
  tables::Settings settings;
  bool has_memberships = false;                 ///< `memberships` are given
  std::vector<tables::Membership> memberships;  ///< all, ordered by port and VLAN
  /// All, ordered by instance; none: as before.
  std::optional<std::vector<tables::InstanceAccessSpec>> instance_access;
  std::vector<tables::Bridge> bridges;  ///< with them: all, by name
  struct Gone {
    std::vector<std::string> services, pools, rules;
    std::vector<tables::ServerIdentity> servers;
    std::vector<AddressKey> addresses;
  } gone;

  size_t size() const {
    return services.size() + pools.size() + servers.size() + addresses.size() + rules.size();
  }
};

tables::ServerIdentity identity_of(const v1::RealServer& server, const v1::Pool& pool);
AddressKey vip_of(const v1::VirtualService& service);
/// As the configuration writes it.
std::string text_of(const AddressKey& key);

/// The worst of what the operator wants and what the health check found.
tables::ServerState effective_state(tables::ServerState configured, bool healthy);

/// `boot_offset` = wall clock (ns since 1970) - boot time (ns): drain deadlines are configured by
/// the wall clock and kept by the data plane in boot time.
ServerImage compile_server(const v1::RealServer& server, const v1::Pool& pool,
                           const Verdicts& verdicts, int64_t boot_offset);
// members.cc
/// Where the pool's shares of weights come from; nothing: its weights are as configured.
std::optional<ShareSource> source_of(const v1::Pool& pool);
PoolImage compile_pool(const v1::Pool& pool, const Conditions& conditions);
ServiceImage compile_service(const v1::VirtualService& service);
SnatSetImage compile_snat_set(const v1::SnatSet& set);
RuleImage compile_rule(const v1::SourceNat& rule);
/// In the order in which rules of equally long networks are tried.
std::vector<RuleMatch> compile_matches(const config::Model& model);
tables::Application application_of(v1::Application from);
tables::Timeouts timeouts_of(const v1::Timeouts& from);
std::vector<tables::Membership> compile_memberships(const config::Model& model);
/// access.cc
std::vector<uint8_t> compile_access(const v1::AccessList& access);
std::vector<tables::InstanceAccessSpec> compile_instance_access(const config::Model& model);
std::vector<tables::Bridge> compile_bridges(const config::Model& model);

Image compile(const config::Model& model, const Touched& touched, const Conditions& conditions,
              int64_t boot_offset);

}  // namespace nezu::compile
