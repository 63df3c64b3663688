// Hashes of the packet path: of a flow's tuple, of a client for its shard, and a mix of one word.
//
// Any thread; a key is made once and only read after that.
//  * FlowHash: keyed AES rounds over a whole tuple. Not for strangers to predict: bucket collisions
//    cannot be made to order. A tuple and its mirror hash differently; both are keys of a flow.
//  * Toeplitz: what NICs compute for RSS (verified against the test vectors of Microsoft's RSS
//    specification), over one address and port, packed without gaps. Whether a NIC takes the source
//    or the destination, the same side of a flow gives the same shard.
#pragma once

#include <emmintrin.h>
#include <wmmintrin.h>

#include <array>
#include <cstdint>
#include <span>

#include "dataplane/net/packet.h"

namespace nezu::net {

/// Bijective; every input bit reaches every output bit (Stafford's mix 13).
constexpr uint64_t mix64(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

class FlowHash {
 public:
  explicit FlowHash(uint64_t seed);

  /// Three rounds: two spread each byte over the whole block, the third hides which.
  uint64_t operator()(const Tuple4& tuple) const {
    __m128i block = _mm_load_si128(reinterpret_cast<const __m128i*>(&tuple));
    block = _mm_aesenc_si128(_mm_xor_si128(block, keys_[0]), keys_[1]);
    block = _mm_aesenc_si128(block, keys_[2]);
    return folded(_mm_aesenc_si128(block, keys_[3]));
  }

  /// Each third goes through two rounds of its own before they meet, so that a difference in one
  /// cannot be cancelled by a chosen one in another; two more follow.
  uint64_t operator()(const Tuple6& tuple) const {
    const auto* from = reinterpret_cast<const __m128i*>(&tuple);
    __m128i a = _mm_xor_si128(_mm_load_si128(from), keys_[0]);
    __m128i b = _mm_xor_si128(_mm_load_si128(from + 1), keys_[1]);
    __m128i c = _mm_xor_si128(_mm_load_si128(from + 2), keys_[2]);
    a = _mm_aesenc_si128(_mm_aesenc_si128(a, keys_[3]), keys_[4]);
    b = _mm_aesenc_si128(_mm_aesenc_si128(b, keys_[4]), keys_[5]);
    c = _mm_aesenc_si128(_mm_aesenc_si128(c, keys_[5]), keys_[3]);
    const __m128i all = _mm_xor_si128(_mm_xor_si128(a, b), c);
    return folded(_mm_aesenc_si128(_mm_aesenc_si128(all, keys_[0]), keys_[1]));
  }

 private:
  static uint64_t folded(__m128i block) {
    const __m128i upper = _mm_unpackhi_epi64(block, block);
    return static_cast<uint64_t>(_mm_cvtsi128_si64(_mm_xor_si128(block, upper)));
  }

  __m128i keys_[6];
};

/// RSS key; NICs take 40 bytes (some 52, of which the first 40 serve all that is hashed here).
using ToeplitzKey = std::array<uint8_t, 40>;

/// The definition, bit by bit: for tests and for making tables. `input` of up to 36 bytes.
uint32_t toeplitz(const ToeplitzKey& key, std::span<const uint8_t> input);

/// The low 8 bits of the Toeplitz hash of (address, port): one table look-up for each input byte,
/// all independent. 4.5 KiB, of which IPv4 uses 1.5.
class ShardHash {
 public:
  explicit ShardHash(const ToeplitzKey& key);

  /// Address and port raw, as they lie in the packet; protocols without ports: port 0.
  uint8_t operator()(uint32_t address, uint16_t port) const {
    return static_cast<uint8_t>(rows_[0][address & 0xff] ^ rows_[1][address >> 8 & 0xff] ^
                                rows_[2][address >> 16 & 0xff] ^ rows_[3][address >> 24] ^
                                rows_[4][port & 0xff] ^ rows_[5][port >> 8]);
  }
  uint8_t operator()(const std::array<uint8_t, 16>& address, uint16_t port) const {
    uint8_t hash = rows_[16][port & 0xff] ^ rows_[17][port >> 8];
    for (uint32_t i = 0; i < 16; ++i) hash ^= rows_[i][address[i]];
    return hash;
  }
  /// An IPv4 address in either form hashes as its four bytes.
  uint8_t operator()(const Address& address, uint16_t port) const {
    return address.is_v4() ? (*this)(address.v4_raw(), port) : (*this)(address.bytes, port);
  }

 private:
  std::array<std::array<uint8_t, 256>, 18> rows_;
};

}  // namespace nezu::net
