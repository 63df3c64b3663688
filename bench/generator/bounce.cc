#include "bench/generator/bounce.h"

#include <pthread.h>
#include <x86intrin.h>

#include <atomic>
#include <thread>
#include <vector>

#include "bench/generator/statistics.h"

namespace nezu::generator {
namespace {

constexpr uint32_t kBounces = 500;

struct Lines {
  alignas(64) std::atomic<uint32_t> there{0};
  alignas(64) std::atomic<uint32_t> back{0};
};

void answer(Lines& lines, int core) {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(static_cast<size_t>(core), &cpus);
  ::pthread_setaffinity_np(::pthread_self(), sizeof cpus, &cpus);
  for (uint32_t i = 1; i <= kBounces; ++i) {
    while (lines.there.load(std::memory_order_acquire) < i) {
    }
    lines.back.store(i, std::memory_order_release);
  }
}

}  // namespace

double bounce_nanoseconds(int core, double tsc_hz) {
  Lines lines;
  std::thread other([&] { answer(lines, core); });
  std::vector<double> times;
  for (uint32_t i = 1; i <= kBounces; ++i) {
    const uint64_t from = __rdtsc();
    lines.there.store(i, std::memory_order_release);
    while (lines.back.load(std::memory_order_acquire) < i) {
    }
    times.push_back(static_cast<double>(__rdtsc() - from));
  }
  other.join();
  return median(times) / tsc_hz * 1e9;
}

}  // namespace nezu::generator
