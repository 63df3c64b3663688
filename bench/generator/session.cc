#include "bench/generator/session.h"

#include <rte_version.h>

#include <algorithm>
#include <cstdio>
#include <stdexcept>

#include "bench/generator/rate.h"

namespace nezu::generator {
namespace {

/// Somewhat less than a generator can do, so that its clock, not its core, sets the pace.
constexpr double kOfItsBest = 0.97;

std::string in_mpps(double rate) {
  char text[48];
  std::snprintf(text, sizeof text, "%.6g Mpps", rate / 1e6);
  return text;
}

}  // namespace

Session::Session(Options& options, Progress& progress, results::Results& results)
    : options_(options),
      progress_(progress),
      results_(results),
      engine_(options.engine, progress),
      servers_(connection_options(0)) {
  attend(nullptr);
  engine_.set_recorder(
      [this](const TrialResult& trial) { record(results_, trial, engine_.tsc_hz()); });
  describe();
}

void Session::learn() {
  engine_.learn();
  if (options_.ways != "right" && !engine_.answers_pass()) {
    throw std::runtime_error("--ways " + options_.ways + ": answers do not get through the device");
  }
}

void Session::describe() {
  describe_machine(*results_.mutable_machine(), rte_version(), engine_.tsc_hz());
  results::Setup& setup = *results_.mutable_setup();
  const auto side = [&](Way from) {
    const Wire& wire = engine_.wire(from);
    const Link link = engine_.link(from);
    return wire.device() + " (" + wire.driver() + "), " + net::to_string(wire.mac()) +
           " sends to " + net::to_string(link.destination) +
           (link.vlan == 0 ? "" : ", VLAN " + std::to_string(link.vlan));
  };
  setup.set_left(side(Way::to_right));
  setup.set_right(side(Way::to_left));
  const EngineOptions& engine = options_.engine;
  setup.set_flows(std::to_string(engine.flows) + " flows of UDP, clients " + options_.clients +
                  " ports " + options_.client_ports + ", to " +
                  (options_.targets.empty() ? options_.servers : options_.targets) + " port " +
                  options_.target_ports + ", servers " + options_.servers +
                  (engine.random_flows ? ", drawn" : ", in turn"));
  setup.set_virtual_(engine_.wire(Way::to_right).is_virtual());
  if (setup.virtual_()) {
    note(
        "The wires are virtual: no medium limits or paces frames, and a frame that a wire had no "
        "room for is counted as lost. Layer 1 is arithmetic.");
  }
  results_.set_seed(engine.seed);
}

void Session::note(const std::string& sentence) {
  for (const std::string& known : results_.notes()) {
    if (known == sentence) return;
  }
  results_.add_notes(sentence);
  progress_.say(sentence);
}

std::vector<Mix> Session::sizes() {
  std::vector<Mix> all;
  std::vector<uint32_t> sizes = options_.sizes;
  const uint32_t least = engine_.least_size();
  for (uint32_t& size : sizes) {
    if (size >= least) continue;
    note("Frames of " + std::to_string(size) + " bytes are sent with " + std::to_string(least) +
         ": headers and stamp need as much.");
    size = least;
  }
  sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  for (const uint32_t size : sizes) all.push_back(single(size));
  return all;
}

std::vector<Mix> Session::mixes() {
  std::vector<Mix> all;
  for (const std::string& text : options_.mixes) {
    Mix mix = parse_mix(text, options_.mtu_frame);
    const uint32_t least = engine_.least_size();
    if (mix.sizes.front() < least) {
      note("The mix " + text + " is sent with frames of " + std::to_string(least) +
           " bytes instead of smaller ones: headers and stamp need as much.");
      for (uint32_t& size : mix.sizes) size = std::max(size, least);
    }
    record(results_, mix);
    all.push_back(std::move(mix));
  }
  return all;
}

/// What the medium carries, or else what this generator can offer at all.
double Session::most_rate(const Mix& mix, bool to_right, bool to_left) {
  if (options_.most != 0) return options_.most;
  if (const double line = engine_.line_rate(mix.mean()); line != 0) return line;
  TrialPlan plan;
  plan.purpose = "what this generator can offer, " + mix.name;
  plan.mix = mix;
  plan.seconds = 1;
  plan.to_right = to_right;
  plan.to_left = to_left;
  return kOfItsBest * engine_.run(plan).offered_rate();
}

MethodOptions Session::method_options(const Mix& mix) {
  MethodOptions method;
  method.to_right = options_.ways != "left";
  method.to_left = options_.ways != "right";
  method.most = most_rate(mix, method.to_right, method.to_left);
  method.resolution = options_.resolution / 100;
  method.short_seconds = std::min(options_.short_seconds, options_.deciding);
  method.deciding_seconds = options_.deciding;
  return method;
}

double Session::throughput(const Mix& mix) {
  MethodOptions method = method_options(mix);
  std::vector<double> percents = options_.tolerated;
  std::sort(percents.begin(), percents.end());
  double strictest = 0;
  for (const double percent : percents) {
    method.tolerated = percent / 100;
    const Throughput found =
        find_throughput(engine_, mix, method, [&](uint32_t left) { progress_.set_left(left); });
    record(results_, found, method);
    progress_.say("throughput " + mix.name + ", loss up to " + std::to_string(percent) +
                  " %: " + in_mpps(found.rate) + " each way, limited by " + to_string(found.limit));
    if (percent == percents.front()) strictest = found.rate;
  }
  return strictest;
}

void Session::trial(const Mix& mix) {
  TrialPlan plan;
  plan.purpose = "trial " + mix.name;
  plan.mix = mix;
  plan.rate = options_.rate;
  plan.seconds = seconds(10);
  plan.frames = options_.frames;
  plan.to_right = options_.ways != "left";
  plan.to_left = options_.ways != "right";
  const TrialResult result = engine_.run(plan);
  progress_.say(plan.purpose + ": " + in_mpps(result.offered_rate()) + " offered, " +
                std::to_string(result.lost()) + " of " + std::to_string(result.sent()) + " lost");
}

void Session::loss(const Mix& mix) {
  const MethodOptions method = method_options(mix);
  record(results_, draw_loss(engine_, mix, method, options_.step / 100, seconds(options_.deciding)),
         method);
}

void Session::latency(const Mix& mix, double rate) {
  if (rate == 0) {
    note("Latency of " + mix.name + " was not measured: no rate passed.");
    return;
  }
  MethodOptions method;
  method.to_right = options_.ways != "left";
  method.to_left = options_.ways != "right";
  record(results_,
         generator::measure_latency(engine_, mix, method, rate, seconds(120), repeats(20),
                                    engine_.tsc_hz()),
         method);
}

void Session::back_to_back(const Mix& mix) {
  record(results_, find_back_to_back(engine_, mix, method_options(mix), std::max(2.0, seconds(2)),
                                     repeats(50)));
}

void Session::translate() {
  if (engine_.longer_on_right() == 0) {
    note(
        "Both sides have frames of one size: the device translates nothing between IPv4 and IPv6. "
        "By the method of RFC 8219 this is plain forwarding, to compare a translation with.");
  }
  for (const Mix& mix : sizes()) {
    for (const auto& [to_right, to_left] : {std::pair{true, true}, {true, false}, {false, true}}) {
      MethodOptions method = method_options(mix);
      method.to_right = to_right;
      method.to_left = to_left;
      method.most = most_rate(mix, to_right, to_left);
      record(results_, measure_translation(engine_, mix.sizes[0], engine_.longer_on_right(), method,
                                           seconds(120), repeats(20), engine_.tsc_hz()));
    }
  }
}

void Session::run(const std::string& method) {
  if (method == "connections") {
    find_connections();
    return;
  }
  if (method == "concurrent") {
    hold();
    return;
  }
  if (method == "flood") {
    flood();
    return;
  }
  if (method == "change") {
    const std::vector<EventText> all = events();
    learn();
    change(all);
    return;
  }
  learn();
  if (method == "rfc8219") {
    translate();
    return;
  }
  if (method == "imix" && options_.mixes.empty()) options_.mixes = {"simple", "simple-ip", "csit"};
  const bool is_mixed = !options_.mixes.empty() && method != "rfc2544";
  for (const Mix& mix : is_mixed ? mixes() : sizes()) {
    if (method == "trial") trial(mix);
    if (method == "throughput" || method == "imix") throughput(mix);
    if (method == "loss") loss(mix);
    if (method == "back-to-back") back_to_back(mix);
    if (method == "latency") latency(mix, options_.rate == 0 ? throughput(mix) : options_.rate);
    if (method == "rfc2544") {
      latency(mix, throughput(mix));
      loss(mix);
      back_to_back(mix);
    }
  }
}

}  // namespace nezu::generator
