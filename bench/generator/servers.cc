#include "bench/generator/servers.h"

#include <algorithm>

namespace nezu::generator {

void Servers::begin(std::vector<Tuple> flows) {
  flows_ = std::move(flows);
  silent_.assign(flows_.size(), 0);
  silent_flows_ = 0;
  for (const net::Address& server : mute_) set_silent(server, true);
}

uint64_t Servers::set_silent(const net::Address& server, bool silent) {
  uint64_t count = 0;
  for (size_t flow = 0; flow < flows_.size(); ++flow) {
    if (flows_[flow].destination != server) continue;
    ++count;
    if ((silent_[flow] != 0) == silent) continue;
    silent_[flow] = silent;
    silent ? ++silent_flows_ : --silent_flows_;
  }
  return count;
}

uint64_t Servers::mute(const net::Address& server) {
  if (!is_mute(server)) mute_.push_back(server);
  return set_silent(server, true);
}

void Servers::unmute(const net::Address& server) {
  std::erase(mute_, server);
  set_silent(server, false);
}

bool Servers::is_mute(const net::Address& server) const {
  return std::find(mute_.begin(), mute_.end(), server) != mute_.end();
}

Servers::Met Servers::meet(size_t flow, const Tuple& seen) {
  if (is_mute(seen.destination)) {
    if (silent_[flow] == 0) {
      silent_[flow] = 1;
      ++silent_flows_;
    }
    return Met::nobody;
  }
  if (silent_[flow] != 0) {
    silent_[flow] = 0;
    --silent_flows_;
  } else if (flows_[flow] == seen) {
    return Met::same;
  }
  flows_[flow] = seen;
  return Met::moved;
}

}  // namespace nezu::generator
