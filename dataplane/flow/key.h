// Within flow/: whether an entry's key of one direction is a packet's tuple.
#pragma once

#include <cstddef>

#include "dataplane/flow/entry.h"
#include "dataplane/net/endian.h"

namespace nezu::flow {

// Both keys of an entry begin alike; what lies behind the ports of the first (instance, protocol)
// belongs to both.
static_assert(offsetof(Entry4, to_client) == 16 && sizeof(Half4) == 12);
static_assert(offsetof(Entry6, to_client) == 48 && sizeof(Half6) == 36);

/// What an entry's instance, protocol and lane differ in from a tuple's; answers have no lane.
inline uint32_t apart(const void* entry, const void* tuple, Direction direction) {
  return (net::load<uint32_t>(entry) ^ net::load<uint32_t>(tuple)) << (8 * index(direction));
}

inline bool is_key(const Entry4& entry, Direction direction, const net::Tuple4& tuple) {
  using net::load;
  const auto* key = reinterpret_cast<const char*>(&entry) + 16 * index(direction);
  const auto* of = reinterpret_cast<const char*>(&tuple);
  return ((load<uint64_t>(key) ^ load<uint64_t>(of)) |
          (load<uint32_t>(key + 8) ^ load<uint32_t>(of + 8)) |
          apart(&entry.to_server.instance, of + 12, direction)) == 0;
}

inline bool is_key(const Entry6& entry, Direction direction, const net::Tuple6& tuple) {
  using net::load;
  const auto* key = reinterpret_cast<const char*>(&entry) + 48 * index(direction);
  const auto* of = reinterpret_cast<const char*>(&tuple);
  return ((load<uint64_t>(key) ^ load<uint64_t>(of)) |
          (load<uint64_t>(key + 8) ^ load<uint64_t>(of + 8)) |
          (load<uint64_t>(key + 16) ^ load<uint64_t>(of + 16)) |
          (load<uint64_t>(key + 24) ^ load<uint64_t>(of + 24)) |
          (load<uint32_t>(key + 32) ^ load<uint32_t>(of + 32)) |
          apart(&entry.to_server.instance, of + 36, direction)) == 0;
}

/// The IPv4 side of a mixed flow.
inline bool is_key(const Entry6& entry, Direction direction, const net::Tuple4& tuple) {
  using net::load;
  const auto* key = reinterpret_cast<const char*>(&entry) + 48 * index(direction);
  return (load<uint64_t>(key) | (load<uint32_t>(key + 8) ^ 0xffff0000u) |
          (load<uint32_t>(key + 12) ^ tuple.source) | load<uint64_t>(key + 16) |
          (load<uint32_t>(key + 24) ^ 0xffff0000u) |
          (load<uint32_t>(key + 28) ^ tuple.destination) |
          (load<uint32_t>(key + 32) ^ load<uint32_t>(&tuple.source_port)) |
          apart(&entry.to_server.instance, &tuple.instance, direction)) == 0;
}

}  // namespace nezu::flow
