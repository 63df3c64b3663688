// Which SYNs of a service are answered by SYN cookies, and whose acknowledgements may be ones.
//
// One for all workers; what is shared is read by most and written by few.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "dataplane/admit/rate.h"
#include "dataplane/admit/syn_cookies.h"
#include "dataplane/tables/blocks.h"

namespace nezu::admit {

class SynGuard {
 public:
  /// `seed`: of the process before, so that its cookies are taken; `now`: it may just have made
  /// some.
  SynGuard(uint32_t services, uint64_t seed, net::Instant now)
      : cookies_(seed), services_(services), states_(std::make_unique<State[]>(services)) {
    for (uint32_t i = 0; i < services; ++i) states_[i].made = net::to_tick(now);
  }

  /// A copy of what `live` says of one service, to try something out.
  SynGuard(const SynGuard& live, const tables::Service& service)
      : cookies_(live.cookies_),
        services_(live.services_),
        states_(std::make_unique<State[]>(services_)) {
    const uint32_t slot = index(service.id);
    if (slot >= services_) return;
    states_[slot].rate.copy(live.states_[slot].rate);
    states_[slot].made = live.states_[slot].made.load(std::memory_order_relaxed);
  }

  /// The SYN is not let in: a cookie answers it.
  bool answers(const tables::Service& service, net::Instant now) {
    const uint32_t slot = index(service.id);
    if (service.cookies.enabled == 0 || slot >= services_) return false;
    if (service.cookies.above_per_second == 0) return true;
    State& state = states_[slot];
    if (state.rate.take(service.cookies.above_per_second, now)) return false;
    const net::Tick tick = net::to_tick(now);
    if (state.made.load(std::memory_order_relaxed) != tick) {
      state.made.store(tick, std::memory_order_relaxed);
    }
    return true;
  }
  /// An acknowledgement of no flow may be that of a cookie which is still valid.
  bool may_have_answered(const tables::Service& service, net::Tick now) const {
    const uint32_t slot = index(service.id);
    if (service.cookies.enabled == 0 || slot >= services_) return false;
    constexpr int32_t kLife = 128 * net::kTicksPerSecond;
    return service.cookies.above_per_second == 0 ||
           // Another worker may be a tick ahead.
           static_cast<int32_t>(now - states_[slot].made.load(std::memory_order_relaxed)) <= kLife;
  }
  const SynCookies& cookies() const { return cookies_; }

 private:
  struct State {
    Rate rate;                       ///< of SYNs that are let in
    std::atomic<net::Tick> made{0};  ///< when the last cookie was
  };
  SynCookies cookies_;
  uint32_t services_;
  std::unique_ptr<State[]> states_;  ///< by ServiceId
};

}  // namespace nezu::admit
