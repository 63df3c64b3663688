// SYN cookies as values: what goes in comes out, for whom and as long as it is meant.
#include "dataplane/admit/syn_cookies.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace nezu::admit {
namespace {

net::Instant at(uint64_t seconds, uint64_t ms = 0) {
  return {seconds * net::kNanosecondsPerSecond + ms * 1'000'000};
}
net::Tuple4 tuple4(uint32_t client, uint16_t port = 1234) {
  return {client, 0x0a7100cb, port, 80 << 8, net::Instance::standard, net::Protocol::tcp, 0};
}
net::Tuple6 tuple6(uint8_t client) {
  net::Tuple6 tuple{};
  tuple.source[0] = 0x20;
  tuple.source[15] = client;
  tuple.protocol = net::Protocol::tcp;
  return tuple;
}

TEST(SynCookies, TellWhatTheSynSaid) {
  const SynCookies cookies(7);
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    Handshake says;
    says.segment_size = SynCookies::kSizes[random() % 8];
    says.timestamps = random() % 2 != 0;
    if (says.timestamps) says.window_scale = static_cast<uint8_t>(random() % 16);
    says.sack = random() % 2 != 0;
    const net::Tuple4 tuple = tuple4(random());
    const auto first = static_cast<uint32_t>(random());
    const net::Instant made = at(random(), random() % 1000);
    const auto cookie = cookies.make(tuple, first, says, made);
    std::optional<uint32_t> echoed;
    if (says.timestamps) echoed = cookie.timestamp;
    ASSERT_EQ(cookies.read(tuple, first, cookie.sequence, echoed, made), says);
    const net::Instant later{made.nanoseconds + 63 * net::kNanosecondsPerSecond};
    ASSERT_EQ(cookies.read(tuple, first, cookie.sequence, echoed, later), says);
    const net::Instant too_late{made.nanoseconds + 128 * net::kNanosecondsPerSecond};
    ASSERT_EQ(cookies.read(tuple, first, cookie.sequence, echoed, too_late), std::nullopt);
    // Never ahead of the clock, and hardly behind it.
    if (says.timestamps) {
      ASSERT_LE(SynCookies::clock(made) - cookie.timestamp, 16u);
    }
  }
}

TEST(SynCookies, SizesAreRoundedDown) {
  const SynCookies cookies(7);
  for (const auto& [size, kept] : {std::pair<uint16_t, uint16_t>{0, 536},
                                   {88, 536},
                                   {1219, 536},
                                   {1220, 1220},
                                   {1459, 1440},
                                   {1460, 1460},
                                   {9000, 8940},
                                   {65535, 8940}}) {
    Handshake says;
    says.segment_size = size;
    const auto cookie = cookies.make(tuple4(1), 5, says, at(9));
    EXPECT_EQ(cookies.read(tuple4(1), 5, cookie.sequence, {}, at(9))->segment_size, kept);
  }
}

/// Each is as good as a guess: 1 of 16 million, which 200,000 goes hit with 1 %.
TEST(SynCookies, AreGoodForNothingElse) {
  const SynCookies cookies(7), others(8);
  const auto cookie = cookies.make(tuple4(1), 5, {}, at(9)).sequence;
  EXPECT_FALSE(others.read(tuple4(1), 5, cookie, {}, at(9)));
  EXPECT_FALSE(cookies.read(tuple4(2), 5, cookie, {}, at(9)));
  EXPECT_FALSE(cookies.read(tuple4(1, 1235), 5, cookie, {}, at(9)));
  EXPECT_FALSE(cookies.read(tuple4(1), 6, cookie, {}, at(9)));
  const auto cookie6 = cookies.make(tuple6(1), 5, {}, at(9)).sequence;
  EXPECT_TRUE(cookies.read(tuple6(1), 5, cookie6, {}, at(9)));
  EXPECT_FALSE(cookies.read(tuple6(2), 5, cookie6, {}, at(9)));
  net::Tuple4 elsewhere = tuple4(1);
  elsewhere.instance = net::Instance{3};
  EXPECT_FALSE(cookies.read(elsewhere, 5, cookie, {}, at(9)));
  for (uint32_t bit = 0; bit < 32; ++bit) {
    EXPECT_FALSE(cookies.read(tuple4(1), 5, cookie ^ 1u << bit, {}, at(9))) << bit;
  }
  std::mt19937 random(2);
  uint32_t hits = 0;
  for (int i = 0; i < 200'000; ++i) {
    hits += cookies.read(tuple4(1), 5, static_cast<uint32_t>(random()), {}, at(9)) ? 1 : 0;
  }
  EXPECT_LE(hits, 1u);
}

TEST(SynCookies, SpreadOverAllNumbers) {
  const SynCookies cookies(7);
  std::set<uint32_t> seen;
  for (uint32_t i = 0; i < 10000; ++i) {
    seen.insert(cookies.make(tuple4(i), 5, {}, at(9)).sequence & 0xffffff);
  }
  EXPECT_GT(seen.size(), 9950u);  // 3 pairs are to be expected
}

TEST(SynCookies, TimesGoOnForever) {
  const SynCookies cookies(7);
  Handshake says{1460, 7, true, true};
  uint32_t before = cookies.make(tuple4(1), 5, says, at(4294966)).timestamp;
  for (uint64_t ms = 0; ms < 4000; ++ms) {  // over the end of 32 bits
    const uint32_t now = cookies.make(tuple4(1), 5, says, at(4294966, ms)).timestamp;
    ASSERT_GE(static_cast<int32_t>(now - before), 0) << ms;
    before = now;
  }
}

}  // namespace
}  // namespace nezu::admit
