// Within the path: clients whose datagrams go to several servers at a time, by a flow to each.
//
// Such flows have the client's tuple in common and stand in lanes of their own
// (net::Tuple4::lane), so that no packet finds one by itself: `admit` decides which server, and
// looks for the flow to that one (path_sip.cc, path_datagrams.cc). What servers send finds its flow
// like everything else. An ICMP error of the client's side goes to one of the servers: which of
// them sent what it tells of, nobody knows.
#pragma once

#include <algorithm>
#include <span>

#include "dataplane/path_turn.h"

namespace nezu::path::lanes {

/// Its clients' flows are in lanes.
inline bool are_of(const tables::Service& service) {
  return service.one_packet != 0 || service.application == tables::Application::sip;
}

/// How many places a client's flow to a server may be in: collisions are rare below a hundred
/// servers.
inline constexpr uint32_t kPlaces = 8;

/// Where the flow to that server is looked for, beginning with `place` 0. Lane 0 is of all others.
inline uint8_t lane_of(uint16_t server, uint32_t place) {
  return static_cast<uint8_t>(1 + (net::mix64(server) + place) % 255);
}

/// The client's flow to that server, which stands in one of `most` places.
template <typename Tuple>
flow::FlowId flow_to(const Turn& turn, Tuple tuple, uint16_t server, uint32_t most) {
  for (uint32_t place = 0; place < most; ++place) {
    tuple.lane = lane_of(server, place);
    const flow::FlowId id = turn.state.flows.find(tuple);
    if (id.exists() && turn.state.flows.track(id).server == server) return id;
  }
  return flow::FlowId();
}

/// A flow of the client to any server of the pool that still serves, each time from another one on.
/// Of very large pools some are asked.
template <typename Tuple>
flow::FlowId flow_to_any(const Turn& turn, const Tuple& tuple, const tables::Pool& pool,
                         uint32_t most) {
  constexpr uint32_t kMostAsked = 32;
  const std::span members(pool.members(), pool.member_count);
  const auto from = static_cast<uint32_t>(turn.now.nanoseconds / 1024);
  for (uint32_t i = 0; i < std::min(pool.member_count, kMostAsked); ++i) {
    const tables::Member& member = members[(from + i) % pool.member_count];
    if (member.state != tables::ServerState::ready) continue;
    const auto server = static_cast<uint16_t>(index(member.server));
    const flow::FlowId id = flow_to(turn, tuple, server, most);
    if (id.exists()) return id;
  }
  return flow::FlowId();
}

/// A lane in which no flow of the client is; 0: none.
template <typename Tuple>
uint8_t free_lane(const Turn& turn, Tuple tuple, uint16_t server, uint32_t most) {
  for (uint32_t place = 0; place < most; ++place) {
    tuple.lane = lane_of(server, place);
    if (!turn.state.flows.find(tuple).exists()) return tuple.lane;
  }
  return 0;
}

}  // namespace nezu::path::lanes
