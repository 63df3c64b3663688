// The methods of RFC 2544 26.1 to 26.4 and of RFC 8219, as questions to a device by trials.
//
// One thread; pure: `Trials` is the engine, or a device that a test made up. Loss is a share of
// what was offered, 0 to 1. Rates are frames a second in each way that is used.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/generator/search.h"
#include "bench/generator/trial.h"

namespace nezu::generator {

/// What all methods need to know.
struct MethodOptions {
  bool to_right = true, to_left = false;
  double most = 0;            ///< rate that is tried first
  double tolerated = 0;       ///< loss that still passes: 0, or 0.00001 (0.001 %), 0.005 (0.5 %)
  double resolution = 0.005;  ///< of `most`
  double short_seconds = 2, deciding_seconds = 60;
};

/// Why the rate is not higher.
enum class LimitedBy : uint8_t {
  device,
  generator,  ///< it could not offer more: the device may do more
  most,       ///< all that was to be tried passed
};
const char* to_string(LimitedBy limit);

struct Attempt {
  double rate = 0, seconds = 0, loss = 0;
  bool deciding = false, is_short = false, passed = false;
};

struct Throughput {
  Mix mix;
  double tolerated = 0;
  double rate = 0;  ///< 0: not even the lowest rate passed
  LimitedBy limit = LimitedBy::device;
  std::vector<Attempt> attempts;
  TrialResult decision;  ///< the trial that `rate` passed
};
/// RFC 2544 26.1.
Throughput find_throughput(Trials& trials, const Mix& mix, const MethodOptions& options,
                           const std::function<void(uint32_t left)>& tell_left = {});

struct LossPoint {
  double share = 0;  ///< of the highest rate
  double rate = 0, offered = 0;
  double loss = 0;
  bool is_short = false;
};
struct LossCurve {
  Mix mix;
  double most = 0;
  std::vector<LossPoint> points;
};
/// RFC 2544 26.3: from the highest rate down in `step`s (at most 0.1) until two trials in a row
/// lose nothing.
LossCurve draw_loss(Trials& trials, const Mix& mix, const MethodOptions& options, double step,
                    double seconds);

/// Nanoseconds.
struct LatencyFigures {
  uint64_t frames = 0;
  double least = 0, mean = 0, p50 = 0, p90 = 0, p99 = 0, p999 = 0, most = 0;
};
LatencyFigures figures(const Histogram& cycles, double tsc_hz);

struct Latency {
  Mix mix;
  double rate = 0;
  std::vector<LatencyFigures> runs;
  LatencyFigures all;                            ///< of all runs together
  std::vector<std::pair<double, double>> curve;  ///< share of frames, nanoseconds
  uint64_t lost = 0;
};
/// RFC 2544 26.2 and RFC 8219 7.2: `repeats` trials of `seconds`. Every frame is timed, not only
/// one in the middle.
Latency measure_latency(Trials& trials, const Mix& mix, const MethodOptions& options, double rate,
                        double seconds, uint32_t repeats, double tsc_hz);

struct BackToBack {
  Mix mix;
  double rate = 0;              ///< of the burst
  std::vector<double> longest;  ///< frames, of each repetition
  double mean = 0;              ///< what RFC 2544 reports
  bool reached_end = false;     ///< bursts of the full time passed
};
/// RFC 2544 26.4: the longest burst at `options.most` without loss, up to `seconds` of it.
BackToBack find_back_to_back(Trials& trials, const Mix& mix, const MethodOptions& options,
                             double seconds, uint32_t repeats);

/// RFC 8219 5 and 7: of repeated runs the median, with the 1st and 99th percentile around it.
struct Spread {
  double median = 0, p1 = 0, p99 = 0;
};
Spread spread(const std::vector<double>& values);

struct Translation {
  uint32_t left_size = 0, right_size = 0;
  std::string ways;           ///< "to right", "to left", "both"
  std::vector<double> rates;  ///< throughput of each run
  Spread rate;
  Spread typical, worst;  ///< latency: the median, and 99.9 % of frames (7.2), nanoseconds
  Spread variation;       ///< 99.9 % less the least (7.3.1), nanoseconds
  LimitedBy limit = LimitedBy::device;
};
Translation measure_translation(Trials& trials, uint32_t size, int32_t longer_on_right,
                                const MethodOptions& options, double latency_seconds,
                                uint32_t repeats, double tsc_hz);

}  // namespace nezu::generator
