// The way over another worker: what it adds in one thread, and what two cores make of it.
#include <pthread.h>
#include <x86intrin.h>

#include <atomic>
#include <thread>

#include "bench/path/measure.h"
#include "bench/path/port.h"
#include "bench/path/turns.h"
#include "dataplane/steer/handover.h"

namespace nezu::bench {
namespace {

constexpr uint16_t kOwner = 0, kStranger = 1;

class Pair {
 public:
  Pair(Rig& rig, const Options& options)
      : rig_(rig), burst_size_(options.burst), port_(kHotBuffers, options.huge) {}

  Port& port() { return port_; }
  /// The packets come in at a worker that does not own them.
  void give(Port& port, uint32_t from) {
    const tables::View view = rig_.view(kStranger);
    port.receive(theirs_, from, burst_size_);
    rig_.path(kStranger).receive(theirs_, view, rig_.routes(), rig_.now());
    handover_.give(kStranger, theirs_, rig_.line(kStranger));
    rig_.path(kStranger).housekeep(view, rig_.routes(), rig_.now());
  }
  /// How many came out of the ring.
  uint32_t take(Port& port) {
    std::array<steer::Given, net::kBurstCapacity> given;
    own_.count = handover_.take(kOwner, given);
    if (own_.count == 0) return 0;
    for (uint32_t i = 0; i < own_.count; ++i) {
      Port::arrive(own_.packets[i], given[i].buffer);
      own_.packets[i].ports = given[i].ports;
      own_.packets[i].knows_ports = given[i].knows_ports;
    }
    const tables::View view = rig_.view(kOwner);
    rig_.path(kOwner).take(own_, view, rig_.routes(), rig_.now());
    port.send(own_);
    rig_.path(kOwner).housekeep(view, rig_.routes(), rig_.now());
    return own_.count;
  }

 private:
  Rig& rig_;
  uint32_t burst_size_;
  Port port_;
  steer::Handover handover_{2};
  Burst theirs_, own_;
};

void fill(Port& port, Picker& picker) {
  for (uint32_t i = 0; i < port.size(); ++i) port.fill(i, picker.next_of(kOwner));
}

void in_one_thread(Rig& rig, const Options& options, Pair& pair, HandOver& result) {
  Port& port = pair.port();
  Picker picker(rig, options.one_way);
  auto burst = std::make_unique<Burst>();
  Turns turns(options.burst);
  std::vector<double> costs[2], more;
  for (uint32_t round = 0; round < 2 * (options.runs + 1); ++round) {
    const bool over = (round & 1) != 0;
    for (uint64_t done = 0; done < options.packets; done += port.size()) {
      fill(port, picker);
      for (uint32_t i = 0; i < port.size(); i += options.burst) {
        turns.time([&] {
          if (!over) return turn(rig, port, *burst, i, options.burst);
          pair.give(port, i);
          pair.take(port);
        });
      }
    }
    const double cost = turns.finish().calm;
    if (round < 2) continue;  // to warm up
    costs[over].push_back(cost);
    if (over) more.push_back(cost - costs[0].back());
  }
  result.without = spread(costs[0]);
  result.with = spread(costs[1]);
  result.more = spread(more);
}

/// A line's way to the other core and back, while both look at it.
struct Bounce {
  alignas(64) std::atomic<uint32_t> there{0};
  alignas(64) std::atomic<uint32_t> back{0};
};
constexpr uint32_t kBounces = 2000;

void answer_bounces(Bounce& bounce) {
  for (uint32_t i = 1; i <= kBounces; ++i) {
    while (bounce.there.load(std::memory_order_acquire) < i) {
    }
    bounce.back.store(i, std::memory_order_release);
  }
}
double cycles_of_bounce(Bounce& bounce) {
  const uint64_t from = __rdtsc();
  for (uint32_t i = 1; i <= kBounces; ++i) {
    bounce.there.store(i, std::memory_order_release);
    while (bounce.back.load(std::memory_order_acquire) < i) {
    }
  }
  return static_cast<double>(__rdtsc() - from) / kBounces;
}

/// Packets that are on their way: fewer than the ring holds, so that none is dropped.
constexpr uint32_t kOnTheWay = 768;

void on_two_cores(Rig& rig, const Options& options, Pair& pair, int core, HandOver& result) {
  Port port(kColdBuffers, options.huge);
  Picker picker(rig, options.one_way);
  struct Round {
    double packet, bounce;
  };
  std::vector<Round> rounds;
  const double hz = tsc_hz();
  for (uint32_t round = 0; round < 8 * options.runs; ++round) {
    fill(port, picker);
    Bounce before, after;
    alignas(64) std::atomic<uint32_t> taken{0};
    std::thread receiver([&] {
      cpu_set_t cores;
      CPU_ZERO(&cores);
      CPU_SET(static_cast<unsigned>(core), &cores);
      ::pthread_setaffinity_np(::pthread_self(), sizeof cores, &cores);
      answer_bounces(before);
      for (uint32_t i = 0; i < port.size(); i += options.burst) {
        while (i - taken.load(std::memory_order_acquire) > kOnTheWay) {
        }
        pair.give(port, i);
      }
      answer_bounces(after);
    });
    const double first = cycles_of_bounce(before);
    const uint64_t from = __rdtsc();
    for (uint32_t done = 0; done < port.size();) {
      if (const uint32_t came = pair.take(port); came != 0) {
        taken.store(done += came, std::memory_order_release);
      }
    }
    const uint64_t took = __rdtsc() - from;
    const double second = cycles_of_bounce(after);
    receiver.join();
    rounds.push_back({static_cast<double>(took) / port.size(), std::max(first, second) / hz * 1e9});
  }
  const double shortest = std::min_element(rounds.begin(), rounds.end(), [](Round a, Round b) {
                            return a.bounce < b.bounce;
                          })->bounce;
  std::vector<double> packets, bounces;
  for (const Round& round : rounds) {
    if (round.bounce > 1.5 * shortest) continue;
    packets.push_back(round.packet);
    bounces.push_back(round.bounce);
  }
  result.kept = packets.size();
  result.apart = spread(packets);
  result.bounce = spread(bounces);
}

}  // namespace

HandOver measure_hand_over(Rig& rig, const Options& options, int core) {
  HandOver result;
  Pair pair(rig, options);
  in_one_thread(rig, options, pair, result);
  if (core >= 0) on_two_cores(rig, options, pair, core, result);
  return result;
}

}  // namespace nezu::bench
