// Percentiles, means, rates on their layers, and frames that are due.
#include <gtest/gtest.h>

#include "bench/generator/histogram.h"
#include "bench/generator/methods.h"
#include "bench/generator/pacer.h"
#include "bench/generator/rate.h"
#include "bench/generator/statistics.h"

namespace nezu::generator {
namespace {

TEST(Histogram, IsExactWhereItIsSmall) {
  Histogram histogram;
  for (uint64_t value = 1; value <= 100; ++value) histogram.note(value);
  EXPECT_EQ(histogram.percentile(0), 1u);
  EXPECT_EQ(histogram.percentile(0.5), 50u);
  EXPECT_EQ(histogram.percentile(0.99), 99u);
  EXPECT_EQ(histogram.percentile(1), 100u);
  EXPECT_DOUBLE_EQ(histogram.mean(), 50.5);
}

TEST(Histogram, ErrsByLessThanAHundredthAtAnySize) {
  for (uint64_t value = 1; value < uint64_t{1} << 62; value = value * 3 / 2 + 1) {
    Histogram histogram;
    histogram.note(1);
    histogram.note(value);
    histogram.note(~uint64_t{0} >> 1);
    const auto middle = static_cast<double>(histogram.percentile(0.5));
    EXPECT_GE(middle, static_cast<double>(value));
    EXPECT_LE(middle, static_cast<double>(value) * (1 + 1.0 / 128));
  }
}

TEST(Histogram, AddsUp) {
  Histogram one, two;
  one.note(10);
  two.note(1000);
  two.note(30);
  one.add(two);
  EXPECT_EQ(one.count(), 3u);
  EXPECT_EQ(one.least(), 10u);
  EXPECT_EQ(one.most(), 1000u);
  EXPECT_EQ(one.percentile(0.5), 30u);
}

TEST(Histogram, OfNothingIsNothing) {
  const Histogram histogram;
  EXPECT_EQ(histogram.percentile(0.5), 0u);
  EXPECT_EQ(histogram.least(), 0u);
  EXPECT_EQ(histogram.mean(), 0);
}

TEST(Statistics, AreByNearestRank) {
  std::vector<double> values;
  for (int i = 20; i >= 1; --i) values.push_back(i);
  EXPECT_EQ(median(values), 10.5);
  EXPECT_EQ(percentile(values, 0.01), 1);
  EXPECT_EQ(percentile(values, 0.99), 20);
  EXPECT_EQ(percentile(values, 0.5), 10);
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({}), 0);
  EXPECT_EQ(percentile({}, 0.5), 0);
}

TEST(Statistics, NanosecondsFromCycles) {
  Histogram cycles;
  for (uint64_t i = 1; i <= 200; ++i) cycles.note(i);
  const LatencyFigures out = figures(cycles, 2e9);
  EXPECT_EQ(out.frames, 200u);
  EXPECT_DOUBLE_EQ(out.least, 0.5);
  EXPECT_DOUBLE_EQ(out.p50, 50);
  EXPECT_DOUBLE_EQ(out.most, 100);
}

// RFC 2544's famous 14,880,952 frames of 64 bytes a second.
TEST(Rate, SaysItsLayer) {
  EXPECT_NEAR(line_rate(10e9, 64), 14'880'952, 1);
  EXPECT_NEAR(layer1_bits(14'880'952.38, 64), 10e9, 100);
  EXPECT_DOUBLE_EQ(layer2_bits(1e6, 64), 512e6);
  EXPECT_DOUBLE_EQ(layer3_bits(1e6, 64), 368e6);
}

TEST(Pacer, AddsNoRoundingUp) {
  constexpr double kHz = 2'596'000'000;
  Pacer pacer(333'333, kHz, 0, 1000);
  uint64_t taken = 0;
  for (uint64_t now = 0; now <= static_cast<uint64_t>(10 * kHz); now += 700'001) {
    while (const uint32_t due = pacer.take(now, 32)) taken += due;
  }
  EXPECT_NEAR(static_cast<double>(taken), 3'333'330, 100);
  EXPECT_EQ(pacer.skipped(), 0u);
}

TEST(Pacer, DoesNotMakeUpForItsOwnPause) {
  Pacer pacer(1000, 1000, 0, 50);  // one each tick
  EXPECT_EQ(pacer.take(10, 32), 10u);
  EXPECT_EQ(pacer.take(1010, 32), 32u);
  EXPECT_EQ(pacer.take(1010, 32), 18u);
  EXPECT_EQ(pacer.take(1010, 32), 0u);
  EXPECT_EQ(pacer.skipped(), 950u);
  EXPECT_EQ(pacer.taken(), 60u);
  EXPECT_EQ(pacer.take(1011, 32), 1u);
}

TEST(Pacer, WaitsForItsStart) {
  Pacer pacer(1000, 1000, 100, 50);
  EXPECT_EQ(pacer.take(50, 32), 0u);
  EXPECT_EQ(pacer.take(101, 32), 1u);
}

}  // namespace
}  // namespace nezu::generator
