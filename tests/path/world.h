// A balancer's surroundings in one process, on plain memory: the region as the control plane would
// fill it, and routes. For whole-path tests, fuzzers and benches.
//
//   clients (port 0, default route by 192.0.2.254 / 2001:db8:f::fe)
//   servers (port 1, 10.0.1.0/24, fd00:1::/64 and what `neighbour` adds)
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "dataplane/net/packet.h"
#include "dataplane/route/build.h"
#include "dataplane/tables/region.h"
#include "dataplane/tables/writer.h"

namespace nezu::world {

using tables::PoolId;
using tables::ServerId;
using tables::ServiceId;

inline constexpr std::string_view kFrontMac = "02:00:00:00:00:f0", kBackMac = "02:00:00:00:00:b0",
                                  kRouterMac = "02:00:00:00:00:fe";
/// Of the port that `third_arm` adds, and a host there.
inline constexpr std::string_view kThirdMac = "02:00:00:00:00:70", kThirdHost = "10.2.0.5";
/// The MAC of the n-th server address that was added, from 0.
net::MacAddress server_mac(uint32_t n);
net::Address address(std::string_view text);
/// Ends the process: what is asked of it cannot be.
[[noreturn]] void fail(const char* what);

struct ServerSpec {
  std::string_view address;
  uint16_t port = 0;
  uint32_t weight = 1;
  tables::ServerState state = tables::ServerState::ready;
  uint32_t max_flows = 0;  ///< a threshold, upper and lower
};

struct ServiceSpec {
  std::string_view vip = "203.0.113.10";  ///< or a prefix, "203.0.113.0/24"
  uint16_t port = 80;                     ///< 0 with protocol `any`, and where there are none
  net::Protocol protocol = net::Protocol::tcp;
  tables::Mode mode = tables::Mode::nat;
  tables::Scheduler scheduler = tables::Scheduler::rr;
  tables::Refusal refusal = tables::Refusal::drop;
  std::vector<ServerSpec> servers;
  std::vector<std::string_view> snats;  ///< fullnat
  tables::Timeouts timeouts{};          ///< 0: LVS's default
  net::EmbeddingPrefix client_prefix{};
  uint16_t gue_port = 6080;                    ///< tunnel_gue
  uint16_t max_segment_size = 0;               ///< 0: as the ends say
  uint16_t last_port = 0;                      ///< of a range; servers then keep the port
  std::vector<std::string_view> sources{};     ///< for clients of these prefixes only
  std::vector<std::string_view> interfaces{};  ///< that come in by these, "front", "back.100"
  bool one_packet = false;
  bool hash_destination = false;
  tables::Locality locality = tables::Locality::none;
  uint16_t load_bound_percent = 0;  ///< 0: none
  bool return_to_sender = false;
  net::Instance instance = net::Instance::standard;
  tables::ClientAddress client_address = tables::ClientAddress::none;
  tables::Application application = tables::Application::none;
  uint16_t passive_first = 0, passive_last = 0;
  uint32_t call_timeout_s = 1800;
  bool reset_when_idle = false;
  tables::FailedFlows failed_flows = tables::FailedFlows::keep;
  bool panics = false;
  tables::AccessSpec access{};
  tables::FlowLimits limits{};
  tables::TrafficLimits traffic{};
  tables::CookieRule cookies{};
  tables::Persistence persistence{};  ///< without a scope: the service's own
};

/// A rule of source NAT.
struct RuleSpec {
  std::vector<std::string_view> networks;
  std::vector<std::string_view> snats;
  std::vector<std::string_view> interfaces, outside;  ///< "front", "back", or "back.100"
  std::vector<std::string_view> except;
  tables::Refusal refusal = tables::Refusal::drop;
  tables::Timeouts timeouts{};  ///< 0: LVS's default
  uint16_t max_segment_size = 0;
  tables::Application application = tables::Application::none;
};
/// A network instance beside the standard one: a VLAN of each port, with the same subnets, hosts
/// and routes in it. Its hosts have MACs of their own (`mac_in`).
struct InstanceSpec {
  net::Instance instance = net::Instance::standard;
  uint16_t front_vlan = 0, back_vlan = 0;
  std::vector<std::string_view> owns{};  ///< of its kernel; none: those of the standard one
};
net::MacAddress mac_in(net::Instance instance, net::MacAddress mac);

class World {
 public:
  static tables::Sizes small_sizes(uint16_t workers);
  explicit World(const tables::Sizes& sizes);

  /// Puts the service with a pool of its own and publishes. Again with the same VIP, port and
  /// protocol: changes it.
  ServiceId put(const ServiceSpec& spec);
  /// Many exact services in `nat`, each with a pool of its own with one server of its own; they are
  /// not changed later. The first one's number.
  struct Place {
    net::Address address;
    uint16_t port = 0;
  };
  ServiceId put_many(const ServiceSpec& spec, uint32_t count,
                     const std::function<Place(uint32_t)>& vip,
                     const std::function<Place(uint32_t)>& server);
  void remove(ServiceId id);
  /// Puts a rule behind those that there are; they are tried in this order. Its number stands in
  /// services' slots.
  ServiceId put_rule(const RuleSpec& spec);
  /// As the control plane does while it has flows: found by slot only, its addresses stay.
  void retire_rule(ServiceId id);
  ServerId server_id(std::string_view address, uint16_t port, net::Protocol protocol,
                     net::Instance instance = net::Instance::standard) const;
  /// From the next routes on.
  void add_instance(const InstanceSpec& spec) { instances_.push_back(spec); }
  /// Of the server itself (its pool's member changes with `put`).
  void drain(ServerId id, net::Instant deadline);
  void settings(const tables::Settings& settings);
  /// Of whole instances, ascending.
  void access(const std::vector<std::pair<net::Instance, tables::AccessSpec>>& lists);

  tables::Region& region() { return *region_; }
  const tables::Region& region() const { return *region_; }
  tables::View view() const { return writer_->view(); }
  const route::Routes& routes() const { return *routes_; }
  route::Hops& hops() { return hops_; }
  /// Hosts that answered on the servers' side.
  void neighbour(const net::Address& host, const net::MacAddress& mac);
  /// Of the kernel on the clients' side, from the next routes on.
  void own_addresses(std::vector<std::string_view> addresses) { owns_ = std::move(addresses); }
  /// Again, with the next version. `back_vlan`: of the servers' side; 0: untagged. `front_vlan`:
  /// one that the clients' side carries beside the untagged link; 0: none. Without the servers'
  /// subnets, the default route leads to them.
  void rebuild_routes(uint16_t back_vlan = 0, uint16_t front_vlan = 0, bool servers_on_link = true);
  /// From the next routes on: port 2, with 10.2.0.0/16 on it.
  void third_arm() { has_third_arm_ = true; }
  /// From the next routes on: what fits the servers' link.
  void back_mtu(uint16_t mtu) { back_mtu_ = mtu; }
  /// Instead: both ports are one network, 10.0.1.0/24 and fd00:1::/64, untagged or a VLAN of both,
  /// and there is no other route. Hosts of `neighbour` are at the servers' side, but for those
  /// given here.
  void bridge_routes(uint16_t vlan, const std::vector<net::Address>& at_clients = {});
  route::Leases& leases() { return leases_; }

 private:
  struct Server {
    tables::ServerIdentity identity;
    tables::Server block;
  };
  /// Whom a service takes; nothing: everybody.
  struct Callers {
    std::vector<net::Prefix> sources;
    std::vector<tables::Interface> interfaces;
    bool operator==(const Callers&) const = default;
    bool any() const { return !sources.empty() || !interfaces.empty(); }
  };
  static Callers callers_of(const ServiceSpec& spec);
  tables::AddressId local(const tables::LocalAddress& wanted, tables::Transaction& transaction);
  void add_space(route::Build& build, const InstanceSpec& spec);
  void commit(tables::Transaction& transaction);
  void put_rules(tables::Transaction& transaction);

  std::vector<tables::SourceRuleSpec> rules_;
  std::vector<std::string_view> owns_{"192.0.2.1", "2001:db8:f::1"};
  std::unique_ptr<tables::Region> region_;
  std::unique_ptr<tables::Writer> writer_;
  std::vector<tables::Service> services_;  // by ServiceId, as pools; only key, id and mode
  std::vector<Callers> callers_;           // by ServiceId
  std::vector<Server> servers_;
  std::vector<tables::LocalAddress> addresses_;
  std::vector<InstanceSpec> instances_;
  uint64_t revision_ = 0;
  route::Hops hops_;
  route::Leases leases_;
  std::vector<std::pair<net::Address, net::MacAddress>> neighbours_;
  uint32_t hosts_ = 0;
  bool has_third_arm_ = false;
  uint16_t back_mtu_ = 1500;
  uint64_t failures_ = 0;
  uint32_t routes_version_ = 0;
  std::unique_ptr<const route::Routes> routes_;
};

}  // namespace nezu::world
