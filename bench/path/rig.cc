#include "bench/path/rig.h"

#include <sys/mman.h>
#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <sstream>

#include "controlplane/compile/capture_filter.h"
#include "dataplane/flow/table.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"

namespace nezu::bench {
namespace {

using namespace net;

constexpr uint32_t kServers = 16, kLeastSnats = 4, kMostSnats = 200;
constexpr uint16_t kPort = 80;
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

/// Where the n-th of many services is, below that address, and its server.
constexpr uint32_t kVips = 200, kHosts = 200;
uint32_t vip_of(uint32_t n) { return n % kVips; }
uint16_t port_of(uint32_t n) { return static_cast<uint16_t>(1000 + n / kVips); }
Address at(const Address& first, uint32_t n) {
  Address address = first;
  address.bytes[15] = static_cast<uint8_t>(address.bytes[15] + n);
  return address;
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

/// Whole frame from scratch: the transport header follows at once, payload is zeros.
struct Writer {
  Template& frame;
  uint8_t* at = frame.bytes.data();

  void ethernet(uint16_t type) {
    auto& header = *reinterpret_cast<Ethernet*>(at);
    header.destination = {{2, 0, 0, 0, 0, 0xf0}};
    header.source = {{2, 0, 0, 0, 0, 0xfe}};
    header.type = type;
  }
  void transport(uint8_t* l4, const void* addresses, size_t address_bytes, Protocol protocol,
                 uint16_t source, uint16_t destination, uint8_t flags, uint16_t length) const {
    if (protocol == Protocol::tcp) {
      auto& tcp = *reinterpret_cast<Tcp*>(l4);
      tcp.source = source;
      tcp.destination = destination;
      tcp.offset = 5 << 4;
      tcp.flags = flags;
      tcp.window = 65535;
      tcp.sequence = (flags & kTcpSyn) != 0 ? 0u : 1u;
      tcp.acknowledgement = (flags & kTcpAck) != 0 ? 1u : 0u;
    } else {
      auto& udp = *reinterpret_cast<Udp*>(l4);
      udp.source = source;
      udp.destination = destination;
      udp.length = length;
    }
    const Sum sum = pseudo_header(addresses, address_bytes, static_cast<uint8_t>(protocol), length);
    const uint16_t checksum = udp_form(checksum_of(add(sum, l4, length)));
    store(l4 + (protocol == Protocol::tcp ? offsetof(Tcp, checksum) : offsetof(Udp, checksum)),
          checksum);
  }
  void ipv4(uint32_t source, uint32_t destination, Protocol protocol, uint16_t source_port,
            uint16_t destination_port, uint8_t flags) {
    constexpr uint16_t kTransport = 26;  // 60 bytes in all
    ethernet(kEtherIpv4);
    auto& ip = *reinterpret_cast<Ipv4*>(at + sizeof(Ethernet));
    ip.version_length = 0x45;
    ip.total_length = sizeof(Ipv4) + kTransport;
    ip.ttl = 64;
    ip.protocol = static_cast<uint8_t>(protocol);
    ip.source = source;
    ip.destination = destination;
    ip.checksum.set_raw(checksum_of(add(0, &ip, sizeof ip)));
    transport(at + 34, &ip.source, 8, protocol, source_port, destination_port, flags, kTransport);
    frame.length = 60;
  }
  void ipv6(const Address& source, const Address& destination, Protocol protocol,
            uint16_t source_port, uint16_t destination_port, uint8_t flags) {
    const uint16_t length = protocol == Protocol::tcp ? 20 : 8;
    ethernet(kEtherIpv6);
    auto& ip = *reinterpret_cast<Ipv6*>(at + sizeof(Ethernet));
    ip.version_class_label = 6u << 28;
    ip.payload_length = length;
    ip.next = static_cast<uint8_t>(protocol);
    ip.hop_limit = 64;
    ip.source = source.bytes;
    ip.destination = destination.bytes;
    transport(at + 54, &ip.source, 32, protocol, source_port, destination_port, flags, length);
    frame.length = static_cast<uint16_t>(54 + length);
  }
};

bool is_v4(const Template& frame) {
  return load<uint16_t>(frame.bytes.data() + 12) == swap16(kEtherIpv4);
}

/// As its next sender would send it: a full hop count, and IPv4's sum from scratch.
void refresh(Template& frame) {
  uint8_t* at = frame.bytes.data();
  if (!is_v4(frame)) {
    reinterpret_cast<Ipv6*>(at + sizeof(Ethernet))->hop_limit = 64;
    return;
  }
  auto& ip = *reinterpret_cast<Ipv4*>(at + sizeof(Ethernet));
  ip.ttl = 64;
  ip.checksum = 0;
  ip.checksum.set_raw(checksum_of(add(0, &ip, sizeof ip)));
}

/// The answer to a frame as it left for the server: ends swapped, sums kept (they do not change).
void mirror(const uint8_t* left, Template& out) {
  std::memcpy(out.bytes.data(), left, out.length);
  uint8_t* at = out.bytes.data();
  const bool v4 = is_v4(out);
  const size_t addresses = v4 ? 26 : 22, size = v4 ? 4 : 16, ports = v4 ? 34 : 54;
  uint8_t source[16];
  std::memcpy(source, at + addresses, size);
  std::memcpy(at + addresses, at + addresses + size, size);
  std::memcpy(at + addresses + size, source, size);
  const auto port = load<uint16_t>(at + ports);
  store(at + ports, load<uint16_t>(at + ports + 2));
  store(at + ports + 2, port);
}

/// Other TCP flags, with the sum from scratch.
void set_flags(Template& frame, uint8_t flags, uint32_t sequence, uint32_t acknowledgement) {
  uint8_t* at = frame.bytes.data();
  const bool v4 = is_v4(frame);
  const size_t l4 = v4 ? 34 : 54;
  auto& tcp = *reinterpret_cast<Tcp*>(at + l4);
  tcp.flags = flags;
  tcp.sequence = sequence;
  tcp.acknowledgement = acknowledgement;
  tcp.checksum = 0;
  const auto said = swap16(load<uint16_t>(at + (v4 ? 16 : 18)));
  const auto length = static_cast<uint16_t>(v4 ? said - sizeof(Ipv4) : said);
  const Sum sum = pseudo_header(at + (v4 ? 26 : 22), v4 ? 8 : 32, 6, length);
  tcp.checksum.set_raw(checksum_of(add(sum, at + l4, length)));
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

void Rig::first_frame(uint32_t n, Template& out) const {
  out = {};
  const bool v4 = case_.family == Family::ipv4;
  const uint8_t flags = kTcpSyn;
  // Every client address has a thousand ports.
  const uint32_t client = n / 1000;
  const auto port = static_cast<uint16_t>(1024 + n % 1000 * 61);
  // Services are hit at random.
  const uint32_t service =
      options_.services == 1 ? 0 : static_cast<uint32_t>(net::mix64(n) % options_.services);
  const uint32_t vip = options_.services == 1 ? 0 : vip_of(service);
  const uint16_t to = options_.services == 1 ? kPort : port_of(service);
  if (v4) {
    Writer{out}.ipv4(0x64000001u + client, 0xcb00710au + vip, case_.protocol, port, to, flags);
  } else {
    Address source = *parse_address("2001:db8:c::");
    store(&source.bytes[12], swap32(client + 1));
    Writer{out}.ipv6(source, at(*parse_address("2001:db8::10"), vip), case_.protocol, port, to,
                     flags);
  }
}

void Rig::syn_frame(uint32_t n, bool options, Template& out) const {
  first_frame(n, out);
  if (!options) return;
  constexpr uint8_t kOptions[] = {2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7};
  uint8_t* at = out.bytes.data();
  const bool v4 = is_v4(out);
  const size_t l4 = v4 ? 34 : 54, end = l4 + sizeof(Tcp);
  constexpr uint16_t kLength = sizeof(Tcp) + sizeof kOptions;
  std::memcpy(at + end, kOptions, sizeof kOptions);
  reinterpret_cast<Tcp*>(at + l4)->offset = kLength / 4 << 4;
  store(at + (v4 ? 16 : 18), swap16(static_cast<uint16_t>(v4 ? kLength + sizeof(Ipv4) : kLength)));
  out.length = static_cast<uint16_t>(l4 + kLength);
  set_flags(out, kTcpSyn, 0, 0);
  refresh(out);
}

void Rig::guard() {
  spec_.cookies.enabled = 1;
  world_.put(spec_);
}

void Rig::life_frame(uint32_t step, const Template& first, const uint8_t* left,
                     Template& out) const {
  constexpr uint8_t kFlags[kLifePackets] = {kTcpSyn,
                                            kTcpSyn | kTcpAck,
                                            kTcpAck | kTcpPsh,
                                            kTcpAck | kTcpPsh,
                                            kTcpFin | kTcpAck,
                                            kTcpFin | kTcpAck,
                                            kTcpAck};
  constexpr bool kBack[kLifePackets] = {false, true, false, true, false, true, false};
  // The frames' padding of 6 bytes is IPv4 payload.
  const uint32_t data = case_.family == Family::ipv4 ? 6 : 0;
  const uint32_t sequence[kLifePackets] = {0, 0, 1, 1, 1 + data, 1 + data, 2 + 2 * data};
  const uint32_t acknowledged[kLifePackets] = {0,           1, 1, 1 + data, 1 + data, 2 + 2 * data,
                                               2 + 2 * data};
  out = first;
  if (kBack[step]) {
    out.port = 1;
    mirror(left, out);
    refresh(out);
  }
  set_flags(out, kFlags[step], sequence[step], acknowledged[step]);
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
