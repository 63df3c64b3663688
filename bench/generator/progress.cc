#include "bench/generator/progress.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace nezu::generator {
namespace {

/// Where the process may run, without the loop's own CPU when there is another.
void leave(int loop_cpu) {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  const long count = ::sysconf(_SC_NPROCESSORS_ONLN);
  for (long cpu = 0; cpu < count; ++cpu) {
    if (cpu != loop_cpu || count == 1) CPU_SET(static_cast<size_t>(cpu), &cpus);
  }
  ::pthread_setaffinity_np(::pthread_self(), sizeof cpus, &cpus);
}

}  // namespace

Progress::Progress(bool on, int loop_cpu) : on_(on) {
  if (on_) thread_ = std::thread([this, loop_cpu] { run(loop_cpu); });
}

Progress::~Progress() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Progress::begin(const std::string& what, double seconds, const std::string& unit) {
  const std::lock_guard lock(mutex_);
  what_ = what;
  unit_ = unit;
  seconds_ = seconds;
  ++began_;
  note(0, 0);
}

void Progress::say(const std::string& sentence) {
  if (on_) std::fprintf(stderr, "%s\n", sentence.c_str());
}

void Progress::run(int loop_cpu) {
  leave(loop_cpu);
  std::unique_lock lock(mutex_);
  uint64_t began = 0, last = 0;
  auto start = std::chrono::steady_clock::now();
  while (!changed_.wait_for(lock, std::chrono::seconds(1), [this] { return stop_; })) {
    if (began != began_) {
      began = began_;
      start = std::chrono::steady_clock::now();
      last = 0;
    }
    const uint64_t sent = sent_.load(std::memory_order_relaxed);
    if (sent < last) last = 0;  // the next trial of the same method
    if (sent == last) continue;
    const double passed =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const double lost =
        static_cast<double>(sent - std::min(sent, delivered_.load(std::memory_order_relaxed)));
    std::fprintf(stderr,
                 "%s: %.0f %s/s, not back yet %.0f (%.4f %%), %.0f s left, %u trials left\n",
                 what_.c_str(), static_cast<double>(sent - last), unit_.c_str(), lost,
                 100 * lost / static_cast<double>(sent), std::max(0.0, seconds_ - passed),
                 left_.load(std::memory_order_relaxed));
    last = sent;
  }
}

}  // namespace nezu::generator
