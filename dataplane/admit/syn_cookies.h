// SYN cookies: what a SYN said, in the sequence number that answers it, so that nothing is kept
// until the client has shown that it is where it says (RFC 4987 3.6).
//
//   sequence number   4 bits when (64 s) | 3 bits segment size | SACK | 24 bits of a keyed hash
//   our timestamp     ms since the boot, the last 4 bits of which hold the client's window scale
//
// The hash covers the tuple and what stands in front of it; the client's first sequence number is
// added, so that it is known again. It is AES-128 over blocks of always the same number (CBC-MAC),
// so that nobody makes one for an address where he does not receive. Clients that send no
// timestamps get no window scale: 4 bits more would make guessing 16 times easier.
//
// Any thread; the key is made once. Two processes of one key take each other's cookies.
#pragma once

#include <emmintrin.h>

#include <array>
#include <cstdint>
#include <optional>

#include "dataplane/net/handshake.h"
#include "dataplane/net/packet.h"
#include "dataplane/net/time.h"

namespace nezu::admit {

using net::Handshake;
using net::kNoScale;

class SynCookies {
 public:
  explicit SynCookies(uint64_t seed);

  struct Cookie {
    uint32_t sequence = 0;   ///< ours, of the SYN-ACK
    uint32_t timestamp = 0;  ///< ours, where the client sends timestamps
  };
  /// `first`: the SYN's sequence number.
  template <typename Tuple>
  Cookie make(const Tuple& tuple, uint32_t first, const Handshake& handshake,
              net::Instant now) const {
    const uint32_t says =
        period(now) << 4 | size_index(handshake.segment_size) << 1 | (handshake.sack ? 1u : 0u);
    return {says << kHashBits | ((hash(tuple, says) + first) & kHash),
            handshake.timestamps ? timestamp(handshake.window_scale, now) : 0};
  }
  /// What the SYN offered, if `sequence` is a cookie of the last 64 to 128 seconds. `echoed`: our
  /// timestamp as the client sends it back; none: it sends none.
  template <typename Tuple>
  std::optional<Handshake> read(const Tuple& tuple, uint32_t first, uint32_t sequence,
                                std::optional<uint32_t> echoed, net::Instant now) const {
    const uint32_t says = sequence >> kHashBits;
    const uint32_t age = (period(now) - (says >> 4)) & kPeriods;
    if (age > 1 || ((sequence - first) & kHash) != hash(tuple, says)) return std::nullopt;
    return Handshake{kSizes[says >> 1 & 7],
                     echoed ? static_cast<uint8_t>(*echoed & kScale) : kNoScale, (says & 1) != 0,
                     echoed.has_value()};
  }

  /// Our clock for clients with timestamps: ms.
  static uint32_t clock(net::Instant now) {
    return static_cast<uint32_t>(now.nanoseconds / 1'000'000);
  }

  /// Of 8 sizes the largest that is not above the client's.
  static constexpr std::array<uint16_t, 8> kSizes = {536, 1220, 1300, 1360, 1400, 1440, 1460, 8940};

 private:
  static constexpr uint32_t kHashBits = 24, kHash = (1u << kHashBits) - 1;
  static constexpr uint32_t kPeriods = 15, kScale = 15;

  static uint32_t period(net::Instant now) {
    return static_cast<uint32_t>(now.nanoseconds / (64 * net::kNanosecondsPerSecond)) & kPeriods;
  }
  static uint32_t size_index(uint16_t size) {
    uint32_t index = 0;
    while (index + 1 < kSizes.size() && kSizes[index + 1] <= size) ++index;
    return index;
  }
  /// Never ahead of the clock: later ones must not be smaller.
  static uint32_t timestamp(uint8_t scale, net::Instant now) {
    const uint32_t time = clock(now), said = (time & ~kScale) | scale;
    return static_cast<int32_t>(said - time) > 0 ? said - (kScale + 1) : said;
  }

  __m128i encrypted(__m128i block) const;
  uint32_t hash(net::Tuple4 tuple, uint32_t says) const;
  uint32_t hash(net::Tuple6 tuple, uint32_t says) const;

  __m128i keys_[11];
};

}  // namespace nezu::admit
