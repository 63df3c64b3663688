#include "dataplane/net/hash.h"

#include <cassert>

namespace nezu::net {

FlowHash::FlowHash(uint64_t seed) {
  for (__m128i& key : keys_) {
    const uint64_t low = mix64(seed += 0x9e3779b97f4a7c15u);
    const uint64_t high = mix64(seed += 0x9e3779b97f4a7c15u);
    key = _mm_set_epi64x(static_cast<int64_t>(high), static_cast<int64_t>(low));
  }
}

uint32_t toeplitz(const ToeplitzKey& key, std::span<const uint8_t> input) {
  assert(input.size() <= key.size() - 4);
  uint32_t window =
      swap32(load<uint32_t>(key.data()));  // the key's 32 bits from the current one on
  uint32_t hash = 0;
  for (size_t i = 0; i < input.size(); ++i) {
    for (int bit = 7; bit >= 0; --bit) {
      if ((input[i] >> bit & 1) != 0) hash ^= window;
      window = window << 1 | (key[i + 4] >> bit & 1u);
    }
  }
  return hash;
}

ShardHash::ShardHash(const ToeplitzKey& key) {
  std::array<uint8_t, 18> input{};
  for (size_t at = 0; at < input.size(); ++at) {
    for (unsigned value = 0; value < 256; ++value) {
      input[at] = static_cast<uint8_t>(value);
      rows_[at][value] = static_cast<uint8_t>(toeplitz(key, input));
    }
    input[at] = 0;
  }
}

}  // namespace nezu::net
