// From what was measured to the file, and back.
//
// One thread; without DPDK.
#pragma once

#include <string>
#include <vector>

#include "bench/generator/methods.h"
#include "results.pb.h"

namespace nezu::generator {

/// On all layers. `size`: mean, with FCS.
void set_rate(results::Rate& out, double frames, double size);
void set_figures(results::LatencyFigures& out, const LatencyFigures& figures);

void record(results::Results& results, const TrialResult& trial, double tsc_hz);
void record(results::Results& results, const Throughput& found, const MethodOptions& options);
void record(results::Results& results, const LossCurve& curve, const MethodOptions& options);
void record(results::Results& results, const Latency& latency, const MethodOptions& options);
void record(results::Results& results, const BackToBack& found);
void record(results::Results& results, const Translation& found);
/// What the sizes of a mix add up to; once for each name.
void record(results::Results& results, const Mix& mix);

/// This machine, as its reader needs to know it.
void describe_machine(results::Machine& out, const std::string& dpdk, double tsc_hz);

/// Throw std::runtime_error with a sentence.
void save(const results::Results& results, const std::string& path);
results::Results load(const std::string& path);

/// "both", "to right", "to left".
std::string ways_of(const MethodOptions& options);

}  // namespace nezu::generator
