#include "controlplane/health/engine.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <optional>
#include <thread>

#include "controlplane/health/http.h"
#include "controlplane/health/memory.h"
#include "controlplane/health/runner.h"

namespace nezu::health {
namespace {

constexpr std::chrono::milliseconds kLongestTurn{1000};
/// A loop that failed is made anew after this.
constexpr std::chrono::seconds kRestartAfter{1};

}  // namespace

/// The engine's thread: makes loop and runner, makes them anew when they fail, and delivers.
class Engine::Thread {
 public:
  Thread(Options options, Callbacks callbacks)
      : options_(std::move(options)), callbacks_(std::move(callbacks)), turned_at_(Loop::now()) {
    thread_ = std::thread([this] { live(); });
    ::pthread_setname_np(thread_.native_handle(), "health");
  }
  ~Thread() {
    {
      const std::lock_guard lock(mailbox_mutex_);
      stopping_ = true;
      if (loop_ != nullptr) {
        loop_->wake();
      }
    }
    stopped_.notify_all();
    thread_.join();
  }

  using Letter = std::function<void(Runner&)>;
  void post(Letter letter) {
    const std::lock_guard lock(mailbox_mutex_);
    mailbox_.push_back(std::move(letter));
    if (loop_ != nullptr) {
      loop_->wake();
    }
  }
  /// Only the newest list of each pool counts: many changes a second do not queue up.
  void post_checks(Wanted wanted, Adopted adopted);
  Status status() const;
  const Memory& memory() const { return memory_; }
  Memory& memory() { return memory_; }

 private:
  void live();
  void run_once();
  void publish_loop(Loop* loop);
  bool is_stopping();
  void read_mail(Runner& runner);
  template <typename News>
  void deliver(std::vector<News>& news,
               const std::function<void(const std::vector<News>&)>& callback);
  void deliver();
  void tell_alarm();
  void set_fault(std::string fault);
  void rest();

  const Options options_;
  const Callbacks callbacks_;
  Memory memory_;
  std::atomic<Time> turned_at_;

  std::mutex mailbox_mutex_;
  std::condition_variable stopped_;
  std::deque<Letter> mailbox_;
  std::optional<Wanted> wanted_;  // not yet taken by the letter that was posted for it
  Adopted adopted_;
  Loop* loop_ = nullptr;
  bool stopping_ = false;

  std::string told_reason_;  // thread_ only
  std::thread thread_;
};

void Engine::Thread::post_checks(Wanted wanted, Adopted adopted) {
  {
    const std::lock_guard lock(mailbox_mutex_);
    const bool is_posted = wanted_.has_value();
    if (is_posted && !wanted.is_whole) {
      wanted.pools.merge(wanted_->pools);
      wanted.is_whole = wanted_->is_whole;
    }
    wanted_ = std::move(wanted);
    adopted.merge(adopted_);  // what an overtaken list has brought is still true
    adopted_ = std::move(adopted);
    if (is_posted) {
      return;
    }
  }
  post([this](Runner& runner) {
    Wanted newest;
    Adopted verdicts;
    {
      const std::lock_guard lock(mailbox_mutex_);
      newest = std::move(wanted_).value();
      wanted_.reset();
      verdicts.swap(adopted_);
    }
    runner.configure(std::move(newest), verdicts);
  });
}

void Engine::Thread::live() {
  while (!is_stopping()) {
    try {
      run_once();
    } catch (const std::exception& error) {
      set_fault(error.what());
    } catch (...) {
      set_fault("an unknown exception");
    }
    publish_loop(nullptr);
    if (!is_stopping()) {
      rest();
    }
  }
}

void Engine::Thread::run_once() {
  Loop loop;
  Runner runner(loop, memory_, options_);
  publish_loop(&loop);
  struct Withdraw {
    Thread& thread;
    ~Withdraw() { thread.publish_loop(nullptr); }
  } withdraw{*this};
  deliver();  // what a failed turn has left
  set_fault("");
  while (!is_stopping()) {
    turned_at_ = Loop::now();
    loop.turn(kLongestTurn);
    read_mail(runner);
    deliver();
    tell_alarm();
  }
}

void Engine::Thread::publish_loop(Loop* loop) {
  const std::lock_guard lock(mailbox_mutex_);
  loop_ = loop;
  if (loop != nullptr) {
    loop->wake();  // letters may have come before
  }
}

bool Engine::Thread::is_stopping() {
  const std::lock_guard lock(mailbox_mutex_);
  return stopping_;
}

void Engine::Thread::read_mail(Runner& runner) {
  for (;;) {
    Letter letter;
    {
      const std::lock_guard lock(mailbox_mutex_);
      if (mailbox_.empty()) {
        return;
      }
      letter = std::move(mailbox_.front());
      mailbox_.pop_front();
    }
    letter(runner);
  }
}

/// Only what a callback took is told: one that threw gets it again after the restart.
template <typename News>
void Engine::Thread::deliver(std::vector<News>& news,
                             const std::function<void(const std::vector<News>&)>& callback) {
  std::vector<News> some;
  {
    const std::lock_guard lock(memory_.mutex);
    some = news;
  }
  if (some.empty()) {
    return;
  }
  if (callback) {
    callback(some);
  }
  const std::lock_guard lock(memory_.mutex);
  news.erase(news.begin(), news.begin() + static_cast<std::ptrdiff_t>(some.size()));
}

void Engine::Thread::deliver() {
  deliver(memory_.changes, callbacks_.changed);
  deliver(memory_.heard, callbacks_.heard);
}

void Engine::Thread::tell_alarm() {
  const Status now = status();
  if (now.reason != told_reason_) {
    told_reason_ = now.reason;
    if (callbacks_.alarm) {
      callbacks_.alarm(now);
    }
  }
}

void Engine::Thread::set_fault(std::string fault) {
  {
    const std::lock_guard lock(memory_.mutex);
    memory_.fault = std::move(fault);
  }
  try {
    tell_alarm();
  } catch (...) {
    // The alarm stays visible in status(); the callback has nobody left to complain to.
    told_reason_ = "?";
  }
}

void Engine::Thread::rest() {
  std::unique_lock lock(mailbox_mutex_);
  stopped_.wait_for(lock, kRestartAfter, [this] { return stopping_; });
}

Status Engine::Thread::status() const {
  const std::lock_guard lock(memory_.mutex);
  Status status;
  status.checks = memory_.entries.size();
  status.broken_checks = memory_.broken_checks;
  status.silent_agents = memory_.silent_agents;
  status.in_flight = memory_.in_flight;
  status.probes = memory_.probes;
  const auto quiet = Loop::now() - turned_at_.load();
  if (!memory_.fault.empty()) {
    status.reason = "the check thread failed and starts again: " + memory_.fault;
  } else if (quiet > options_.stuck_after + kLongestTurn) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(quiet).count();
    status.reason = "the check thread has been stuck for " + std::to_string(seconds) + " s";
  } else if (!memory_.freeze_reason.empty()) {
    status.reason = memory_.freeze_reason;
  } else if (memory_.broken_checks != 0) {
    status.reason = "some checks cannot run: " + memory_.broken_reason;
  }
  status.frozen = !status.reason.empty();
  return status;
}

Engine::Engine(Options options, Callbacks callbacks)
    : thread_(std::make_unique<Thread>(std::move(options), std::move(callbacks))) {}

Engine::~Engine() = default;

void Engine::adopt(compile::Shares shares) {
  Memory& memory = thread_->memory();
  const std::lock_guard lock(memory.mutex);
  memory.adopted = std::move(shares);
}

void Engine::configure(std::vector<Check> checks, const Adopted& adopted) {
  Wanted wanted{.is_whole = true, .pools = {}};
  for (Check& check : checks) {
    std::vector<Check>& of_pool = wanted.pools[check.pool];
    of_pool.push_back(std::move(check));
  }
  thread_->post_checks(std::move(wanted), adopted);
}

void Engine::reconfigure(ChecksByPool pools, const Adopted& adopted) {
  if (!pools.empty()) {
    thread_->post_checks({.is_whole = false, .pools = std::move(pools)}, adopted);
  }
}

void Engine::freeze(std::string reason) {
  thread_->post([reason = std::move(reason)](Runner& runner) { runner.freeze(reason); });
}

void Engine::thaw() {
  thread_->post([](Runner& runner) { runner.thaw(); });
}

void Engine::let_return(const tables::ServerIdentity& server) {
  thread_->post([server](Runner& runner) { runner.let_return(server); });
}

bool Engine::awaits_return(const tables::ServerIdentity& server) const {
  const Memory& memory = thread_->memory();
  bool any = false;
  const std::lock_guard lock(memory.mutex);
  bool all = memory.freeze_reason.empty();
  memory.each_of(server, [&](const Entry& entry) {
    any |= entry.report.awaits_return;
    all &= entry.report.awaits_return || entry.report.health != Health::down;
  });
  return any && all;
}

std::vector<CheckReport> Engine::explain(const tables::ServerIdentity& server) const {
  const Memory& memory = thread_->memory();
  std::vector<CheckReport> reports;
  const std::lock_guard lock(memory.mutex);
  memory.each_of(server, [&](const Entry& entry) { reports.push_back(entry.report); });
  return reports;
}

std::vector<CheckReport> Engine::reports() const {
  const Memory& memory = thread_->memory();
  std::vector<CheckReport> reports;
  const std::lock_guard lock(memory.mutex);
  reports.reserve(memory.entries.size());
  for (const auto& [key, entry] : memory.entries) {
    reports.push_back(entry->report);
  }
  return reports;
}

Health Engine::health(const tables::ServerIdentity& server) const {
  const Memory& memory = thread_->memory();
  const std::lock_guard lock(memory.mutex);
  const auto found = memory.servers.find(server);
  return found == memory.servers.end() ? Health::unknown : found->second;
}

Status Engine::status() const { return thread_->status(); }

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::icmp:
      return "icmp";
    case Kind::tcp:
      return "tcp";
    case Kind::http:
      return "http";
    case Kind::agent:
      return "agent";
  }
  return "?";
}

std::string_view to_string(Health health) {
  switch (health) {
    case Health::unknown:
      return "unknown";
    case Health::up:
      return "up";
    case Health::down:
      return "down";
  }
  return "?";
}

namespace {

bool is_header_text(const std::string& text) {
  return std::ranges::none_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

std::string problem_of_http(const Http& http) {
  if (!http.path.starts_with('/')) {
    return "the path \"" + http.path + "\" does not begin with \"/\"";
  }
  if (http.path.find_first_of(" \t\r\n#") != std::string::npos || !is_header_text(http.path)) {
    return "the path holds a blank, \"#\" or a control character; write it percent-encoded";
  }
  if (!is_header_text(http.host) || !is_header_text(http.user_agent)) {
    return "host and user agent must not hold control characters";
  }
  for (const StatusRange& range : http.statuses) {
    if (range.first < 100 || range.last > 599 || range.first > range.last) {
      return "a status range must lie within 100-599";
    }
  }
  const std::string regex = http.body_regex.empty() ? "" : problem_of_regex(http.body_regex);
  return regex.empty() ? "" : "the body's regex cannot be used: " + regex;
}

}  // namespace

std::string problem_of(const Check& check) {
  if (check.kind != Kind::icmp && check.port == 0) {
    return "a " + std::string(to_string(check.kind)) + " check needs a port";
  }
  if (check.interval.count() <= 0 || check.timeout.count() <= 0) {
    return "interval and timeout must be longer than 0";
  }
  if (check.rise == 0 || check.fall == 0) {
    return "rise and fall must be at least 1";
  }
  return check.kind == Kind::http ? problem_of_http(check.http) : "";
}

}  // namespace nezu::health
