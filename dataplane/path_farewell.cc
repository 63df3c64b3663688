// RSTs for both ends of a connection that was idle for too long or whose server has failed, where
// its service wants that: they learn of its end at once, not by the silence that meets their next
// segment.
//
// Each RST is made as the other end would have sent it and goes through the stages like any packet
// of the flow, so that every mode rewrites it as its own. Where answers pass us by only the client
// is known, and only the server is told.
#include "dataplane/forward/reset.h"
#include "dataplane/path_turn.h"
#include "dataplane/route/routes.h"

namespace nezu::path {
namespace {

using flow::Direction;
using tables::Timeout;

/// From the end that the tuple's source is; it comes in where that end's packets do.
template <typename Tuple>
void say(Path::State& state, const route::Routes& routes, const Tuple& way,
         const flow::Track& track, Direction direction) {
  if constexpr (std::is_same_v<Tuple, net::Tuple6>) {
    if (flow::is_mapped(way.source)) {
      return say(state, routes, flow::unmapped(way), track, direction);
    }
  }
  const uint32_t index = routes.find(way.instance, address_of(way.source), 0);
  if (index == route::kNoRoute) return;
  const route::NextHop& hop = routes.at(index);
  Farewell farewell;
  farewell.port = hop.port;
  farewell.length = static_cast<uint16_t>(forward::write_reset(
      farewell.frame, way,
      {hop.vlan, track.end[flow::index(direction)], track.end[flow::index(opposite(direction))]}));
  state.farewells.add(farewell);
}

template <typename Entry>
void say_both(Path::State& state, const route::Routes& routes, const Entry& entry) {
  const flow::Track& track = entry.track;
  const auto knows = [&track](Direction way) { return (track.flags & flow::seen_flag(way)) != 0; };
  if (knows(Direction::to_server)) {
    say(state, routes, entry.to_server, track, Direction::to_server);
  }
  if (knows(Direction::to_client) && !tables::is_one_way(track.mode)) {
    say(state, routes, flow::tuple_to_client(entry), track, Direction::to_client);
  }
}

}  // namespace

bool may_say_farewell(const flow::Track& track) {
  return track.state == Timeout::established || track.state == Timeout::fin_wait ||
         track.state == Timeout::close_wait;
}

void say_farewell(Path::State& state, const tables::View& view, const route::Routes& routes,
                  flow::FlowId id, net::Tick now) {
  id.wide() ? say_both(state, routes, state.flows.wide(id))
            : say_both(state, routes, state.flows.narrow(id));
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
