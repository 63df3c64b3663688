#include "bench/generator/engine.h"

#include <rte_cycles.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "bench/generator/bounce.h"
#include "bench/generator/neighbours.h"
#include "bench/generator/rate.h"

namespace nezu::generator {

using namespace net;

namespace {

constexpr uint16_t kBurst = 32;
constexpr uint32_t kAsks = 50;
constexpr double kSecondsBetweenAsks = 0.2;

/// Clients in turn, then their next port; targets in turn.
std::vector<Tuple> make_flows(const EngineOptions& options) {
  const auto clients = expand(options.clients, options.flows);
  const auto targets = expand(options.targets.value_or(options.servers), options.flows);
  if (clients[0].is_v4() != targets[0].is_v4()) {
    throw std::runtime_error("clients and whom they address must be of one IP version");
  }
  const uint32_t ports = options.client_ports.last - options.client_ports.first + 1u;
  if (uint64_t{options.flows} > uint64_t{ports} * clients.size()) {
    throw std::runtime_error(std::to_string(options.flows) + " flows need more than " +
                             std::to_string(clients.size()) + " client addresses with " +
                             std::to_string(ports) + " ports each");
  }
  const uint32_t target_ports = options.target_ports.last - options.target_ports.first + 1u;
  std::vector<Tuple> flows(options.flows);
  for (uint32_t i = 0; i < options.flows; ++i) {
    flows[i] = {clients[i % clients.size()], targets[i % targets.size()],
                static_cast<uint16_t>(options.client_ports.first + i / clients.size()),
                static_cast<uint16_t>(options.target_ports.first + i % target_ports)};
  }
  return flows;
}

}  // namespace

Engine::Engine(const EngineOptions& options, Progress& progress)
    : options_(options), progress_(progress), hz_(static_cast<double>(rte_get_tsc_hz())) {
  flows_ = make_flows(options);
  pool_ = make_pool(options.buffers, options.longest);
  const auto open = [&](const SideOptions& side) {
    wires_.push_back(std::make_unique<Wire>(
        WireOptions{side.device, options.longest, options.descriptors, side.receive_queues},
        pool_));
    return wires_.back().get();
  };
  sides_[0].options = options.left;
  sides_[0].wire = open(options.left);
  sides_[1].options = options.right.value_or(options.left);
  sides_[1].wire = options.right ? open(*options.right) : sides_[0].wire;
  for (const auto& wire : wires_) wire->wait_for_link();
  for (const Way way : {Way::to_right, Way::to_left}) resolve(way);
  for (const Tuple& flow : flows_) {
    headers_[0].push_back(make_headers(flow, link(Way::to_right)));
  }
}

Engine::~Engine() {
  wires_.clear();
  rte_mempool_free(pool_);
}

Link Engine::link(Way way) const {
  return {side(way).wire->mac(), side(way).peer, side(way).options.vlan};
}

/// Whom this side sends to: a given MAC, a gateway's, or the generator's own other end.
void Engine::resolve(Way from) {
  Side& own = side(from);
  own.peer = own.options.peer.value_or(side(opposite(from)).wire->mac());
  own.knows_peer = !own.options.gateway || own.options.peer.has_value();
  for (uint32_t i = 0; i < kAsks && !own.knows_peer; ++i) {
    ask_gateway(from);
    const uint64_t end = rte_rdtsc() + cycles(kSecondsBetweenAsks);
    while (rte_rdtsc() < end && !own.knows_peer) {
      if (receive(*own.wire) == 0) idle();
    }
  }
  if (!own.knows_peer) {
    throw std::runtime_error("nobody answers for " + to_string(*own.options.gateway) + " at port " +
                             own.wire->device());
  }
}

void Engine::ask_gateway(Way from) {
  const Side& own = side(from);
  const Range& played = from == Way::to_right ? options_.clients : options_.servers;
  send_bytes(*own.wire,
             ask_neighbour(*own.options.gateway, played.first, own.wire->mac(), own.options.vlan));
}

void Engine::send_bytes(Wire& wire, std::span<const uint8_t> bytes) {
  rte_mbuf* frame = rte_pktmbuf_alloc(pool_);
  if (frame == nullptr) return;
  std::copy(bytes.begin(), bytes.end(), rte_pktmbuf_mtod(frame, uint8_t*));
  frame->data_len = static_cast<uint16_t>(bytes.size());
  frame->pkt_len = static_cast<uint32_t>(bytes.size());
  if (wire.send(&frame, 1) == 0) rte_pktmbuf_free(frame);
}

/// Answers for the hosts that are played there, or learns who the gateway is. Owns the frame.
void Engine::meet_neighbour(Wire& wire, rte_mbuf* frame) {
  for (const Way from : {Way::to_right, Way::to_left}) {
    Side& own = side(from);
    if (own.wire != &wire || own.knows_peer || !own.options.gateway) continue;
    // Not what others are told who asked for it.
    if (std::memcmp(rte_pktmbuf_mtod(frame, void*), wire.mac().bytes.data(), 6) != 0) continue;
    if (const auto mac = learn_neighbour(bytes_of(frame), *own.options.gateway)) {
      own.peer = *mac;
      own.knows_peer = true;
    }
  }
  std::vector<Range> played;
  if (side(Way::to_right).wire == &wire) played.push_back(options_.clients);
  if (side(Way::to_left).wire == &wire) played.push_back(options_.servers);
  const uint32_t room = uint32_t{frame->data_len} + rte_pktmbuf_tailroom(frame);
  const uint32_t length = frame->nb_segs == 1
                              ? answer_neighbour(rte_pktmbuf_mtod(frame, uint8_t*), frame->data_len,
                                                 room, played, wire.mac(), servers_.mute_ones())
                              : 0;
  frame->data_len = static_cast<uint16_t>(length);
  frame->pkt_len = length;
  if (length == 0 || wire.send(&frame, 1) == 0) rte_pktmbuf_free(frame);
}

/// One burst of one port; how many frames came.
uint32_t Engine::receive(Wire& wire) {
  rte_mbuf* frames[2 * kBurst];
  const uint16_t count = wire.receive(frames, 2 * kBurst);
  if (count == 0) return 0;
  const uint64_t now = rte_rdtsc();
  uint16_t kept = 0;
  for (uint16_t i = 0; i < count; ++i) {
    if (i + 2 < count) rte_prefetch0(rte_pktmbuf_mtod(frames[i + 2], const void*));
    const std::span<const uint8_t> bytes = bytes_of(frames[i]);
    const Reading reading = read_frame(bytes);
    if (reading.kind == Kind::neighbour) {
      meet_neighbour(wire, frames[i]);
      continue;
    }
    frames[kept++] = frames[i];
    if (!is_heard(bytes, reading)) continue;
    if (learner_) {
      learner_(bytes, reading);
    } else {
      analyser_.note(reading, now);
    }
    if (reading.kind == Kind::tcp && connections_ != nullptr) {
      connections_->receive(read_segment(bytes, reading), now);
    }
  }
  rte_pktmbuf_free_bulk(frames, kept);
  return count;
}

/// True when there was one.
bool Engine::send_segments(uint64_t now) {
  if (connections_ == nullptr) return false;
  connections_->turn(now);
  bool any = false;
  for (const Way way : {Way::to_right, Way::to_left}) {
    rte_mbuf* frames[kBurst];
    uint16_t count = 0;
    Segment segment;
    while (count < kBurst && connections_->take(way, segment)) {
      rte_mbuf* frame = rte_pktmbuf_alloc(pool_);
      if (frame == nullptr) break;  // as good as lost: it is said again
      const uint32_t length = write_segment(rte_pktmbuf_mtod(frame, uint8_t*),
                                            rte_pktmbuf_tailroom(frame), segment, link(way));
      frame->data_len = static_cast<uint16_t>(length);
      frame->pkt_len = length;
      frames[count++] = frame;
    }
    if (count == 0) continue;
    const uint16_t taken = side(way).wire->send(frames, count);
    rte_pktmbuf_free_bulk(&frames[taken], count - taken);
    any = true;
  }
  return any;
}

void Engine::run_segments(const std::function<bool(uint64_t now)>& until) {
  for (uint64_t now = rte_rdtsc(); !until(now); now = rte_rdtsc()) {
    uint32_t came = 0;
    for (const auto& wire : wires_) came += receive(*wire);
    if (!send_segments(now) && came == 0) idle();
  }
}

void Engine::idle() const {
  if (options_.naps) ::usleep(50);
}

void Engine::idle_for(double seconds) {
  const uint64_t end = rte_rdtsc() + cycles(seconds);
  while (rte_rdtsc() < end) {
    uint32_t came = 0;
    for (const auto& wire : wires_) came += receive(*wire);
    send_segments(rte_rdtsc());
    if (came == 0) idle();
  }
}

uint32_t Engine::least_size() const { return generator::least_size(headers_[0][0]); }

int32_t Engine::longer_on_right() const {
  if (headers_[1].empty()) return 0;
  return int32_t{headers_[1][0].length} - int32_t{headers_[0][0].length};
}

double Engine::line_rate(double mean_size) const {
  double bits = 0;
  for (const auto& wire : wires_) {
    const double one = wire->line_bits();
    if (one != 0 && (bits == 0 || one < bits)) bits = one;
  }
  const double size = mean_size + std::max(0, longer_on_right());
  return bits == 0 ? 0 : generator::line_rate(bits, size);
}

}  // namespace nezu::generator
