#include "bench/path/turns.h"

#include <x86intrin.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace nezu::bench {

uint32_t Turns::alone_ = std::numeric_limits<uint32_t>::max();

Turns::Turns(uint32_t burst) : burst_(burst) {
  // Others come and go within milliseconds: a third of a second sees them gone.
  static const bool kLooked = [] {
    for (int i = 0; i < 300; ++i) {
      std::vector<uint32_t> probes(100);
      for (uint32_t& one : probes) one = probe();
      look_for_better(std::move(probes));
      const uint64_t from = now();
      while (now() - from < 2'000'000) {
      }
    }
    return true;
  }();
  static_cast<void>(kLooked);
  probes_.push_back(probe());
}

void Turns::look_for_better(std::vector<uint32_t> probes) {
  const auto tenth = probes.begin() + static_cast<ptrdiff_t>(probes.size() / 10);
  std::nth_element(probes.begin(), tenth, probes.end());
  alone_ = std::min(alone_, *tenth);
}

uint64_t Turns::now() { return __rdtsc(); }

// Instructions that wait for nothing: as many a cycle as the core can issue, so that whoever else
// is on it is felt.
uint32_t Turns::probe() {
  _mm_lfence();
  const uint64_t from = __rdtsc();
  _mm_lfence();
  for (int i = 0; i < 40; ++i) asm volatile(".rept 128\n\tnop\n\t.endr");
  _mm_lfence();
  return static_cast<uint32_t>(__rdtsc() - from);
}

Finished Turns::finish() {
  if (cycles_.empty()) return {};
  std::vector<uint32_t> sorted = cycles_;
  const auto middle = sorted.begin() + static_cast<ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  const uint32_t longest = 5 * *middle;
  probes_.push_back(probe());
  if (probes_.size() >= 100) look_for_better(probes_);
  const auto calm_probe = static_cast<uint32_t>(kCalm * alone_);
  uint64_t sum = 0, count = 0, calm_sum = 0, calm_count = 0;
  for (size_t i = 0; i < cycles_.size(); ++i) {
    if (cycles_[i] > longest) continue;
    sum += cycles_[i], ++count;
    const size_t before = i / kTurnsBetweenProbes;
    if (std::max(probes_[before], probes_[before + 1]) > calm_probe) continue;
    calm_sum += cycles_[i], ++calm_count;
  }
  interrupted_ += cycles_.size() - count;
  calm_ += calm_count;
  all_ += cycles_.size();
  cycles_.clear();
  probes_.assign(1, probe());
  const auto mean = [&](uint64_t cycles, uint64_t turns) {
    return static_cast<double>(cycles) / static_cast<double>(turns * burst_);
  };
  Finished finished{mean(sum, count), mean(sum, count),
                    static_cast<double>(calm_count) / static_cast<double>(count), alone_};
  if (finished.is_calm()) finished.calm = mean(calm_sum, calm_count);
  return finished;
}

double Turns::interrupted_share() const {
  return static_cast<double>(interrupted_) / static_cast<double>(all_);
}
double Turns::calm_share() const {
  return static_cast<double>(calm_) / static_cast<double>(all_ - interrupted_);
}

}  // namespace nezu::bench
