// Real peers on loopback for the checks: listeners that behave in one of several ways, nginx.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "dataplane/net/address.h"

namespace nezu::health {

/// Accepts connections on 127.0.0.1 (or ::1) until it is destroyed, which closes the port.
class Listener {
 public:
  enum class Manner {
    accept,   ///< accepts and closes
    silent,   ///< accepts, reads, never answers
    answer,   ///< sends `answer` whatever is asked, then closes
    speak,    ///< sends `answer` at once, then closes
    stay,     ///< sends `answer` at once, and keeps the connection
    trickle,  ///< an HTTP head at once, then one byte of body each 20 ms for ever
  };
  explicit Listener(Manner manner, std::string answer = "", uint16_t port = 0, bool ipv6 = false);
  ~Listener();
  uint16_t port() const { return port_; }
  void set_answer(std::string answer);
  uint64_t accepted() const { return accepted_; }
  /// What the last client sent, up to its first blank line.
  std::string last_request() const;

 private:
  void serve();
  void serve_one(int client);
  std::string answer() const;

  Manner manner_;
  std::string answer_;  // under mutex_
  uint16_t port_ = 0;
  int fd_ = -1;
  std::atomic<bool> stopping_{false};
  std::atomic<uint64_t> accepted_{0};
  mutable std::mutex mutex_;
  std::string last_request_;
  std::vector<int> clients_;
  std::thread thread_;
};

/// A port whose backlog is full: the kernel drops further SYNs, so that nobody ever answers.
class DeafPort {
 public:
  DeafPort();
  ~DeafPort();
  uint16_t port() const { return port_; }

 private:
  uint16_t port_ = 0;
  std::vector<int> fds_;
};

/// A port that was free a moment ago.
uint16_t free_port();

/// nginx with a configuration of its own in a temporary folder, answering
/// "/" 200 "all is well", "/sad" 503, "/moved" 302, "/agent" with the User-Agent,
/// "/host" with the Host header.
class Nginx {
 public:
  Nginx();
  ~Nginx();
  bool is_running() const { return pid_ > 0; }
  uint16_t port() const { return port_; }
  void stop();
  void start();

 private:
  std::filesystem::path folder_;
  uint16_t port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace nezu::health
