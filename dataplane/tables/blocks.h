// The immutable blocks that the control plane publishes and the workers read.
//
// Everything here lies in the shared region: no pointers (offsets from the region's first byte), no
// virtuals, trivially copyable. One writer (the control plane's publisher) builds a block, links it
// from a new Root and publishes that; from then on nobody writes it again until every reader has
// passed and the space is reused. Multi-byte fields are in host order; addresses in network order.
//
//   Header.root -> Root -> services   Directory -> Page -> Service -> SnatSet
//                       -> pools      Directory -> Page -> Pool -> Ring | Sequence
//                       -> servers    Directory -> Page -> Server
//                       -> addresses  Directory -> Page -> LocalAddress with its Rules
//                       -> memberships Memberships
//                       -> instance_access InstanceAccesses -> AccessList (also of a Service)
//                       -> service_keys, address_keys   HashDirectory -> HashPage (slots by key)
//                       -> source_rules                 (tables/source_rules.h)
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "dataplane/net/address.h"
#include "dataplane/net/embedded.h"
#include "dataplane/net/time.h"
#include "dataplane/tables/access.h"
#include "dataplane/tables/ids.h"
#include "dataplane/tables/rule.h"
#include "dataplane/tables/source_rules.h"

namespace nezu::tables {

/// A place in the region: bytes from its start; 0 is "none".
template <typename T>
struct Ref {
  uint64_t offset = 0;
  bool exists() const { return offset != 0; }
  auto operator<=>(const Ref&) const = default;
};

// --- what a service is ----------------------------------------------------------------------

enum class Mode : uint8_t {
  nat,
  fullnat,
  route,
  tunnel_ipip,
  redirect,
  across,  ///< of a flow only: `nat` or `fullnat` of a client and a server of different families
  tunnel_gre,
  tunnel_gue,
  masquerade,  ///< of a flow, and of the slot of a source NAT rule: both sides change as in
               ///< `fullnat`
  // Of a flow only, each `nat` or `fullnat` of either or both families:
  tagged,     ///< TCP: a client's segments carry its address as an option until the server answers
  prefixed,   ///< UDP: a client's datagrams carry its address in front
  spliced,    ///< TCP: bytes are put in or changed, so that numbers differ (flow/splice.h)
  announced,  ///< what an earlier flow has announced: the SNAT port is not its own
  returned,   ///< of a flow only: what a server of `redirect` has sent us; answers go back there
  spoken,     ///< UDP: messages are read, and say other places on each side (path_sip.cc)
};
constexpr bool is_tunnel(Mode mode) {
  return mode == Mode::tunnel_ipip || mode == Mode::tunnel_gre || mode == Mode::tunnel_gue;
}
/// Answers pass us by: only the client's half of a flow is seen here.
constexpr bool is_one_way(Mode mode) { return mode == Mode::route || is_tunnel(mode); }
/// Nothing is translated, answers may come through us or not, and who serves the flow stands in its
/// relay (flow/relay.h).
constexpr bool has_relay(Mode mode) { return mode == Mode::redirect || mode == Mode::returned; }

/// An order to pick members in. A new one is a line here and its compiler in the control plane.
enum class Scheduler : uint8_t { rr, wrr, lc, wlc, sh, mh, sed, nq, fo, ovf, twos, random };

/// By a ring over the ready members.
constexpr bool has_ring(Scheduler scheduler) {
  return scheduler == Scheduler::sh || scheduler == Scheduler::mh;
}
/// By an order of turns over the ready members, in which each stands as often as its weight says.
constexpr bool has_sequence(Scheduler scheduler) {
  return scheduler == Scheduler::rr || scheduler == Scheduler::wrr ||
         scheduler == Scheduler::twos || scheduler == Scheduler::random;
}

/// What becomes of a server's flows when its health check fails.
enum class FailedFlows : uint8_t {
  keep,   ///< they go on: the check may be wrong
  reset,  ///< TCP: both ends are told by RST; others end
  drop,   ///< they end: what comes of them is scheduled anew, or refused
};

enum class ServerState : uint8_t {
  ready,     ///< takes new flows
  draining,  ///< existing flows go on, new ones only when nobody is ready
  disabled,  ///< by the operator: no new flows
  failed,    ///< by its health check: no new flows
};

/// How servers behind `fullnat` learn who the client is.
enum class ClientAddress : uint8_t { none, proxy_v2, tcp_option };
/// What is said on a service's connections, where it matters to the way of others.
enum class Application : uint8_t { none, ftp, tftp, sip, rtsp };

enum class Ping : uint8_t { always, any, all };
/// Silence; RST, ABORT or an ICMP error; `redirect`: on to where the client wanted.
enum class Refusal : uint8_t { drop, refuse, pass };

/// Which of a service's timeouts a flow is under. Values are indices of `Service::timeouts`.
enum class Timeout : uint8_t {
  syn_sent,      ///< a SYN was seen, no answer yet (embryonic)
  syn_received,  ///< SYN-ACK was seen, the client's ACK not yet (embryonic)
  established,
  fin_wait,    ///< one side closed
  close_wait,  ///< both sides closed, not all acknowledged
  time_wait,   ///< both FINs acknowledged (closed)
  closed,      ///< RST (closed)
  udp_single,  ///< datagrams from one side only (embryonic)
  udp,
  icmp,
  other,
};
inline constexpr size_t kTimeoutCount = 16;  ///< room for more
using Timeouts = std::array<net::Tick, kTimeoutCount>;

struct ServiceKey {
  net::Address address;  ///< of a prefix: the first one
  net::Instance instance = net::Instance::standard;
  uint16_t port = 0;  ///< host order; the first of a range; 0: of a protocol without ports, or any
  net::Protocol protocol = net::Protocol::any;  ///< any: every one
  uint8_t host_bits = 0;                        ///< of a prefix: low bits that do not count
  uint16_t last_port = 0;  ///< of a range, or of a service for some clients only; 0: `port` alone
  bool operator==(const ServiceKey&) const = default;
  /// One address, protocol and port, for everybody: found by its hash. All others are found by the
  /// rules of their LocalAddress.
  constexpr bool is_exact() const {
    return host_bits == 0 && last_port == 0 && protocol != net::Protocol::any;
  }
};
static_assert(sizeof(ServiceKey) == 24);

inline constexpr size_t kNameCapacity = 64;  ///< bytes with the final 0
using Name = std::array<char, kNameCapacity>;

/// What the slot's counters (tables/layout.h), summed over workers, showed when the slot was given
/// to this object: counters are never reset, readings are differences.
struct CounterBase {
  uint64_t packets_to_server = 0, bytes_to_server = 0;
  uint64_t packets_to_client = 0, bytes_to_client = 0;
  uint64_t flows_opened = 0, flows_refused = 0, flows_closed = 0;
  bool operator==(const CounterBase&) const = default;
};

/// Clients that stay on the server that they were given.
struct Persistence {
  uint64_t scope = 0;      ///< under which its clients are known: scope_of_*
  uint32_t timeout_s = 0;  ///< without packets, until a client is forgotten; 0: none stays
  uint8_t host_bits4 = 0, host_bits6 = 0;  ///< of a client's address: low bits that do not count
  uint8_t keeps_draining = 0;              ///< also on a server that is draining, or has no weight
  uint8_t reserved = 0;
  bool operator==(const Persistence&) const = default;
  constexpr bool exists() const { return timeout_s != 0; }
};
inline constexpr uint64_t kScopeOfMark = uint64_t{1} << 63;
/// Destinations of pools with a locality.
inline constexpr uint64_t kScopeOfDestination = uint64_t{1} << 62;
/// `place`: within the set of a destination's servers, below kLocalServers.
inline constexpr uint32_t kLocalServers = 4;
constexpr uint64_t scope_of_destination(uint64_t identity, uint32_t place) {
  return (identity & ~(kScopeOfMark | kScopeOfDestination | 3)) | kScopeOfDestination | place;
}
/// All services of a mark know their clients together.
constexpr uint64_t scope_of_mark(uint16_t mark) { return kScopeOfMark | mark; }
/// `identity`: Service::identity.
constexpr uint64_t scope_of_service(uint64_t identity) {
  return identity & ~(kScopeOfMark | kScopeOfDestination);
}

/// How many flows may be opened; 0: any number.
struct FlowLimit {
  uint32_t per_second = 0;
  uint32_t at_once = 0;
  bool operator==(const FlowLimit&) const = default;
  constexpr bool exists() const { return (per_second | at_once) != 0; }
};
/// Of a service: of all its clients together, and of each.
struct FlowLimits {
  FlowLimit all, client;
  uint8_t host_bits4 = 0, host_bits6 = 0;  ///< of a client's address: low bits that do not count
  std::array<uint8_t, 6> reserved{};
  bool operator==(const FlowLimits&) const = default;
  constexpr bool exist() const { return all.exists() || client.exists(); }
};

/// Packets of flows, both directions together; 0: any number.
struct TrafficLimit {
  uint64_t bits_per_second = 0;  ///< of whole frames
  uint32_t packets_per_second = 0;
  uint32_t reserved = 0;
  bool operator==(const TrafficLimit&) const = default;
  constexpr bool exists() const { return (bits_per_second | packets_per_second) != 0; }
};
/// Of a service: of all its clients together, and of each (FlowLimits::host_bits*).
struct TrafficLimits {
  TrafficLimit all, client;
  bool operator==(const TrafficLimits&) const = default;
  constexpr bool exist() const { return all.exists() || client.exists(); }
};

/// SYNs that are answered by SYN cookies.
struct CookieRule {
  uint32_t above_per_second = 0;  ///< those beyond so many; 0: all
  uint8_t enabled = 0;
  uint8_t timestamps = 1;  ///< servers speak them: clients may, too
  std::array<uint8_t, 2> reserved{};
  bool operator==(const CookieRule&) const = default;
};

struct SnatSet;
struct alignas(64) Service {
  ServiceKey key;
  ServiceId id = no_id<ServiceId>();
  PoolId pool = no_id<PoolId>();
  Mode mode = Mode::nat;
  Refusal refusal = Refusal::drop;
  uint8_t enabled = 1;
  uint8_t retired = 0;    ///< configured no more: found by slot only, until its last flow has ended
  uint16_t gue_port = 0;  ///< tunnel_gue: where servers listen
  uint16_t max_segment_size = 0;  ///< that a SYN may announce; 0: any
  uint64_t identity = 0;          ///< hash of the name: schedulers start at an offset of their own
  Ref<SnatSet> snats;             ///< `fullnat`; `nat`: for clients in the subnet of their server
  Timeouts timeouts{};
  CounterBase base;  ///< not read by workers
  Name name{};
  /// `nat`: where IPv6 servers see IPv4 clients (RFC 6052).
  net::EmbeddingPrefix client_prefix;
  ClientAddress client_address = ClientAddress::none;
  Application application = Application::none;
  uint8_t reset_when_idle = 0;   ///< TCP: both ends are told by RST
  uint8_t return_to_sender = 0;  ///< `redirect`: answers go back to the MAC that asked
  uint16_t passive_first = 0, passive_last = 0;  ///< ftp: declared passive ports; 0: none
  uint32_t call_timeout_s = 0;  ///< sip: how long a call's server is known after its last message
  FailedFlows failed_flows = FailedFlows::keep;
  uint8_t one_packet = 0;  ///< UDP: every datagram of a client is scheduled by itself
  std::array<uint8_t, 6> reserved2{};
  Ref<AccessList> access;  ///< whose flows it takes; none: everybody's
  Persistence persistence;
  FlowLimits limits;
  CookieRule cookies;  ///< `nat`, `fullnat`; TCP
  TrafficLimits traffic;
  std::array<uint8_t, 8> reserved3{};
  bool operator==(const Service&) const = default;
};
static_assert(sizeof(Service) == 384);

/// Rules of source NAT have slots of their own and no key.
constexpr bool is_rule(const Service& service) { return service.mode == Mode::masquerade; }
/// Found by its key; else by rules, or (configured no more) by slot only.
constexpr bool is_filed(const Service& service) {
  return service.retired == 0 && !is_rule(service) && service.key.is_exact();
}

/// The source addresses of a `fullnat` service, both families mixed.
struct alignas(64) SnatSet {
  uint32_t count = 0;       ///< AddressIds that follow, IPv4 first
  uint32_t ipv4_count = 0;  ///< how many of them are IPv4
  uint64_t fingerprint = 0;
  const AddressId* ids() const { return reinterpret_cast<const AddressId*>(this + 1); }
  AddressId* ids() { return reinterpret_cast<AddressId*>(this + 1); }
};

// --- pools and servers ------------------------------------------------------------------------

struct ServerIdentity {
  net::Address address;
  net::Instance instance = net::Instance::standard;
  uint16_t port = 0;  ///< host order
  net::Protocol protocol = net::Protocol::tcp;
  std::array<uint8_t, 3> reserved{};
  bool operator==(const ServerIdentity&) const = default;
  auto operator<=>(const ServerIdentity&) const = default;
};
static_assert(sizeof(ServerIdentity) == 24);

/// Bits of `Member::followed`.
inline constexpr uint8_t kFollowsAgent = 1;      ///< `percent` is the agent's
inline constexpr uint8_t kFollowsTime = 2;       ///< `percent` is of the time of its answers
inline constexpr uint8_t kAgentDrains = 4;       ///< what it said and did not take back
inline constexpr uint8_t kAgentMaintenance = 8;  ///< as well
inline constexpr uint8_t kAgentDown = 16;        ///< as well
inline constexpr uint8_t kAgentLimit = 32;       ///< `max_flows` is the agent's

struct Member {
  net::Address address;
  ServerId server = no_id<ServerId>();
  uint32_t weight = 1;        ///< 0: no new flows
  uint32_t max_flows = 0;     ///< no new flows at so many, of all workers; 0: no limit
  uint32_t resume_flows = 0;  ///< again when there are fewer than these
  uint16_t port = 0;          ///< host order
  ServerState state = ServerState::ready;
  // Not read by workers, `weight` has it all: what the next control plane begins with.
  uint8_t followed = 0;
  uint16_t percent = 0;  ///< of the configured weight; means nothing without a bit of `followed`
  uint16_t reserved = 0;
  bool operator==(const Member&) const = default;
};
static_assert(sizeof(Member) == 40);

/// Maglev-like table (mh, sh) or order of turns: pool-local member indices. `size` entries follow.
struct alignas(64) Ring {
  uint32_t size = 0;
  uint32_t reserved = 0;
  uint64_t fingerprint = 0;  ///< rings of equal pools are shared
  const uint16_t* entries() const { return reinterpret_cast<const uint16_t*>(this + 1); }
  uint16_t* entries() { return reinterpret_cast<uint16_t*>(this + 1); }
};

/// Whether flows to one destination stay together: at one server, or at a few.
enum class Locality : uint8_t { none, one, set };

struct alignas(64) Pool {
  PoolId id = no_id<PoolId>();
  Scheduler scheduler = Scheduler::wlc;
  uint8_t hash_with_port = 0;
  uint8_t hash_destination = 0;     ///< sh, mh: of where the client wants to go, not of the client
  uint8_t is_limited = 0;           ///< a member has a threshold, or the pool a bound
  uint32_t member_count = 0;        ///< sorted by identity
  uint32_t ready_count = 0;         ///< members that are ready and have a weight
  uint64_t identity = 0;            ///< hash of the name
  Ref<Ring> ring;                   ///< has_ring(): over the ready members
  Ref<Ring> sequence;               ///< has_sequence(): over the ready members
  uint16_t load_bound_percent = 0;  ///< sh, mh: of the mean load by weight; 0: none
  uint8_t panics = 0;               ///< checks are not believed: failed servers take new flows
  Locality locality = Locality::none;
  Name name{};
  bool operator==(const Pool&) const = default;  ///< without its members
  const Member* members() const { return reinterpret_cast<const Member*>(this + 1); }
  Member* members() { return reinterpret_cast<Member*>(this + 1); }
};

struct alignas(64) Server {
  ServerIdentity identity;
  ServerId id = no_id<ServerId>();
  ServerState state = ServerState::ready;  ///< the worst of the operator's and the health check's
  ServerState configured = ServerState::ready;  ///< what the operator set
  uint8_t healthy = 1;                          ///< what the health check last decided
  uint8_t health_known = 0;                     ///< 0 until the first decision
  uint8_t retired = 0;  ///< in no pool any more: kept until its last flow has ended
  std::array<uint8_t, 7> reserved{};
  /// When the flows of a draining server are ended (boot time); 0 for never.
  net::Instant drain_deadline;
  net::Instant failed_since;  ///< boot time, while `state` is failed; else 0
  CounterBase base;           ///< not read by workers
  bool operator==(const Server&) const = default;
};

// --- addresses that the data plane answers ----------------------------------------------------

enum class AddressKind : uint8_t { vip = 1, snat = 2 };

inline constexpr uint16_t kSnatFirstPort = 1024;
inline constexpr uint32_t kShardCount = 256;
/// Ports of one SNAT address that one shard owns: (65536 - 1024) / 256.
inline constexpr uint32_t kSnatSlicePorts = (65536u - kSnatFirstPort) / kShardCount;
static_assert(kSnatSlicePorts == 252);

/// The shard whose flows use this port of an SNAT address: its low byte, which a NIC's rule can
/// tell by a mask. `port` >= kSnatFirstPort.
constexpr uint32_t shard_of_snat_port(uint16_t port) { return port % kShardCount; }
/// Its place in the shard's slice, below kSnatSlicePorts, and back.
constexpr uint32_t place_of_snat_port(uint16_t port) {
  return (port - kSnatFirstPort) / kShardCount;
}
constexpr uint16_t snat_port(uint32_t shard, uint32_t place) {
  return static_cast<uint16_t>(kSnatFirstPort + place * kShardCount + shard);
}
static_assert(kSnatFirstPort % kShardCount == 0 &&
              snat_port(kShardCount - 1, kSnatSlicePorts - 1) == 65535);

/// An address of ours, or (`host_bits`) a prefix that services are configured for: that one is
/// neither answered for nor announced.
struct alignas(64) LocalAddress {
  net::Address address;  ///< of a prefix: the first one
  net::Instance instance = net::Instance::standard;
  AddressKind kind = AddressKind::vip;
  uint8_t answers_ping = 1;
  uint8_t retired = 0;    ///< configured no more: still steers until its last flow has ended
  uint8_t host_bits = 0;  ///< of a prefix: low bits that do not count
  uint8_t by_side = 0;    ///< of a prefix: `redirect`: who is the client tells the port of entry
  /// Of a VIP with `fullnat`: flows without ports live at shard kPortlessShard.
  uint8_t portless = 0;
  uint8_t asks_who = 0;  ///< a rule is for some clients only
  std::array<uint8_t, 3> reserved{};
  AddressId id = no_id<AddressId>();
  /// VIP: ports that are served by a service which has another one (`Service::passive_first`).
  ServiceId passive_service = no_id<ServiceId>();
  uint16_t passive_first = 0, passive_last = 0;
  uint32_t rule_count = 0;
  bool operator==(const LocalAddress&) const = default;  ///< without its rules
  /// The more specific ones first.
  const Rule* rules() const { return reinterpret_cast<const Rule*>(this + 1); }
};
/// Where flows without ports live that share an SNAT address: their answers name no client.
inline constexpr uint8_t kPortlessShard = 0;

// --- who belongs where --------------------------------------------------------------------------

/// Frames of one VLAN of a port (or its untagged ones) are in an instance. Untagged frames that no
/// membership names are in the standard one; a VLAN that none names is nobody's.
struct Membership {
  std::array<char, 24> port{};  ///< name
  net::Instance instance = net::Instance::standard;
  uint16_t vlan = 0;  ///< 0: untagged
  uint32_t reserved = 0;
  bool operator==(const Membership&) const = default;
};
static_assert(sizeof(Membership) == 32);

/// One VLAN (or the untagged frames) of two ports that is one network: what is not ours passes
/// from one to the other.
struct Bridge {
  std::array<char, 16> name{};
  std::array<char, 24> clients{}, servers{};  ///< names of ports
  uint32_t hold_ms = 1000;
  uint16_t vlan = 0;  ///< 0: untagged
  uint8_t priority = 100;
  uint8_t reserved = 0;
  bool operator==(const Bridge&) const = default;
};
static_assert(sizeof(Bridge) == 72);
inline constexpr uint32_t kMaxBridges = 16;

/// `count` of the first follow, ordered by port and VLAN, and `bridge_count` bridges, by name.
struct alignas(64) Memberships {
  uint32_t count = 0;
  uint32_t bridge_count = 0;
  std::array<uint32_t, 14> reserved{};
  const Membership* all() const { return reinterpret_cast<const Membership*>(this + 1); }
  const Bridge* bridges() const { return reinterpret_cast<const Bridge*>(all() + count); }
};

/// Whose flows the services of an instance take.
struct InstanceAccess {
  net::Instance instance = net::Instance::standard;
  std::array<uint8_t, 6> reserved{};
  Ref<AccessList> list;
  bool operator==(const InstanceAccess&) const = default;
};
static_assert(sizeof(InstanceAccess) == 16);

/// `count` of them follow, ordered by instance.
struct alignas(64) InstanceAccesses {
  uint32_t count = 0;
  std::array<uint32_t, 15> reserved{};
  std::span<const InstanceAccess> all() const {
    return {reinterpret_cast<const InstanceAccess*>(this + 1), count};
  }
};

// --- how slots and keys are found ---------------------------------------------------------------

inline constexpr uint32_t kPageSlots = 256;
inline constexpr uint32_t kDirectoryPages = 256;
inline constexpr uint32_t kMaxSlots = kPageSlots * kDirectoryPages;  ///< 65,536 of each kind

template <typename T>
struct alignas(64) Page {
  std::array<Ref<T>, kPageSlots> slots{};
};
template <typename T>
struct alignas(64) Directory {
  std::array<Ref<Page<T>>, kDirectoryPages> pages{};
};

/// One cache line: cells are filled from the left of the home bucket, then of the next bucket of
/// the same page, and so on; an empty cell ends a search.
struct HashCell {
  uint32_t fingerprint = 0;
  uint32_t slot = kNoSlot;
};
struct alignas(64) HashBucket {
  std::array<HashCell, 8> cells{};
};
inline constexpr uint32_t kPageBuckets = 32;
struct HashPage {
  std::array<HashBucket, kPageBuckets> buckets{};
};
static_assert(sizeof(HashPage) == 2048);

/// `page_count` is a power of two from 1 to 4,096; that many Ref<HashPage> follow.
struct alignas(64) HashDirectory {
  uint32_t page_count = 0;
  uint32_t entry_count = 0;
  const Ref<HashPage>* pages() const { return reinterpret_cast<const Ref<HashPage>*>(this + 1); }
  Ref<HashPage>* pages() { return reinterpret_cast<Ref<HashPage>*>(this + 1); }
};

// --- the whole -----------------------------------------------------------------------------------

enum class Transit : uint8_t { drop, forward, kernel };

inline constexpr size_t kClientPrefixes = 4;

struct Settings {
  Transit transit = Transit::drop;
  uint8_t embryonic_percent = 50;  ///< most of the flow table that unanswered flows may hold
  /// Addresses below these are steered as the IPv4 address that they embed. The first without a
  /// length ends the list.
  std::array<net::EmbeddingPrefix, kClientPrefixes> client_prefixes{};
  std::array<uint8_t, 10> reserved{};
  bool operator==(const Settings&) const = default;
};
static_assert(sizeof(Settings) == 64);

struct alignas(64) Root {
  uint64_t generation = 0;  ///< counts up by one for each publication
  uint64_t revision = 0;    ///< the configuration's revision that this generation shows
  uint64_t layout = 0;      ///< repeats Header::layout
  uint32_t service_count = 0;
  uint32_t pool_count = 0;
  uint32_t server_count = 0;
  uint32_t address_count = 0;
  uint32_t metered_count = 0;  ///< services with limits of traffic
  Ref<Directory<Service>> services;
  Ref<Directory<Pool>> pools;
  Ref<Directory<Server>> servers;
  Ref<Directory<LocalAddress>> addresses;
  Ref<HashDirectory> service_keys;  ///< of exact services
  Ref<HashDirectory> address_keys;
  Ref<SourceRules> source_rules;  ///< none: no rule
  Ref<Memberships> memberships;
  Ref<InstanceAccesses> instance_access;
  PrefixLengths prefixes;
  Settings settings;
};

static_assert(std::is_trivially_copyable_v<Service> && std::is_trivially_copyable_v<Pool> &&
              std::is_trivially_copyable_v<Server> && std::is_trivially_copyable_v<LocalAddress> &&
              std::is_trivially_copyable_v<Root> && std::is_trivially_copyable_v<HashPage>);

}  // namespace nezu::tables
