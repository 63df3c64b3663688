// One trial: what was asked for, what was counted. What the methods and the engine talk about.
//
// One thread. Rates are frames a second in each way that is used; times are in seconds, latencies
// in nanoseconds.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/generator/histogram.h"
#include "bench/generator/mix.h"
#include "bench/generator/stamp.h"

namespace nezu::generator {

struct TrialPlan {
  std::string purpose;   ///< for people: "throughput 64", "loss 90 %"
  Mix mix = single(64);  ///< sizes as the left side sees them
  double rate = 0;       ///< of each way; 0: as fast as the port takes
  double seconds = 1;    ///< how long is sent
  uint64_t frames = 0;   ///< of each way instead; 0: by time
  bool to_right = true, to_left = false;
  /// Each flow is answered by the server that it was sent to last, not by the one that was learnt.
  /// Of mixes with one size.
  bool answers_follow = false;
  /// Goes on after `seconds` until this says so (changes under traffic); asked often.
  std::function<bool()> until;
};

/// Of one group: a way and a size.
struct GroupCounts {
  Way way = Way::to_right;
  uint32_t size = 0;        ///< as the sender sees it, with FCS
  uint64_t sent = 0;        ///< what was offered: given to the port, or refused by a full wire
  uint64_t refused = 0;     ///< of these: the wire had no room
  uint64_t silent = 0;      ///< of these: came to a server that is mute, or was due from one
  uint64_t delivered = 0;   ///< came, once, intact
  uint64_t duplicates = 0;  ///< came again
  uint64_t reordered = 0;   ///< delivered after one that was sent later
  uint64_t extent = 0;      ///< how far behind the worst of them was
  uint64_t beyond = 0;      ///< too late to be told from a duplicate: not delivered
  Histogram latency;        ///< TSC cycles, of what was delivered
  uint64_t lost() const { return sent - delivered; }
};

struct TrialResult {
  TrialPlan plan;
  uint8_t number = 0;    ///< in its stamps
  double seconds = 0;    ///< from the first to the last frame offered
  uint64_t skipped = 0;  ///< frames that the generator was too late to offer
  std::vector<GroupCounts> groups;
  uint64_t corrupted = 0;                                      ///< came changed: not delivered
  uint64_t icmp = 0, tcp = 0, other = 0, stale = 0;            ///< what else came
  uint64_t port_sent = 0, port_received = 0, port_missed = 0;  ///< by the ports' own counters
  uint64_t asked = 0, answered = 0;  ///< floods: for the gateway's MAC, beside the frames
  uint64_t unanswered = 0;           ///< of these: most in a row
  double longest_pause = 0;          ///< seconds between two turns of the loop
  double bounce_ns = 0;              ///< a line's way to another core and back; 0: not asked
  bool slow = false;                 ///< that was much longer than the shortest so far
  uint32_t repeated = 0;  ///< trials that were left out before this one, being slow or short

  uint64_t sent() const;
  uint64_t delivered() const;
  uint64_t lost() const { return sent() - delivered(); }
  uint64_t silent() const;
  double loss() const;          ///< share of what was offered, 0 to 1
  double offered_rate() const;  ///< of each way, as offered
  double delivered_rate() const;
  /// It offered less than was asked for: nothing is said about the device.
  bool is_short() const;
};

/// The engine, or a device that a test made up.
class Trials {
 public:
  virtual ~Trials() = default;
  virtual TrialResult run(const TrialPlan& plan) = 0;
};

}  // namespace nezu::generator
