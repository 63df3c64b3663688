// The product's version, from the build.
#pragma once

namespace nezu::api {

inline constexpr char kVersion[] = NEZU_VERSION;

}  // namespace nezu::api
