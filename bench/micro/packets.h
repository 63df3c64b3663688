// Packets for the micro benches: a burst whose bytes lie in the cache, parsed, renewed before their
// hops run out.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "dataplane/net/packet.h"
#include "dataplane/parse/parse.h"
#include "tests/dsl/dsl.h"

namespace nezu::bench {

class Packets {
 public:
  static constexpr uint32_t kCount = 32;

  /// `make(i)` writes packet i; its TTL must be 255.
  template <typename Make>
  explicit Packets(Make make) {
    for (uint32_t i = 0; i < kCount; ++i) frames_.push_back(make(i));
    originals_ = frames_;
    burst_.count = kCount;
    renew();
  }
  net::Burst& burst() { return burst_; }

  /// All bytes and metadata as they were.
  void renew() {
    for (uint32_t i = 0; i < kCount; ++i) {
      const auto from = originals_[i].bytes();
      std::memcpy(&frames_[i][0], from.data(), from.size());
      const auto length = static_cast<uint32_t>(from.size());
      burst_.packets[i].arrive(&frames_[i][0], nullptr, length, length, length, 0);
    }
    parse::parse(burst_);
  }

  /// Calls `work(packet)` for `rounds` packets in turn, renewing them in time.
  template <typename Work>
  void each(uint64_t rounds, Work work) {
    constexpr uint32_t kPasses = 250;
    uint32_t passes = 0;
    while (rounds != 0) {
      for (uint32_t i = 0; i < kCount && rounds != 0; ++i, --rounds) work(burst_.packets[i]);
      if (++passes == kPasses) renew(), passes = 0;
    }
  }

 private:
  std::vector<dsl::Frame> frames_, originals_;
  net::Burst burst_;
};

}  // namespace nezu::bench
