// nezu-bench-micro: the time of every case, by Google Benchmark and with its options.
#include <benchmark/benchmark.h>

#include <string>

#include "bench/micro/cases.h"

int main(int count, char** arguments) {
  for (const auto list : nezu::bench::kLists) {
    for (const nezu::bench::Case& each : list()) {
      const std::string name = std::string(each.group) + '/' + std::string(each.name);
      benchmark::RegisterBenchmark(name.c_str(), [&each](benchmark::State& state) {
        constexpr int64_t kBatch = 8000;
        each.run(kBatch);  // makes what it needs
        while (state.KeepRunningBatch(kBatch)) each.run(kBatch);
      });
    }
  }
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
