// Making flows known to the device, and learning how they come out of it.
#include <rte_cycles.h>

#include <stdexcept>

#include "bench/generator/engine.h"
#include "bench/generator/pacer.h"

namespace nezu::generator {
namespace {

constexpr uint32_t kRounds = 5;
constexpr uint64_t kMostOverdue = 64;
constexpr double kSecondsForLate = 0.3;

}  // namespace

/// Each flow's learning frame, again where it did not come out; how many did.
uint32_t Engine::learn_way(Way way) {
  const std::vector<Headers>& headers = headers_[static_cast<size_t>(way)];
  const auto flows = static_cast<uint32_t>(headers.size());
  std::vector<bool> known(flows);
  std::vector<Tuple> seen(flows);
  uint32_t count = 0;
  learner_ = [&](std::span<const uint8_t> frame, const Reading& reading) {
    const Stamp& stamp = reading.stamp;
    if (reading.kind != Kind::stamped || stamp.trial != kLearning || stamp.number >= flows ||
        way_of(stamp.group) != way || known[stamp.number]) {
      return;
    }
    known[stamp.number] = true;
    seen[stamp.number] = tuple_of(frame, reading);
    ++count;
  };
  std::vector<uint8_t> bytes(options_.longest);
  const uint64_t end = rte_rdtsc() + cycles(options_.patience);
  for (uint32_t round = 0; count < flows && (round < kRounds || rte_rdtsc() < end); ++round) {
    Pacer pacer(options_.learning_rate, hz_, rte_rdtsc(), kMostOverdue);
    for (uint32_t flow = 0; flow < flows;) {
      const uint32_t due = pacer.take(rte_rdtsc(), 1);
      for (const auto& wire : wires_) receive(*wire);
      send_segments(rte_rdtsc());
      if (due == 0) {
        idle();
        continue;
      }
      while (flow < flows && known[flow]) ++flow;
      if (flow == flows) break;
      const Body body = make_body(headers[flow], generator::least_size(headers[flow]));
      write_frame(bytes.data(), headers[flow], body,
                  {kLearning, group_of(way, 0), flow, rte_rdtsc()});
      send_bytes(*side(way).wire, {bytes.data(), body.frame});
      ++flow;
    }
    idle_for(kSecondsForLate);
  }
  learner_ = nullptr;
  if (way == Way::to_right && count == flows) answer_flows(seen);
  return count;
}

void Engine::learn() {
  progress_.begin("making flows known", options_.flows / options_.learning_rate);
  const uint32_t known = learn_way(Way::to_right);
  if (known != flows_.size()) {
    throw std::runtime_error(
        std::to_string(flows_.size() - known) + " of " + std::to_string(flows_.size()) +
        " flows do not get through the device from left to right (sent " + std::to_string(kRounds) +
        " times or more at " + std::to_string(static_cast<uint64_t>(options_.learning_rate)) +
        " a second)");
  }
  const uint32_t answered = learn_way(Way::to_left);
  answers_pass_ = answered == flows_.size();
  if (!answers_pass_) {
    progress_.say("answers of " + std::to_string(flows_.size() - answered) + " of " +
                  std::to_string(flows_.size()) + " flows do not come back");
  }
}

}  // namespace nezu::generator
