#include "bench/generator/impairment.h"

#include <algorithm>

#include "dataplane/net/hash.h"

namespace nezu::generator {

std::string ImpairmentCounts::to_json() const {
  const auto field = [](const char* name, uint64_t value) {
    return "\"" + std::string(name) + "\": " + std::to_string(value);
  };
  return "{" + field("received", received) + ", " + field("sent", sent) + ", " +
         field("lost", lost) + ", " + field("limited", limited) + ", " +
         field("duplicated", duplicated) + ", " + field("damaged", damaged) + ", " +
         field("swapped", swapped) + "}";
}

Impairment::Impairment(const ImpairmentOptions& options)
    : options_(options), state_(options.seed), tokens_(options.burst) {}

uint64_t Impairment::random() { return net::mix64(state_ += 0x9e3779b97f4a7c15u); }

bool Impairment::chance(double share) {
  return share > 0 && static_cast<double>(random() >> 11) * 0x1p-53 < share;
}

bool Impairment::is_over_rate(uint64_t now) {
  if (options_.rate == 0) return false;
  if (refilled_ == 0) refilled_ = now;
  tokens_ =
      std::min(options_.burst, tokens_ + static_cast<double>(now - refilled_) * options_.rate);
  refilled_ = now;
  if (tokens_ < 1) return true;
  tokens_ -= 1;
  return false;
}

// Each frame has at most one fate, so that what the analyser sees of each is what was counted.
Impairment::Fate Impairment::receive(void* frame, uint64_t now) {
  ++counts_.received;
  Fate fate;
  if (is_over_rate(now)) {
    ++counts_.limited;
    fate.dropped = true;
    return fate;
  }
  if (chance(options_.lose)) {
    ++counts_.lost;
    fate.dropped = true;
    return fate;
  }
  if (chance(options_.damage)) {
    ++counts_.damaged;
    fate.damage = random() | 1;
  } else if (chance(options_.duplicate)) {
    ++counts_.duplicated;
    fate.duplicate = true;
  } else if (held_ == nullptr && chance(options_.swap)) {
    held_ = frame;
    return fate;
  }
  queue(frame, now);
  if (held_ != nullptr && fate.damage == 0) {
    // The one that waited comes after a frame that arrives whole: it is out of order for certain.
    ++counts_.swapped;
    queue(held_, now);
    held_ = nullptr;
  }
  return fate;
}

void* Impairment::due(uint64_t now) {
  if (waiting_.empty() || waiting_.front().at > now) return nullptr;
  void* frame = waiting_.front().frame;
  waiting_.pop_front();
  ++counts_.sent;
  return frame;
}

void Impairment::let_go(uint64_t now) {
  if (held_ == nullptr) return;
  queue(held_, now);
  held_ = nullptr;
}

}  // namespace nezu::generator
