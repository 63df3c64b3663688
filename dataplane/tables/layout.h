// The shared region's fixed part: header, readers, counters, gauges and rings, and where the heap
// with the published blocks (tables/blocks.h) begins.
//
// The file is `<dir>/region-<layout hash>`; every process maps it at an address of its own. Each
// field names its one writer: CP (the control plane's publisher), HK (the data plane's main lcore),
// W (the worker whose line it is).
//
//   | Header | ReaderLine x readers | WorkerLine x workers | PortLine x 32 | requests | replies |
//   | events | ServiceCounters x services x workers | ServerCounters x servers x workers |
//   | AddressGauge x addresses x workers | CaptureRing x workers | heap ...
//   |
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "dataplane/net/reason.h"
#include "dataplane/tables/blocks.h"
#include "dataplane/tables/capture.h"
#include "dataplane/tables/counter.h"
#include "dataplane/tables/explain.h"
#include "dataplane/tables/flow_record.h"
#include "dataplane/tables/letter.h"

namespace nezu::tables {

inline constexpr uint64_t kMagic = 0x6e657a752d746231;  // "nezu-tb1"
inline constexpr uint32_t kMaxWorkers = 64;
inline constexpr uint32_t kMaxReaders = kMaxWorkers + 8;
inline constexpr uint32_t kMaxPorts = 32;

/// Chosen when the region is made; fixed for its life.
struct Sizes {
  uint32_t services = 4096;
  uint32_t pools = 4096;
  uint32_t servers = 16384;
  uint32_t addresses = 8192;
  uint32_t workers = 8;
  uint32_t reserved = 0;
  uint64_t heap_bytes = 64ull << 20;
};

enum class RegionState : uint32_t {
  empty = 0,      ///< being made
  not_ready = 1,  ///< usable, but the control plane has not filled it since it was made
  ready = 2,
};

/// What a bridge is doing: that state of link::BridgeGuard, or `none` for a free line.
enum class BridgeState : uint32_t { none, down, listening, claiming, bridging, standing_by, loop };

/// Of one bridge, found by its name.
struct alignas(64) BridgeLine {
  std::atomic<uint32_t> state{0};   // HK: BridgeState
  std::array<char, 16> name{};      // HK, while the state is `none`
  std::atomic<uint64_t> better{0};  // HK: MAC of the box that bridges instead, first byte highest
  std::array<uint64_t, 4> base{};   // HK, with the name: what workers' counters showed
};
static_assert(sizeof(BridgeLine) == 64);

struct alignas(4096) Header {
  uint64_t magic = kMagic;            // CP, once
  uint64_t layout = 0;                // CP, once: layout_hash()
  uint64_t region_id = 0;             // CP, once: random
  std::array<uint8_t, 16> boot_id{};  // CP, once: /proc/sys/kernel/random/boot_id
  uint64_t hash_seed = 0;             // CP, once: random; keys service_keys, address_keys
  uint64_t file_bytes = 0;            // CP, once
  Sizes sizes;                        // CP, once
  uint64_t readers_offset = 0;        // CP, once; and so on
  uint64_t workers_offset = 0;
  uint64_t ports_offset = 0;
  uint64_t requests_offset = 0;
  uint64_t replies_offset = 0;
  uint64_t events_offset = 0;
  uint64_t service_counters_offset = 0;
  uint64_t server_counters_offset = 0;
  uint64_t address_gauges_offset = 0;
  uint64_t captures_offset = 0;
  uint64_t heap_offset = 0;
  alignas(64) std::atomic<uint64_t> root{
      0};                              // CP: offset of the Root; the release store that publishes
  std::atomic<uint32_t> state{0};      // CP: RegionState
  std::atomic<uint64_t> heap_used{0};  // CP: bytes of the heap in use, with retired blocks
  std::atomic<uint64_t> heap_top{0};   // CP: nothing above this offset has ever been used
  std::atomic<uint64_t> heap_retired{0};     // CP: bytes that wait for readers to pass
  std::atomic<uint64_t> writer_pid{0};       // CP
  std::atomic<uint64_t> dataplane_pid{0};    // HK
  std::atomic<uint64_t> dataplane_start{0};  // HK: boot-time ns
  std::array<char, 32> dataplane_version{};  // HK, once at attach
  Counter nat_log_written;                   // the thread of the NAT log
  Counter nat_log_lost;                      // the same: records that the disk did not take
  Counter persistent_clients;                // HK, a gauge
  Counter persistence_capacity;              // HK, a gauge
  std::array<BridgeLine, kMaxBridges> bridges{};
  CaptureLease capture;             // CP
  Letter<ExplainOrder> explain;     // CP
  Letter<Explanation> explanation;  // HK: of the order of that number
};

/// One reader thread's line. A reader is dead only when its process is.
struct alignas(64) ReaderLine {
  /// process_mark() of its process, one word so that no half of it is ever seen; 0: free.
  std::atomic<uint64_t> owner{0};  // the reader, or whoever finds it dead
  uint64_t reserved = 0;
  /// The oldest generation that this reader may still be reading; it stores a new one (release)
  /// when it has finished with all older ones.
  std::atomic<uint64_t> generation{0};  // the reader
  std::atomic<uint64_t> last_turn{0};   // the reader: boot-time ns of its last turn
  std::array<char, 24> name{};          // the reader, at attach: "worker 3", "housekeeper"
};
static_assert(sizeof(ReaderLine) == 64);

/// What one worker counts about itself; it is the only writer.
struct alignas(64) WorkerLine {
  std::array<Counter, net::kReasonCapacity> reasons{};
  Counter turns;
  Counter busy_cycles;  ///< TSC cycles of turns that had packets
  Counter idle_cycles;  ///< TSC cycles of turns that had none, sleep included
  Counter received;     ///< packets
  Counter received_bytes;
  Counter sent;
  Counter sent_bytes;
  Counter bursts;       ///< receive calls that brought packets
  Counter handed_over;  ///< packets given to another worker
  Counter taken_over;   ///< packets taken from other workers
  Counter to_twin;
  Counter flows_opened;
  Counter flows_expired;
  Counter flows_recycled;  ///< closed or embryonic entries taken for new flows
  Counter flows_ended;     ///< by an operator or a drain's deadline
  // gauges
  Counter flows_live;
  Counter flows_embryonic;
  Counter flows_closed;
  Counter flow_capacity_ipv4;
  Counter flow_capacity_ipv6;
  Counter flows_ipv4;
  Counter flows_ipv6;
  Counter shards;  ///< how many it owns
  Counter tsc_hz;
  Counter generation;  ///< adopted
  Counter snat_lines;  ///< in use
  Counter snat_line_capacity;
  Counter transit;                ///< packets of no flow that went on to another port
  Counter transit_bytes;          ///< bytes of their frames
  Counter nat_log_lost;           ///< records that found the ring to the log full
  Counter flows_reset_when_idle;  ///< idle for their timeout, both ends told by RST
  Counter calls;                  ///< gauge: SIP calls whose server is known
  Counter call_capacity;          ///< gauge
  Counter calls_forgotten;        ///< before their time, for others
  Counter fragmented;             ///< packets that left in pieces
  Counter persistence_forgotten;  ///< clients that lost their place to others before their time
  Counter limits_forgotten;       ///< clients whose limits were lost to others in a full table
  Counter cookies_taken;          ///< connections that SYN cookies opened
  Counter captured;               ///< packets copied for a capture
  Counter capture_passed_over;    ///< matched, but the rate was used up or the ring full
  Counter capture_not_looked_at;  ///< came when as many had been looked at as a second may have
  std::array<Counter, 16> reserved{};
  Counter client_address_left_out;  ///< segments without room for it
  Counter splices;                  ///< gauge: flows whose lengths change
  Counter splice_capacity;          ///< gauge
  Counter announced;                ///< gauge: announced connections that have not come yet
  Counter announced_capacity;       ///< gauge
  Counter turns_too_long;           ///< turns beyond 100 us
  Counter longest_turn;             ///< gauge: TSC cycles, since the data plane started
  /// Frames that passed as they came, by Header::bridges: to the servers' side, to the clients'.
  std::array<std::array<Traffic, 2>, kMaxBridges> bridged{};
};
static_assert(sizeof(WorkerLine) == 2048);

/// What a flow takes whose lengths change, beside its entry (flow/splice.h).
inline constexpr uint64_t kSpliceBytes = 64;

struct alignas(64) ServiceCounters {
  std::array<Traffic, 2> traffic;  ///< to the server, to the client
  Counter flows_opened;
  Counter flows_refused;
  Counter flows_active;  ///< gauge
  Counter flows_closed;
};
struct alignas(64) ServerCounters {
  std::array<Traffic, 2> traffic;  ///< to the server, to the client
  Counter flows_opened;
  Counter flows_refused;
  Counter flows_active;  ///< gauge: a slot is reused only when every worker's is 0
  Counter flows_closed;
};

/// Flows that use an SNAT address: its slot is reused only when every worker's is 0.
struct AddressGauge {
  Counter flows_active;
};

struct alignas(64) PortLine {
  std::atomic<uint32_t> used{0};        // HK
  std::atomic<uint32_t> link_up{0};     // HK
  std::array<char, 24> name{};          // HK, once
  std::array<char, 24> device{};        // HK, once
  std::array<char, 24> twin{};          // HK, once
  net::MacAddress mac;                  // HK, once
  uint16_t mtu = 0;                     // HK, once
  uint32_t speed_mbps = 0;              // HK, once
  net::Side side = net::Side::unknown;  // HK, once
  Counter received, received_bytes, sent, sent_bytes, receive_missed, receive_errors, send_errors;
  Counter twin_received, twin_sent, twin_dropped;
  std::array<char, 64> steering{};  // HK, once: "hardware steering: none; ..."
};

// --- rings --------------------------------------------------------------------------------------

enum class RequestKind : uint16_t {
  list_flows = 1,
  end_flows = 2,
  list_neighbours = 3,
  list_routes = 4,
  list_clients = 5,   ///< of persistence: `filter.client`, `filter.server`, `filter.service`
  add_client = 6,     ///< `filter.client` of `filter.service` stays on `filter.server_id`
  clear_clients = 7,  ///< those that match, as in list_clients
};

/// Which flows a request means: every field that is set must match.
struct FlowFilter {
  net::Address client, vip, server;                             ///< unspecified: any
  uint16_t client_port = 0, service_port = 0, server_port = 0;  ///< host order; 0: any
  net::Protocol protocol = net::Protocol::any;
  uint8_t reserved = 0;
  net::Instance instance = net::Instance::unknown;  ///< unknown: any
  ServiceId service = no_id<ServiceId>();
  ServerId server_id = no_id<ServerId>();
  net::Address snat;       ///< unspecified: any
  uint16_t snat_port = 0;  ///< host order; 0: any
  uint16_t reserved2 = 0;
};

/// CP -> HK. `version` is 1; a record of another version is answered by `unsupported`.
struct alignas(64) Request {
  uint64_t sequence = 0;  ///< counts up; replies repeat it
  uint64_t deadline = 0;  ///< boot-time ns after which nobody reads the replies
  uint16_t version = 1;
  RequestKind kind = RequestKind::list_flows;
  uint32_t limit = 0;  ///< most records wanted; 0: no limit
  FlowFilter filter;
  std::array<uint8_t, 12> reserved{};
};

enum class ReplyKind : uint16_t {
  flow = 1,
  done = 2,
  unsupported = 3,
  neighbour = 4,
  route = 5,
  client = 6,  ///< of persistence
};

/// HK -> CP.
struct alignas(64) Reply {
  uint64_t sequence = 0;
  uint16_t version = 1;
  ReplyKind kind = ReplyKind::done;
  uint32_t reserved = 0;
  uint64_t matched = 0;  ///< in `done`: flows that matched, also those above the limit
  FlowRecord flow{};
  std::array<uint8_t, 64> reserved2{};
};

enum class EventKind : uint16_t {
  flow_table_full = 1,
  flow_table_filling,  ///< from 80 %
  snat_ports_exhausted,
  handover_full,
  reader_late,
  drain_ended,
  link_changed,
  neighbour_failed,
  flows_dropped_at_start,
  nat_log_lost,
  address_claimed,  ///< text: the address; value: the MAC of the host that claims it
  bridge_changed,   ///< text: its name; value: BridgeState
};

/// HK -> CP; when the ring is full the event is lost and counted.
struct alignas(64) Event {
  uint64_t sequence = 0;
  uint64_t when = 0;  ///< boot-time ns
  EventKind kind = EventKind::flow_table_full;
  uint16_t worker = 0;
  uint32_t subject = 0;  ///< slot or port number, by kind
  uint64_t value = 0;
  std::array<char, 40> text{};  ///< an IPv6 address fits
};
static_assert(sizeof(Event) == 128);

/// One producer, one consumer, across processes; `Capacity` is a power of two.
template <typename Record, uint32_t Capacity>
struct SharedRing {
  static constexpr uint32_t kCapacity = Capacity;
  alignas(64) std::atomic<uint64_t> written{0};  // the producer
  Counter lost;                                  // the producer: records that found no room
  alignas(64) std::atomic<uint64_t> taken{0};    // the consumer
  std::array<Record, Capacity> records{};

  bool push(const Record& record) {
    const uint64_t at = written.load(std::memory_order_relaxed);
    if (at - taken.load(std::memory_order_acquire) >= Capacity) {
      return false;
    }
    records[at % Capacity] = record;
    written.store(at + 1, std::memory_order_release);
    return true;
  }
  bool pop(Record& record) {
    const uint64_t at = taken.load(std::memory_order_relaxed);
    // A crashed producer cannot leave `written` behind `taken`; an unequal counter is a record.
    if (written.load(std::memory_order_acquire) == at) {
      return false;
    }
    record = records[at % Capacity];
    taken.store(at + 1, std::memory_order_release);
    return true;
  }
};
using RequestRing = SharedRing<Request, 64>;
using ReplyRing = SharedRing<Reply, 4096>;
using EventRing = SharedRing<Event, 1024>;

/// FNV-1a over the sizes and offsets of everything above: two builds that would read the region
/// differently have different hashes. A layout change that keeps all sizes bumps kLayoutRevision.
uint64_t layout_hash();
#ifndef NEZU_LAYOUT_REVISION
#define NEZU_LAYOUT_REVISION 1
#endif
inline constexpr uint32_t kLayoutRevision = NEZU_LAYOUT_REVISION;

}  // namespace nezu::tables
