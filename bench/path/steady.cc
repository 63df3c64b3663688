// The steady state: what comes must find place, what goes must be taken out, all in measured time.
#include <x86intrin.h>

#include "bench/path/measure.h"
#include "bench/path/port.h"
#include "bench/path/turns.h"

namespace nezu::bench {
namespace {

/// Fills every buffer with a step of its connection, then times the turns; the balancer's clock
/// goes on by what they took.
class Clocked {
 public:
  Clocked(Rig& rig, const Options& options)
      : rig_(rig),
        options_(options),
        port_(kHotBuffers, options.huge),
        burst_(std::make_unique<Burst>()),
        hz_(tsc_hz()),
        turns_(port_.size()) {}

  Port& port() { return port_; }
  double seconds() const { return static_cast<double>(cycles_) / hz_; }
  double hz() const { return hz_; }
  uint64_t cycles() const { return cycles_; }
  /// Of a packet, since the last call.
  Finished finish() { return turns_.finish(); }
  void run() {
    const uint64_t before = cycles_;
    for (uint32_t i = 0; i < port_.size(); i += options_.burst) {
      const uint64_t from = __rdtsc();
      turn(rig_, port_, *burst_, i, options_.burst);
      cycles_ += __rdtsc() - from;
    }
    turns_.add(cycles_ - before);
    rig_.pass(static_cast<uint64_t>(static_cast<double>(cycles_ - before) / hz_ * 1e9));
  }

 private:
  Rig& rig_;
  const Options& options_;
  Port port_;
  std::unique_ptr<Burst> burst_;
  double hz_;
  Turns turns_;  // of all buffers together
  uint64_t cycles_ = 0;
};

}  // namespace

Steady measure_steady(Rig& rig, const Options& options, uint32_t first, double seconds,
                      bool lives) {
  Clocked clocked(rig, options);
  Port& port = clocked.port();
  std::vector<Template> opened(port.size()), left(port.size());
  const uint64_t recycled = rig.line().flows_recycled.read();
  const uint64_t expired = rig.line().flows_expired.read();
  uint64_t packets = 0, flows = 0;
  std::vector<double> costs;
  uint32_t next = first;
  for (int tenth = 1; tenth <= 10; ++tenth) {
    while (clocked.seconds() < seconds * tenth / 10) {
      for (uint32_t k = 0; k < port.size(); ++k) {
        rig.first_frame(next++, opened[k]);
        port.fill(k, opened[k]);
      }
      clocked.run();
      packets += port.size();
      flows += port.size();
      if (!lives) continue;
      for (uint32_t k = 0; k < port.size(); ++k) {
        left[k].length = opened[k].length;
        std::memcpy(left[k].bytes.data(), port.at(k), 80);
      }
      for (uint32_t step = 1; step < Rig::kLifePackets; ++step) {
        Template frame;
        for (uint32_t k = 0; k < port.size(); ++k) {
          rig.life_frame(step, opened[k], left[k].bytes.data(), frame);
          port.fill(k, frame);
        }
        clocked.run();
        packets += port.size();
      }
    }
    const Finished cost = clocked.finish();
    const double each = lives ? Rig::kLifePackets : 1;
    // A tenth that an interruption has eaten had no turn.
    if (cost.all != 0) costs.push_back(cost.calm * each);
  }
  Steady steady;
  steady.of_all_turns = static_cast<double>(flows) / clocked.seconds() / 1e6;
  steady.million_per_second = clocked.hz() / spread(costs).median / 1e6;
  steady.cycles = spread(costs);
  steady.refused = packets - port.sent();
  steady.recycled = rig.line().flows_recycled.read() - recycled;
  steady.expired = rig.line().flows_expired.read() - expired;
  return steady;
}

Steady measure_cookies(Rig& rig, const Options& options, uint32_t first, double seconds,
                       bool timestamps) {
  rig.guard();
  Clocked clocked(rig, options);
  Port& port = clocked.port();
  const tables::Counter& answered =
      rig.line().reasons[static_cast<size_t>(net::Reason::cookie_sent)];
  const uint64_t before = answered.read();
  uint64_t packets = 0;
  std::vector<double> costs;
  for (int tenth = 1; tenth <= 10; ++tenth) {
    while (clocked.seconds() < seconds * tenth / 10) {
      for (uint32_t k = 0; k < port.size(); ++k) {
        Template syn;
        rig.syn_frame(first + static_cast<uint32_t>(packets++), timestamps, syn);
        port.fill(k, syn);
      }
      clocked.run();
    }
    if (const Finished cost = clocked.finish(); cost.all != 0) costs.push_back(cost.calm);
  }
  Steady steady;
  steady.of_all_turns = static_cast<double>(packets) / clocked.seconds() / 1e6;
  steady.million_per_second = clocked.hz() / spread(costs).median / 1e6;
  steady.cycles = spread(costs);
  steady.refused = packets - (answered.read() - before);
  return steady;
}

}  // namespace nezu::bench
