#include "dataplane/admit/syn_cookies.h"

#include <wmmintrin.h>

#include "dataplane/net/hash.h"

namespace nezu::admit {
namespace {

/// The next round's key (FIPS 197 5.2); `help`: of _mm_aeskeygenassist_si128.
__m128i expanded(__m128i key, __m128i help) {
  help = _mm_shuffle_epi32(help, 0xff);
  key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
  key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
  key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
  return _mm_xor_si128(key, help);
}

}  // namespace

SynCookies::SynCookies(uint64_t seed) {
  keys_[0] = _mm_set_epi64x(static_cast<int64_t>(net::mix64(seed)),
                            static_cast<int64_t>(net::mix64(~seed)));
  // The round constants have to be constants of the program.
#define NEZU_ROUND(i, constant) \
  keys_[i] = expanded(keys_[(i)-1], _mm_aeskeygenassist_si128(keys_[(i)-1], constant))
  NEZU_ROUND(1, 0x01);
  NEZU_ROUND(2, 0x02);
  NEZU_ROUND(3, 0x04);
  NEZU_ROUND(4, 0x08);
  NEZU_ROUND(5, 0x10);
  NEZU_ROUND(6, 0x20);
  NEZU_ROUND(7, 0x40);
  NEZU_ROUND(8, 0x80);
  NEZU_ROUND(9, 0x1b);
  NEZU_ROUND(10, 0x36);
#undef NEZU_ROUND
}

__m128i SynCookies::encrypted(__m128i block) const {
  block = _mm_xor_si128(block, keys_[0]);
  for (size_t round = 1; round < 10; ++round) block = _mm_aesenc_si128(block, keys_[round]);
  return _mm_aesenclast_si128(block, keys_[10]);
}

// A packet's lane is 0.

uint32_t SynCookies::hash(net::Tuple4 tuple, uint32_t says) const {
  tuple.lane = static_cast<uint8_t>(says);
  const __m128i all = _mm_load_si128(reinterpret_cast<const __m128i*>(&tuple));
  return static_cast<uint32_t>(_mm_cvtsi128_si32(encrypted(all))) & kHash;
}

uint32_t SynCookies::hash(net::Tuple6 tuple, uint32_t says) const {
  tuple.lane = static_cast<uint8_t>(says);
  const auto* from = reinterpret_cast<const __m128i*>(&tuple);
  // In another order than IPv4's: no block of the one is all of the other.
  __m128i block = encrypted(_mm_load_si128(from + 2));
  block = encrypted(_mm_xor_si128(block, _mm_load_si128(from)));
  block = encrypted(_mm_xor_si128(block, _mm_load_si128(from + 1)));
  return static_cast<uint32_t>(_mm_cvtsi128_si32(block)) & kHash;
}

}  // namespace nezu::admit
