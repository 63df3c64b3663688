// What else a packet may feel: its wait for a turn, pushes of the control plane, and everything
// that can be switched on.
#include <pthread.h>
#include <x86intrin.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <memory>
#include <thread>

#include "bench/path/measure.h"
#include "bench/path/port.h"
#include "bench/path/turns.h"

namespace nezu::bench {
namespace {

/// When packets come, in cycles from the start: independent of each other.
std::vector<uint64_t> arrivals(uint32_t count, double cycles_between) {
  Random random;
  std::vector<uint64_t> times(count);
  double at = 0;
  for (uint64_t& time : times) {
    const double chance = (static_cast<double>(random.next() >> 11) + 1) * 0x1p-53;
    at -= std::log(chance) * cycles_between;
    time = static_cast<uint64_t>(at);
  }
  return times;
}

double percentile(std::vector<uint32_t>& values, double share) {
  const auto at =
      values.begin() + static_cast<ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace

// Each turn takes what has come by then, as a poll of a port does.
Latency measure_latency(Rig& rig, const Options& options, double cycles_per_packet, double load) {
  constexpr double kAlone = 20000;  // cycles between packets that never meet
  constexpr uint32_t kRounds = 40;
  Port port(kHotBuffers, options.huge);
  Picker picker(rig, options.one_way);
  auto burst = std::make_unique<Burst>();
  const double between = load == 0 ? kAlone : cycles_per_packet / load;
  std::vector<uint32_t> waits;
  uint64_t bursts = 0;
  for (uint32_t round = 0; round < kRounds; ++round) {
    for (uint32_t i = 0; i < port.size(); ++i) port.fill(i, picker.next());
    const std::vector<uint64_t> times = arrivals(port.size(), between);
    const uint64_t start = __rdtsc();
    for (uint32_t next = 0; next < port.size();) {
      const uint64_t now = __rdtsc() - start;
      uint32_t count = 0;
      while (next + count < port.size() && count < options.burst && times[next + count] <= now) {
        ++count;
      }
      if (count == 0) {
        rig.path().housekeep(rig.view(), rig.routes(), rig.now());
        continue;
      }
      turn(rig, port, *burst, next, count);
      const uint64_t sent = __rdtsc() - start;
      for (uint32_t i = 0; i < count; ++i) {
        waits.push_back(static_cast<uint32_t>(sent - times[next + i]));
      }
      next += count;
      ++bursts;
    }
  }
  const double us = tsc_hz() / 1e6;
  Latency latency;
  latency.load = load;
  latency.packets_a_burst = static_cast<double>(waits.size()) / static_cast<double>(bursts);
  latency.p50 = percentile(waits, 0.50) / us;
  latency.p99 = percentile(waits, 0.99) / us;
  return latency;
}

Pushes measure_pushes(Rig& rig, const Options& options, int core) {
  std::atomic<bool> stop{false}, pushing{false};
  std::atomic<uint32_t> pushed{0};
  std::thread writer([&] {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(static_cast<unsigned>(core), &cores);
    ::pthread_setaffinity_np(::pthread_self(), sizeof cores, &cores);
    auto next = std::chrono::steady_clock::now();
    while (!stop.load(std::memory_order_relaxed)) {
      next += std::chrono::milliseconds(1);
      std::this_thread::sleep_until(next);
      if (pushing.load(std::memory_order_relaxed)) rig.push(++pushed);
    }
  });
  Port port(options.cold ? kColdBuffers : kHotBuffers, options.huge);
  Picker picker(rig, options.one_way);
  auto burst = std::make_unique<Burst>();
  Turns turns(options.burst);
  std::vector<double> costs[2], ratios;
  double seconds = 0;
  for (uint32_t round = 0; round < 2 * (options.runs + 1); ++round) {
    const bool on = (round & 1) != 0;
    pushing = on;
    const auto from = std::chrono::steady_clock::now();
    for (uint64_t done = 0; done < options.packets; done += port.size()) {
      for (uint32_t i = 0; i < port.size(); ++i) port.fill(i, picker.next());
      for (uint32_t i = 0; i < port.size(); i += options.burst) {
        turns.time([&] { turn(rig, port, *burst, i, options.burst); });
      }
    }
    if (on) {
      seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count();
    }
    const double cost = turns.finish().calm;
    if (round < 2) continue;
    costs[on].push_back(cost);
    if (on) ratios.push_back(cost / costs[0].back());
  }
  stop = true;
  writer.join();
  return {spread(costs[0]), spread(costs[1]), spread(ratios).median, pushed / seconds};
}

Everything measure_everything(const Case& what, const Options& options) {
  constexpr size_t kKinds = Everything::kKinds;
  std::array<std::unique_ptr<Rig>, kKinds> rigs;
  for (size_t kind = 0; kind < kKinds; ++kind) {
    Options own = options;
    if (kind != 0) own.services = Everything::kServices;
    own.everything = kind >= 2;
    own.metered = kind == 3;
    rigs[kind] = std::make_unique<Rig>(what, own);
    rigs[kind]->open_flows();
  }
  std::array<std::vector<double>, kKinds> costs, ratios;
  Options one = options;
  one.runs = 1;
  for (uint32_t round = 0; round < options.runs; ++round) {
    for (size_t kind = 0; kind < kKinds; ++kind) {
      const Cost cost = measure_known(*rigs[kind], one);
      if (cost.forwarded != cost.packets) return {};
      costs[kind].push_back(cost.cycles_per_packet.median);
      ratios[kind].push_back(costs[kind].back() / costs[0].back());
    }
  }
  Everything all;
  for (size_t kind = 0; kind < kKinds; ++kind) {
    all.cycles[kind] = spread(costs[kind]);
    all.to_bare[kind] = spread(ratios[kind]).median;
  }
  return all;
}

}  // namespace nezu::bench
