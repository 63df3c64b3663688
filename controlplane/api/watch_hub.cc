#include "controlplane/api/watch_hub.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <utility>

#include "controlplane/api/errors.h"

namespace nezu::api {

/// One stream. All members are guarded by the hub's mutex. StartWrite never calls back on the
/// calling thread, Finish may.
class WatchStream final : public grpc::ServerWriteReactor<v1::WatchResponse> {
 public:
  WatchStream(WatchHub& hub, const v1::WatchRequest& request)
      : hub_(hub), skips_present_(request.changes_only()) {
    for (const int topic : request.topics()) {
      topics_.insert(topic);
    }
    const std::lock_guard lock(hub_.mutex_);
    hub_.streams_.insert(this);
    present_until_ = hub_.newest_;
    if (skips_present_) {
      position_ = present_until_;
      said_complete_ = true;
    }
    pump();
  }

  /// Writes the next message if there is one and none is on its way. Under the hub's mutex.
  void pump() {
    if (is_writing_ || is_cancelled_ || is_finished_) {
      return;
    }
    auto at = hub_.entries_.upper_bound(position_);
    while (at != hub_.entries_.end() && !wants(at->first, at->second)) {
      ++at;
    }
    const bool is_present = at != hub_.entries_.end() && at->first <= present_until_;
    if (!said_complete_ && !is_present) {
      said_complete_ = true;
      message_.Clear();
      *message_.mutable_time() = google::protobuf::util::TimeUtil::GetCurrentTime();
      message_.set_initial(true);
      message_.set_initial_complete(true);
      position_ = std::max(position_, present_until_);
    } else if (at != hub_.entries_.end()) {
      message_ = at->second.state;
      message_.set_initial(is_present);
      position_ = at->first;
    } else {
      position_ = hub_.newest_;
      return;
    }
    is_writing_ = true;
    StartWrite(&message_);
  }

  void OnWriteDone(bool ok) override {
    {
      const std::lock_guard lock(hub_.mutex_);
      is_writing_ = false;
      if (ok && !is_cancelled_) {
        pump();
        return;
      }
    }
    finish();
  }
  void OnCancel() override {
    {
      const std::lock_guard lock(hub_.mutex_);
      is_cancelled_ = true;
      if (is_writing_) {
        return;  // OnWriteDone comes first
      }
    }
    finish();
  }
  void OnDone() override {
    {
      const std::lock_guard lock(hub_.mutex_);
      hub_.streams_.erase(this);
    }
    delete this;
  }
  uint64_t position() const { return position_; }

 private:
  bool wants(uint64_t number, const WatchHub::Entry& entry) const {
    const bool is_old_news = entry.is_over && number <= present_until_;
    return !is_old_news && (topics_.empty() || topics_.contains(entry.topic));
  }
  void finish() {
    {
      const std::lock_guard lock(hub_.mutex_);
      if (std::exchange(is_finished_, true)) {
        return;
      }
    }
    Finish(grpc::Status(grpc::StatusCode::CANCELLED, "The watch has ended."));
  }

  WatchHub& hub_;
  const bool skips_present_;
  std::set<int> topics_;
  uint64_t position_ = 0;
  uint64_t present_until_ = 0;
  bool said_complete_ = false;
  bool is_writing_ = false;
  bool is_cancelled_ = false;
  bool is_finished_ = false;
  v1::WatchResponse message_;
};

namespace {

/// For a stream that is refused.
class Refusal final : public grpc::ServerWriteReactor<v1::WatchResponse> {
 public:
  explicit Refusal(grpc::Status status) { Finish(std::move(status)); }
  void OnDone() override { delete this; }
};

}  // namespace

void WatchHub::put(v1::Topic topic, const std::string& subject, v1::WatchResponse state,
                   bool is_over) {
  *state.mutable_time() = google::protobuf::util::TimeUtil::GetCurrentTime();
  const std::lock_guard lock(mutex_);
  if (const auto before = subjects_.find(subject); before != subjects_.end()) {
    entries_.erase(before->second);
    over_.erase(before->second);
  }
  entries_.emplace(++newest_, Entry{topic, subject, is_over, std::move(state)});
  subjects_[subject] = newest_;
  if (is_over) {
    over_.insert(newest_);
  }
  for (WatchStream* stream : streams_) {
    stream->pump();
  }
  forget_old();
}

std::optional<v1::WatchResponse> WatchHub::last(const std::string& subject) const {
  const std::lock_guard lock(mutex_);
  const auto at = subjects_.find(subject);
  return at == subjects_.end() || entries_.at(at->second).is_over
             ? std::nullopt
             : std::optional(entries_.at(at->second).state);
}

/// What is over and was seen by all is forgotten; of what a stuck stream has not seen, the oldest.
void WatchHub::forget_old() {
  constexpr size_t kMostOver = 4096;
  if (over_.empty()) {
    return;
  }
  uint64_t seen_by_all = newest_;
  for (const WatchStream* stream : streams_) {
    seen_by_all = std::min(seen_by_all, stream->position());
  }
  while (!over_.empty() && (*over_.begin() <= seen_by_all || over_.size() > kMostOver)) {
    const auto at = entries_.find(*over_.begin());
    subjects_.erase(at->second.subject);
    entries_.erase(at);
    over_.erase(over_.begin());
  }
}

grpc::ServerWriteReactor<v1::WatchResponse>* WatchHub::open(const v1::WatchRequest& request) {
  if (streams() >= most_streams_) {
    return new Refusal({grpc::StatusCode::RESOURCE_EXHAUSTED,
                        "There are " + std::to_string(most_streams_) +
                            " watches already; end one that is not needed."});
  }
  for (const int topic : request.topics()) {
    if (topic == v1::TOPIC_UNSPECIFIED || !v1::Topic_IsValid(topic)) {
      return new Refusal(invalid("topics", std::to_string(topic),
                                 "This number names no topic that this version knows; leave the "
                                 "list empty for all."));
    }
  }
  return new WatchStream(*this, request);
}

size_t WatchHub::streams() const {
  const std::lock_guard lock(mutex_);
  return streams_.size();
}

}  // namespace nezu::api
