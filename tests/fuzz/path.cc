// Any frames through the whole path of two workers: every packet gets a final verdict, nothing is
// read or written out of bounds, and afterwards the tables, ports and gauges fit together; when all
// time is over nothing is left. VLAN 7 of both ports is a network instance with the same addresses:
// nothing goes from there to the untagged one, or back.
//
// A second balancer has its ports bridged: what passes is as it came, at the other port.
//
// Input: frames, each behind three bytes: flags (bit 0: by the servers' port, bit 1: at worker 1,
// bit 2: a second passes first, bit 3: in a burst with the one before; of the first frame, bit 4:
// all go to the bridged balancer) and its length, big-endian.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "dataplane/admit/meters.h"
#include "dataplane/admit/syn_guard.h"
#include "dataplane/flow/table.h"
#include "dataplane/forward/pieces.h"
#include "dataplane/net/headers.h"
#include "dataplane/net/text.h"
#include "dataplane/path.h"
#include "dataplane/steer/announcements.h"
#include "dataplane/steer/calls.h"
#include "dataplane/steer/persistence.h"
#include "dataplane/steer/steering.h"
#include "tests/fuzz/begin.h"
#include "tests/fuzz/input.h"
#include "tests/path/world.h"

namespace {

using namespace nezu;
using namespace nezu::net;
using fuzz::Input, fuzz::kBegin, fuzz::kCookieSeed;

constexpr uint32_t kWorkers = 2;
constexpr flow::Capacity kCapacity{24, 12, 8};
constexpr uint16_t kVlan = 7;

constexpr EmbeddingPrefix kPrefix{{0x20, 0x01, 0x0d, 0xb8, 0, 0x64}, 96};

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

struct Worker {
  std::vector<std::byte> memory;
  std::unique_ptr<flow::Table> flows;
  std::unique_ptr<path::Path> path;
};

class Balancer {
 public:
  explicit Balancer(bool bridged)
      : bridged_(bridged), world_(world::World::small_sizes(kWorkers)), steering_(kWorkers, 7) {
    for (const Protocol protocol : {Protocol::tcp, Protocol::udp}) {
      for (const bool v6 : {false, true}) {
        world::ServiceSpec spec;
        spec.protocol = protocol;
        spec.vip = v6 ? "2001:db8::10" : "203.0.113.10";
        spec.servers = {{v6 ? "fd00:1::5" : "10.0.1.5", 8080}, {v6 ? "fd00:1::6" : "10.0.1.6", 0}};
        spec.refusal = tables::Refusal::refuse;
        spec.scheduler = tables::Scheduler::wlc;
        world_.put(spec);
        spec.port = 443;
        spec.mode = tables::Mode::fullnat;
        spec.snats = {v6 ? "fd00:1::a" : "10.0.0.1"};
        world_.put(spec);
        world::ServiceSpec one_way = spec;
        one_way.snats.clear();
        one_way.servers = {{v6 ? "fd00:1::5" : "10.0.1.5", 0}, {v6 ? "fd00:1::6" : "10.0.1.6", 0}};
        put_one_way(one_way, 81, tables::Mode::route);
        put_one_way(one_way, 82, tables::Mode::tunnel_ipip);
        put_one_way(one_way, 83, tables::Mode::tunnel_gre);
        put_one_way(one_way, 84, tables::Mode::tunnel_gue);
        // Servers of the other family: by an address of ours, or by the client's inside a prefix.
        spec.port = 4443;
        spec.servers = {{v6 ? "10.0.1.5" : "fd00:1::5", 8080}};
        spec.snats = {v6 ? "10.0.0.1" : "fd00:1::a"};
        world_.put(spec);
        if (v6) continue;
        spec.port = 8443;
        spec.mode = tables::Mode::nat;
        spec.snats = {};
        spec.client_prefix = kPrefix;
        world_.put(spec);
      }
    }
    // Hosts that open connections themselves; what no rule takes is passed on.
    world::RuleSpec rule;
    rule.networks = {"10.0.2.0/24", "fd00:2::/64"};
    rule.snats = {"203.0.113.1", "2001:db8::1"};
    rule.refusal = tables::Refusal::refuse;
    rule.max_segment_size = 1200;
    rule.application = tables::Application::ftp;
    world_.put_rule(rule);
    for (const char* host : {"10.0.2.5", "fd00:2::5"}) {
      world_.neighbour(world::address(host), *parse_mac("02:00:00:02:00:05"));
    }
    world_.add_instance({Instance{10}, kVlan, kVlan});
    for (const tables::Mode mode : {tables::Mode::nat, tables::Mode::fullnat}) {
      world::ServiceSpec spec;
      spec.instance = Instance{10};
      spec.port = mode == tables::Mode::nat ? 80 : 443;
      spec.mode = mode;
      spec.servers = {{"10.0.1.5", 8080}};
      if (mode == tables::Mode::fullnat) spec.snats = {"10.0.0.1"};
      world_.put(spec);
    }
    world_.rebuild_routes();
    put_told();
    put_guarded();
    put_open();
    tables::Settings settings;
    settings.transit = tables::Transit::forward;
    settings.client_prefixes[0] = kPrefix;
    world_.settings(settings);
    if (bridged) {
      world_.neighbour(world::address("10.0.1.9"), *parse_mac("02:00:00:00:09:09"));
      world_.bridge_routes(0, {world::address("10.0.1.9")});
      world_.leases().set(0, after(now_, 1'000'000'000 * kNanosecondsPerSecond));
    }
    for (uint16_t number = 0; number < kWorkers; ++number) {
      Worker& worker = workers_[number];
      worker.memory.resize(flow::Extent(kCapacity).bytes + 64);
      void* at = worker.memory.data();
      size_t room = worker.memory.size();
      if (std::align(64, flow::Extent(kCapacity).bytes, at, room) == nullptr) fail("memory");
      worker.flows = std::make_unique<flow::Table>(std::span(static_cast<std::byte*>(at), room),
                                                   kCapacity, steering_.flow_hash(), to_tick(now_));
      path::Setup setup = path::setup_of(world_.region(), number, kWorkers);
      setup.flows = worker.flows.get();
      setup.steering = &steering_;
      setup.announcements = &announcements_;
      setup.calls = &calls_;
      setup.persistence = &persistence_;
      setup.meters = &meters_;
      setup.syn_guard = &syn_guard_;
      setup.snat_lines = 64;
      setup.ports = {tables::port_identity("front"), tables::port_identity("back")};
      setup.nat_log = &nat_log_[number];
      setup.sides = {Side::clients, Side::servers};
      worker.path = std::make_unique<path::Path>(setup);
    }
  }

  /// Services of many addresses, ports and protocols, and other people's.
  void put_open() {
    for (const bool v6 : {false, true}) {
      world::ServiceSpec spec;
      spec.port = 0;
      spec.protocol = Protocol::any;
      spec.servers = {{v6 ? "fd00:1::5" : "10.0.1.5", 0}};
      spec.vip = v6 ? "2001:db8:7::/48" : "203.0.113.128/25";
      world_.put(spec);
      spec.vip = v6 ? "2001:db8::11" : "203.0.113.11";
      spec.mode = tables::Mode::fullnat;
      spec.snats = {v6 ? "fd00:1::a" : "10.0.0.1"};
      world_.put(spec);
      spec.vip = v6 ? "2001:db8::10" : "203.0.113.10";
      spec.protocol = Protocol::sctp;
      spec.port = 2905;
      spec.servers = {{v6 ? "fd00:1::5" : "10.0.1.5", 3905}};
      world_.put(spec);
      spec.vip = v6 ? "2a00::/16" : "93.0.0.0/8";
      spec.protocol = Protocol::any;
      spec.port = 0;
      spec.mode = tables::Mode::redirect;
      spec.snats.clear();
      spec.servers = {{v6 ? "fd00:1::5" : "10.0.1.5", 0}, {v6 ? "fd00:1::6" : "10.0.1.6", 0}};
      spec.return_to_sender = true;
      spec.refusal = tables::Refusal::pass;
      world_.put(spec);
      spec.instance = Instance{10};
      world_.put(spec);
    }
  }

  void pass(uint64_t seconds) {
    path::NatRecord record;
    while (nat_log_[0].pop(record) || nat_log_[1].pop(record)) {
      if (record.snat_port < tables::kSnatFirstPort) fail("a record without an SNAT port");
    }
    now_ = after(now_, seconds * kNanosecondsPerSecond);
    for (Worker& worker : workers_) worker.path->housekeep(world_.view(), world_.routes(), now_);
    for (uint16_t worker = 0; worker < kWorkers; ++worker) release(worker);
  }

  /// A packet may be handed over twice: to the home of its train of fragments, and to its owner.
  void receive(Burst& burst, uint16_t worker, int handed_over) {
    run(worker, burst, handed_over != 0);
    for (Packet& packet : burst.all()) {
      if (packet.verdict == Verdict::undecided) fail("a packet without a verdict");
      if (packet.verdict == Verdict::drop && packet.reason == Reason::none) fail("no reason");
      if (packet.verdict == Verdict::forward && packet.egress > 1) fail("no such port");
      if (packet.verdict == Verdict::forward && tag_of(packet) != packet.vlan) fail("a leak");
      if (packet.verdict == Verdict::split) split(packet, worker);
      if (packet.verdict == Verdict::across || packet.verdict == Verdict::both)
        check_across(packet);
      kept_ += packet.verdict == Verdict::kept;
      if (packet.verdict != Verdict::hand_over) continue;
      if (handed_over == 2 || packet.owner >= kWorkers || packet.owner == worker) {
        fail("handed over wrongly");
      }
      const steer::Given given{packet.buffer, packet.ports, packet.knows_ports};
      take(given, packet.owner, handed_over + 1);
    }
    release(worker);
  }

  void audit() {
    for (Worker& worker : workers_) {
      if (const char* wrong = worker.flows->audit()) fail(wrong);
    }
  }
  /// Time enough for every flow to end.
  void empty() {
    for (int i = 0; i < 12; ++i) pass(200);
    audit();
    if (kept_ != 0) fail("fragments that wait for ever");
    for (uint16_t number = 0; number < kWorkers; ++number) {
      if (workers_[number].flows->count(false) + workers_[number].flows->count(true) != 0) {
        fail("flows that never end");
      }
      for (uint32_t i = 0; i < world_.region().header().sizes.servers; ++i) {
        if (world_.region().servers_of(number)[i].flows_active.read() != 0 ||
            world_.region().services_of(number)[i].flows_active.read() != 0 ||
            world_.region().addresses_of(number)[i].flows_active.read() != 0) {
          fail("a gauge of flows that have ended");
        }
      }
      workers_[number].path->housekeep(world_.view(), world_.routes(),
                                       after(now_, kNanosecondsPerSecond));
      if (world_.region().worker(number).snat_lines.read() != 0) fail("ports of no flow");
      if (world_.region().worker(number).splices.read() != 0) fail("records of no flow");
    }
  }

 private:
  void check_across(const Packet& packet) const {
    if (!bridged_) fail("across without a bridge");
    if (packet.egress != 1 - packet.port) fail("across to where it came from");
    if (!static_cast<const Input*>(packet.buffer)->is_as_it_came(packet)) fail("changed across");
  }
  /// Of the frame as it leaves; `vlan` is what it came with.
  static uint16_t tag_of(const Packet& packet) {
    if (packet.at<Ethernet>(0)->type != kEtherVlan) return 0;
    return packet.at<Vlan>(sizeof(Ethernet))->id();
  }

  /// Servers that are told the client's address, of either family.
  void put_told() {
    for (const bool v6 : {false, true}) {
      world::ServiceSpec spec;
      spec.vip = v6 ? "2001:db8::10" : "203.0.113.10";
      spec.servers = {{"fd00:1::5", 8080}, {"10.0.1.5", 8080}};
      spec.snats = {"10.0.0.1", "fd00:1::a"};
      spec.mode = tables::Mode::fullnat;
      spec.port = 85;
      spec.client_address = tables::ClientAddress::tcp_option;
      world_.put(spec);
      spec.port = 86;
      spec.client_address = tables::ClientAddress::proxy_v2;
      world_.put(spec);
      spec.protocol = Protocol::udp;
      world_.put(spec);
    }
    for (const auto mode : {tables::Mode::nat, tables::Mode::fullnat}) {
      world::ServiceSpec spec;
      spec.mode = mode;
      spec.servers = {{"10.0.1.5", 8080}};
      if (mode == tables::Mode::fullnat) spec.snats = {"10.0.0.1"};
      spec.port = mode == tables::Mode::nat ? 87 : 88;
      spec.application = tables::Application::ftp;
      world_.put(spec);
      spec.port = static_cast<uint16_t>(spec.port + 4);  // 91, 92
      spec.application = tables::Application::rtsp;
      world_.put(spec);
      spec.port = static_cast<uint16_t>(spec.port - 4);
      spec.protocol = Protocol::udp;
      spec.application = tables::Application::tftp;
      world_.put(spec);
      spec.port = mode == tables::Mode::nat ? 89 : 90;
      spec.servers = {{"10.0.1.5", 8080}, {"10.0.1.6", 8080}};
      spec.application = tables::Application::sip;
      world_.put(spec);
    }
  }
  /// Handshakes by SYN cookies, in both families and between them.
  void put_guarded() {
    for (const bool v6 : {false, true}) {
      world::ServiceSpec spec;
      spec.vip = v6 ? "2001:db8::10" : "203.0.113.10";
      spec.servers = {{v6 ? "fd00:1::5" : "10.0.1.5", 8080}};
      spec.cookies.enabled = 1;
      spec.refusal = tables::Refusal::refuse;
      spec.port = 95;
      world_.put(spec);
      spec.mode = tables::Mode::fullnat;
      spec.servers = {{"fd00:1::5", 8080}, {"10.0.1.5", 8080}};
      spec.snats = {"10.0.0.1", "fd00:1::a"};
      spec.client_address = tables::ClientAddress::proxy_v2;
      spec.port = 96;
      world_.put(spec);
    }
  }
  void put_one_way(world::ServiceSpec spec, uint16_t port, tables::Mode mode) {
    spec.port = port;
    spec.mode = mode;
    world_.put(spec);
  }
  void take(const steer::Given& given, uint16_t worker, int handed_over) {
    const Input& input = *static_cast<const Input*>(given.buffer);
    auto one = std::make_unique<Burst>();
    one->count = 1;
    input.arrive(one->packets[0]);
    one->packets[0].knows_ports = given.knows_ports;
    one->packets[0].ports = given.ports;
    receive(*one, worker, handed_over);
  }
  /// As device/ does.
  void split(const Packet& packet, uint16_t worker) {
    forward::Pieces pieces(packet, packet.owner);
    if (pieces.count() == 0) fail("nothing to cut");
    for (uint32_t i = 0; i < pieces.count(); ++i) {
      const forward::Pieces::Piece piece = pieces.piece(i);
      std::vector<uint8_t> bytes(piece.headers.begin(), piece.headers.end());
      if (piece.from + piece.length > packet.length) fail("a piece of nothing");
      bytes.insert(bytes.end(), packet.head + piece.from, packet.head + piece.from + piece.length);
      const Input input(bytes, packet.port);
      auto one = std::make_unique<Burst>();
      one->count = 1;
      input.arrive(one->packets[0]);
      one->packets[0].knows_ports = true;
      one->packets[0].ports = packet.ports;
      workers_[worker].path->resume(*one, world_.view(), world_.routes(), now_);
      const Verdict verdict = one->packets[0].verdict;
      if (verdict == Verdict::split) fail("a piece that is too long");
      if (verdict == Verdict::kept || verdict == Verdict::hand_over) fail("a piece that waits");
      if (verdict == Verdict::undecided) fail("a piece without a verdict");
    }
  }
  void release(uint16_t worker) {
    steer::Given given;
    while (workers_[worker].path->release(std::span(&given, 1)) == 1) {
      if (kept_-- == 0) fail("a fragment that nobody kept");
      if (given.reason == Reason::none) take(given, worker, 1);
    }
  }
  void run(uint16_t worker, Burst& burst, bool taken) {
    path::Path& path = *workers_[worker].path;
    taken ? path.take(burst, world_.view(), world_.routes(), now_)
          : path.receive(burst, world_.view(), world_.routes(), now_);
  }

  const bool bridged_;
  world::World world_;
  steer::Steering steering_;
  steer::Announcements announcements_{kWorkers, 4096};
  steer::Calls calls_{kWorkers};
  admit::Meters meters_{256, 16, kWorkers, 1};
  admit::SynGuard syn_guard_{256, kCookieSeed, {}};
  static constexpr uint32_t kPersistentClients = 16;
  std::vector<std::byte> persistent_ =
      std::vector<std::byte>(steer::Persistence::bytes(kPersistentClients));
  steer::Persistence persistence_{persistent_, kPersistentClients, 1};
  Instant now_ = kBegin;
  uint32_t kept_ = 0;
  std::array<path::NatRing, kWorkers> nat_log_{path::NatRing(16), path::NatRing(16)};
  std::array<Worker, kWorkers> workers_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  static auto* plain = new Balancer(false);
  static auto* bridged = new Balancer(true);
  static auto* burst = new Burst;
  Balancer* balancer = size != 0 && (bytes[0] & 16) != 0 ? bridged : plain;
  std::vector<std::unique_ptr<const Input>> inputs;
  burst->count = 0;
  uint16_t worker = 0;
  const auto flush = [&] {
    if (burst->count != 0) balancer->receive(*burst, worker, 0);
    burst->count = 0;
    balancer->audit();
  };
  for (size_t at = 0; at + 3 <= size && inputs.size() < 600;) {
    const uint8_t flags = bytes[at];
    const size_t length =
        std::min<size_t>(size_t{bytes[at + 1]} << 8 | bytes[at + 2], size - at - 3);
    at += 3;
    const auto at_worker = static_cast<uint16_t>(flags >> 1 & 1);
    if ((flags & 8) == 0 || at_worker != worker || burst->count == kBurstCapacity) flush();
    if ((flags & 4) != 0) balancer->pass(1);
    worker = at_worker;
    inputs.push_back(std::make_unique<Input>(std::span(bytes + at, length), flags & 1));
    inputs.back()->arrive(burst->packets[burst->count++]);
    at += length;
  }
  flush();
  balancer->empty();
  return 0;
}
