// The methods of RFC 9411 7.2 and 7.5 that a load balancer is judged by: new connections a second,
// and connections at once.
//
// One thread; pure but for `run`: the engine's, or a test's. Rates are connections a second.
#pragma once

#include <functional>
#include <vector>

#include "bench/generator/connections.h"
#include "bench/generator/methods.h"

namespace nezu::generator {

/// Moves segments until it is told that it is over, asked often with the time.
using Running = std::function<void(Connections&, const std::function<bool(uint64_t now)>& over)>;
using Clock = std::function<uint64_t()>;

/// More than this share of failed connections, or of unexpected RSTs, does not pass (RFC 9411).
inline constexpr double kMostFailed = 0.00001;

struct ConnectionAttempt {
  double rate = 0, seconds = 0;
  ConnectionCounts counts;
  bool deciding = false, is_short = false, passed = false;
  std::vector<double> per_second;  ///< completed
};

struct ConnectionRate {
  double rate = 0;
  LimitedBy limit = LimitedBy::device;
  double sustained = 0;  ///< seconds
  std::vector<ConnectionAttempt> attempts;
};
/// Opens `rate` connections a second for so long, each with one question and answer, then closed.
ConnectionAttempt try_connections(const ConnectionOptions& options, double rate, double seconds,
                                  const Running& run, const Clock& clock);
/// The highest rate, by search.
ConnectionRate find_connection_rate(const ConnectionOptions& options, const MethodOptions& method,
                                    const Running& run, const Clock& clock);

struct Concurrent {
  uint64_t wanted = 0;
  uint64_t opened = 0;  ///< all at once
  uint64_t held = 0;    ///< answered at the end of the hold, by the server that answered before
  uint64_t broken = 0;
  ConnectionCounts counts;
  std::vector<std::pair<double, double>> open;  ///< second, connections
};
/// Ramps up, verifies each one again and again while it holds (once at least), tears down.
Concurrent hold_connections(const ConnectionOptions& options, uint64_t wanted, double ramp,
                            double hold_seconds, const Running& run, const Clock& clock);

}  // namespace nezu::generator
