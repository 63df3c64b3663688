// The one place where anything changes: takes requests in turn, makes them durable, publishes.
//
//   submit -> queue -> | stage all that wait -> journal (one fdatasync) -> publish once | -> answer
//                        `--- verdicts and shares of weights join the next publication
//
// Every step costs what is being changed: plans make edits, edits and verdicts name what they
// touch, and only that is compiled, published and told on. Owns a thread. Requests that wait
// together share the journal's sync and the publication; when the region has no room for them
// together, each is tried alone, so that one that fits is not refused for its neighbour. Any thread
// may call any public member; no exception leaves it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <shared_mutex>
#include <thread>

#include "controlplane/api/slow_start.h"
#include "controlplane/config/store.h"
#include "controlplane/publish/publisher.h"

namespace nezu::api {

/// Why a request was not carried out.
enum class Fault : uint8_t {
  none,
  invalid,  ///< `response.problems` say why
  not_found,
  exists,
  in_use,    ///< something else refers to it
  conflict,  ///< another revision is in force than the request expects
  full,      ///< the region has no room
  disk,      ///< the journal could not be written
  internal,
};

/// What one request wants, worked out against the configuration as it is at its turn.
struct Plan {
  store::Edit edit;
  config::Problems problems;  ///< of the request itself
  Fault fault = Fault::none;  ///< not_found, exists: then `text` says what
  std::string text;
};
using Planner = std::function<Plan(const config::Store&)>;

struct Ask {
  Planner plan;
  v1::ChangeOptions options;
  std::string author;
};

struct Answer {
  Fault fault = Fault::none;
  std::string text;  ///< a sentence, when there is a fault
  v1::ChangeResponse response;
};

class Committer {
 public:
  struct Hooks {
    /// After a publication, on the committer's thread: these pools may have changed.
    std::function<void(const config::Model&, const compile::Touched&)> configured;
    /// After a publication, on the committer's thread.
    std::function<void(const compile::Touched&)> published;
  };

  /// `found` is what was known before this process: verdicts and shares.
  Committer(config::Store& store, publish::Publisher& publisher, publish::Conditions found);
  ~Committer();
  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;

  /// Publishes what the store has and begins to take requests. Without a stored configuration and
  /// with a region in use nothing is published before the first change: traffic goes on as it is.
  void start(Hooks hooks);
  void stop();

  std::future<Answer> submit(Ask ask);

  /// What a health check decided; nothing: it is not checked any more.
  void set_health(const tables::ServerIdentity& server, std::optional<bool> is_healthy);

  /// What servers say of their weights; no revision of the configuration.
  void set_shares(compile::Shares shares);

  /// Calls `look` with the store while nothing changes.
  template <typename Look>
  auto read(Look look) const {
    const std::shared_lock lock(store_mutex_);
    return look(static_cast<const config::Store&>(store_));
  }
  uint64_t generation() const { return generation_.load(std::memory_order_relaxed); }
  /// Sentences about what is wrong at present; empty: nothing.
  std::vector<std::string> alarms() const;

 private:
  struct Waiting {
    Ask ask;
    std::promise<Answer> promise;
    Answer answer;
    bool changed = false;
  };
  using Batch = std::vector<std::unique_ptr<Waiting>>;

  void run();
  void turn();
  void commit(Batch batch);
  void stage(Waiting& waiting);
  bool sync(Batch& batch);
  publish::Result publish();
  void tell(const compile::Touched& published);
  void publish_or_alarm();
  void refuse(Batch batch, uint64_t first, const publish::Result& result);
  void answer(Batch& batch);
  bool take_verdicts();
  bool take_shares();
  void forget_verdicts_of(const std::set<tables::ServerIdentity>& servers);
  void forget_shares_of(const config::Names& pools);
  void set_alarm(std::string text);

  config::Store& store_;
  publish::Publisher& publisher_;
  Hooks hooks_;
  publish::Conditions conditions_;  ///< committer thread only
  SlowStart slow_start_;            ///< committer thread only
  compile::Touched touched_;        ///< committer thread only: not published yet
  std::atomic<uint64_t> generation_{0};
  bool holds_back_ = false;    ///< committer thread only: nothing is published before a change
  bool must_publish_ = false;  ///< committer thread only: an earlier publication failed
  bool has_news_ = false;      ///< committer thread only: verdicts, shares, not published yet

  mutable std::shared_mutex store_mutex_;
  mutable std::mutex mutex_;  ///< of all below
  std::condition_variable wake_;
  std::deque<std::unique_ptr<Waiting>> queue_;
  std::map<tables::ServerIdentity, std::optional<bool>> new_verdicts_;
  compile::Shares new_shares_;
  std::string alarm_;
  bool stops_ = false;
  std::thread thread_;
};

}  // namespace nezu::api
