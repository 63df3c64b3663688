// DPDK's environment: started once, by the main thread, before anything else here.
//
// It pins the main thread and the lcores that it was given. Worker threads that have no lcore of
// their own are ordinary threads, registered so that they may use buffers.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace nezu::device {

class Eal {
 public:
  /// `arguments`: what stood behind `--`, unchanged. Throws std::runtime_error when EAL refuses.
  Eal(const std::string& program, const std::vector<std::string>& arguments);
  ~Eal();
  Eal(const Eal&) = delete;
  Eal& operator=(const Eal&) = delete;

  /// How many lcores there are besides the main one.
  static uint32_t worker_lcores();
};

/// Runs one function for each worker, each on a thread of its own: on EAL's lcores when there are
/// enough for all, else on threads that may run on any CPU the process could use at first.
class Threads {
 public:
  Threads(const Eal& eal, std::vector<std::function<void()>> workers);
  ~Threads() { join(); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
  void join();
  bool pinned() const { return pinned_; }

 private:
  std::vector<std::function<void()>> workers_;
  std::vector<std::thread> threads_;
  std::vector<uint32_t> lcores_;
  bool pinned_ = false;
};

/// Cycles of the time stamp counter in a second.
uint64_t tsc_hz();
inline uint64_t tsc() { return __builtin_ia32_rdtsc(); }

}  // namespace nezu::device
