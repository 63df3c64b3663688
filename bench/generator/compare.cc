#include <cstdio>
#include <map>
#include <vector>

#include "bench/generator/report.h"

namespace nezu::generator {
namespace {

using namespace results;

/// A figure's name and value, in the order in which the report has them.
using Figures = std::vector<std::pair<std::string, double>>;

Figures figures_of(const Results& results) {
  Figures all;
  const auto add = [&](const std::string& name, double value) { all.emplace_back(name, value); };
  for (const RateSearch& one : results.throughput()) {
    char tolerated[32];
    std::snprintf(tolerated, sizeof tolerated, "%g %%", 100 * one.tolerated_loss());
    add("throughput " + one.mix() + " " + one.ways() + ", loss " + tolerated + ", frames/s",
        one.rate().frames());
  }
  for (const LatencyRun& one : results.latency()) {
    add("latency " + one.mix() + " median, ns", one.all().p50());
    add("latency " + one.mix() + " 99 %, ns", one.all().p99());
    add("latency " + one.mix() + " 99.9 %, ns", one.all().p999());
  }
  for (const LossCurve& one : results.loss()) {
    if (one.points().empty()) continue;
    add("loss " + one.mix() + " at the highest rate, %", 100 * one.points(0).loss());
  }
  for (const BackToBack& one : results.back_to_back()) {
    add("back-to-back " + one.mix() + ", frames", one.mean_frames());
  }
  for (const Translation& one : results.translation()) {
    const std::string name = "translation " + std::to_string(one.left_size()) + "/" +
                             std::to_string(one.right_size()) + " " + one.ways();
    add(name + ", frames/s", one.rate().median());
    add(name + " typical latency, ns", one.typical_ns().median());
  }
  for (const ConnectionRate& one : results.connection_rate()) {
    add("new connections/s", one.per_second());
  }
  for (const Concurrent& one : results.concurrent()) {
    add("connections at once, of " + std::to_string(one.wanted()), static_cast<double>(one.held()));
  }
  for (const Change& one : results.changes()) {
    add("change " + one.name() + ", blocked ms", one.blocked_ms());
    add("change " + one.name() + ", broken", static_cast<double>(one.broken()));
    if (one.connections_there() == 0) continue;
    add("change " + one.name() + ", broken elsewhere",
        static_cast<double>(one.broken() - one.broken_there()));
  }
  return all;
}

}  // namespace

std::string compare(const results::Results& a, const results::Results& b) {
  std::map<std::string, double> others;
  for (const auto& [name, value] : figures_of(b)) others.emplace(name, value);
  char line[256];
  std::snprintf(line, sizeof line, "%-56s %14s %14s %8s\n", "", "A", "B", "B / A");
  std::string out = line;
  if (a.machine().processor() != b.machine().processor() || a.setup().left() != b.setup().left()) {
    out += "(machines or ports differ: ratios say little)\n";
  }
  for (const auto& [name, value] : figures_of(a)) {
    const auto other = others.find(name);
    if (other == others.end()) {
      std::snprintf(line, sizeof line, "%-56s %14.6g %14s\n", name.c_str(), value, "-");
    } else if (value == 0) {
      std::snprintf(line, sizeof line, "%-56s %14.6g %14.6g %8s\n", name.c_str(), value,
                    other->second, "-");
    } else {
      std::snprintf(line, sizeof line, "%-56s %14.6g %14.6g %8.3f\n", name.c_str(), value,
                    other->second, other->second / value);
    }
    out += line;
    if (other != others.end()) others.erase(other);
  }
  for (const auto& [name, value] : others) {
    std::snprintf(line, sizeof line, "%-56s %14s %14.6g\n", name.c_str(), "-", value);
    out += line;
  }
  return out;
}

}  // namespace nezu::generator
