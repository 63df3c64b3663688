// Change under traffic: what a push, a drain, a failure or a restart costs.
//
// Frames go both ways at a constant rate while a command of the shell does the change; blocked time
// is what was lost divided by the offered rate. TCP connections held through it all are asked after
// each change.
#include <pthread.h>
#include <rte_cycles.h>
#include <sched.h>
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include "bench/generator/connections.h"
#include "bench/generator/session.h"

namespace nezu::generator {
namespace {

using Seconds = std::chrono::duration<double>;

/// A command of the shell that begins some time after this, beside the loop.
class Command {
 public:
  Command(std::string text, double after) : text_(std::move(text)) {
    thread_ = std::thread([this, after] {
      run_anywhere();
      std::this_thread::sleep_for(Seconds(after));
      const auto from = std::chrono::steady_clock::now();
      const int status = std::system(text_.c_str());
      status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      seconds_ = Seconds(std::chrono::steady_clock::now() - from).count();
      done_.store(true, std::memory_order_release);
    });
  }
  ~Command() { thread_.join(); }
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  bool done() const { return done_.load(std::memory_order_acquire); }
  int status() const { return status_; }
  double seconds() const { return seconds_; }

 private:
  /// What the shell starts inherits it: not the loop's core alone.
  static void run_anywhere() {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) CPU_SET(cpu, &cpus);
    ::pthread_setaffinity_np(::pthread_self(), sizeof cpus, &cpus);
  }
  std::string text_;
  std::thread thread_;
  std::atomic<bool> done_{false};
  int status_ = 0;
  double seconds_ = 0;
};

}  // namespace

void Session::change_once(const std::string& event, Connections* connections) {
  const size_t equal = event.find('=');
  if (equal == std::string::npos || equal == 0) {
    throw std::runtime_error("--event " + event + ": is not NAME=COMMAND");
  }
  TrialPlan plan;
  plan.mix = sizes().front();
  plan.rate = options_.rate;
  plan.to_right = options_.ways != "left";
  plan.to_left = options_.ways != "right";
  plan.purpose = "before " + event.substr(0, equal);
  plan.seconds = 2 * options_.settle;
  const TrialResult before = engine_.run(plan);

  plan.purpose = event.substr(0, equal);
  plan.seconds = options_.settle;
  const ConnectionCounts counts =
      connections != nullptr ? connections->counts() : ConnectionCounts{};
  const uint64_t held = connections != nullptr ? connections->held() : 0;
  Command command(event.substr(equal + 1), options_.settle + options_.engine.pause);
  uint64_t end = 0;
  plan.until = [&] {
    if (!command.done()) return false;
    if (end == 0) end = rte_rdtsc() + static_cast<uint64_t>(options_.settle * engine_.tsc_hz());
    return rte_rdtsc() >= end;
  };
  const TrialResult result = engine_.run(plan);

  results::Change& out = *results_.add_changes();
  out.set_name(plan.purpose);
  out.set_command(event.substr(equal + 1));
  out.set_status(command.status());
  out.set_command_s(command.seconds());
  const double offered =
      result.seconds == 0 ? 0 : static_cast<double>(result.sent()) / result.seconds;
  out.set_offered_rate(offered);
  out.set_sent(result.sent());
  out.set_lost(result.lost());
  out.set_blocked_ms(offered == 0 ? 0 : 1e3 * static_cast<double>(result.lost()) / offered);
  out.set_lost_before(before.lost());
  if (connections != nullptr) {
    connections->ask_all(options_.ramp, rte_rdtsc());
    run_connections(*connections, [&](uint64_t) { return connections->settled(); });
    engine_.set_connections(connections);
    out.set_connections(held);
    out.set_broken(held - connections->held());
    out.set_resets(connections->counts().resets - counts.resets);
  }
  char text[160];
  std::snprintf(text, sizeof text, "%s: %.3f ms blocked (%llu of %llu frames lost), %llu broken",
                plan.purpose.c_str(), out.blocked_ms(), static_cast<unsigned long long>(out.lost()),
                static_cast<unsigned long long>(out.sent()),
                static_cast<unsigned long long>(out.broken()));
  progress_.say(text);
}

void Session::change() {
  if (options_.rate == 0) throw std::runtime_error("change: --rate is missing");
  if (options_.events.empty()) throw std::runtime_error("change: --event is missing");
  Connections connections(connection_options());
  if (options_.held != 0) {
    connections.open(options_.ramp, options_.held, false, rte_rdtsc());
    run_connections(connections, [&](uint64_t) { return connections.settled(); });
    if (connections.held() != options_.held) {
      throw std::runtime_error("change: only " + std::to_string(connections.held()) + " of " +
                               std::to_string(options_.held) + " connections could be opened");
    }
    engine_.set_connections(&connections);
  }
  for (const std::string& event : options_.events) {
    change_once(event, options_.held != 0 ? &connections : nullptr);
  }
  engine_.set_connections(nullptr);
}

}  // namespace nezu::generator
