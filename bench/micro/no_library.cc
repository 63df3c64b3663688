#include "bench/micro/cases.h"

namespace nezu::bench {

std::span<const Case> library_cases() { return {}; }

}  // namespace nezu::bench
