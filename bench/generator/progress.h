// What is going on, for people: a line a second on the terminal.
//
// The loop writes counters, a thread of its own prints them, on any CPU but the loop's.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

namespace nezu::generator {

class Progress {
 public:
  /// `on`: false is silent. `loop_cpu`: of the loop.
  Progress(bool on, int loop_cpu);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// What begins, and how long it will take; not from within the loop.
  void begin(const std::string& what, double seconds, const std::string& unit = "frames");
  /// A sentence of its own, at once.
  void say(const std::string& sentence);
  /// How many trials are left of this method, at a guess.
  void set_left(uint32_t trials) { left_.store(trials, std::memory_order_relaxed); }
  /// By the loop, now and then.
  void note(uint64_t sent, uint64_t delivered) {
    sent_.store(sent, std::memory_order_relaxed);
    delivered_.store(delivered, std::memory_order_relaxed);
  }

 private:
  void run(int loop_cpu);
  bool on_;
  std::atomic<uint64_t> sent_{0}, delivered_{0};
  std::atomic<uint32_t> left_{0};
  std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  std::string what_, unit_;
  double seconds_ = 0;
  uint64_t began_ = 0;  ///< counts `begin`s
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace nezu::generator
