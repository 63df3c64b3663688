#include "controlplane/health/runner.h"

#include <sys/resource.h>

#include <algorithm>

#include "controlplane/health/http.h"
#include "controlplane/health/ping.h"
#include "controlplane/health/tcp.h"

namespace nezu::health {
namespace {

/// New checks get their first result within this, however long their interval is.
constexpr std::chrono::seconds kFirstWithin{1};

/// A failure counts after this, unless it is known by then that nothing gets through: a process
/// that was killed is seen as gone only when the kernel has taken it apart.
constexpr std::chrono::milliseconds kDoubt{100};

using SystemClock = std::chrono::system_clock;

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

void Runner::configure(Wanted wanted, const Engine::Adopted& adopted) {
  const std::lock_guard lock(memory_.mutex);
  if (wanted.is_whole) {
    for (const auto& [pool, servers] : memory_.pools) {
      wanted.pools.try_emplace(pool);
    }
  }
  Servers touched;
  for (auto& [pool, checks] : wanted.pools) {
    touched.merge(configure(pool, std::move(checks), adopted));
  }
  for (const tables::ServerIdentity& server : touched) {
    settle(server);
  }
}

Runner::Servers Runner::configure(const std::string& pool, std::vector<Check> checks,
                                  const Engine::Adopted& adopted) {
  std::map<tables::ServerIdentity, Check*> wanted;
  for (Check& check : checks) {
    wanted[check.server] = &check;
  }
  Servers now;
  for (const auto& [server, check] : wanted) {
    const Memory::Key key{server, pool};
    const auto known = memory_.entries.find(key);
    if (known == memory_.entries.end()) {
      add(key, std::move(*check), adopted);
    } else if (known->second->check() != *check) {
      redefine(*known->second, std::move(*check));
    }
    now.insert(server);
  }
  Servers touched = now;
  Servers& before = memory_.pools[pool];
  for (const tables::ServerIdentity& server : before) {
    if (touched.insert(server).second) {
      remove({server, pool});
    }
  }
  if (now.empty()) {
    memory_.pools.erase(pool);
  } else {
    before = std::move(now);
  }
  return touched;
}

void Runner::remove(const Memory::Key& key) {
  const auto at = memory_.entries.find(key);
  abandon(*at->second);
  set_broken(*at->second, false);
  memory_.entries.erase(at);
}

void Runner::add(const Memory::Key& key, Check check, const Engine::Adopted& adopted) {
  auto entry = std::make_unique<Entry>();
  const auto before = adopted.find(check.server);
  const bool known = before != adopted.end();
  // Whoever must be let to return does not do so by another name of its pool.
  const auto now = memory_.servers.find(check.server);
  if (!known && check.manual_return && now != memory_.servers.end() &&
      now->second == Health::down) {
    entry->verdict = Verdict::adopted(false);
  }
  if (known) {
    entry->verdict = Verdict::adopted(before->second);
    memory_.servers.try_emplace(check.server, before->second ? Health::up : Health::down);
    entry->report.last_result = "adopted; not probed yet";
  } else {
    entry->report.last_result = "not probed yet";
  }
  entry->report.health = health_of(entry->verdict);
  entry->report.check = std::move(check);
  schedule_first(*entry);
  memory_.entries.emplace(key, std::move(entry));
}

void Runner::redefine(Entry& entry, Check check) {
  abandon(entry);
  set_broken(entry, false);
  forget_counts(entry);
  entry.report.check = std::move(check);
  const auto within = std::min<Milliseconds>(entry.check().interval, kFirstWithin);
  schedule(entry, Loop::now() + up_to(within));
}

void Runner::forget_counts(Entry& entry) {
  entry.verdict.forget_counts();
  entry.report.successes_in_row = entry.report.failures_in_row = 0;
  entry.report.recovering = entry.report.awaits_return = false;
}

/// After its checks may have changed.
void Runner::settle(const tables::ServerIdentity& server) {
  bool has_checks = false;
  memory_.each_of(server, [&](const Entry&) { has_checks = true; });
  if (has_checks) {
    judge(server, "another check decides");
    return;
  }
  const auto lost = memory_.servers.find(server);
  if (lost == memory_.servers.end()) {
    return;
  }
  if (lost->second != Health::unknown) {
    memory_.changes.push_back(
        {server, Health::unknown, "it has no check any more", SystemClock::now()});
  }
  memory_.servers.erase(lost);
}

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
  if (report.last_broken) {
    ++report.broken;
    memory_.broken_reason = outcome.text;
    return;  // nothing was learnt about the server
  }
  ++(succeeded ? report.successes : report.failures);
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
  if (action != Verdict::Action::none) {
    report.last_change = SystemClock::now();
    judge(report.check.server, text);
  }
}

void Runner::set_broken(Entry& entry, bool broken) {
  if (broken != entry.counted_broken) {
    entry.counted_broken = broken;
    memory_.broken_checks += broken ? 1 : static_cast<size_t>(-1);
  }
}

/// A server is down when one of its checks is, up when all are, else unknown.
void Runner::judge(const tables::ServerIdentity& server, const std::string& text) {
  bool any_down = false;
  bool any_unknown = false;
  memory_.each_of(server, [&](const Entry& entry) {
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
