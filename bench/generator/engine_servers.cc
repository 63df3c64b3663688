// The servers' side of flows: by whom each is answered, and what nobody hears.
#include "bench/generator/engine.h"

namespace nezu::generator {

/// Flows came out on the right as `seen`: turned round, that is what answers carry.
void Engine::answer_flows(const std::vector<Tuple>& seen) {
  headers_[1].clear();
  for (const Tuple& flow : seen) {
    headers_[1].push_back(make_headers(flow.mirrored(), link(Way::to_left)));
  }
  servers_.begin(seen);
}

/// False: its server is mute. Else the answers of its flow come from there from now on.
bool Engine::is_heard(std::span<const uint8_t> frame, const Reading& reading) {
  if (reading.kind == Kind::tcp) {
    return servers_.mute_ones().empty() || !servers_.is_mute(tuple_of(frame, reading).destination);
  }
  const Stamp& stamp = reading.stamp;
  if (!flow_of_ || reading.kind != Kind::stamped || stamp.trial != trial_ ||
      way_of(stamp.group) != Way::to_right) {
    return true;
  }
  const Tuple seen = tuple_of(frame, reading);
  const size_t flow = flow_of_(stamp.number);
  switch (servers_.meet(flow, seen)) {
    case Servers::Met::same:
      return true;
    case Servers::Met::moved:
      headers_[1][flow] = make_headers(seen.mirrored(), link(Way::to_left));
      return true;
    case Servers::Met::nobody:
      analyser_.note_silent(stamp.group, 1);
      return false;
  }
  return true;
}

}  // namespace nezu::generator
