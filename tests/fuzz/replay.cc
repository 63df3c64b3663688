// Any bytes as a file of packets for `nezu replay`: refused with a sentence, or every packet has a
// fate, nothing is read or written out of bounds, and when all time is over nothing is left.
//
// Input: a pcap or pcapng file. Packets at odd microseconds come in by the servers' port.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <sstream>
#include <vector>

#include "tests/path/world.h"
#include "tools/captures/capture_file.h"
#include "tools/captures/packet_origins.h"
#include "tools/replay/replay.h"

namespace {

using namespace nezu;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

/// One service of each way to forward, and what reads payload.
world::World& filled() {
  static auto* world = new world::World(world::World::small_sizes(1));
  const auto put = [](uint16_t port, tables::Mode mode, net::Protocol protocol,
                      tables::Application application) {
    for (const bool v6 : {false, true}) {
      if (v6 && application != tables::Application::none) continue;
      world::ServiceSpec spec;
      spec.vip = v6 ? "2001:db8::10" : "203.0.113.10";
      spec.port = port;
      spec.mode = mode;
      spec.protocol = protocol;
      spec.application = application;
      spec.refusal = tables::Refusal::refuse;
      const bool keeps_port = tables::is_one_way(mode);
      spec.servers = {{v6 ? "fd00:1::5" : "10.0.1.5", keeps_port ? port : uint16_t{8080}}};
      if (mode == tables::Mode::fullnat) spec.snats = {v6 ? "fd00:1::a" : "10.0.0.1"};
      world->put(spec);
    }
  };
  using tables::Application;
  using tables::Mode;
  for (const net::Protocol protocol : {net::Protocol::tcp, net::Protocol::udp}) {
    put(80, Mode::nat, protocol, Application::none);
    put(443, Mode::fullnat, protocol, Application::none);
    put(81, Mode::route, protocol, Application::none);
    put(82, Mode::tunnel_ipip, protocol, Application::none);
    put(84, Mode::tunnel_gue, protocol, Application::none);
  }
  put(87, Mode::nat, net::Protocol::tcp, Application::ftp);
  put(88, Mode::fullnat, net::Protocol::tcp, Application::ftp);
  put(91, Mode::nat, net::Protocol::tcp, Application::rtsp);
  put(89, Mode::nat, net::Protocol::udp, Application::sip);
  put(90, Mode::fullnat, net::Protocol::udp, Application::sip);
  tables::Settings settings;
  settings.transit = tables::Transit::forward;
  world->settings(settings);
  return *world;
}

replay::Network network() {
  replay::NetworkLink front, back;
  front.link.mac = *net::parse_mac(world::kFrontMac);
  front.addresses = {world::address("192.0.2.1"), world::address("2001:db8:f::1")};
  back.link.port = 1;
  back.link.mtu = 1400;
  back.link.mac = *net::parse_mac(world::kBackMac);
  back.addresses = {world::address("10.0.1.1"), world::address("fd00:1::1")};
  std::vector<route::Route> routes;
  const auto add = [&routes](const char* prefix, uint16_t link, const char* gateway) {
    routes.push_back({*net::parse_prefix(prefix),
                      net::Instance::standard,
                      {{link, gateway != nullptr ? world::address(gateway) : net::Address(), 1}}});
  };
  add("192.0.2.0/24", 0, nullptr);
  add("2001:db8:f::/64", 0, nullptr);
  add("10.0.0.0/8", 1, nullptr);
  add("fd00::/16", 1, nullptr);
  add("0.0.0.0/0", 0, "192.0.2.254");
  add("::/0", 0, "2001:db8:f::fe");
  return {{front, back}, routes};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  static world::World& world = filled();
  if (size == 0) return 0;
  std::vector<uint8_t> contents(bytes, bytes + size);
  auto file = captures::CaptureFile::open(::fmemopen(contents.data(), size, "rb"));
  if (!file.error().empty()) return 0;
  replay::Network around = network();
  replay::Replay::Options options;
  options.flows = {64, 32, 8};
  options.snat_lines = 64;
  uint64_t fates = 0;
  volatile uint64_t sum = 0;  // every byte is read
  replay::Replay replay(world.region(), world.view(), around, options, [&](const auto& fate) {
    ++fates;
    for (const uint8_t byte : fate.bytes) sum = sum + byte;
    if (fate.verdict == net::Verdict::undecided || fate.verdict == net::Verdict::hand_over) {
      fail("a packet without a fate");
    }
    if (fate.verdict == net::Verdict::drop && fate.reason == net::Reason::none) fail("no reason");
    if (fate.port > 1) fail("no such port");
    if (fate.bytes.size() > fate.length) fail("longer than it is");
  });
  captures::PacketOrigins origins(
      std::make_unique<std::istringstream>(std::string(contents.begin(), contents.end())));
  for (size_t told = 0; origins.next(); ++told) {
    if (told > size / 12) fail("more packets than there is room for");
  }
  captures::Recorded packet;
  while (file.next(packet)) {
    const uint64_t before = fates + replay.waiting();
    const auto port = static_cast<uint16_t>(packet.when / 1000 & 1);
    replay.receive({packet.when, file.packets(), port, packet.length, packet.bytes});
    if (const char* wrong = replay.table().audit()) fail(wrong);
    if (fates + replay.waiting() <= before) fail("a packet was lost");
  }
  for (int i = 0; i < 6; ++i) replay.pass(uint64_t{2'000} * net::kNanosecondsPerSecond);
  if (replay.waiting() != 0) fail("fragments that wait for ever");
  if (replay.flows() != 0) fail("flows that never end");
  return 0;
}
