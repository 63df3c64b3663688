// Within the path: how many replies of our own may leave.
#pragma once

#include <cstdint>

#include "dataplane/net/time.h"

namespace nezu::path {

/// Replies of our own (RST, ICMP) that may leave: refilled by time, so that a flood of what we
/// refuse does not become a flood of what we send.
class Allowance {
 public:
  bool take(net::Instant now) {
    const uint64_t passed = now.nanoseconds - since_;
    if (passed >= kInterval) {
      const uint64_t more = passed / kInterval;
      left_ = more >= kMost || left_ + more > kMost ? kMost : left_ + static_cast<uint32_t>(more);
      since_ = now.nanoseconds;
    }
    if (left_ == 0) return false;
    --left_;
    return true;
  }

 private:
  static constexpr uint64_t kInterval = net::kNanosecondsPerSecond / 4096;
  static constexpr uint32_t kMost = 1024;
  uint32_t left_ = kMost;
  uint64_t since_ = 0;
};

}  // namespace nezu::path
