// What the known-bad device does to frames: loses, delays, duplicates, reorders, damages, limits.
//
// One thread. Pure: frames are handles, time is an argument, chance comes from a seed, so that the
// same frames get the same fate in each run. It counts each thing that it did; the analyser is
// right when it counts the same.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace nezu::generator {

struct ImpairmentOptions {
  double lose = 0;       ///< share of frames, 0 to 1
  double duplicate = 0;  ///< share: sent twice
  double damage = 0;     ///< share: one bit behind the Ethernet header is turned over
  double swap = 0;       ///< share: sent after the frame that came next
  uint64_t delay = 0;    ///< of each frame, in units of `now`
  double rate = 0;       ///< frames a unit of `now`; 0: no limit
  double burst = 64;     ///< frames that may pass at once where there is a limit
  uint64_t seed = 1;
};

struct ImpairmentCounts {
  uint64_t received = 0, sent = 0;
  uint64_t lost = 0;     ///< by chance
  uint64_t limited = 0;  ///< over the rate
  uint64_t duplicated = 0, damaged = 0, swapped = 0;
  std::string to_json() const;
};

/// One direction. What it is given it owns until it gives it back by `due`, or by `dropped`.
class Impairment {
 public:
  explicit Impairment(const ImpairmentOptions& options);

  /// What is to be done with a frame right now, besides queueing it.
  struct Fate {
    bool dropped = false;    ///< the caller frees it
    bool duplicate = false;  ///< the caller makes a copy and gives it to `queue_copy`
    uint64_t damage = 0;     ///< not 0: turn over the bit of this number (modulo the frame's bits)
  };
  Fate receive(void* frame, uint64_t now);
  void queue_copy(void* frame, uint64_t now) { queue(frame, now); }

  /// The next frame whose time has come; null: none.
  void* due(uint64_t now);
  /// A frame that waits for its successor leaves anyway: nothing else comes.
  void let_go(uint64_t now);
  bool empty() const { return waiting_.empty() && held_ == nullptr; }
  const ImpairmentCounts& counts() const { return counts_; }

 private:
  bool chance(double share);
  uint64_t random();
  bool is_over_rate(uint64_t now);
  void queue(void* frame, uint64_t now) { waiting_.push_back({frame, now + options_.delay}); }

  struct Waiting {
    void* frame;
    uint64_t at;
  };
  ImpairmentOptions options_;
  ImpairmentCounts counts_;
  std::deque<Waiting> waiting_;
  void* held_ = nullptr;  ///< swaps its place with the next one
  uint64_t state_;
  double tokens_;
  uint64_t refilled_ = 0;
};

}  // namespace nezu::generator
