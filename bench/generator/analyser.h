// Counts what comes back of a trial.
//
// One thread. The sender notes what it offered; each received frame is read and noted once. A frame
// of another trial is stale and counts for nothing else.
#pragma once

#include <memory>
#include <vector>

#include "bench/generator/reading.h"
#include "bench/generator/sequence.h"
#include "bench/generator/trial.h"

namespace nezu::generator {

class Analyser {
 public:
  /// Begins anew. `sizes`: of the groups of each way, as their sender sees them.
  void begin(uint8_t trial, const std::vector<uint32_t>& to_right,
             const std::vector<uint32_t>& to_left);

  void note_sent(uint8_t group, uint64_t frames) { groups_[group].counts.sent += frames; }
  void note_refused(uint8_t group, uint64_t frames) { groups_[group].counts.refused += frames; }
  void note_silent(uint8_t group, uint64_t frames) { groups_[group].counts.silent += frames; }
  /// `now`: TSC when it was received.
  void note(const Reading& reading, uint64_t now);

  uint64_t delivered() const { return delivered_; }
  /// The groups that were used, and the other counts; what only the engine knows is left alone.
  void fill(TrialResult& result) const;

 private:
  struct Group {
    GroupCounts counts;
    Sequence sequence;
    bool used = false;
  };
  std::vector<Group> groups_ = std::vector<Group>(kGroups);
  uint8_t trial_ = 0;
  uint64_t delivered_ = 0, corrupted_ = 0, icmp_ = 0, tcp_ = 0, other_ = 0, stale_ = 0;
};

}  // namespace nezu::generator
