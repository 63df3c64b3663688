// One epoll set and a heap of timers: the engine thread's event loop.
//
// Everything is called on the loop's own thread, except `wake`. A callback may add and remove
// watches and timers, its own included.
#pragma once

#include <sys/epoll.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <unordered_map>
#include <utility>
#include <vector>

#include "controlplane/health/verdict.h"

namespace nezu::health {

/// A descriptor that closes itself.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor() { reset(); }
  void reset();
  int get() const { return fd_; }
  bool exists() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

class Loop {
 public:
  using Ready = std::function<void(uint32_t epoll_events)>;
  using Expired = std::function<void()>;
  enum class Timer : uint64_t { none = 0 };

  /// Throws std::system_error when the kernel refuses.
  Loop();

  /// One watch for each descriptor; to watch it again changes what is waited for.
  void watch(int fd, uint32_t epoll_events, Ready ready);
  void forget(int fd);

  Timer at(Time when, Expired expired);
  void cancel(Timer& timer);

  /// One turn: waits for something to do (at most `longest`), serves sockets, then timers. When
  /// this thread was held up (a slow callback, a busy or suspended machine) all timers are
  /// postponed by as much: no peer is blamed for our own delay.
  void turn(std::chrono::milliseconds longest);
  /// Any thread: ends the wait of the current or the next turn.
  void wake();

  static Time now() { return std::chrono::steady_clock::now(); }

 private:
  struct Watch {
    int fd;
    Ready ready;
  };
  struct Pending {
    Time when;
    uint64_t id;
    bool operator>(const Pending& other) const { return when > other.when; }
  };
  int milliseconds_to_wait(std::chrono::milliseconds longest) const;
  void drop_cancelled();
  void serve_sockets(int count, const epoll_event* events);
  void serve_timers();
  void postpone_if_held_up(Time expected);
  void postpone(std::chrono::nanoseconds delay);

  Descriptor epoll_;
  Descriptor wake_;
  Time last_seen_ = now();  // when the thread last looked at the clock here
  uint64_t next_id_ = 1;
  // Events carry the watch's id, not its descriptor: within one batch a descriptor can be closed
  // and its number given to another.
  std::unordered_map<uint64_t, std::shared_ptr<Watch>> watches_;
  std::unordered_map<int, uint64_t> watch_of_;
  std::unordered_map<uint64_t, Expired> timers_;
  std::priority_queue<Pending, std::vector<Pending>, std::greater<>> due_;
};

}  // namespace nezu::health
