// Mixes: their arithmetic, and RFC 6985's notation.
#include "bench/generator/mix.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace nezu::generator {
namespace {

using Sizes = std::vector<uint32_t>;

std::vector<uint32_t> sequence(const Mix& mix) {
  std::vector<uint32_t> all;
  for (const uint8_t size : mix.pattern) all.push_back(mix.sizes[size]);
  return all;
}

std::string refused(const char* text) {
  try {
    parse_mix(text, 1518);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST(Mix, SimpleAsIpPacketsHasTheSharesOfBandwidthThatAreToldOfIt) {
  const auto all = shares_of(ip_counts("simple-ip"));
  ASSERT_EQ(all.size(), 3u);
  EXPECT_NEAR(all[0].bandwidth, 0.06856, 5e-6);
  EXPECT_NEAR(all[1].bandwidth, 0.56415, 5e-6);
  EXPECT_NEAR(all[2].bandwidth, 0.36729, 5e-6);
  EXPECT_EQ(arithmetic(all),
            "7 x 40 = 280 B (6.856 %), 4 x 576 = 2304 B (56.415 %), 1 x 1500 = 1500 B "
            "(36.729 %) of 4084 B");
}

TEST(Mix, SimpleAsFrames) {
  const Mix mix = parse_mix("simple", 1518);
  EXPECT_EQ(mix.sizes, (Sizes{64, 594, 1518}));
  EXPECT_EQ(mix.pattern.size(), 12u);
  EXPECT_EQ(arithmetic(shares(mix)),
            "7 x 64 = 448 B (10.318 %), 4 x 594 = 2376 B (54.721 %), 1 x 1518 = 1518 B "
            "(34.961 %) of 4342 B");
  EXPECT_NEAR(mix.mean(), 4342.0 / 12, 1e-9);
}

TEST(Mix, CsitHasTheSameProportionsOfOtherSizes) {
  const Mix mix = parse_mix("csit", 1518);
  EXPECT_EQ(mix.sizes, (Sizes{64, 570, 1518}));
  EXPECT_EQ(mix.pattern.size(), 48u);
  const auto all = shares(mix);
  EXPECT_EQ(all[0].count, 28u);
  EXPECT_EQ(all[1].count, 16u);
  EXPECT_EQ(all[2].count, 4u);
}

TEST(Mix, LargeFramesAreSpreadOverTheSequence) {
  const auto frames = sequence(parse_mix("csit", 1518));
  size_t last = 0, seen = 0;
  for (size_t i = 0; i < frames.size(); ++i) {
    if (frames[i] != 1518) continue;
    if (seen++ != 0) {
      EXPECT_NEAR(static_cast<double>(i - last), 12, 1);
    }
    last = i;
  }
  EXPECT_EQ(seen, 4u);
}

TEST(Mix, LettersAreThoseOfRfc6985) {
  EXPECT_EQ(sequence(parse_mix("abcdefghijz", 1492)),
            (Sizes{64, 128, 256, 512, 1024, 1280, 1518, 2112, 9000, 16000, 1492}));
  EXPECT_EQ(sequence(parse_mix("aag", 1518)), (Sizes{64, 64, 1518}));
}

TEST(Mix, OwnSizesAndRepetitions) {
  EXPECT_EQ(sequence(parse_mix("A=98,B=300:2AbB", 1518)), (Sizes{98, 98, 128, 300}));
  EXPECT_EQ(parse_mix("7a4d1g", 1518).pattern.size(), 12u);
  EXPECT_EQ(sequence(parse_mix("512", 1518)), (Sizes{512}));
}

TEST(Mix, WhatIsNoneIsRefusedWithASentence) {
  EXPECT_NE(refused("").find("no frames"), std::string::npos);
  EXPECT_NE(refused("aXb").find("called 'X'"), std::string::npos);
  EXPECT_NE(refused("A=98:AB").find("called 'B'"), std::string::npos);
  EXPECT_NE(refused("A=20:A").find("64 to 16000"), std::string::npos);
  EXPECT_NE(refused("A=:A").find("A=98"), std::string::npos);
  EXPECT_NE(refused("A=9x:A").find("not a size"), std::string::npos);
  EXPECT_NE(refused("a3").find("in front of a letter"), std::string::npos);
  EXPECT_NE(refused("0a").find("once or more"), std::string::npos);
  EXPECT_NE(refused("99999999999999a").find("65536"), std::string::npos);
  EXPECT_NE(refused("63").find("64 to 16000"), std::string::npos);
  EXPECT_NE(refused("a\x14").find("called '?'"), std::string::npos);
  EXPECT_NE(refused("99999999999999999999").find("not a size"), std::string::npos);
}

}  // namespace
}  // namespace nezu::generator
