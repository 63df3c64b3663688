// What all kinds of probe have in common: started with a ticket, they tell their outcome once.
//
// Engine thread only. A new kind is one file with a Prober, a value of Kind, and a line in
// `Runner`'s list (runner.cc).
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "controlplane/health/check.h"

namespace nezu::health {

struct Outcome {
  enum class Kind : uint8_t {
    success,
    failure,  ///< the server's
    broken,   ///< our own: nothing was learnt about the server
  };
  Kind kind = Kind::failure;
  std::string text;       ///< for people: what was seen
  uint64_t bytes = 0;     ///< received
  std::string line = {};  ///< kind agent: what it said, as it came
};

/// Names one probe; never used twice.
enum class Ticket : uint64_t {};

using Finish = std::function<void(Ticket, Outcome)>;

class Prober {
 public:
  virtual ~Prober() = default;
  /// May finish before it returns. The check outlives the probe.
  virtual void start(Ticket ticket, const Check& check) = 0;
  /// Ends a probe without a call of Finish and tells how far it came, as in "no connection".
  virtual Outcome abandon(Ticket ticket) = 0;
};

/// Whether an error of socket() or connect() says something about this host rather than the peer.
bool is_own_fault(int error);
/// "connection refused": errno in the words of the C library, first letter small.
std::string error_text(int error);

}  // namespace nezu::health
