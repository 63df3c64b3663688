#include "dataplane/path_restore.h"

#include <algorithm>
#include <vector>

#include "dataplane/path_cookie.h"
#include "dataplane/path_judge.h"
#include "dataplane/steer/persistence.h"

namespace nezu::path {
namespace {

using flow::FlowId;

/// What one worker's gauges will be.
struct Gauges {
  explicit Gauges(const tables::Sizes& sizes)
      : services(sizes.services), servers(sizes.servers), addresses(sizes.addresses) {}
  std::vector<uint64_t> services, servers, addresses;

  void add(const flow::Track& track) {
    if (track.service < services.size()) ++services[track.service];
    if (track.server < servers.size()) ++servers[track.server];
    if (uses_snat(track) && track.snat < addresses.size()) ++addresses[track.snat];
  }
};

template <typename Entry>
uint16_t snat_port(const Entry& entry) {
  return net::swap16(entry.to_client.destination_port);
}

/// A flow that the table has taken in takes its port or relay; or goes after all.
bool settle_port(Path::State& state, FlowId id) {
  const flow::Track& track = state.flows.track(id);
  if (tables::has_relay(track.mode)) state.relays.hold_again(track.snat);
  if ((track.flags & flow::flag::kFullNat) == 0) return true;
  const uint16_t port =
      id.wide() ? snat_port(state.flows.wide(id)) : snat_port(state.flows.narrow(id));
  if (port == 0 || state.ports.occupy(track.snat, port, state.peer_of(id))) return true;
  state.flows.erase(id);
  return false;
}

/// What a flow needs whose numbers change.
bool is_sound(const flow::Splice* splice) {
  if (splice == nullptr || !is_sound_handshake(*splice)) return false;
  constexpr int32_t kMost = 1 << 28;  // no connection is changed by that much, unless by a cookie
  const bool taken = (splice->state & cookie::kTaken) != 0;
  const auto fits = [taken](int32_t by) { return taken || (-kMost < by && by < kMost); };
  return std::ranges::all_of(splice->changes, [&](const flow::Change& one) {
    return one.kind <= flow::Change::Kind::text && fits(one.before) && fits(one.after) &&
           (!one.exists() || one.after - one.before == one.put - one.removed);
  });
}

/// Records of flows that were not kept.
void drop_orphans(Path::State& state) {
  state.splices.keep([&state](FlowId id) {
    if (id.entry() >= state.flows.capacity(id.wide())) return false;
    const flow::Track& track = state.flows.track(id);
    return track.valid != 0 && track.mode == tables::Mode::spliced;
  });
}

/// Entries of a worker's own file, in blocks whose bucket lines are asked for together.
template <typename Entry>
void adopt_in_place(Path::State& state, const Judge& judge, bool same_region, Gauges& gauges,
                    Restored& total, Entry& (flow::Table::*at)(FlowId)) {
  constexpr bool kWide = std::is_same_v<Entry, flow::Entry6>;
  constexpr uint32_t kBlock = 32;
  const uint32_t capacity = state.flows.capacity(kWide);
  std::array<FlowId, kBlock> kept;
  for (uint32_t first = 0; first < capacity; first += kBlock) {
    uint32_t count = 0;
    for (uint32_t i = first; i < capacity && i < first + kBlock; ++i) {
      const FlowId id(kWide, i, flow::Direction::to_server);
      Entry& entry = (state.flows.*at)(id);
      if (entry.track.valid == 0) continue;
      if (entry.track.valid != 1 ||
          !judge.keep(entry, same_region, state.flows.relay_memory().data()) ||
          (entry.track.mode == tables::Mode::spliced && !is_sound(state.splices.find(id)))) {
        state.flows.discard(id);
        ++total.dropped;
        continue;
      }
      state.flows.prefetch(state.flows.leaving(id));
      kept[count++] = id;
    }
    for (uint32_t i = 0; i < count; ++i) {
      if (!state.flows.adopt(kept[i]) || !settle_port(state, kept[i])) {
        ++total.dropped;
        continue;
      }
      gauges.add(state.flows.track(kept[i]));
      ++total.kept;
    }
  }
}

/// What flows of a file that was set aside have in its other tables.
struct Beside {
  flow::Splices& splices;
  const flow::Relay* relays;
  bool same_region;
};

/// Entries of such a file, to the workers that own their shards now.
template <typename Entry>
void move_all(const Entry* entries, uint32_t capacity, const Beside& beside,
              std::span<Path* const> paths, const Judge& judge, std::vector<Gauges>& gauges,
              Restored& total) {
  constexpr bool kWide = std::is_same_v<Entry, flow::Entry6>;
  for (uint32_t i = 0; i < capacity; ++i) {
    if (entries[i].track.valid == 0) continue;
    Entry entry = entries[i];
    ++total.dropped;
    if (entry.track.valid != 1 || !judge.keep(entry, beside.same_region, beside.relays)) {
      continue;
    }
    entry.track.valid = 0;  // until it is whole in its new place
    const uint16_t owner = paths[0]->state().steering.owner(entry.track.shard);
    Path::State& state = paths[owner]->state();
    const bool spliced = entry.track.mode == tables::Mode::spliced;
    const flow::Splice* splice = beside.splices.find(FlowId(kWide, i, flow::Direction::to_server));
    if (spliced && (!is_sound(splice) || state.splices.used() == state.splices.capacity())) {
      continue;
    }
    if (state.flows.find(entry.to_server).exists() ||
        (!tables::is_one_way(entry.track.mode) &&
         state.flows.find(tuple_to_client(entry)).exists())) {
      continue;
    }
    const bool has_relay = tables::has_relay(entry.track.mode);
    if (has_relay) entry.track.snat = state.relays.hold(beside.relays[entry.track.snat]);
    if (has_relay && entry.track.snat == flow::kNoRelay) continue;
    const auto inserted = state.flows.insert(entry.to_server, entry.to_client, entry.track);
    const bool settled = inserted.id.exists() && settle_port(state, inserted.id);
    if (has_relay) state.relays.let_go(entry.track.snat);  // it has been held by the flow, too
    if (!settled) continue;
    if (spliced) state.splices.insert(inserted.id)->take(*splice);
    gauges[owner].add(entry.track);
    --total.dropped;
    ++total.kept;
    ++total.moved;
  }
}

/// Flows that were kept count for the limits of their clients again.
void meter_again(std::span<Path* const> paths, const tables::View& view, net::Instant now) {
  bool any = false;
  if (view.is_ready()) {
    view.each(view.root()->services, [&any](const tables::Service& service) {
      any = any || service.limits.client.at_once != 0;
    });
  }
  if (!any) return;
  for (Path* path : paths) {
    Path::State& state = path->state();
    if (state.setup.meters == nullptr) continue;
    flow::Sweep all;
    all.begin();
    all.slice(state.flows, UINT32_MAX, [&](FlowId id) {
      const auto slot = tables::ServiceId{state.flows.track(id).service};
      const tables::Service* service = view.service(slot);
      if (service == nullptr) return true;
      state.counted.mark(
          id, state.setup.meters->opened(*service, state.client_of(id), view.generation(), now));
      return true;
    });
  }
}

/// First whatever grows, at all workers, then whatever shrinks: a slot's sum is never too small.
void set_gauges(const tables::Region& region, const std::vector<Gauges>& all) {
  const tables::Sizes& sizes = region.header().sizes;
  for (const bool raise : {true, false}) {
    const auto set = [raise](tables::Counter& gauge, uint64_t value) {
      if (!raise || value > gauge.read()) gauge.set(value);
    };
    for (uint32_t worker = 0; worker < sizes.workers; ++worker) {
      const bool runs = worker < all.size();
      for (uint32_t i = 0; i < sizes.services; ++i) {
        set(region.services_of(worker)[i].flows_active, runs ? all[worker].services[i] : 0);
      }
      for (uint32_t i = 0; i < sizes.servers; ++i) {
        set(region.servers_of(worker)[i].flows_active, runs ? all[worker].servers[i] : 0);
      }
      for (uint32_t i = 0; i < sizes.addresses; ++i) {
        set(region.addresses_of(worker)[i].flows_active, runs ? all[worker].addresses[i] : 0);
      }
    }
  }
}

}  // namespace

Restored restore(flow::Files& files, std::span<Path* const> paths, const tables::Region& region,
                 const tables::View& view, net::Instant now) {
  const tables::Sizes& sizes = region.header().sizes;
  const Judge judge(view, sizes, paths[0]->state().steering, net::to_tick(now));
  const uint64_t region_id = region.header().region_id;
  std::vector<Gauges> gauges(paths.size(), Gauges(sizes));
  Restored total;
  for (uint16_t worker = 0; worker < paths.size(); ++worker) {
    Path::State& state = paths[worker]->state();
    const bool same = files.region_id(worker) == region_id;
    adopt_in_place<flow::Entry4>(state, judge, same, gauges[worker], total, &flow::Table::narrow);
    adopt_in_place<flow::Entry6>(state, judge, same, gauges[worker], total, &flow::Table::wide);
    drop_orphans(state);
  }
  for (const flow::Mapping& file : files.leftovers()) {
    const flow::FileHeader& header = file.header();
    const flow::Extent extent(header.capacity);
    const std::byte* base = file.memory().data();
    const bool same = header.region_id == region_id;
    flow::Splices splices({reinterpret_cast<flow::Splice*>(file.memory().data() + extent.splices),
                           header.capacity.splices});
    const Beside beside{splices, reinterpret_cast<const flow::Relay*>(base + extent.relays), same};
    move_all(reinterpret_cast<const flow::Entry4*>(base + extent.narrow), header.capacity.narrow,
             beside, paths, judge, gauges, total);
    move_all(reinterpret_cast<const flow::Entry6*>(base + extent.wide), header.capacity.wide,
             beside, paths, judge, gauges, total);
  }
  set_gauges(region, gauges);
  meter_again(paths, view, now);
  files.finish();
  return total;
}

void adopt_clients(steer::Persistence& table, const tables::View& view, net::Tick now) {
  if (table.count() == 0) return;
  const ServerSlots slots = slots_of_servers(view);
  table.adopt(now, [&slots](const tables::ServerIdentity& identity) {
    const auto at = slots.find(identity);
    return at != slots.end() ? at->second : steer::Persistence::kNobody;
  });
}

}  // namespace nezu::path
