// Cycles of the worker's turn, on packets that were made outside the measured time.
#pragma once

#include <array>
#include <vector>

#include "bench/path/rig.h"

namespace nezu::bench {

struct Spread {
  double min = 0, median = 0, max = 0;
};
Spread spread(std::vector<double> values);

struct Cost {
  Spread cycles_per_packet;              ///< of calm turns: the core was this bench's alone
  Spread cycles_of_all;                  ///< of all turns that were not interrupted
  std::array<double, 9> stage_cycles{};  ///< by path::kStageNames; of a run of their own
  uint64_t forwarded = 0, packets = 0;   ///< must be equal
  double interrupted_share = 0;          ///< of turns, left out: the machine did something else
  double calm_share = 0;                 ///< of the others
};
/// Packets of open flows, picked at random.
Cost measure_known(Rig& rig, const Options& options);

struct NewFlows {
  Spread cycles_per_flow;
  Spread million_per_second;
};
/// Every packet opens a flow, until the table has `count` more.
NewFlows measure_new(Rig& rig, const Options& options, uint32_t first, uint32_t count);

/// New flows, or whole TCP lives of seven packets, for so many seconds of the worker's time: what
/// expires and what must make place is paid for meanwhile.
struct Steady {
  double million_per_second = 0;  ///< of calm batches
  double of_all_turns = 0;        ///< the same, nothing left out
  Spread cycles;                  ///< of a flow or a life in calm batches, over tenths of the time
  uint64_t refused = 0;           ///< packets that were not forwarded
  uint64_t recycled = 0, expired = 0;
};
Steady measure_steady(Rig& rig, const Options& options, uint32_t first, double seconds, bool lives);

/// SYNs that cookies answer, for so many seconds; `refused`: those that no cookie answered. The
/// service's SYNs all get cookies from then on.
Steady measure_cookies(Rig& rig, const Options& options, uint32_t first, double seconds,
                       bool timestamps);

/// Packets of open flows at one bare service, at 65,000 bare ones with a server each, at those with
/// everything switched on but for limits of packets and bits, and with these, in turn.
struct Everything {
  static constexpr uint32_t kServices = 65'000;
  static constexpr size_t kKinds = 4;
  static constexpr std::array<const char*, kKinds> kNames = {"bare", "many services",
                                                             "everything on", "metered too"};
  std::array<Spread, kKinds> cycles;     ///< of a packet
  std::array<double, kKinds> to_bare{};  ///< medians of the runs'; 0: packets were dropped
};
Everything measure_everything(const Case& what, const Options& options);

/// Known flows that another worker receives and hands over to their owner. `rig` has two workers.
struct HandOver {
  Spread without, with;  ///< cycles of a packet, both ends in one thread, in turn
  Spread more;           ///< the difference of each run
  // Both ends on a core of their own: whoever needs longer counts.
  Spread apart;     ///< cycles of a packet, of the rounds that were kept
  Spread bounce;    ///< ns of a line's way there and back, beside those
  size_t kept = 0;  ///< rounds in which that way was not much longer than the shortest one
};
/// `core`: for the one that receives; negative: only in one thread.
HandOver measure_hand_over(Rig& rig, const Options& options, int core);

/// From a packet's arrival to its transmission, packets coming by chance.
struct Latency {
  double load = 0;             ///< share of what the path can do; 0: each comes alone
  double p50 = 0, p99 = 0;     ///< us
  double packets_a_burst = 0;  ///< mean
};
Latency measure_latency(Rig& rig, const Options& options, double cycles_per_packet, double load);

/// The same packets without and with a push of their service every millisecond, in turn.
struct Pushes {
  Spread without, with;  ///< cycles of a packet
  double ratio = 0;      ///< median of the runs'
  double per_second = 0;
};
/// `core`: for who pushes.
Pushes measure_pushes(Rig& rig, const Options& options, int core);

double tsc_hz();

}  // namespace nezu::bench
