// The methods about connections, on the engine.
#include <rte_cycles.h>

#include <algorithm>
#include <cstdio>
#include <stdexcept>

#include "bench/generator/connection_methods.h"
#include "bench/generator/session.h"

namespace nezu::generator {
namespace {

/// Clients' ends that there is memory for.
constexpr uint64_t kMost = 1 << 20;

void set_ends(results::Ends& out, const ConnectionCounts& counts) {
  out.set_attempted(counts.attempted);
  out.set_established(counts.established);
  out.set_completed(counts.completed);
  out.set_closed(counts.closed);
  out.set_failed(counts.failed);
  out.set_resets(counts.resets);
  out.set_retransmitted(counts.retransmitted);
  out.set_accepted(counts.accepted);
  out.set_served(counts.served);
  out.set_skipped(counts.skipped);
  out.set_moved(counts.moved);
  out.set_checks(counts.checks);
}

double share(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

void Session::attend(Connections* connections) {
  attending_ = connections != nullptr ? connections : &servers_;
  engine_.set_connections(attending_);
}

ConnectionOptions Session::connection_options(uint64_t most) const {
  ConnectionOptions out;
  const EngineOptions& engine = options_.engine;
  out.clients = engine.clients;
  out.client_ports = engine.client_ports;
  out.targets = net::expand(engine.targets.value_or(engine.servers), 65536);
  out.target_port = engine.target_ports.first;
  out.request = options_.request;
  out.response = options_.response;
  out.most = most;
  if (engine.right) out.checker = engine.right->gateway;
  out.hz = engine_.tsc_hz();
  out.retransmit_seconds = options_.retransmit;
  out.seed = engine.seed;
  return out;
}

void Session::run_connections(Connections& connections,
                              const std::function<bool(uint64_t now)>& over) {
  engine_.set_connections(&connections);
  engine_.run_segments([&](uint64_t now) {
    progress_.note(connections.counts().attempted, connections.counts().completed);
    return over(now);
  });
  engine_.set_connections(attending_);
}

void Session::find_connections() {
  if (options_.most == 0) {
    throw std::runtime_error("connections: --most, the highest rate to try, is missing");
  }
  MethodOptions method;
  method.most = options_.most;
  method.resolution = options_.resolution / 100;
  method.deciding_seconds = options_.sustain;
  method.short_seconds = std::min(options_.short_seconds, options_.sustain);
  progress_.begin("connections", options_.sustain, "connections");
  const auto run = [&](Connections& connections, const std::function<bool(uint64_t)>& over) {
    run_connections(connections, over);
  };
  const ConnectionRate found =
      find_connection_rate(connection_options(kMost), method, run, [] { return rte_rdtsc(); });
  results::ConnectionRate& out = *results_.add_connection_rate();
  out.set_per_second(found.rate);
  out.set_limited_by(to_string(found.limit));
  out.set_sustained_s(found.sustained);
  for (const ConnectionAttempt& attempt : found.attempts) {
    results::ConnectionAttempt& one = *out.add_attempts();
    one.set_rate(attempt.rate);
    one.set_seconds(attempt.seconds);
    set_ends(*one.mutable_ends(), attempt.counts);
    one.set_deciding(attempt.deciding);
    one.set_passed(attempt.passed);
    one.set_short_(attempt.is_short);
    if (!attempt.deciding || !attempt.passed) continue;
    out.set_failed_share(share(attempt.counts.failed, attempt.counts.attempted));
    out.set_reset_share(share(attempt.counts.resets, attempt.counts.attempted));
    out.clear_seconds();
    for (size_t second = 0; second < attempt.per_second.size(); ++second) {
      results::Point& point = *out.add_seconds();
      point.set_x(static_cast<double>(second + 1));
      point.set_y(attempt.per_second[second]);
    }
  }
  char text[96];
  std::snprintf(text, sizeof text, "connections: %.0f a second for %.0f s, limited by %s",
                found.rate, found.sustained, to_string(found.limit));
  progress_.say(text);
}

void Session::hold() {
  const auto run = [&](Connections& connections, const std::function<bool(uint64_t)>& over) {
    run_connections(connections, over);
  };
  const ConnectionOptions connections = connection_options(std::max(kMost, options_.connections));
  progress_.begin("concurrent connections", options_.hold, "connections");
  const Concurrent found = hold_connections(connections, options_.connections, options_.ramp,
                                            options_.hold, run, [] { return rte_rdtsc(); });
  results::Concurrent& out = *results_.add_concurrent();
  out.set_wanted(found.wanted);
  out.set_opened(found.opened);
  out.set_held(found.held);
  out.set_broken(found.broken);
  out.set_ramp_per_second(options_.ramp);
  out.set_hold_s(options_.hold);
  set_ends(*out.mutable_ends(), found.counts);
  for (const auto& [second, open] : found.open) {
    results::Point& point = *out.add_open();
    point.set_x(second);
    point.set_y(open);
  }
  progress_.say("concurrent connections: " + std::to_string(found.opened) + " opened, " +
                std::to_string(found.held) + " held, " + std::to_string(found.broken) + " broken");
}

}  // namespace nezu::generator
