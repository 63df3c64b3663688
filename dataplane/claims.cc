#include "dataplane/claims.h"

#include <spdlog/spdlog.h>

namespace nezu::dataplane {
namespace {

constexpr uint64_t kTellEvery = 60 * net::kNanosecondsPerSecond;
constexpr uint64_t kDefendEvery = 10 * net::kNanosecondsPerSecond;

/// First byte highest.
uint64_t word_of(const net::MacAddress& mac) {
  uint64_t word = 0;
  for (const uint8_t byte : mac.bytes) word = word << 8 | byte;
  return word;
}

bool is_due(net::Instant last, uint64_t every, net::Instant now) {
  return last.nanoseconds == 0 || now >= net::after(last, every);
}

}  // namespace

void Claims::see(const path::Claimed& claimed, net::Instant now, Watch& watch,
                 Announcer& announcer) {
  if (seen_.size() >= kMost) seen_.clear();
  Seen& seen = seen_[{claimed.instance, claimed.address, claimed.mac}];
  if (is_due(seen.told, kTellEvery, now)) {
    seen.told = now;
    spdlog::warn("{} is ours, but {} says that it is its own", net::to_string(claimed.address),
                 net::to_string(claimed.mac));
    watch.tell(tables::EventKind::address_claimed, now, 0, claimed.port, word_of(claimed.mac),
               net::to_string(claimed.address));
  }
  if (is_due(seen.defended, kDefendEvery, now)) {
    seen.defended = now;
    announcer.defend(claimed.instance, claimed.address);
  }
}

}  // namespace nezu::dataplane
