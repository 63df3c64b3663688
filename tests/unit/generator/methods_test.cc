// The methods against a device that is made up: what it can do is known, so the answers are.
#include "bench/generator/methods.h"

#include <gtest/gtest.h>

#include <cmath>

namespace nezu::generator {
namespace {

/// Delivers up to `limit` frames a second and up to `buffer` more; each takes `cycles`.
class Device final : public Trials {
 public:
  double limit = 1e6;
  double generator = 1e9;  ///< frames a second that can be offered
  double leak = 0;         ///< share that is lost at any rate
  uint64_t buffer = 0, cycles = 1000;
  std::vector<TrialPlan> plans;

  TrialResult run(const TrialPlan& plan) override {
    plans.push_back(plan);
    TrialResult result;
    result.plan = plan;
    const double offered = std::min(plan.rate, generator);
    const double frames =
        plan.frames != 0 ? static_cast<double>(plan.frames) : std::floor(offered * plan.seconds);
    result.seconds = frames / offered;
    for (const Way way : {Way::to_right, Way::to_left}) {
      if (!(way == Way::to_right ? plan.to_right : plan.to_left)) continue;
      GroupCounts group;
      group.way = way;
      group.size = plan.mix.sizes[0];
      group.sent = static_cast<uint64_t>(frames);
      const double room = std::ceil(limit * result.seconds) + static_cast<double>(buffer);
      group.delivered = static_cast<uint64_t>(std::min(frames, room) - std::ceil(frames * leak));
      group.latency.note(cycles);
      group.latency.note(3 * cycles);
      result.groups.push_back(group);
    }
    return result;
  }
};

MethodOptions options() {
  MethodOptions options;
  options.most = 2e6;
  options.resolution = 0.002;
  options.short_seconds = 1;
  options.deciding_seconds = 60;
  return options;
}

TEST(Throughput, IsTheDevices) {
  Device device;
  device.limit = 1'234'567;
  const Throughput found = find_throughput(device, single(64), options());
  EXPECT_LE(found.rate, 1'234'568);
  EXPECT_GE(found.rate, 1'234'567 - 4000);
  EXPECT_EQ(found.limit, LimitedBy::device);
  EXPECT_EQ(device.plans.back().seconds, 60) << "the last word is a deciding trial's";
  EXPECT_EQ(found.decision.lost(), 0u);
}

TEST(Throughput, OfAGeneratorThatIsTooSlowIsSaidToBeTheGenerators) {
  Device device;
  device.limit = 1e9;
  device.generator = 1'500'000;
  const Throughput found = find_throughput(device, single(64), options());
  EXPECT_EQ(found.limit, LimitedBy::generator);
  EXPECT_NEAR(found.rate, 1'500'000, 30'000);
}

TEST(Throughput, AllThatWasTriedIsSaid) {
  Device device;
  device.limit = 1e9;
  const Throughput found = find_throughput(device, single(64), options());
  EXPECT_EQ(found.limit, LimitedBy::most);
  EXPECT_EQ(found.rate, 2e6);
}

TEST(Throughput, ToleratedLossIsAnOption) {
  Device device;
  device.leak = 0.004;
  MethodOptions method = options();
  EXPECT_EQ(find_throughput(device, single(64), method).rate, 0);
  method.tolerated = 0.005;
  EXPECT_NEAR(find_throughput(device, single(64), method).rate, 1e6, 1e4);
}

TEST(LossCurve, GoesDownUntilTwoTrialsAreClean) {
  Device device;
  device.limit = 1.1e6;  // 55 % of most
  const LossCurve curve = draw_loss(device, single(64), options(), 0.1, 10);
  ASSERT_EQ(curve.points.size(), 7u);  // 100, 90, 80, 70, 60 lose; 50, 40 are clean
  EXPECT_NEAR(curve.points[0].loss, 0.45, 1e-6);
  EXPECT_NEAR(curve.points[4].loss, 1 - 0.55 / 0.6, 1e-6);
  EXPECT_EQ(curve.points[5].loss, 0);
  EXPECT_NEAR(curve.points[6].share, 0.4, 1e-9);
}

TEST(LossCurve, NeverStepsFurtherThanTenPercentAndEndsAtTheBottom) {
  Device device;
  device.leak = 0.01;
  const LossCurve curve = draw_loss(device, single(64), options(), 0.5, 10);
  EXPECT_EQ(curve.points.size(), 10u);
  EXPECT_NEAR(curve.points.back().share, 0.1, 1e-9);
}

TEST(Latency, IsOfAllRuns) {
  Device device;
  MethodOptions method = options();
  method.to_left = true;
  const Latency latency = measure_latency(device, single(64), method, 1e5, 120, 20, 1e9);
  EXPECT_EQ(latency.runs.size(), 20u);
  EXPECT_EQ(latency.all.frames, 80u);
  EXPECT_EQ(latency.all.least, 1000);
  EXPECT_EQ(latency.all.most, 3000);
  EXPECT_EQ(latency.all.mean, 2000);
  EXPECT_EQ(device.plans[0].seconds, 120);
}

TEST(BackToBack, IsWhatTheBufferBears) {
  Device device;
  device.limit = 1e6;
  device.buffer = 10'000;
  const BackToBack found = find_back_to_back(device, single(64), options(), 2, 3);
  // n frames at 2 Mpps: n - n / 2 must fit.
  ASSERT_EQ(found.longest.size(), 3u);
  EXPECT_NEAR(found.mean, 20'000, 4000);
  EXPECT_FALSE(found.reached_end);
}

TEST(BackToBack, EndsAtItsTime) {
  Device device;
  device.limit = 1e9;
  const BackToBack found = find_back_to_back(device, single(64), options(), 2, 2);
  EXPECT_TRUE(found.reached_end);
  EXPECT_EQ(found.mean, 4e6);
  EXPECT_EQ(device.plans.size(), 2u);
}

TEST(Translation, IsTheMedianOfItsRuns) {
  Device device;
  const Translation found = measure_translation(device, 64, 20, options(), 60, 20, 1e9);
  EXPECT_EQ(found.right_size, 84u);
  EXPECT_EQ(found.rates.size(), 20u);
  EXPECT_NEAR(found.rate.median, 1e6, 4000);
  EXPECT_EQ(found.rate.p1, found.rate.p99);
  EXPECT_NEAR(found.typical.median, 1000, 1000.0 / 128);
  EXPECT_EQ(found.worst.median, 3000);
  EXPECT_EQ(found.variation.median, 2000);
}

}  // namespace
}  // namespace nezu::generator
