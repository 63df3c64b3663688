// RSTs for both ends of a connection that was idle for too long or whose server has failed, where
// its service wants that: they learn of its end at once, not by the silence that meets their next
// segment.
//
// Each RST is made as the other end would have sent it and goes through the stages like any packet
// of the flow, so that every mode rewrites it as its own. Where answers pass us by only the client
// is known, and only the server is told.
#include "dataplane/path_farewell.h"

#include "dataplane/route/routes.h"

namespace nezu::path {
namespace {

using flow::Direction;
using tables::Timeout;

/// From the end that the tuple's source is; it comes in where that end's packets do.
template <typename Tuple>
void say(Path::State& state, const route::Routes& routes, const Tuple& way,
         forward::Segment segment) {
  if constexpr (std::is_same_v<Tuple, net::Tuple6>) {
    if (flow::is_mapped(way.source)) return say(state, routes, flow::unmapped(way), segment);
  }
  const uint32_t index = routes.find(way.instance, address_of(way.source), 0);
  if (index == route::kNoRoute) return;
  const route::NextHop& hop = routes.at(index);
  segment.vlan = hop.vlan;
  Farewell farewell;
  farewell.port = hop.port;
  farewell.length = static_cast<uint16_t>(forward::write_segment(farewell.frame, way, segment));
  state.farewells.add(farewell);
}

template <typename Entry>
void say_as(Path::State& state, const route::Routes& routes, const Entry& entry,
            Direction direction, const forward::Segment& segment) {
  direction == Direction::to_server ? say(state, routes, entry.to_server, segment)
                                    : say(state, routes, flow::tuple_to_client(entry), segment);
}

void reset_both(Path::State& state, const route::Routes& routes, flow::FlowId id) {
  const flow::Track& track = state.flows.track(id);
  for (const Direction direction : {Direction::to_server, Direction::to_client}) {
    if ((track.flags & flow::seen_flag(direction)) == 0) continue;
    if (direction == Direction::to_client && tables::is_one_way(track.mode)) continue;
    forward::Segment reset;
    reset.sequence = track.end[flow::index(direction)];
    reset.acknowledgement = track.end[flow::index(opposite(direction))];
    say_as(state, routes, id, direction, reset);
  }
}

}  // namespace

void say_as(Path::State& state, const route::Routes& routes, flow::FlowId id, Direction direction,
            forward::Segment segment) {
  id.wide() ? say_as(state, routes, state.flows.wide(id), direction, segment)
            : say_as(state, routes, state.flows.narrow(id), direction, segment);
}

bool may_say_farewell(const flow::Track& track) {
  return track.state == Timeout::established || track.state == Timeout::fin_wait ||
         track.state == Timeout::close_wait;
}

void say_farewell(Path::State& state, const tables::View& view, const route::Routes& routes,
                  flow::FlowId id, net::Tick now) {
  reset_both(state, routes, id);
  state.set_state(id, Timeout::closed, view, now);
}

bool says_farewell(Path::State& state, const tables::View& view, const route::Routes& routes,
                   flow::FlowId id, net::Tick now) {
  flow::Track& track = state.flows.track(id);
  if (!may_say_farewell(track)) return false;
  const tables::Service* service = view.service(tables::ServiceId{track.service});
  if (service == nullptr || service->reset_when_idle == 0) return false;
  if (!state.farewells.has_room()) {  // its turn comes
    track.deadline = now + 1;
    state.flows.move(id, track.stage);
    return true;
  }
  say_farewell(state, view, routes, id, now);
  state.line.flows_reset_when_idle.add(1);
  return true;
}

}  // namespace nezu::path
