#include "controlplane/api/committer.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <exception>
#include <utility>

#include "controlplane/config/names.h"

namespace nezu::api {
namespace {

using std::chrono::milliseconds;

/// How often memory that readers have passed is taken back when nothing else happens.
constexpr milliseconds kTidyEvery{500};
constexpr size_t kMostTogether = 256;

}  // namespace

Committer::Committer(config::Store& store, publish::Publisher& publisher, publish::Conditions found)
    : store_(store), publisher_(publisher), conditions_(std::move(found)) {}

Committer::~Committer() { stop(); }

void Committer::start(Hooks hooks) {
  hooks_ = std::move(hooks);
  touched_.add_everything(store_.model());
  const uint64_t in_region = publisher_.read_vitals().revision;
  if (store_.revision() == 0 && in_region != 0) {
    holds_back_ = true;
    set_alarm("The state folder is empty, but the tables show revision " +
              std::to_string(in_region) +
              ": traffic goes on as it is until a configuration is applied.");
  } else {
    std::erase_if(conditions_.verdicts, [this](const auto& verdict) {
      return store_.model().pools_of(verdict.first).empty();
    });
    publish_or_alarm();
    if (must_publish_ && hooks_.configured) {
      hooks_.configured(store_.model(), touched_);  // servers are checked all the same
    }
  }
  thread_ = std::thread([this] { run(); });
}

void Committer::stop() {
  {
    const std::lock_guard lock(mutex_);
    stops_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
}

std::future<Answer> Committer::submit(Ask ask) {
  auto waiting = std::make_unique<Waiting>();
  waiting->ask = std::move(ask);
  std::future<Answer> future = waiting->promise.get_future();
  const std::lock_guard lock(mutex_);
  if (stops_) {
    waiting->promise.set_value({Fault::internal, "The control plane is ending; ask again.", {}});
  } else {
    queue_.push_back(std::move(waiting));
    wake_.notify_all();
  }
  return future;
}

void Committer::set_health(const tables::ServerIdentity& server, std::optional<bool> is_healthy) {
  const std::lock_guard lock(mutex_);
  new_verdicts_[server] = is_healthy;
  wake_.notify_all();
}

void Committer::set_shares(compile::Shares shares) {
  const std::lock_guard lock(mutex_);
  for (auto& [pool, members] : shares) {
    members.merge(new_shares_[pool]);  // newer ones stay
    new_shares_[pool] = std::move(members);
  }
  wake_.notify_all();
}

std::vector<std::string> Committer::alarms() const {
  const std::lock_guard lock(mutex_);
  return alarm_.empty() ? std::vector<std::string>{} : std::vector<std::string>{alarm_};
}

void Committer::set_alarm(std::string text) {
  const std::lock_guard lock(mutex_);
  if (!text.empty() && text != alarm_) {
    spdlog::error("{}", text);
  }
  alarm_ = std::move(text);
}

void Committer::run() {
  for (;;) {
    try {
      turn();
    } catch (const std::exception& error) {
      // Nobody's request is lost by it: a promise that is dropped answers its future.
      set_alarm(std::string("A change could not be carried out: ") + error.what() + ".");
    }
    const std::lock_guard lock(mutex_);
    if (stops_ && queue_.empty()) {
      return;
    }
  }
}

void Committer::turn() {
  Batch batch;
  {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, kTidyEvery, [this] {
      return stops_ || !queue_.empty() || !new_verdicts_.empty() || !new_shares_.empty();
    });
    while (!queue_.empty() && batch.size() < kMostTogether) {
      batch.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
  }
  has_news_ = take_verdicts() || has_news_;
  has_news_ = take_shares() || has_news_;
  has_news_ =
      slow_start_.step(store_.model(), std::chrono::steady_clock::now(), touched_) || has_news_;
  const std::unique_lock lock(store_mutex_);
  const bool is_idle = batch.empty();
  if (!is_idle) {
    commit(std::move(batch));
  }
  if ((has_news_ || must_publish_) && !holds_back_) {
    publish_or_alarm();
  } else if (is_idle) {
    publisher_.tidy();
  }
  store_.compact_if_due();
}

/// Stages, syncs, publishes and answers. The store is locked by the caller.
void Committer::commit(Batch batch) {
  const uint64_t first = store_.revision() + 1;
  for (const auto& waiting : batch) {
    stage(*waiting);
  }
  if (store_.revision() >= first && sync(batch)) {
    const bool held_back = std::exchange(holds_back_, false);
    const publish::Result result = publish();
    if (result.outcome == publish::Outcome::full || result.outcome == publish::Outcome::failed) {
      holds_back_ = held_back;
      refuse(std::move(batch), first, result);
      return;
    }
  }
  answer(batch);
}

void Committer::stage(Waiting& waiting) {
  const v1::ChangeOptions& options = waiting.ask.options;
  Answer& answer = waiting.answer;
  v1::ChangeResponse& response = answer.response;
  response.set_revision(store_.revision());
  if (options.expected_revision() != 0 && options.expected_revision() != store_.revision()) {
    answer.fault = Fault::conflict;
    answer.text = "The request expects revision " + std::to_string(options.expected_revision()) +
                  ", but revision " + std::to_string(store_.revision()) +
                  " is in force; read the configuration again and repeat the change.";
    return;
  }
  Plan plan = waiting.ask.plan(store_);
  if (plan.fault != Fault::none) {
    answer.fault = plan.fault;
    answer.text = std::move(plan.text);
    return;
  }
  config::Staged staged =
      options.dry_run()
          ? store_.try_out(std::move(plan.edit), std::move(plan.problems))
          : store_.stage(std::move(plan.edit), {waiting.ask.author, options.comment()},
                         std::move(plan.problems));
  waiting.changed = staged.changed && !options.dry_run();
  if (waiting.changed) {
    touched_.add_change(store_.model(), staged.edit, store_.last_undo());
    slow_start_.note_change(staged.edit, store_.last_undo(), std::chrono::steady_clock::now());
  }
  response.set_dry_run(options.dry_run());
  response.set_revision(staged.revision);
  *response.mutable_diff() = std::move(staged.diff);
  response.mutable_problems()->Add(staged.problems.begin(), staged.problems.end());
  response.mutable_warnings()->Add(staged.warnings.begin(), staged.warnings.end());
  if (!staged.problems.empty() && !options.dry_run()) {
    answer.fault = Fault::invalid;
  }
}

bool Committer::sync(Batch& batch) {
  try {
    store_.sync();
    return true;
  } catch (const std::exception& error) {
    for (const auto& waiting : batch) {
      if (waiting->changed) {
        waiting->answer = {Fault::disk,
                           std::string(error.what()) +
                               ". Nothing has changed; free the disk and "
                               "repeat the change.",
                           {}};
      }
    }
    spdlog::error("{}", error.what());
    return false;
  }
}

publish::Result Committer::publish() {
  conditions_.ages = slow_start_.ages(std::chrono::steady_clock::now());
  const publish::Result result =
      publisher_.publish(store_.model(), touched_, conditions_, store_.revision());
  must_publish_ =
      result.outcome == publish::Outcome::full || result.outcome == publish::Outcome::failed;
  if (!must_publish_) {
    has_news_ = false;
    set_alarm({});
    generation_.store(result.generation, std::memory_order_relaxed);
    tell(std::exchange(touched_, {}));
  }
  return result;
}

void Committer::tell(const compile::Touched& published) {
  forget_verdicts_of(published.servers);
  forget_shares_of(published.pools);
  if (hooks_.configured) {
    hooks_.configured(store_.model(), published);
  }
  if (hooks_.published) {
    hooks_.published(published);
  }
}

/// For what nobody waits for: tried again at the next turn.
void Committer::publish_or_alarm() {
  const publish::Result result = publish();
  if (must_publish_) {
    set_alarm("The tables could not be published: " + result.error);
  }
}

/// Nothing of the batch was published: takes it back, and tries its changes one by one if there
/// were several.
void Committer::refuse(Batch batch, uint64_t first, const publish::Result& result) {
  store_.abort(first);
  must_publish_ = false;
  Batch done;
  Batch again;
  for (auto& waiting : batch) {
    (waiting->changed ? again : done).push_back(std::move(waiting));
  }
  answer(done);
  if (again.size() > 1) {
    for (auto& waiting : again) {
      waiting->answer = {};
      waiting->changed = false;
      Batch one;
      one.push_back(std::move(waiting));
      commit(std::move(one));
    }
    return;
  }
  for (const auto& waiting : again) {
    waiting->answer = {result.outcome == publish::Outcome::full ? Fault::full : Fault::internal,
                       result.error + " Nothing has changed.",
                       {}};
  }
  answer(again);
}

void Committer::answer(Batch& batch) {
  for (const auto& waiting : batch) {
    if (!waiting->ask.options.dry_run()) {
      waiting->answer.response.set_generation(generation());
    }
    waiting->promise.set_value(std::move(waiting->answer));
  }
}

bool Committer::take_verdicts() {
  std::map<tables::ServerIdentity, std::optional<bool>> news;
  {
    const std::lock_guard lock(mutex_);
    news.swap(new_verdicts_);
  }
  publish::Verdicts& verdicts = conditions_.verdicts;
  bool differs = false;
  for (const auto& [server, is_healthy] : news) {
    const auto before = verdicts.find(server);
    if (!is_healthy) {
      if (verdicts.erase(server) == 0) {
        continue;
      }
    } else if (before != verdicts.end() && before->second == *is_healthy) {
      continue;
    } else {
      if (*is_healthy && before != verdicts.end()) {
        slow_start_.note_recovery(store_.model(), server, std::chrono::steady_clock::now());
      }
      verdicts[server] = *is_healthy;
    }
    touched_.add_verdict(store_.model(), server);
    differs = true;
  }
  return differs;
}

/// Who is a member still is found when it is published.
bool Committer::take_shares() {
  compile::Shares news;
  {
    const std::lock_guard lock(mutex_);
    news.swap(new_shares_);
  }
  bool differs = false;
  for (auto& [pool, members] : news) {
    compile::PoolShares& known = conditions_.shares[pool];
    for (const auto& [server, share] : members) {
      const auto [at, is_new] = known.try_emplace(server, share);
      if (is_new || at->second != share) {
        at->second = share;
        touched_.add_share(store_.model(), pool, server);
        differs = true;
      }
    }
  }
  return differs;
}

/// What is remembered of a server that left would be taken for its word when it comes again.
void Committer::forget_shares_of(const config::Names& pools) {
  for (const std::string& name : pools) {
    const auto shares = conditions_.shares.find(name);
    if (shares == conditions_.shares.end()) {
      continue;
    }
    const v1::Pool* pool = store_.model().pools().find(name);
    const auto source = pool != nullptr ? compile::source_of(*pool) : std::nullopt;
    std::erase_if(shares->second, [pool, source](const auto& share) {
      return share.second.source != source || config::find_server(*pool, share.first) < 0;
    });
  }
}

void Committer::forget_verdicts_of(const std::set<tables::ServerIdentity>& servers) {
  for (const tables::ServerIdentity& server : servers) {
    if (store_.model().pools_of(server).empty()) {
      conditions_.verdicts.erase(server);
    }
  }
}

}  // namespace nezu::api
