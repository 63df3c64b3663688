#include "controlplane/health/runner.h"

#include <sys/resource.h>

#include <algorithm>

#include "controlplane/health/agent.h"
#include "controlplane/health/http.h"
#include "controlplane/health/ping.h"
#include "controlplane/health/tcp.h"

namespace nezu::health {
namespace {

/// A failure counts after this, unless it is known by then that nothing gets through: a process
/// that was killed is seen as gone only when the kernel has taken it apart.
constexpr std::chrono::milliseconds kDoubt{100};

using SystemClock = std::chrono::system_clock;

Thresholds thresholds_of(const Check& check) {
  return {check.rise, check.fall, check.hold_down, check.manual_return};
}

/// Half of this process's descriptors at most: the rest is for those who ask and configure.
size_t places_in_flight(size_t wanted) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    wanted = std::min<size_t>(wanted, limit.rlim_cur / 2);
  }
  return std::max<size_t>(wanted, 1);
}

std::string with_time(const std::string& text, std::chrono::nanoseconds took) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
  return text + " in " +
         (us < 10'000 ? std::to_string(us) + " us" : std::to_string(us / 1000) + " ms");
}

}  // namespace

Health health_of(const Verdict& verdict) {
  switch (verdict.state()) {
    case Verdict::State::unknown:
      return Health::unknown;
    case Verdict::State::up:
      return Health::up;
    case Verdict::State::down:
    case Verdict::State::recovering:
      return Health::down;
  }
  return Health::unknown;
}

Runner::Runner(Loop& loop, Memory& memory, const Engine::Options& options)
    : loop_(loop),
      memory_(memory),
      max_in_flight_(places_in_flight(options.max_in_flight)),
      gets_through_(options.gets_through),
      random_(options.seed != 0 ? options.seed : std::random_device{}()) {
  const Finish on_finish = [this](Ticket ticket, Outcome outcome) {
    finish(ticket, std::move(outcome));
  };
  probers_[static_cast<size_t>(Kind::icmp)] =
      std::make_unique<PingProber>(loop, on_finish, random_());
  probers_[static_cast<size_t>(Kind::tcp)] = std::make_unique<TcpProber>(loop, on_finish);
  probers_[static_cast<size_t>(Kind::http)] =
      std::make_unique<HttpProber>(loop, on_finish, options.user_agent);
  probers_[static_cast<size_t>(Kind::agent)] = std::make_unique<AgentProber>(loop, on_finish);
  const std::lock_guard lock(memory_.mutex);
  memory_.in_flight = 0;
  for (const auto& [key, entry] : memory_.entries) {
    entry->due = entry->deadline = entry->doubt = Loop::Timer::none;
    entry->ticket = Ticket{};
    entry->waits = false;
    schedule_first(*entry);
  }
}

Runner::~Runner() = default;

void Runner::freeze(std::string reason) {
  const std::lock_guard lock(memory_.mutex);
  memory_.freeze_reason = std::move(reason);
}

void Runner::thaw() {
  const std::lock_guard lock(memory_.mutex);
  memory_.freeze_reason.clear();
  for (const auto& [key, entry] : memory_.entries) {
    abandon(*entry);  // a probe of the time before may still see what was wrong then
    forget_counts(*entry);
    schedule_first(*entry);
  }
}

void Runner::let_return(const tables::ServerIdentity& server) {
  const std::lock_guard lock(memory_.mutex);
  if (!memory_.freeze_reason.empty()) {
    return;  // what was good when checks last counted may be so no more
  }
  memory_.each_of(server, [&](Entry& entry) {
    if (entry.report.awaits_return) {
      act(entry, entry.verdict.let_return(), "an operator lets it return");
    }
  });
}

/// Of a series: soon if nothing is known yet, whatever the interval.
void Runner::schedule_first(Entry& entry) {
  const Milliseconds interval = entry.check().interval;
  const bool is_known = entry.verdict.state() != Verdict::State::unknown;
  schedule(entry, Loop::now() +
                      up_to(is_known ? interval : std::min<Milliseconds>(interval, kFirstWithin)));
}

void Runner::schedule(Entry& entry, Time when) {
  loop_.cancel(entry.due);
  entry.due = loop_.at(when, [this, &entry] {
    entry.due = Loop::Timer::none;
    on_due(entry);
  });
}

void Runner::on_due(Entry& entry) {
  if (flying_.size() < max_in_flight_) {
    start(entry);
    return;
  }
  entry.waits = true;
  waiting_.push_back(&entry);
}

void Runner::start(Entry& entry) {
  const Ticket ticket{next_ticket_++};
  {
    const std::lock_guard lock(memory_.mutex);
    entry.ticket = ticket;
    entry.started = Loop::now();
    entry.report.last_probe = SystemClock::now();
    ++memory_.probes;
    memory_.in_flight = flying_.size() + 1;
  }
  flying_.emplace(ticket, &entry);
  entry.deadline = loop_.at(entry.started + entry.check().timeout, [this, &entry] {
    entry.deadline = Loop::Timer::none;
    on_deadline(entry);
  });
  prober(entry.check().kind).start(ticket, entry.check());
}

void Runner::on_deadline(Entry& entry) {
  const Ticket ticket = entry.ticket;
  Outcome outcome = prober(entry.check().kind).abandon(ticket);
  outcome.text += " within " + std::to_string(entry.check().timeout.count()) + " ms";
  finish(ticket, std::move(outcome));
}

void Runner::finish(Ticket ticket, Outcome outcome) {
  const auto found = flying_.find(ticket);
  if (found == flying_.end()) {
    return;
  }
  Entry& entry = *found->second;
  flying_.erase(found);
  loop_.cancel(entry.deadline);
  const Time now = Loop::now();
  {
    const std::lock_guard lock(memory_.mutex);
    entry.ticket = Ticket{};
    memory_.in_flight = flying_.size();
    record(entry, outcome, now);
  }
  schedule(entry, next_start(entry, now));
  start_waiting();
}

void Runner::record(Entry& entry, const Outcome& outcome, Time now) {
  if (entry.doubt != Loop::Timer::none) {
    believe(entry, now);
  }
  CheckReport& report = entry.report;
  const auto took = now - entry.started;
  const bool succeeded = outcome.kind == Outcome::Kind::success;
  report.last_result = succeeded ? with_time(outcome.text, took) : outcome.text;
  report.last_succeeded = succeeded;
  report.last_broken = outcome.kind == Outcome::Kind::broken;
  report.last_bytes = outcome.bytes;
  report.last_took = std::chrono::duration_cast<std::chrono::microseconds>(took);
  set_broken(entry, report.last_broken);
  if (entry.check().kind == Kind::agent) {
    hear(entry, outcome);
  }
  if (report.last_broken) {
    ++report.broken;
    memory_.broken_reason = outcome.text;
    return;  // nothing was learnt about the server
  }
  ++(succeeded ? report.successes : report.failures);
  if (entry.check().kind == Kind::agent) {
    return;
  }
  if (succeeded && entry.check().is_weighed && memory_.freeze_reason.empty()) {
    memory_.heard.push_back({entry.check().pool, entry.check().server, report.last_took});
  }
  if (!succeeded && gets_through_) {
    doubt(entry);
  } else if (memory_.freeze_reason.empty()) {
    count(entry, succeeded ? Verdict::Result::success : Verdict::Result::failure, now);
  }
}

void Runner::doubt(Entry& entry) {
  entry.doubt = loop_.at(Loop::now() + kDoubt, [this, &entry] {
    const std::lock_guard lock(memory_.mutex);
    believe(entry, Loop::now());
  });
}

/// The last failure counts now, if anything got through.
void Runner::believe(Entry& entry, Time now) {
  loop_.cancel(entry.doubt);
  if (memory_.freeze_reason.empty() && gets_through_()) {
    count(entry, Verdict::Result::failure, now);
  }
}

void Runner::count(Entry& entry, Verdict::Result result, Time now) {
  act(entry, entry.verdict.on(result, now, thresholds_of(entry.check())), entry.report.last_result);
}

void Runner::act(Entry& entry, Verdict::Action action, const std::string& text) {
  CheckReport& report = entry.report;
  report.successes_in_row = entry.verdict.successes_in_row();
  report.failures_in_row = entry.verdict.failures_in_row();
  report.recovering = entry.verdict.state() == Verdict::State::recovering;
  report.awaits_return = entry.verdict.awaits_return(thresholds_of(entry.check()));
  report.health = health_of(entry.verdict);
  if (action == Verdict::Action::take_down && report.check.is_weighed) {
    memory_.heard.push_back({report.check.pool, report.check.server, Heard::Failed{}});
  }
  if (action != Verdict::Action::none) {
    report.last_change = SystemClock::now();
    judge(report.check.server, text);
  }
}

void Runner::set_silent(Entry& entry, bool silent) {
  if (silent != entry.report.is_silent) {
    entry.report.is_silent = silent;
    memory_.silent_agents += silent ? 1 : static_cast<size_t>(-1);
  }
}

void Runner::set_broken(Entry& entry, bool broken) {
  if (broken != entry.counted_broken) {
    entry.counted_broken = broken;
    memory_.broken_checks += broken ? 1 : static_cast<size_t>(-1);
  }
}

/// A server is down when one of its checks is, or its agent says so; up when all are, else unknown.
void Runner::judge(const tables::ServerIdentity& server, const std::string& text) {
  bool any_down = false;
  bool any_unknown = false;
  memory_.each_of(server, [&](const Entry& entry) {
    if (!decides(entry)) {
      return;
    }
    const Health health = health_of(entry.verdict);
    any_down |= health == Health::down;
    any_unknown |= health == Health::unknown;
  });
  Health& known = memory_.servers.try_emplace(server, Health::unknown).first->second;
  // One more check that has not answered yet does not take back what the others have said.
  const Health seen = any_down ? Health::down : any_unknown ? known : Health::up;
  if (seen != known) {
    known = seen;
    memory_.changes.push_back({server, seen, text, SystemClock::now()});
  }
}

void Runner::abandon(Entry& entry) {
  loop_.cancel(entry.due);
  loop_.cancel(entry.deadline);
  loop_.cancel(entry.doubt);
  if (entry.waits) {
    std::erase(waiting_, &entry);
    entry.waits = false;
  }
  if (entry.ticket != Ticket{}) {
    prober(entry.check().kind).abandon(entry.ticket);
    flying_.erase(entry.ticket);
    entry.ticket = Ticket{};
    memory_.in_flight = flying_.size();
  }
}

void Runner::start_waiting() {
  if (waiting_.empty() || pump_ != Loop::Timer::none) {
    return;
  }
  // By a timer, not at once: a probe that ends in start() would nest into the next.
  pump_ = loop_.at(Loop::now(), [this] {
    pump_ = Loop::Timer::none;
    while (!waiting_.empty() && flying_.size() < max_in_flight_) {
      Entry& entry = *waiting_.front();
      waiting_.pop_front();
      entry.waits = false;
      start(entry);
    }
  });
}

std::chrono::nanoseconds Runner::up_to(std::chrono::nanoseconds most) {
  return std::chrono::nanoseconds{
      std::uniform_int_distribution<int64_t>{0, std::max<int64_t>(most.count(), 0)}(random_)};
}

Time Runner::next_start(const Entry& entry, Time now) {
  const std::chrono::nanoseconds interval = entry.check().interval;
  const auto jitter = interval * std::min(entry.check().jitter_percent, 100u) / 100;
  const Time next = entry.started + interval - jitter + up_to(2 * jitter);
  return std::max(next, now + std::chrono::milliseconds{1});
}

}  // namespace nezu::health
