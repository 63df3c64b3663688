#include "bench/generator/event.h"

#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include "bench/generator/engine.h"

namespace nezu::generator {
namespace {

using Seconds = std::chrono::duration<double>;

/// A command of the shell that begins some time after this, beside the loop.
class Command final : public Event {
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
  ~Command() override { thread_.join(); }
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  bool done(uint64_t) override { return done_.load(std::memory_order_acquire); }
  int status() const override { return status_; }
  double seconds() const override { return seconds_; }

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

/// A server falls silent; over when all its flows have come out elsewhere, or the time is up.
class Mute final : public Event {
 public:
  Mute(const net::Address& server, double find_out, Engine& engine)
      : server_(server), most_(find_out), engine_(engine) {}

  bool done(uint64_t now) override {
    if (begun_ == 0) {
      begun_ = now;
      flows_ = engine_.mute(server_);
    }
    if (over_) return true;
    seconds_ = static_cast<double>(now - begun_) / engine_.tsc_hz();
    over_ = engine_.silent_flows() == 0 || seconds_ >= most_;
    status_ = over_ && engine_.silent_flows() != 0 ? 1 : 0;
    return over_;
  }
  int status() const override { return status_; }
  double seconds() const override { return seconds_; }
  uint64_t flows() const override { return flows_; }

 private:
  net::Address server_;
  double most_;
  Engine& engine_;
  uint64_t begun_ = 0, flows_ = 0;
  bool over_ = false;
  int status_ = 0;
  double seconds_ = 0;
};

class Unmute final : public Event {
 public:
  Unmute(const net::Address& server, Engine& engine) : server_(server), engine_(engine) {}
  bool done(uint64_t) override {
    engine_.unmute(server_);
    return true;
  }
  int status() const override { return 0; }
  double seconds() const override { return 0; }

 private:
  net::Address server_;
  Engine& engine_;
};

}  // namespace

std::unique_ptr<Event> make_event(const EventText& text, const EventTimes& times, Engine& engine) {
  switch (text.kind) {
    case EventText::Kind::command:
      return std::make_unique<Command>(text.command, times.after);
    case EventText::Kind::mute:
      return std::make_unique<Mute>(text.server, times.find_out, engine);
    case EventText::Kind::unmute:
      return std::make_unique<Unmute>(text.server, engine);
  }
  return nullptr;
}

}  // namespace nezu::generator
