// An engine whose changes and alarms are kept and can be waited for.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "controlplane/health/engine.h"

namespace nezu::health {

inline constexpr std::chrono::seconds kPatience{10};  // far more than any test needs

class Recorder {
 public:
  Engine::Callbacks callbacks() {
    return {.changed =
                [this](const std::vector<Change>& changes) {
                  const std::lock_guard lock(mutex_);
                  for (const Change& change : changes) {
                    changes_.push_back(change);
                    health_[change.server] = change.health;
                  }
                  news_.notify_all();
                },
            .alarm =
                [this](const Status& status) {
                  const std::lock_guard lock(mutex_);
                  alarms_.push_back(status.reason);
                  news_.notify_all();
                }};
  }
  bool wait(const tables::ServerIdentity& server, Health wanted) {
    std::unique_lock lock(mutex_);
    return news_.wait_for(lock, kPatience, [&] {
      const auto found = health_.find(server);
      return found != health_.end() && found->second == wanted;
    });
  }
  bool wait_alarm(const std::function<bool(const std::string&)>& wanted) {
    std::unique_lock lock(mutex_);
    return news_.wait_for(lock, kPatience,
                          [&] { return !alarms_.empty() && wanted(alarms_.back()); });
  }
  std::vector<Change> changes() const {
    const std::lock_guard lock(mutex_);
    return changes_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable news_;
  std::vector<Change> changes_;
  std::vector<std::string> alarms_;
  std::map<tables::ServerIdentity, Health> health_;
};

/// Looks again until `wanted` holds, or patience ends.
inline bool eventually(const std::function<bool()>& wanted) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < end) {
    if (wanted()) {
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
  return false;
}

inline tables::ServerIdentity server_at(uint16_t port, const char* address = "127.0.0.1") {
  tables::ServerIdentity server;
  server.address = *net::parse_address(address);
  server.port = port;
  return server;
}

/// A quick check of 127.0.0.1 or another loopback address.
inline Check check_of(Kind kind, uint16_t port, const char* address = "127.0.0.1") {
  Check check;
  check.server = server_at(port, address);
  check.kind = kind;
  check.address = check.server.address;
  check.port = port;
  check.interval = Milliseconds{40};
  check.timeout = Milliseconds{400};
  check.rise = 2;
  check.fall = 2;
  return check;
}

}  // namespace nezu::health
