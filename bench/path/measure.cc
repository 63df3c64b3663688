#include "bench/path/measure.h"

#include <x86intrin.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "dataplane/path_stages.h"

namespace nezu::bench {
namespace {

using net::Burst;
using net::Verdict;

constexpr uint32_t kStride = 2048, kHeadroom = 128;
/// Hot buffers: 512 of them are touched again and again. Cold: their headers alone are 4 MiB.
constexpr uint32_t kHotBuffers = 512, kColdBuffers = 65536;

class Random {
 public:
  uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    return state_ ^= state_ << 17;
  }

 private:
  uint64_t state_ = 88172645463325252u;
};

/// A port without a NIC: buffers in, verdicts out.
class Port {
 public:
  Port(uint32_t buffers, bool huge)
      : count_(buffers), memory_(size_t{buffers} * kStride, huge), descriptors_(buffers) {}

  uint32_t size() const { return count_; }
  void fill(uint32_t n, const Template& frame) {
    // Like a NIC: the frame begins on a line of its own.
    uint8_t* at = memory_.at() + size_t{n} * kStride + kHeadroom;
    std::memcpy(at, frame.bytes.data(), 80);
    descriptors_[n] = {at, frame.length, frame.port};
  }
  void receive(Burst& burst, uint32_t from, uint32_t count) const {
    burst.count = count;
    for (uint32_t i = 0; i < count; ++i) {
      const Descriptor& d = descriptors_[from + i];
      burst.packets[i].arrive(d.head, d.head, d.length, d.length, kStride - kHeadroom, d.port);
    }
  }
  /// As a port's transmit function: looks at every verdict, takes the handle.
  void send(Burst& burst) {
    for (net::Packet& packet : burst.all()) {
      if (packet.verdict == Verdict::forward) [[likely]] {
        out_[sent_++ % out_.size()] = packet.buffer;
      }
    }
  }
  uint64_t sent() const { return sent_; }

 private:
  struct Descriptor {
    uint8_t* head = nullptr;
    uint16_t length = 0;
    uint16_t port = 0;
  };
  uint32_t count_;
  Memory memory_;
  std::vector<Descriptor> descriptors_;
  std::array<void*, 256> out_{};
  uint64_t sent_ = 0;
};

/// The turn of a worker, as device/ runs it.
void turn(Rig& rig, Port& port, Burst& burst, uint32_t from, uint32_t count) {
  const tables::View view = rig.view();
  port.receive(burst, from, count);
  rig.path().receive(burst, view, rig.routes(), rig.now());
  port.send(burst);
  rig.path().housekeep(view, rig.now());
}

class Picker {
 public:
  Picker(const Rig& rig, bool one_way) : rig_(rig), one_way_(one_way) {}
  const Template& next() {
    const uint64_t random = random_.next();
    const auto flow = static_cast<size_t>((random >> 32) * rig_.there().size() >> 32);
    return one_way_ || (random & 1) == 0 ? rig_.there()[flow] : rig_.back()[flow];
  }

 private:
  const Rig& rig_;
  bool one_way_;
  Random random_;
};

/// Fills all buffers outside, runs over all of them inside.
template <typename Turn>
void run(Port& port, Picker& picker, const Options& options, uint64_t packets, Turn one_turn) {
  for (uint64_t done = 0; done < packets; done += port.size()) {
    for (uint32_t i = 0; i < port.size(); ++i) port.fill(i, picker.next());
    for (uint32_t i = 0; i < port.size(); i += options.burst) one_turn(i);
  }
}

/// Cycles of turns. Those that were interrupted (more than five times the median) count apart.
class Turns {
 public:
  explicit Turns(uint32_t burst) : burst_(burst) {}
  template <typename Turn>
  void time(Turn turn) {
    const uint64_t from = __rdtsc();
    turn();
    add(__rdtsc() - from);
  }
  void add(uint64_t cycles) { cycles_.push_back(static_cast<uint32_t>(cycles)); }
  /// Mean cycles of a packet; begins anew.
  double finish() {
    std::vector<uint32_t> sorted = cycles_;
    std::nth_element(sorted.begin(), sorted.begin() + static_cast<ptrdiff_t>(sorted.size() / 2),
                     sorted.end());
    const uint32_t limit = 5 * sorted[sorted.size() / 2];
    uint64_t sum = 0, count = 0;
    for (const uint32_t cycles : cycles_) {
      if (cycles <= limit) sum += cycles, ++count;
    }
    interrupted_ += cycles_.size() - count;
    all_ += cycles_.size();
    cycles_.clear();
    return static_cast<double>(sum) / static_cast<double>(count * burst_);
  }
  double interrupted_share() const {
    return static_cast<double>(interrupted_) / static_cast<double>(all_);
  }

 private:
  uint32_t burst_;
  std::vector<uint32_t> cycles_;
  uint64_t interrupted_ = 0, all_ = 0;
};

/// One turn with the clock read behind each stage.
void timed_stages(Rig& rig, Port& port, Burst& burst, uint32_t from, uint32_t count,
                  std::vector<Turns>& stages) {
  const tables::View view = rig.view();
  port.receive(burst, from, count);
  path::Turn turn(rig.path().state(), burst, view, rig.routes(), rig.now());
  std::array<uint64_t, path::kStageNames.size()> spent{};
  uint64_t before = __rdtsc();
  path::run_stages(turn, [&](int stage) {
    const uint64_t now = __rdtsc();
    spent[static_cast<size_t>(stage)] += now - before;
    before = __rdtsc();
  });
  for (size_t i = 0; i < spent.size(); ++i) stages[i].add(spent[i]);
  port.send(burst);
}

}  // namespace

Spread spread(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {values.front(), values[values.size() / 2], values.back()};
}

double tsc_hz() {
  const auto from = std::chrono::steady_clock::now();
  const uint64_t tsc = __rdtsc();
  while (std::chrono::steady_clock::now() - from < std::chrono::milliseconds(50)) {
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count();
  return static_cast<double>(__rdtsc() - tsc) / seconds;
}

Cost measure_known(Rig& rig, const Options& options) {
  Port port(options.cold ? kColdBuffers : kHotBuffers, options.huge);
  auto burst = std::make_unique<Burst>();
  Picker picker(rig, options.one_way);
  const uint64_t packets = (options.packets + port.size() - 1) / port.size() * port.size();
  const auto one = [&](uint32_t i) { turn(rig, port, *burst, i, options.burst); };
  run(port, picker, options, packets / 4, one);

  Cost cost;
  Turns turns(options.burst);
  std::vector<double> runs;
  const uint64_t sent = port.sent();
  for (uint32_t i = 0; i < options.runs; ++i) {
    run(port, picker, options, packets, [&](uint32_t k) { turns.time([&] { one(k); }); });
    runs.push_back(turns.finish());
    cost.packets += packets;
    rig.pass(net::kNanosecondsPerSecond / 10);
  }
  cost.interrupted_share = turns.interrupted_share();
  cost.forwarded = port.sent() - sent;
  cost.cycles_per_packet = spread(runs);
  std::vector<Turns> stages(cost.stage_cycles.size(), Turns(options.burst));
  run(port, picker, options, packets,
      [&](uint32_t i) { timed_stages(rig, port, *burst, i, options.burst, stages); });
  for (size_t i = 0; i < stages.size(); ++i) cost.stage_cycles[i] = stages[i].finish();
  return cost;
}

NewFlows measure_new(Rig& rig, const Options& options, uint32_t first, uint32_t count) {
  Port port(options.cold ? kColdBuffers : kHotBuffers, options.huge);
  auto burst = std::make_unique<Burst>();
  std::vector<double> costs, rates;
  const double hz = tsc_hz();
  const uint32_t each = count / options.runs;
  Template frame;
  uint32_t next = first;
  for (uint32_t i = 0; i < options.runs; ++i) {
    Turns turns(options.burst);
    for (uint32_t done = 0; done + port.size() <= each; done += port.size()) {
      for (uint32_t k = 0; k < port.size(); ++k) {
        rig.first_frame(next++, frame);
        port.fill(k, frame);
      }
      for (uint32_t k = 0; k < port.size(); k += options.burst) {
        turns.time([&] { turn(rig, port, *burst, k, options.burst); });
      }
    }
    if (each < port.size()) continue;
    const double cost = turns.finish();
    costs.push_back(cost);
    rates.push_back(hz / cost / 1e6);
  }
  return {spread(costs), spread(rates)};
}

}  // namespace nezu::bench
