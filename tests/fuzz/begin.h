// What the target `path` begins with, for whoever writes seeds that depend on it.
#pragma once

#include "dataplane/net/time.h"

namespace nezu::fuzz {

inline constexpr net::Instant kBegin{1000 * net::kNanosecondsPerSecond};
inline constexpr uint64_t kCookieSeed = 1;

}  // namespace nezu::fuzz
