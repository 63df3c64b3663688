// What the control plane asks of the shared region: publish a configuration, read what workers
// count, and ask the data plane for flows.
//
// This is the seam between `api` (requests, journal, streams) and the region: the API's tests put
// a fake here. Values only: no pointers into the region cross it. None of the members throws.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "controlplane/compile/compile.h"
#include "dataplane/net/reason.h"
#include "dataplane/net/time.h"
#include "dataplane/tables/blocks.h"
#include "dataplane/tables/layout.h"

namespace nezu::publish {

using compile::Conditions;
using compile::Verdicts;

enum class Outcome : uint8_t {
  published,  ///< a new generation is in force
  unchanged,  ///< the region showed this already; nothing was published
  full,       ///< no room in the region; nothing has changed (RESOURCE_EXHAUSTED)
  failed,     ///< anything else; nothing has changed
};

struct Result {
  Outcome outcome = Outcome::failed;
  uint64_t generation = 0;  ///< in force now
  std::string error;        ///< full, failed: a sentence with the remedy
  // The work that it was.
  uint64_t compiled = 0;       ///< objects that were looked at
  uint64_t written_bytes = 0;  ///< into the region
};

/// What the region still knew about a server when this process attached.
struct Adopted {
  tables::ServerIdentity server;
  bool health_known = false;
  bool healthy = true;
  tables::ServerState configured = tables::ServerState::ready;
  net::Instant drain_deadline;  ///< boot time; 0: none
};

// --- readings: copies of counters and gauges
// ------------------------------------------------------

/// Summed over all workers, since the slot was allocated.
struct Traffic {
  uint64_t packets_to_server = 0, bytes_to_server = 0;
  uint64_t packets_to_client = 0, bytes_to_client = 0;
  uint64_t flows_opened = 0, flows_closed = 0, flows_refused = 0;
  uint64_t flows_active = 0;  ///< gauge
};

struct ServiceReading {
  std::string name;
  tables::ServiceId id = tables::no_id<tables::ServiceId>();
  Traffic traffic;
};

struct ServerReading {
  tables::ServerIdentity identity;
  tables::ServerId id = tables::no_id<tables::ServerId>();
  tables::ServerState state = tables::ServerState::ready;
  tables::ServerState configured = tables::ServerState::ready;
  bool healthy = true;
  bool health_known = false;
  bool retired = false;         ///< in no pool any more, but flows are left
  net::Instant drain_deadline;  ///< boot time; 0: none
  Traffic traffic;
};

/// One WorkerLine, as it was read.
struct WorkerReading {
  uint32_t number = 0;
  std::array<uint64_t, net::kReasonCount> reasons{};
  uint64_t turns = 0, busy_cycles = 0, idle_cycles = 0, bursts = 0;
  uint64_t longest_turn = 0;  ///< TSC cycles
  uint64_t turns_too_long = 0;
  uint64_t received = 0, received_bytes = 0, sent = 0, sent_bytes = 0;
  uint64_t handed_over = 0, taken_over = 0, to_twin = 0;
  uint64_t flows_opened = 0, flows_expired = 0, flows_recycled = 0, flows_ended = 0;
  uint64_t flows_reset_when_idle = 0;
  uint64_t flows_live = 0, flows_embryonic = 0, flows_closed = 0;
  uint64_t flows_ipv4 = 0, flows_ipv6 = 0, flow_capacity_ipv4 = 0, flow_capacity_ipv6 = 0;
  uint64_t snat_lines = 0, snat_line_capacity = 0;
  uint64_t client_address_left_out = 0;
  uint64_t splices = 0, splice_capacity = 0, announced = 0, announced_capacity = 0;
  uint64_t calls = 0, call_capacity = 0, calls_forgotten = 0;
  uint64_t persistence_forgotten = 0, limits_forgotten = 0, cookies_taken = 0;
  uint64_t shards = 0, tsc_hz = 0, generation = 0;
  uint64_t transit = 0, transit_bytes = 0, nat_log_lost = 0, fragmented = 0;
  uint64_t captured = 0, capture_passed_over = 0, capture_not_looked_at = 0;
};

/// One PortLine, as it was read.
struct PortReading {
  uint32_t number = 0;
  std::string name, device, twin, steering;
  net::MacAddress mac;
  uint16_t mtu = 0;
  uint32_t speed_mbps = 0;
  net::Side side = net::Side::unknown;
  bool link_up = false;
  uint64_t received = 0, received_bytes = 0, sent = 0, sent_bytes = 0;
  uint64_t receive_missed = 0, receive_errors = 0, send_errors = 0;
  uint64_t twin_received = 0, twin_sent = 0, twin_dropped = 0;
};

/// One BridgeLine with what the workers counted.
struct BridgeReading {
  std::string name;
  tables::BridgeState state = tables::BridgeState::none;
  net::MacAddress better;  ///< all zeros: none
  uint64_t packets_to_servers = 0, bytes_to_servers = 0;
  uint64_t packets_to_clients = 0, bytes_to_clients = 0;
};

struct Reading {
  net::Instant when;  ///< boot time
  uint64_t generation = 0;
  uint64_t revision = 0;
  std::vector<ServiceReading> services;
  std::vector<ServiceReading> source_nats;         ///< rules
  uint64_t nat_log_written = 0, nat_log_lost = 0;  ///< records; lost: wherever
  uint64_t persistent_clients = 0, persistence_capacity = 0;
  std::vector<ServerReading> servers;  ///< also the retired ones
  std::vector<WorkerReading> workers;  ///< those with a shard or a turn
  std::vector<PortReading> ports;      ///< in use
  std::vector<BridgeReading> bridges;  ///< that the data plane knows
};

struct ReaderReading {
  std::string name;
  uint32_t pid = 0;
  bool alive = false;       ///< its process exists
  bool late = false;        ///< alive, behind, and no turn for a second
  uint64_t generation = 0;  ///< the oldest that it may still be reading
  net::Instant last_turn;   ///< boot time
};

struct RegionReading {
  std::string path;
  uint64_t layout = 0;
  bool ours = false;
  bool compatible = false;  ///< else only path, layout and file_bytes are known
  tables::RegionState state = tables::RegionState::empty;
  uint64_t generation = 0, revision = 0;
  uint64_t file_bytes = 0, heap_bytes = 0, heap_used = 0, heap_retired = 0;
  tables::Sizes sizes;
  uint32_t services_used = 0, pools_used = 0, servers_used = 0, addresses_used = 0;
  std::vector<ReaderReading> readers;
};

struct DataPlaneReading {
  bool attached = false;  ///< its process lives
  /// The process that forwards, of whatever layout (as during an upgrade); 0: none does.
  uint32_t forwarding_pid = 0;
  uint32_t pid = 0;
  net::Instant started;  ///< boot time
  std::string version;
};

// --- the interface
// ----------------------------------------------------------------------------------

/// What became of a request to the data plane.
enum class Answer : uint8_t {
  complete,     ///< every worker has answered
  late,         ///< the deadline passed first; what came was delivered
  unavailable,  ///< no data plane is running
  refused,      ///< the data plane does not know this request
};

struct FlowAnswer {
  Answer answer = Answer::unavailable;
  uint64_t matched = 0;  ///< also those above the limit; of what ends or clears: how many
};

using Found = std::function<bool(const tables::FlowRecord&)>;

struct CapturedPacket {
  tables::CapturedHead head;
  uint64_t when = 0;               ///< ns since 1970
  std::span<const uint8_t> bytes;  ///< until the next one is told
};

/// What the data plane says of a frame.
struct ExplainAnswer {
  Answer answer = Answer::unavailable;  ///< complete: `explanation` is sound
  tables::Explanation explanation;
};

/// A capture that runs in the data plane until this is destroyed.
class Capture {
 public:
  virtual ~Capture() = default;

  /// Since it began, over all workers.
  struct Counts {
    uint64_t captured = 0;
    uint64_t passed_over = 0;    ///< matched, but the rate was used up, or the ring full
    uint64_t not_looked_at = 0;  ///< beyond what may be looked at
  };
  /// Calls `found` for what has come since the last call, in the order of time. Called ten times a
  /// second at least; when it is not for two seconds, workers stop. The last call ends the capture
  /// and tells what is left.
  virtual void take(bool is_last, const std::function<void(const CapturedPacket&)>& found) = 0;
  virtual Counts counts() const = 0;
};

/// What became of the wish for one.
struct CaptureBegin {
  std::unique_ptr<Capture> capture;  ///< null: see `is_busy`
  bool is_busy = false;              ///< another one runs; else there is no data plane
};

class Publisher {
 public:
  virtual ~Publisher() = default;

  /// Makes the region show what `model` and `verdicts` say of all that was touched since the last
  /// publication that succeeded, as one generation. One caller at a time. Costs what was touched;
  /// unchanged objects keep their blocks, slots and counters.
  virtual Result publish(const config::Model& model, const compile::Touched& touched,
                         const Conditions& conditions, uint64_t revision) = 0;

  /// What the region knew when this process attached; empty for a new region.
  virtual std::vector<Adopted> adopted() const = 0;
  /// The same of what servers had said of their weights.
  virtual compile::Shares adopted_shares() const { return {}; }
  /// What was found and repaired while attaching, sentences for people; empty: nothing.
  virtual std::vector<std::string> notes() const { return {}; }

  // Any thread, also while another publishes; from here to the end.

  virtual Reading read() const = 0;
  /// All but services and servers: it costs the same whatever is configured.
  virtual Reading read_vitals() const = 0;
  /// Of these servers those that the region shows, in this order.
  virtual std::vector<ServerReading> read(
      const std::set<tables::ServerIdentity>& servers) const = 0;
  virtual std::vector<RegionReading> regions() const = 0;
  virtual DataPlaneReading data_plane() const = 0;

  /// Asks the data plane. Calls `found` on this thread for each record, `limit` times at most (0:
  /// as often as it takes) and until `timeout`; false from it ends the request early. Requests of
  /// several threads take turns.
  virtual FlowAnswer ask(tables::RequestKind kind, const tables::FlowFilter& filter, uint32_t limit,
                         std::chrono::milliseconds timeout, const Found& found) = 0;
  /// What lists nothing: ends flows, clears clients.
  FlowAnswer ask(tables::RequestKind kind, const tables::FlowFilter& filter,
                 std::chrono::milliseconds timeout) {
    return ask(kind, filter, 0, timeout, [](const tables::FlowRecord&) { return true; });
  }

  /// `order.program` is sound.
  virtual CaptureBegin capture(const tables::CaptureOrder& order) = 0;

  /// What would become of a frame that came in by that port, within `timeout`. `frame`: of
  /// kLeastExplained to kMostExplained bytes. Requests of several threads take turns.
  virtual ExplainAnswer explain(uint16_t port, std::span<const uint8_t> frame,
                                std::chrono::milliseconds timeout) = 0;

  /// Events since the last call, oldest first. One caller at a time.
  virtual std::vector<tables::Event> take_events() = 0;
  /// Reuses what readers have passed and slots whose last flow has ended; called every second or
  /// so by the caller of publish, never at the same time as publish.
  virtual Result tidy() = 0;
};

struct Options {
  std::string region_dir = "/dev/hugepages/nezu";
  tables::Sizes sizes;  ///< of a region that has to be made
};

/// Attaches to the region of this build's layout in the folder, recovers what a crash left, or
/// makes a new one. Throws std::runtime_error with a sentence for the operator.
std::unique_ptr<Publisher> open_region(const Options& options);

}  // namespace nezu::publish
