#include "dataplane/net/checksum.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace nezu::net {
namespace {

TEST(Checksum, Rfc1071Example) {
  const uint8_t bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
  EXPECT_EQ(swap16(fold(add(0, bytes, sizeof bytes))), 0xddf2);
}

TEST(Checksum, FoldNeverLosesACarry) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 100'000; ++i) {
    const uint64_t sum = random() >> (random() % 64);
    EXPECT_EQ(fold(sum) % 0xffff, sum % 0xffff);
    EXPECT_EQ(fold(sum) == 0, sum == 0);
  }
  for (const uint64_t sum : {0xffffull, 0x10000ull, 0x1ffffull, 0xffff0000ull, 0xffffffffull,
                             0x1ffffffffull, 0xffffffff00000000ull, ~0ull}) {
    EXPECT_EQ(fold(sum) % 0xffff, sum % 0xffff);
    EXPECT_NE(fold(sum), 0);
  }
}

TEST(Checksum, AllLengthsAsTwoBytesAtATime) {
  std::mt19937 random(2);
  for (size_t length = 0; length < 100; ++length) {
    std::vector<uint8_t> bytes(length);
    for (auto& byte : bytes) byte = static_cast<uint8_t>(random());
    uint32_t sum = 0;
    for (size_t i = 0; i < length; i += 2) {
      sum += static_cast<uint32_t>(bytes[i] << 8 | (i + 1 < length ? bytes[i + 1] : 0));
      sum = (sum & 0xffff) + (sum >> 16);
    }
    EXPECT_EQ(swap16(fold(add(0, bytes.data(), length))), sum) << length;
  }
}

TEST(Checksum, Rfc1624Example) {
  // 4: the old equations give 0xffff (-0) here, equation 3 gives 0x0000.
  EXPECT_EQ(updated(swap16(0xdd2f), change16(swap16(0x5555), swap16(0x3285))), 0x0000);
}

TEST(Checksum, UpdateNeverMakesMinusZero) {
  // Every checksum with every change of a 16-bit field from 1 to n: the result is what a full sum
  // over that field and the rest gives.
  for (uint32_t to = 0; to <= 0xffff; to += 257) {
    for (uint32_t rest = 0; rest <= 0xffff; rest += 255) {
      const uint16_t before = checksum_of(Sum{rest} + 1);
      const uint16_t after = checksum_of(Sum{rest} + to);
      if (rest + to == 0) continue;  // nothing but zeros: no header is
      EXPECT_EQ(updated(before, change16(1, static_cast<uint16_t>(to))), after)
          << rest << ' ' << to;
    }
  }
}

TEST(Checksum, UdpZeroMeansNone) {
  EXPECT_EQ(updated_udp(0, change16(1, 2)), 0);
  // A sum that comes out as 0 is sent as 0xffff, and from there on follows changes like 0.
  const uint16_t almost = checksum_of(0xfffe);
  EXPECT_EQ(updated_udp(almost, change16(1, 2)), 0xffff);
  EXPECT_EQ(updated_udp(0xffff, change16(2, 1)), almost);
}

TEST(Checksum, HeaderSumsUp) {
  const uint8_t header[] = {0x45, 0x00, 0x00, 0x1c, 0x12, 0x34, 0x00, 0x00, 0x40, 0x01,
                            0xe6, 0x94, 192,  168,  0,    1,    192,  168,  0,    199};
  EXPECT_TRUE(ipv4_header_sums_up(header));
  for (size_t at = 0; at < sizeof header; ++at) {
    uint8_t wrong[sizeof header];
    std::memcpy(wrong, header, sizeof header);
    wrong[at] ^= 4;
    EXPECT_FALSE(ipv4_header_sums_up(wrong));
  }
}

}  // namespace
}  // namespace nezu::net
