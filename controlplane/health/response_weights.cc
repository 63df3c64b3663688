#include "controlplane/health/response_weights.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace nezu::health {
namespace {

constexpr double kNewPart = 0.125;
constexpr double kAsFastAs = 95;  // percent: nobody measures better

double grained(double us) {
  return std::max(us, static_cast<double>(ResponseWeights::kGrain.count()));
}

double median_of(std::array<double, 3> values) {
  std::sort(values.begin(), values.end());
  return values[1];
}

}  // namespace

void ResponseWeights::adopt(const tables::ServerIdentity& server, uint16_t percent) {
  servers_[server].percent = percent;
}

void ResponseWeights::answered(const tables::ServerIdentity& server, Time took) {
  Server& one = servers_[server];
  const auto us = static_cast<double>(took.count());
  if (one.answers == 0) {
    one.last_us.fill(us);
    one.smoothed_us = us;
  }
  one.last_us = {one.last_us[1], one.last_us[2], us};
  one.smoothed_us += kNewPart * (median_of(one.last_us) - one.smoothed_us);
  one.answers = std::min(one.answers + 1, kEnough);
}

void ResponseWeights::lost(const tables::ServerIdentity& server) {
  if (const auto found = servers_.find(server); found != servers_.end()) {
    found->second.answers = 0;
  }
}

std::vector<tables::ServerIdentity> ResponseWeights::settle() {
  double fastest = std::numeric_limits<double>::infinity();
  for (const auto& [identity, server] : servers_) {
    if (server.answers == 0) {
      continue;
    }
    if (server.answers < kEnough) {
      return {};  // it may be the fastest of all
    }
    fastest = std::min(fastest, grained(server.smoothed_us));
  }
  std::vector<tables::ServerIdentity> moved;
  for (auto& [identity, server] : servers_) {
    if (server.answers == 0) {
      continue;
    }
    if (const uint16_t to = wanted(server, fastest); moves(server.percent, to)) {
      server.percent = to;
      moved.push_back(identity);
    }
  }
  return moved;
}

uint16_t ResponseWeights::wanted(const Server& server, double fastest) const {
  const double share = 100 * fastest / grained(server.smoothed_us);
  if (share >= kAsFastAs) {
    return 100;
  }
  return static_cast<uint16_t>(std::max<double>(std::round(share), floor_));
}

bool ResponseWeights::moves(uint16_t from, uint16_t to) const {
  const int far = 5 * std::abs(int{to} - int{from});
  return to != from && (to == 100 || to == floor_ || from < floor_ || far >= from);
}

uint16_t ResponseWeights::percent(const tables::ServerIdentity& server) const {
  const auto found = servers_.find(server);
  return found == servers_.end() ? 100 : found->second.percent;
}

ResponseWeights::Time ResponseWeights::smoothed(const tables::ServerIdentity& server) const {
  const auto found = servers_.find(server);
  return found == servers_.end() || found->second.answers == 0
             ? Time{0}
             : Time{static_cast<int64_t>(found->second.smoothed_us)};
}

}  // namespace nezu::health
