#include "bench/generator/connection_methods.h"

#include <algorithm>

#include "bench/generator/search.h"

namespace nezu::generator {
namespace {

constexpr double kEnough = 0.995;

bool passes(const ConnectionCounts& counts) {
  const double most = kMostFailed * static_cast<double>(counts.attempted);
  return counts.attempted != 0 && static_cast<double>(counts.failed) <= most &&
         static_cast<double>(counts.resets) <= most;
}

/// Calls `each` with every second that has passed since `start`.
class Seconds {
 public:
  Seconds(uint64_t start, double hz) : next_(start + static_cast<uint64_t>(hz)), hz_(hz) {}
  template <typename Each>
  void at(uint64_t now, Each each) {
    while (now >= next_) {
      each(static_cast<double>(++count_));
      next_ += static_cast<uint64_t>(hz_);
    }
  }

 private:
  uint64_t next_;
  double hz_;
  uint64_t count_ = 0;
};

}  // namespace

ConnectionAttempt try_connections(const ConnectionOptions& options, double rate, double seconds,
                                  const Running& run, const Clock& clock) {
  Connections connections(options);
  ConnectionAttempt attempt;
  attempt.rate = rate;
  attempt.seconds = seconds;
  const auto wanted = static_cast<uint64_t>(rate * seconds);
  const uint64_t start = clock();
  const uint64_t end = start + static_cast<uint64_t>(seconds * options.hz);
  connections.open(rate, std::max<uint64_t>(wanted, 1), true, start);
  Seconds each(start, options.hz);
  uint64_t before = 0;
  run(connections, [&](uint64_t now) {
    each.at(now, [&](double) {
      const uint64_t completed = connections.counts().completed;
      attempt.per_second.push_back(static_cast<double>(completed - before));
      before = completed;
    });
    // Nobody begins late: what was not opened in its time was not offered.
    if (now >= end) connections.stop();
    return connections.settled();
  });
  attempt.counts = connections.counts();
  attempt.is_short =
      static_cast<double>(attempt.counts.attempted) < kEnough * static_cast<double>(wanted);
  attempt.passed = passes(attempt.counts) && !attempt.is_short;
  return attempt;
}

ConnectionRate find_connection_rate(const ConnectionOptions& options, const MethodOptions& method,
                                    const Running& run, const Clock& clock) {
  ConnectionRate found;
  Search search({0, method.most, method.resolution, method.short_seconds, method.deciding_seconds});
  double lowest_failed = 0;
  while (!search.done()) {
    ConnectionAttempt attempt =
        try_connections(options, search.rate(), search.seconds(), run, clock);
    attempt.deciding = search.is_deciding();
    if (!attempt.passed && (lowest_failed == 0 || attempt.rate < lowest_failed)) {
      lowest_failed = attempt.rate;
      found.limit =
          attempt.is_short && passes(attempt.counts) ? LimitedBy::generator : LimitedBy::device;
    }
    if (attempt.passed && attempt.deciding) found.sustained = attempt.seconds;
    search.tell(attempt.passed);
    found.attempts.push_back(std::move(attempt));
  }
  found.rate = search.found();
  if (search.is_limited_by_most()) found.limit = LimitedBy::most;
  return found;
}

Concurrent hold_connections(const ConnectionOptions& options, uint64_t wanted, double ramp,
                            double hold_seconds, const Running& run, const Clock& clock) {
  Connections connections(options);
  Concurrent out;
  out.wanted = wanted;
  const uint64_t start = clock();
  Seconds each(start, options.hz);
  const auto until_settled = [&](uint64_t now) {
    each.at(now, [&](double second) {
      out.open.emplace_back(second, static_cast<double>(connections.alive()));
    });
    return connections.settled();
  };
  connections.open(ramp, wanted, false, start);
  run(connections, until_settled);
  out.opened = connections.held();
  const uint64_t end = clock() + static_cast<uint64_t>(hold_seconds * options.hz);
  do {
    connections.ask_all(ramp, clock());
    run(connections, until_settled);
  } while (clock() < end && connections.held() != 0);
  out.held = connections.held();
  out.broken = out.opened - out.held;
  connections.close_all(ramp, clock());
  run(connections, until_settled);
  out.counts = connections.counts();
  return out;
}

}  // namespace nezu::generator
