// The product's version, from the build.
#pragma once

namespace nezu::dataplane {

inline constexpr char kVersion[] = NEZU_VERSION;

}  // namespace nezu::dataplane
