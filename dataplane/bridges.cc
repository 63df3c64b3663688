#include "dataplane/bridges.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace nezu::dataplane {
namespace {

using State = link::BridgeGuard::State;
using link::BridgeSide;
static_assert(route::kBridges == tables::kMaxBridges);

template <size_t kRoom>
std::string_view text_of(const std::array<char, kRoom>& text) {
  return {text.data(), strnlen(text.data(), kRoom)};
}

const device::Port* port_named(const device::Ports& ports, std::string_view name) {
  const auto found = std::ranges::find(ports.all(), name, &device::Port::name);
  return found != ports.all().end() ? &*found : nullptr;
}

const char* word_of(State state) {
  switch (state) {
    case State::none:
      return "gone";
    case State::down:
      return "down: a port has no link";
    case State::listening:
      return "listening";
    case State::claiming:
      return "about to take over";
    case State::bridging:
      return "bridging";
    case State::standing_by:
      return "standing by: a better box bridges";
    case State::loop:
      return "closed: its hellos come back, something else connects its sides";
  }
  return "";
}

/// First byte highest.
uint64_t word_of(const net::MacAddress& mac) {
  uint64_t word = 0;
  for (const uint8_t byte : mac.bytes) word = word << 8 | byte;
  return word;
}

/// What the workers have counted for that line.
std::array<uint64_t, 4> sums_of(const tables::Region& region, uint32_t number) {
  std::array<uint64_t, 4> sums{};
  for (uint16_t worker = 0; worker < region.header().sizes.workers; ++worker) {
    const auto& ways = region.worker(worker).bridged[number];
    for (size_t way = 0; way < 2; ++way) {
      sums[way * 2] += ways[way].packets.read();
      sums[way * 2 + 1] += ways[way].bytes.read();
    }
  }
  return sums;
}

}  // namespace

Bridges::~Bridges() {
  for (const Bridge& bridge : bridges_) leases_.set(bridge.pair.bridge, {});
}

void Bridges::follow(std::span<const tables::Bridge> wanted, Watch& watch, net::Instant now) {
  if (std::ranges::equal(followed_, wanted)) return;
  followed_.assign(wanted.begin(), wanted.end());
  std::erase_if(bridges_, [&](const Bridge& bridge) {
    const bool stays = std::ranges::find(followed_, bridge.wanted) != followed_.end();
    if (!stays) remove(bridge, watch, now);
    return !stays;
  });
  for (const tables::Bridge& one : followed_) {
    if (std::ranges::find(bridges_, one, &Bridge::wanted) == bridges_.end()) add(one);
  }
}

bool Bridges::add(const tables::Bridge& wanted) {
  const device::Port* clients = port_named(ports_, text_of(wanted.clients));
  const device::Port* servers = port_named(ports_, text_of(wanted.servers));
  if (clients == nullptr || servers == nullptr) {
    spdlog::warn("bridge {} names port {}, but there is no such port (--port name=)",
                 text_of(wanted.name),
                 text_of(clients == nullptr ? wanted.clients : wanted.servers));
    return false;
  }
  const Places::Pair pair{clients->number, servers->number, wanted.vlan, take_line(wanted)};
  bridges_.push_back(
      {wanted, pair,
       link::BridgeGuard({wanted.priority, clients->mac}, uint64_t{wanted.hold_ms} * 1'000'000)});
  return true;
}

/// The one that had this name before, or a free one. There are as many as there may be bridges.
uint8_t Bridges::take_line(const tables::Bridge& wanted) {
  auto& lines = region_.header().bridges;
  const auto is_taken = [this](size_t number) {
    return std::ranges::any_of(bridges_,
                               [number](const Bridge& one) { return one.pair.bridge == number; });
  };
  size_t chosen = lines.size();
  for (size_t number = 0; number < lines.size(); ++number) {
    if (is_taken(number)) continue;
    if (lines[number].name == wanted.name) return static_cast<uint8_t>(number);
    if (chosen == lines.size()) chosen = number;
  }
  tables::BridgeLine& line = lines[std::min(chosen, lines.size() - 1)];
  line.state.store(static_cast<uint32_t>(State::none), std::memory_order_release);
  line.name = wanted.name;
  line.base = sums_of(region_, static_cast<uint32_t>(&line - lines.data()));
  return static_cast<uint8_t>(&line - lines.data());
}

void Bridges::remove(const Bridge& bridge, Watch& watch, net::Instant now) {
  leases_.set(bridge.pair.bridge, {});
  tables::BridgeLine& line = region_.header().bridges[bridge.pair.bridge];
  line.state.store(static_cast<uint32_t>(State::none), std::memory_order_release);
  const bool changes = std::ranges::any_of(
      followed_, [&](const tables::Bridge& one) { return one.name == bridge.wanted.name; });
  if (changes) return;
  spdlog::info("bridge {} is gone", text_of(bridge.wanted.name));
  watch.tell(tables::EventKind::bridge_changed, now, 0, bridge.pair.bridge, 0,
             text_of(bridge.wanted.name));
}

std::vector<Places::Pair> Bridges::pairs() const {
  std::vector<Places::Pair> all;
  for (const Bridge& bridge : bridges_) all.push_back(bridge.pair);
  return all;
}

bool Bridges::uses(uint16_t port) const {
  return std::ranges::any_of(bridges_, [port](const Bridge& one) {
    return one.pair.clients == port || one.pair.servers == port;
  });
}

void Bridges::hear(std::span<const uint8_t> frame, uint16_t port, uint16_t vlan, net::Instant now) {
  const auto hello = link::read_hello(frame);
  if (!hello) return;
  for (Bridge& bridge : bridges_) {
    if (bridge.pair.vlan != vlan) continue;
    if (bridge.pair.clients == port) bridge.guard.hear(*hello, BridgeSide::clients, now);
    if (bridge.pair.servers == port) bridge.guard.hear(*hello, BridgeSide::servers, now);
  }
}

std::vector<Places::Pair> Bridges::turn(Watch& watch, net::Instant now) {
  std::vector<Places::Pair> opened;
  for (Bridge& bridge : bridges_) {
    const Places::Pair& pair = bridge.pair;
    bridge.guard.set_links(ports_.has_link(pair.clients) && ports_.has_link(pair.servers), now);
    const bool is_due = bridge.guard.tick(now);
    leases_.set(pair.bridge, bridge.guard.open_until());
    if (is_due) say(bridge);
    if (bridge.told == bridge.guard.state()) continue;
    show(bridge, watch, now);
    if (bridge.told == State::bridging) opened.push_back(pair);
  }
  return opened;
}

void Bridges::say(const Bridge& bridge) {
  link::Hello hello{bridge.guard.id(), BridgeSide::clients, bridge.guard.listens()};
  gate_.send_frame(link::write_hello(hello), bridge.pair.clients, bridge.pair.vlan);
  hello.side = BridgeSide::servers;
  gate_.send_frame(link::write_hello(hello), bridge.pair.servers, bridge.pair.vlan);
}

void Bridges::show(Bridge& bridge, Watch& watch, net::Instant now) {
  bridge.told = bridge.guard.state();
  tables::BridgeLine& line = region_.header().bridges[bridge.pair.bridge];
  line.better.store(word_of(bridge.guard.better()), std::memory_order_relaxed);
  line.state.store(static_cast<uint32_t>(bridge.told), std::memory_order_release);
  const auto name = text_of(bridge.wanted.name);
  const bool is_loop = bridge.told == State::loop;
  spdlog::log(is_loop ? spdlog::level::err : spdlog::level::info, "bridge {}: {}", name,
              word_of(bridge.told));
  watch.tell(tables::EventKind::bridge_changed, now, 0, bridge.pair.bridge,
             static_cast<uint64_t>(bridge.told), name);
}

}  // namespace nezu::dataplane
