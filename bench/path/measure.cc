#include "bench/path/measure.h"

#include <x86intrin.h>

#include <algorithm>
#include <chrono>

#include "bench/path/port.h"
#include "bench/path/turns.h"
#include "dataplane/path_stages.h"

namespace nezu::bench {
namespace {

using net::Burst;

/// Fills all buffers outside, runs over all of them inside.
template <typename Turn>
void run(Rig& rig, Port& port, Picker& picker, const Options& options, uint64_t packets,
         Turn one_turn) {
  for (uint64_t done = 0; done < packets; done += port.size()) {
    rig.fetch_copies();
    for (uint32_t i = 0; i < port.size(); ++i) port.fill(i, picker.next());
    for (uint32_t i = 0; i < port.size(); i += options.burst) one_turn(i);
  }
}

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
  run(rig, port, picker, options, packets / 4, one);

  Cost cost;
  Turns turns(options.burst);
  std::vector<Finished> done;
  const uint64_t sent = port.sent();
  // A run in which the core was never its own is done again, so far as there is hope.
  const auto calm = [&] {
    std::vector<double> kept;
    for (const Finished& run : done) {
      if (Turns::holds(run)) kept.push_back(run.calm);
    }
    return kept;
  };
  for (uint32_t i = 0; calm().size() < options.runs && i < 3 * options.runs; ++i) {
    run(rig, port, picker, options, packets, [&](uint32_t k) { turns.time([&] { one(k); }); });
    done.push_back(turns.finish());
    cost.packets += packets;
    rig.pass(net::kNanosecondsPerSecond / 10);
  }
  cost.interrupted_share = turns.interrupted_share();
  cost.calm_share = turns.calm_share();
  cost.forwarded = port.sent() - sent;
  std::vector<double> all;
  for (const Finished& run : done) all.push_back(run.all);
  cost.cycles_of_all = spread(all);
  cost.cycles_per_packet = calm().empty() ? cost.cycles_of_all : spread(calm());
  std::vector<Turns> stages(cost.stage_cycles.size(), Turns(options.burst));
  run(rig, port, picker, options, packets,
      [&](uint32_t i) { timed_stages(rig, port, *burst, i, options.burst, stages); });
  for (size_t i = 0; i < stages.size(); ++i) cost.stage_cycles[i] = stages[i].finish().calm;
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
    const double cost = turns.finish().calm;
    costs.push_back(cost);
    rates.push_back(hz / cost / 1e6);
  }
  return {spread(costs), spread(rates)};
}

}  // namespace nezu::bench
