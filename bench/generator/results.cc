#include "bench/generator/results.h"

#include <google/protobuf/util/json_util.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "bench/generator/rate.h"

namespace nezu::generator {
namespace {

std::string first_match(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(key, 0) != 0) continue;
    const size_t at = line.find_first_not_of(" \t:=\"", key.size());
    if (at == std::string::npos) return "";
    line = line.substr(at);
    while (!line.empty() && (line.back() == '"' || line.back() == ' ')) line.pop_back();
    return line;
  }
  return "";
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

const char* name_of(Way way) { return way == Way::to_right ? "to right" : "to left"; }

}  // namespace

std::string ways_of(const MethodOptions& options) {
  if (options.to_right && options.to_left) return "both";
  return options.to_left ? "to left" : "to right";
}

void set_rate(results::Rate& out, double frames, double size) {
  out.set_frames(frames);
  out.set_layer1_gbit(layer1_bits(frames, size) / 1e9);
  out.set_layer2_gbit(layer2_bits(frames, size) / 1e9);
  out.set_layer3_gbit(layer3_bits(frames, size) / 1e9);
}

void set_figures(results::LatencyFigures& out, const LatencyFigures& figures) {
  out.set_frames(figures.frames);
  out.set_least(figures.least);
  out.set_mean(figures.mean);
  out.set_p50(figures.p50);
  out.set_p90(figures.p90);
  out.set_p99(figures.p99);
  out.set_p999(figures.p999);
  out.set_most(figures.most);
}

void record(results::Results& results, const TrialResult& trial, double tsc_hz) {
  results::Trial& out = *results.add_trials();
  out.set_purpose(trial.plan.purpose);
  out.set_mix(trial.plan.mix.name);
  out.set_rate(trial.plan.rate);
  out.set_offered_rate(trial.offered_rate());
  out.set_seconds(trial.seconds);
  out.set_loss(trial.loss());
  out.set_short_(trial.is_short());
  out.set_slow(trial.slow);
  out.set_bounce_ns(trial.bounce_ns);
  out.set_repeated(trial.repeated);
  out.set_skipped(trial.skipped);
  out.set_longest_pause_us(trial.longest_pause * 1e6);
  out.set_corrupted(trial.corrupted);
  out.set_icmp(trial.icmp);
  out.set_tcp(trial.tcp);
  out.set_other(trial.other);
  out.set_stale(trial.stale);
  out.set_port_sent(trial.port_sent);
  out.set_port_received(trial.port_received);
  out.set_port_missed(trial.port_missed);
  out.set_asked(trial.asked);
  out.set_answered(trial.answered);
  out.set_unanswered(trial.unanswered);
  for (const GroupCounts& group : trial.groups) {
    results::Group& one = *out.add_groups();
    one.set_way(name_of(group.way));
    one.set_size(group.size);
    one.set_sent(group.sent);
    one.set_refused(group.refused);
    one.set_silent(group.silent);
    one.set_delivered(group.delivered);
    one.set_lost(group.lost());
    one.set_duplicates(group.duplicates);
    one.set_reordered(group.reordered);
    one.set_extent(group.extent);
    one.set_beyond(group.beyond);
    set_figures(*one.mutable_latency(), figures(group.latency, tsc_hz));
  }
}

void record(results::Results& results, const Throughput& found, const MethodOptions& options) {
  results::RateSearch& out = *results.add_throughput();
  out.set_mix(found.mix.name);
  out.set_ways(ways_of(options));
  out.set_tolerated_loss(found.tolerated);
  set_rate(*out.mutable_rate(), found.rate, found.mix.mean());
  out.set_limited_by(to_string(found.limit));
  out.set_deciding_s(options.deciding_seconds);
  for (const Attempt& attempt : found.attempts) {
    results::Attempt& one = *out.add_attempts();
    one.set_rate(attempt.rate);
    one.set_seconds(attempt.seconds);
    one.set_loss(attempt.loss);
    one.set_deciding(attempt.deciding);
    one.set_short_(attempt.is_short);
    one.set_passed(attempt.passed);
  }
}

void record(results::Results& results, const LossCurve& curve, const MethodOptions& options) {
  results::LossCurve& out = *results.add_loss();
  out.set_mix(curve.mix.name);
  out.set_ways(ways_of(options));
  out.set_most(curve.most);
  for (const LossPoint& point : curve.points) {
    results::LossPoint& one = *out.add_points();
    one.set_share(point.share);
    one.set_rate(point.rate);
    one.set_offered(point.offered);
    one.set_loss(point.loss);
    one.set_short_(point.is_short);
  }
}

void record(results::Results& results, const Latency& latency, const MethodOptions& options) {
  results::LatencyRun& out = *results.add_latency();
  out.set_mix(latency.mix.name);
  out.set_ways(ways_of(options));
  set_rate(*out.mutable_rate(), latency.rate, latency.mix.mean());
  set_figures(*out.mutable_all(), latency.all);
  for (const LatencyFigures& run : latency.runs) set_figures(*out.add_runs(), run);
  for (const auto& [share, nanoseconds] : latency.curve) {
    results::Quantile& one = *out.add_curve();
    one.set_share(share);
    one.set_nanoseconds(nanoseconds);
  }
  out.set_lost(latency.lost);
}

void record(results::Results& results, const BackToBack& found) {
  results::BackToBack& out = *results.add_back_to_back();
  out.set_mix(found.mix.name);
  set_rate(*out.mutable_rate(), found.rate, found.mix.mean());
  out.set_mean_frames(found.mean);
  for (const double frames : found.longest) out.add_longest(frames);
  out.set_reached_end(found.reached_end);
}

void record(results::Results& results, const Translation& found) {
  const auto set = [](results::Spread& out, const Spread& spread) {
    out.set_median(spread.median);
    out.set_p1(spread.p1);
    out.set_p99(spread.p99);
  };
  results::Translation& out = *results.add_translation();
  out.set_left_size(found.left_size);
  out.set_right_size(found.right_size);
  out.set_ways(found.ways);
  set(*out.mutable_rate(), found.rate);
  set(*out.mutable_typical_ns(), found.typical);
  set(*out.mutable_worst_ns(), found.worst);
  set(*out.mutable_variation_ns(), found.variation);
  for (const double rate : found.rates) out.add_rates(rate);
  out.set_limited_by(to_string(found.limit));
}

void record(results::Results& results, const Mix& mix) {
  for (const results::MixShares& known : results.mixes()) {
    if (known.name() == mix.name) return;
  }
  results::MixShares& out = *results.add_mixes();
  out.set_name(mix.name);
  out.set_arithmetic(arithmetic(shares(mix)));
  if (const auto counts = ip_counts(mix.name); !counts.empty()) {
    out.set_ip_arithmetic(arithmetic(shares_of(counts)));
  }
  out.set_mean_frame(mix.mean());
}

void describe_machine(results::Machine& out, const std::string& dpdk, double tsc_hz) {
  out.set_processor(first_match("/proc/cpuinfo", "model name"));
  out.set_cpus(static_cast<uint32_t>(::sysconf(_SC_NPROCESSORS_ONLN)));
  utsname name{};
  ::uname(&name);
  out.set_kernel(std::string(name.sysname) + " " + name.release);
  out.set_system(first_match("/etc/os-release", "PRETTY_NAME"));
  out.set_dpdk(dpdk);
  out.set_tsc_mhz(tsc_hz / 1e6);
  struct sysinfo memory {};
  ::sysinfo(&memory);
  out.set_memory_mib(memory.totalram * memory.mem_unit >> 20);
  out.set_kernel_command_line(first_line("/proc/cmdline"));
}

void save(const results::Results& results, const std::string& path) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string text;
  const auto status = google::protobuf::util::MessageToJsonString(results, &text, options);
  if (!status.ok()) {
    throw std::runtime_error("the results cannot be written: " + status.ToString());
  }
  std::ofstream file(path);
  file << text;
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

results::Results load(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) throw std::runtime_error("cannot read " + path);
  results::Results results;
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;  // of a later version
  const auto status = google::protobuf::util::JsonStringToMessage(text.str(), &results, options);
  if (!status.ok()) {
    throw std::runtime_error(path + " holds no results of nezu-traffic: " + status.ToString());
  }
  return results;
}

}  // namespace nezu::generator
