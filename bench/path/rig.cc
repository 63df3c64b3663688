#include "bench/path/rig.h"

#include <sys/mman.h>
#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <sstream>

#include "bench/path/frames.h"
#include "controlplane/compile/capture_filter.h"
#include "dataplane/flow/table.h"

namespace nezu::bench {
namespace {

constexpr uint32_t kServers = 16, kLeastSnats = 4, kMostSnats = 200;
constexpr uint32_t kNever = 100000 * kTicksPerSecond;
constexpr size_t kHugePage = 2 << 20;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "nezu-bench-path: %s\n", what.c_str());
  std::exit(1);
}

tables::Sizes sizes(const Options& options) {
  tables::Sizes sizes;
  sizes.services = sizes.pools = sizes.servers = std::max(options.services, 256u);
  sizes.addresses = 1024;
  sizes.workers = options.workers;
  sizes.heap_bytes = (uint64_t{8} << 20) + uint64_t{options.services} * 4096;
  return sizes;
}

flow::Capacity capacity_for(const Case& what, const Options& options) {
  const uint32_t wanted = options.capacity != 0 ? options.capacity : what.flows + what.flows / 8;
  const uint32_t flows = std::max(wanted, 4096u);
  const bool narrow = what.family == Family::ipv4 && !what.is_mixed();
  return narrow ? flow::Capacity{flows, 64} : flow::Capacity{64, flows};
}

/// As many as leave three ports of ten free when the table is full: flows fall upon shards by
/// chance.
uint32_t snats_for(const flow::Capacity& capacity) {
  constexpr uint32_t kEach = kServers * tables::kShardCount * tables::kSnatSlicePorts / 10 * 7;
  const uint32_t wanted = (capacity.narrow + capacity.wide + kEach - 1) / kEach;
  if (wanted > kMostSnats)
    fail("the SNAT addresses of this bench do not suffice for so many flows");
  return std::max(wanted, kLeastSnats);
}

/// Time that this thread had the core: others may want it too.
double thread_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

}  // namespace

bool parse_case(const std::string& text, Case& out) {
  std::istringstream in(text);
  std::string mode, protocol, family, flows;
  if (!std::getline(in, mode, ',') || !std::getline(in, protocol, ',') ||
      !std::getline(in, family, ',') || !std::getline(in, flows)) {
    return false;
  }
  using tables::Mode;
  static const std::map<std::string, Mode> kModes = {
      {"nat", Mode::nat},        {"fullnat", Mode::fullnat},
      {"route", Mode::route},    {"tunnel", Mode::tunnel_ipip},
      {"gre", Mode::tunnel_gre}, {"gue", Mode::tunnel_gue}};
  const auto known = kModes.find(mode);
  if (known == kModes.end()) return false;
  if (protocol != "udp" && protocol != "tcp") return false;
  const auto to = family.find('-');
  const std::string clients = family.substr(0, to);
  const std::string servers = to == std::string::npos ? clients : family.substr(to + 1);
  for (const std::string& one : {clients, servers}) {
    if (one != "ipv4" && one != "ipv6") return false;
  }
  // An IPv6 client's address stands in no IPv4 packet.
  if (mode == "nat" && clients == "ipv6" && servers == "ipv4") return false;
  if (mode == "route" && clients != servers) return false;
  out.mode = known->second;
  out.protocol = protocol == "udp" ? Protocol::udp : Protocol::tcp;
  out.family = clients == "ipv4" ? Family::ipv4 : Family::ipv6;
  out.servers = servers == "ipv4" ? Family::ipv4 : Family::ipv6;
  out.flows = static_cast<uint32_t>(std::strtoul(flows.c_str(), nullptr, 10));
  out.text = text;
  return out.flows != 0;
}

Memory::Memory(size_t bytes, bool huge) : bytes_((bytes + kHugePage - 1) / kHugePage * kHugePage) {
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | (huge ? MAP_HUGETLB : 0);
  void* at = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (at == MAP_FAILED) fail("no memory for packets; are there enough huge pages?");
  at_ = static_cast<uint8_t*>(at);
}
Memory::~Memory() { ::munmap(at_, bytes_); }

Rig::Rig(const Case& what, const Options& options)
    : case_(what),
      options_(options),
      capacity_(capacity_for(what, options)),
      snats_(snats_for(capacity_)),
      world_(sizes(options)),
      folder_(options.huge),
      syn_guard_(sizes(options).services, 1, {}) {
  const bool v4 = what.servers == Family::ipv4;
  for (uint32_t i = 0; i < kServers; ++i) {
    texts_.push_back((v4 ? "10.0.1." : "fd00:1::") + std::to_string(10 + i));
  }
  for (uint32_t i = 0; i < snats_; ++i) {
    texts_.push_back((v4 ? "10.0.0." : "fd00:1::a") + std::to_string(1 + i));
  }
  spec_.vip = what.family == Family::ipv4 ? "203.0.113.10" : "2001:db8::10";
  spec_.port = kPort;
  spec_.protocol = what.protocol;
  spec_.mode = what.mode;
  const uint16_t port = tables::is_one_way(what.mode) ? kPort : uint16_t{8080};
  for (uint32_t i = 0; i < kServers; ++i) spec_.servers.push_back({texts_[i], port});
  if (what.mode == tables::Mode::fullnat) {
    for (uint32_t i = 0; i < snats_; ++i) spec_.snats.push_back(texts_[kServers + i]);
  }
  if (what.mode == tables::Mode::nat && what.is_mixed()) {
    spec_.client_prefix = {{0x20, 0x01, 0x0d, 0xb8, 0, 0x64}, 96};
  }
  // Nothing expires while it is measured, unless a bench wants it.
  if (!options.default_timeouts) spec_.timeouts.fill(kNever);
  if (options.services == 1) {
    world_.put(spec_);
  } else {
    put_many();
  }
  tables::Settings settings;
  if (!options.default_timeouts) settings.embryonic_percent = 100;
  settings.client_prefixes[0] = spec_.client_prefix;
  world_.settings(settings);
  for (uint16_t worker = 0; worker < options.workers; ++worker) {
    readers_.push_back(tables::Reader::attach(world_.region(), "bench"));
  }
  if (options.captures) begin_capture();
  start();
}

Rig::~Rig() {
  paths_.clear();
  tables_.clear();
  files_.reset();
}

namespace {

/// Everything that can be switched on, and none of it ever says no.
void switch_on(world::ServiceSpec& spec, bool metered) {
  constexpr uint32_t kPrefixes = 10'000;
  for (uint32_t i = 0; i < kPrefixes; ++i) {
    spec.access.deny.push_back({Address::v4(0x0b000000u + i * 512), 24});
  }
  spec.limits.all = spec.limits.client = {100'000'000, 4'000'000'000};
  spec.limits.host_bits4 = 0;
  spec.limits.host_bits6 = 64;
  if (metered) {
    spec.traffic.all = {1'000'000'000'000, 1'000'000'000, 0};
    spec.traffic.client = {100'000'000'000, 1'000'000'000, 0};
  }
  spec.persistence.timeout_s = 3600;
  spec.persistence.scope = tables::scope_of_mark(1);
  spec.reset_when_idle = true;
  if (spec.protocol == Protocol::tcp) spec.cookies = {100'000'000, 1, 1, {}};
}

}  // namespace

void Rig::put_many() {
  if (options_.everything) switch_on(spec_, options_.metered);
  const Address vip = world::address(spec_.vip), server = world::address(texts_[0]);
  world_.put_many(
      spec_, options_.services,
      [&](uint32_t n) {
        return world::World::Place{at(vip, vip_of(n)), port_of(n)};
      },
      [&](uint32_t n) {
        return world::World::Place{at(server, n % kHosts),
                                   static_cast<uint16_t>(2000 + n / kHosts)};
      });
}

void Rig::push(uint32_t n) {
  spec_.timeouts.fill(kNever + n % 1000);
  world_.put(spec_);
}

void Rig::start() {
  files_ = std::make_unique<flow::Files>();
  flow::Files::Options options;
  options.directory = folder_.path();
  options.capacity = capacity_;
  options.workers = options_.workers;
  options.region_id = world_.region().header().region_id;
  if (!files_->open(options)) fail(files_->error());
  static uint64_t seed = 1;
  steering_ = std::make_unique<steer::Steering>(options_.workers, ++seed);
  if (options_.everything && meters_ == nullptr) {
    constexpr uint32_t kClients = 1 << 20;
    meters_ = std::make_unique<admit::Meters>(options_.services, kClients, options_.workers, 1);
    if (!persistence_.open({folder_.path(), kClients, 1, {}, to_tick(now_)})) {
      fail(persistence_.error());
    }
  }
  const double from = thread_seconds();
  std::vector<path::Path*> paths;
  for (uint16_t worker = 0; worker < options_.workers; ++worker) {
    path::Setup setup = path::setup_of(world_.region(), worker, options_.workers);
    setup.steering = steering_.get();
    setup.syn_guard = &syn_guard_;
    if (options_.everything) {
      setup.meters = meters_.get();
      setup.persistence = &persistence_.table();
    }
    setup.snat_lines = std::max(setup.snat_lines, snats_ * kServers * tables::kShardCount * 9 / 8);
    tables_.push_back(std::make_unique<flow::Table>(files_->memory(worker), capacity_,
                                                    steering_->flow_hash(), to_tick(now_)));
    setup.flows = tables_.back().get();
    recorders_.push_back(std::make_unique<capture::Recorder>(world_.region(), worker));
    paths_.push_back(std::make_unique<path::Path>(setup));
    paths.push_back(paths_.back().get());
  }
  restored_ = path::restore(*files_, paths, world_.region(), view(), now_);
  restore_seconds_ = thread_seconds() - from;
}

void Rig::begin_capture() {
  const compile::CompiledFilter filter = compile::compile_filter(options_.filter, {});
  if (filter.fault) fail("the filter: " + filter.fault->text);
  tables::CaptureOrder order;
  order.program = filter.program;
  order.points = static_cast<uint32_t>(tables::CapturePoint::before) |
                 static_cast<uint32_t>(tables::CapturePoint::after);
  order.snap = tables::kMostSnap;
  order.rate = order.looks = UINT32_MAX;
  world_.region().header().capture.give(1, order, UINT64_MAX);
}

double Rig::restart() {
  uint64_t before = 0;
  recorders_.clear();
  for (const auto& table : tables_) before += table->count(false) + table->count(true);
  files_->settle();
  paths_.clear();
  tables_.clear();
  files_.reset();
  start();
  if (restored_.kept != before) fail("flows were lost in a restart");
  return restore_seconds_;
}

size_t Rig::table_bytes() const { return flow::Extent(capacity_).bytes; }

void Rig::guard() {
  spec_.cookies.enabled = 1;
  world_.put(spec_);
}

/// To its end, as what it left, which may be longer in front; which worker brought it there.
uint16_t Rig::run(Template& frame) {
  constexpr size_t kHeadroom = 64;
  std::array<uint8_t, kHeadroom + kFrameRoom> buffer{};
  uint8_t* at = buffer.data() + kHeadroom;
  std::memcpy(at, frame.bytes.data(), frame.length);
  Burst burst;
  burst.count = 1;
  Packet& packet = burst.packets[0];
  const auto arrive = [&] {
    packet.arrive(at, &frame, frame.length, frame.length, kFrameRoom, frame.port);
  };
  arrive();
  paths_[0]->receive(burst, view(), routes(), now_);
  uint16_t worker = 0;
  if (packet.verdict == Verdict::hand_over) {
    worker = packet.owner;
    arrive();
    paths_[worker]->take(burst, view(), routes(), now_);
  }
  if (packet.verdict != Verdict::forward) {
    fail("a packet was not forwarded: " + std::string(to_string(packet.reason)));
  }
  // In a tunnel a frame may get too long to be kept whole.
  frame.length = static_cast<uint16_t>(std::min<size_t>(packet.length, frame.bytes.size()));
  std::memcpy(frame.bytes.data(), packet.head, frame.length);
  return worker;
}

void Rig::open_flows() {
  const bool tcp = case_.protocol == Protocol::tcp;
  there_.resize(case_.flows);
  back_.resize(case_.flows);
  owners_.resize(case_.flows);
  for (uint32_t n = 0; n < case_.flows; ++n) {
    Template &there = there_[n], &back = back_[n];
    first_frame(n, there);
    Template sent = there;
    owners_[n] = run(sent);
    if (tables::is_one_way(case_.mode)) {
      // The client's next packet makes it live; `there` becomes what it sends from then on.
      if (tcp) set_flags(there, kTcpAck, 1, 1);
      Template again = there;
      run(again);
      continue;
    }
    back = sent;
    back.length = std::max<uint16_t>(back.length, 60);  // as Ethernet pads what has become shorter
    back.port = 1;
    mirror(sent.bytes.data(), back);
    refresh(back);
    if (tcp) set_flags(back, kTcpSyn | kTcpAck, 0, 1);
    Template answer = back;
    run(answer);
    if (!tcp) continue;
    set_flags(there, kTcpAck, 1, 1);
    set_flags(back, kTcpAck, 1, 1);
    Template third = there, data = back;
    run(third);
    run(data);
  }
}

}  // namespace nezu::bench
