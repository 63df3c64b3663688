#include "bench/generator/methods.h"

#include <algorithm>
#include <cstdio>

#include "bench/generator/statistics.h"

namespace nezu::generator {
namespace {

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g %%", 100 * share);
  return text;
}

TrialPlan plan_of(const std::string& purpose, const Mix& mix, const MethodOptions& options,
                  double rate, double seconds) {
  TrialPlan plan;
  plan.purpose = purpose + " " + mix.name;
  plan.mix = mix;
  plan.rate = rate;
  plan.seconds = seconds;
  plan.to_right = options.to_right;
  plan.to_left = options.to_left;
  return plan;
}

void add_latencies(const TrialResult& result, Histogram& all) {
  for (const GroupCounts& group : result.groups) all.add(group.latency);
}

}  // namespace

const char* to_string(LimitedBy limit) {
  switch (limit) {
    case LimitedBy::device:
      return "device";
    case LimitedBy::generator:
      return "generator";
    case LimitedBy::most:
      return "most";
  }
  return "";
}

Throughput find_throughput(Trials& trials, const Mix& mix, const MethodOptions& options,
                           const std::function<void(uint32_t left)>& tell_left) {
  Throughput found;
  found.mix = mix;
  found.tolerated = options.tolerated;
  Search search(
      {0, options.most, options.resolution, options.short_seconds, options.deciding_seconds});
  double lowest_failed = 0;
  while (!search.done()) {
    if (tell_left) tell_left(search.left());
    const double rate = search.rate();
    const TrialResult result = trials.run(plan_of(search.is_deciding() ? "deciding" : "searching",
                                                  mix, options, rate, search.seconds()));
    // Who did not offer the load cannot say that the device bears it.
    const bool passed =
        !result.is_short() && result.sent() != 0 && result.loss() <= options.tolerated;
    found.attempts.push_back(
        {rate, search.seconds(), result.loss(), search.is_deciding(), result.is_short(), passed});
    if (passed && search.is_deciding()) found.decision = result;
    if (!passed && (lowest_failed == 0 || rate < lowest_failed)) {
      lowest_failed = rate;
      const bool lost = result.loss() > options.tolerated;
      found.limit = result.is_short() && !lost ? LimitedBy::generator : LimitedBy::device;
    }
    search.tell(passed);
  }
  found.rate = search.found();
  if (search.is_limited_by_most()) found.limit = LimitedBy::most;
  return found;
}

LossCurve draw_loss(Trials& trials, const Mix& mix, const MethodOptions& options, double step,
                    double seconds) {
  LossCurve curve;
  curve.mix = mix;
  curve.most = options.most;
  step = std::clamp(step, 0.001, 0.1);
  uint32_t clean = 0;
  for (uint32_t i = 0; clean < 2 && 1 - i * step > step / 2; ++i) {
    const double share = 1 - i * step;
    const double rate = share * options.most;
    const TrialResult result =
        trials.run(plan_of("loss at " + percent(share), mix, options, rate, seconds));
    curve.points.push_back({share, rate, result.offered_rate(), result.loss(), result.is_short()});
    clean = result.lost() == 0 && result.sent() != 0 ? clean + 1 : 0;
  }
  return curve;
}

LatencyFigures figures(const Histogram& cycles, double tsc_hz) {
  const double scale = 1e9 / tsc_hz;
  const auto at = [&](double share) {
    return static_cast<double>(cycles.percentile(share)) * scale;
  };
  LatencyFigures out;
  out.frames = cycles.count();
  out.least = static_cast<double>(cycles.least()) * scale;
  out.mean = cycles.mean() * scale;
  out.p50 = at(0.5);
  out.p90 = at(0.9);
  out.p99 = at(0.99);
  out.p999 = at(0.999);
  out.most = static_cast<double>(cycles.most()) * scale;
  return out;
}

Latency measure_latency(Trials& trials, const Mix& mix, const MethodOptions& options, double rate,
                        double seconds, uint32_t repeats, double tsc_hz) {
  Latency latency;
  latency.mix = mix;
  latency.rate = rate;
  Histogram all;
  for (uint32_t i = 0; i < repeats; ++i) {
    const TrialResult result = trials.run(plan_of("latency", mix, options, rate, seconds));
    Histogram one;
    add_latencies(result, one);
    latency.runs.push_back(figures(one, tsc_hz));
    latency.lost += result.lost();
    all.add(one);
  }
  latency.all = figures(all, tsc_hz);
  for (const double share : {0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999,
                             0.9995, 0.9999, 0.99999, 1.0}) {
    latency.curve.emplace_back(share, static_cast<double>(all.percentile(share)) * 1e9 / tsc_hz);
  }
  return latency;
}

BackToBack find_back_to_back(Trials& trials, const Mix& mix, const MethodOptions& options,
                             double seconds, uint32_t repeats) {
  BackToBack found;
  found.mix = mix;
  found.rate = options.most;
  const auto longest = static_cast<uint64_t>(std::max(1.0, options.most * seconds));
  const auto passes = [&](uint64_t frames) {
    TrialPlan plan = plan_of("back-to-back " + std::to_string(frames) + " frames", mix, options,
                             options.most, static_cast<double>(frames) / options.most);
    plan.frames = frames;
    const TrialResult result = trials.run(plan);
    return result.sent() != 0 && result.lost() == 0 && !result.is_short();
  };
  for (uint32_t i = 0; i < repeats; ++i) {
    uint64_t low = 0, high = longest;
    if (passes(longest)) {
      low = longest;
      found.reached_end = true;
    }
    // To the frame where bursts are short, to a thousandth where they are long.
    while (low != longest && high - low > std::max<uint64_t>(1, high / 1000)) {
      const uint64_t middle = low + (high - low) / 2;
      (passes(middle) ? low : high) = middle;
    }
    found.longest.push_back(static_cast<double>(low));
  }
  found.mean = mean(found.longest);
  return found;
}

Spread spread(const std::vector<double>& values) {
  return {median(values), percentile(values, 0.01), percentile(values, 0.99)};
}

Translation measure_translation(Trials& trials, uint32_t size, int32_t longer_on_right,
                                const MethodOptions& options, double latency_seconds,
                                uint32_t repeats, double tsc_hz) {
  Translation found;
  found.left_size = size;
  found.right_size = static_cast<uint32_t>(static_cast<int32_t>(size) + longer_on_right);
  found.ways = options.to_right && options.to_left ? "both"
               : options.to_left                   ? "to left"
                                                   : "to right";
  std::vector<double> typical, worst, variation;
  for (uint32_t i = 0; i < repeats; ++i) {
    const Throughput one = find_throughput(trials, single(size), options);
    found.rates.push_back(one.rate);
    found.limit = one.limit;
    if (one.rate == 0) continue;
    const LatencyFigures latency =
        measure_latency(trials, single(size), options, one.rate, latency_seconds, 1, tsc_hz).all;
    typical.push_back(latency.p50);
    worst.push_back(latency.p999);
    variation.push_back(latency.p999 - latency.least);
  }
  found.rate = spread(found.rates);
  found.typical = spread(typical);
  found.worst = spread(worst);
  found.variation = spread(variation);
  return found;
}

}  // namespace nezu::generator
