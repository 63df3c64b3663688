// The packet path of one worker: the ordered list of stages that every packet goes through.
//
// One object per worker, used by that worker's thread only. No I/O, clock or NIC inside: the run
// loop, whole-path tests, fuzzers, replay and benches all call these same functions. The order of
// stages is told in dataplane/README.md and stands in path.cc.
//
// After `receive` or `take` every packet has a final verdict:
//   forward    bytes final, Ethernet addresses written; leaves by `egress`
//   reply      our own answer, made in the packet's buffer; leaves by the port that it came from
//   twin       for the kernel, by the twin of `port`
//   hand_over  worker `owner` owns its flow: steer::Handover::give moves it
//   hold       its buffer waits in a queue until the next hop towards `awaited` is resolved
//   kept       an early fragment: the path has its buffer and gives it back by `release`
//   across     not for us: the other side of a bridge, by `egress`, as it came
//   both       the same, and to the twin
//   split      IPv4 that is too long for its way and may be fragmented: the caller makes pieces of
//   at
//              most `owner` bytes (forward/pieces.h) and gives them to `resume`, with its ports
//   drop       `reason` says why; counted already
// `head` may have moved by the four bytes of a VLAN tag that was put in or taken out.
// The caller frees or moves buffers and counts only what it does itself (sent, transmit_full, ...).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/net/packet.h"
#include "dataplane/net/time.h"
#include "dataplane/path_question.h"
#include "dataplane/steer/handover.h"
#include "dataplane/tables/layout.h"

namespace nezu::tables {
class Region;
class View;
}  // namespace nezu::tables
namespace nezu::route {
class Routes;
}
namespace nezu::flow {
class Table;
}
namespace nezu::admit {
class SynGuard;
}  // namespace nezu::admit
namespace nezu::steer {
class Steering;
class Announcements;
class Calls;
class Persistence;
}  // namespace nezu::steer

namespace nezu::path {

/// Long requests, between the housekeeper and one worker. The housekeeper pushes and publishes a
/// request to every worker's `requests` and collects `replies` until each has sent a `done` with
/// that sequence number. A worker answers in bounded slices, one request at a time; one whose
/// deadline has passed is ended by `done`.
struct Claimed {
  net::Instance instance = net::Instance::standard;
  net::Address address;  ///< ours
  net::MacAddress mac;   ///< of another host that says it has it
  uint16_t port = 0;     ///< by which that came in
};

struct Desk {
  steer::Ring<tables::Request> requests{64};
  steer::Ring<tables::Reply> replies{1024};
  steer::Ring<Claimed> claims{
      64};  ///< to the housekeeper; those that find it full are counted only
  // Of explanations: one question waits at a time.
  steer::Ring<Question> questions{4};
  steer::Ring<Knowledge> answers{4};
};

/// Who has which SNAT address and port from now on, or has had it until now: for the NAT log.
struct NatRecord {
  enum class Kind : uint8_t { open, close };
  uint64_t when = 0;  ///< boot-time ns
  net::Address inside, snat, outside;
  uint16_t inside_port = 0, snat_port = 0, outside_port = 0;  ///< host order
  net::Protocol protocol = net::Protocol::any;
  Kind kind = Kind::open;
};
using NatRing = steer::Ring<NatRecord>;

struct Setup {
  uint16_t worker = 0;
  flow::Table* flows = nullptr;                 ///< this worker's
  const steer::Steering* steering = nullptr;    ///< the same for all workers: shards, hash keys
  tables::WorkerLine* line = nullptr;           ///< this worker's counters, and so on
  tables::ServiceCounters* services = nullptr;  ///< by ServiceId
  tables::ServerCounters* servers = nullptr;    ///< by ServerId
  /// The same of all other workers: thresholds of servers count every worker's flows.
  std::vector<const tables::ServerCounters*> other_servers;
  std::vector<const tables::ServiceCounters*> other_services;  ///< likewise of services
  tables::AddressGauge* addresses = nullptr;                   ///< by AddressId
  tables::Sizes sizes;            ///< of the region: how many slots there may be
  uint32_t snat_lines = 1 << 16;  ///< (SNAT address, shard, peer) at a time
  /// tables::port_identity of each port, by number: rules of source NAT name ports.
  std::array<uint64_t, tables::kMaxPorts> ports{};
  std::array<net::Side, tables::kMaxPorts> sides{};  ///< who sends into each port
  NatRing* nat_log = nullptr;                        ///< null: nobody keeps one
  steer::Announcements* announcements = nullptr;     ///< all workers'; null: nothing announces any
  steer::Calls* calls = nullptr;              ///< all workers'; null: no SIP call is known again
  admit::Meters* meters = nullptr;            ///< all workers'; null: services have no limits
  steer::Persistence* persistence = nullptr;  ///< all workers'; null: no client stays anywhere
  admit::SynGuard* syn_guard = nullptr;       ///< all workers'; null: no SYN gets a cookie
};

/// A frame of our own that goes through the stages as if it had come in by `port`.
struct Farewell {
  uint16_t port = 0;
  uint16_t length = 0;
  std::array<uint8_t, 14 + 4 + 40 + 20 + 12> frame{};
};

/// What is in the region of that worker, one of so many: counters, gauges, sizes.
Setup setup_of(const tables::Region& region, uint16_t worker, uint16_t workers);

class Path {
 public:
  explicit Path(const Setup& setup);
  ~Path();
  Path(const Path&) = delete;
  Path& operator=(const Path&) = delete;

  /// Packets from a port; `arrive()` was called for each.
  void receive(net::Burst& burst, const tables::View& view, const route::Routes& routes,
               net::Instant now);
  /// The same for packets that another worker handed over.
  void take(net::Burst& burst, const tables::View& view, const route::Routes& routes,
            net::Instant now);
  /// Fragments that the path kept and that go on now, for `take`; those with a reason end: the
  /// caller counts it and frees them.
  uint32_t release(std::span<steer::Given> out);
  /// Once a turn, whether packets came or not: expiry, drains, requests; each in a bounded slice.
  void housekeep(const tables::View& view, const route::Routes& routes, net::Instant now);
  /// Pieces of packets that were too long for their way, as if they had come in so.
  void resume(net::Burst& burst, const tables::View& view, const route::Routes& routes,
              net::Instant now);
  /// Frames of our own.
  void originate(net::Burst& burst, const tables::View& view, const route::Routes& routes,
                 net::Instant now);
  /// RSTs to both ends of connections that were idle for too long, where their service wants them:
  /// each in a buffer of the caller's, for `originate`.
  uint32_t farewells(std::span<Farewell> out);

  Desk& desk();
  /// All flows of source NAT, as records to open. Not while the worker runs.
  void each_nat(const std::function<void(const NatRecord&)>& visit) const;

  struct State;  ///< within the path: path_turn.h
  State& state() { return *state_; }

 private:
  enum class From : uint8_t { others, pieces, ourselves };
  void run(net::Burst& burst, const tables::View& view, const route::Routes& routes,
           net::Instant now, From from = From::others);
  std::unique_ptr<State> state_;
};

}  // namespace nezu::path
