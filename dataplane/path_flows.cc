// A flow's life in one place: what it holds beside its entry is taken and released here.
#include "dataplane/path_turn.h"

namespace nezu::path {

using flow::FlowId;

void Path::State::hold_server(uint16_t server) {
  if (server >= setup.sizes.servers) return;
  setup.servers[server].flows_active.add(1);
  scheduling.load_changed(tables::ServerId{server});
}

void Path::State::let_go_server(uint16_t server) {
  if (server >= setup.sizes.servers) return;
  setup.servers[server].flows_active.subtract(1);
  scheduling.load_changed(tables::ServerId{server});
}

void Path::State::opened(const flow::Track& track) {
  if (track.service < setup.sizes.services) {
    tables::ServiceCounters& service = setup.services[track.service];
    service.flows_active.add(1);
    service.flows_opened.add(1);
  }
  if (track.server < setup.sizes.servers) setup.servers[track.server].flows_opened.add(1);
  if (uses_snat(track) && track.snat < setup.sizes.addresses) {
    setup.addresses[track.snat].flows_active.add(1);
  }
  line.flows_opened.add(1);
}

admit::Peer Path::State::peer_of(FlowId id) const {
  const flow::Track& track = flows.track(id);
  if (!flow::is_outward(track)) return {track.server};
  return admit::Peer::outside(
      id.wide() ? outside_hash(flows.wide(id).to_client, flows.wide(id).to_server.protocol)
                : outside_hash(flows.narrow(id).to_client, flows.narrow(id).to_server.protocol));
}

net::Address Path::State::client_of(FlowId id) const {
  return id.wide() ? address_of(flows.wide(id).to_server.source)
                   : address_of(flows.narrow(id).to_server.source);
}

void Path::State::end(FlowId id) { end(flows.leaving(id)); }

void Path::State::end(const flow::Table::Leaving& leaving) {
  const FlowId id = leaving.id;
  const flow::Track was = flows.track(id);
  if ((was.flags & flow::flag::kFullNat) != 0) {
    const uint16_t port = id.wide() ? flows.wide(id).to_client.destination_port
                                    : flows.narrow(id).to_client.destination_port;
    if (port != 0) ports.release(was.snat, net::swap16(port), peer_of(id));
    if (flow::is_outward(was)) log(NatRecord::Kind::close, id);
  }
  if (was.mode == tables::Mode::spliced) [[unlikely]] {
    splices.erase(id);
    held.drop(id.towards(flow::Direction::to_server));
    held.drop(id.towards(flow::Direction::to_client));
  }
  if (tables::has_relay(was.mode)) [[unlikely]]
    relays.let_go(was.snat);
  if (setup.meters != nullptr && !setup.meters->is_idle()) [[unlikely]] {
    if (const admit::Meters::Mark mark = counted.take(id); mark != 0) {
      setup.meters->ended(was.service, client_of(id), mark);
    }
  }
  flows.erase(leaving);
  // A slot may be reused when its gauge is 0: the last store of a flow's end.
  if (uses_snat(was) && was.snat < setup.sizes.addresses) {
    setup.addresses[was.snat].flows_active.subtract(1);
  }
  if (was.service < setup.sizes.services) {
    setup.services[was.service].flows_closed.add(1);
    setup.services[was.service].flows_active.subtract(1);
  }
  if (was.server == flow::kNoServer) return;
  if (was.server < setup.sizes.servers) setup.servers[was.server].flows_closed.add(1);
  let_go_server(was.server);
}

void Path::State::end(std::span<const FlowId> ids) {
  constexpr size_t kAhead = 16;
  std::array<flow::Table::Leaving, kAhead> asked;
  for (size_t i = 0; i < ids.size() + kAhead; ++i) {
    if (i >= kAhead) end(asked[i % kAhead]);
    if (i >= ids.size()) continue;
    asked[i % kAhead] = flows.leaving(ids[i]);
    flows.prefetch(asked[i % kAhead]);
    const flow::Track& track = flows.track(ids[i]);
    if ((track.flags & flow::flag::kFullNat) != 0) {
      ports.prefetch(track.snat, track.shard, peer_of(ids[i]));
    }
  }
}

void Path::State::set_state(FlowId id, tables::Timeout to, const tables::View& view,
                            net::Tick now) {
  static constexpr tables::Timeouts kDefaults = flow::default_timeouts();
  flow::Track& track = flows.track(id);
  const tables::Service* service = view.service(tables::ServiceId{track.service});
  const tables::Timeouts& timeouts = service != nullptr ? service->timeouts : kDefaults;
  const uint32_t ticks = timeouts[timeout_index(to)];
  track.state = to;
  track.timeout = ticks != 0 ? ticks : kDefaults[timeout_index(to)];
  const net::Tick before = track.deadline;
  track.deadline = now + track.timeout;
  // A wheel finds nobody earlier than where he hangs: half closed, that would be the time of an
  // open one.
  const bool sooner = net::has_passed(track.deadline, before);
  if (const flow::Stage stage = flow::stage_of(to); stage != track.stage || sooner) {
    flows.move(id, stage);
  }
}

}  // namespace nezu::path
