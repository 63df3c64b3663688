#include "dataplane/path_restore.h"

#include <algorithm>
#include <map>
#include <vector>

#include "dataplane/admit/masquerade.h"
#include "dataplane/path_turn.h"

namespace nezu::path {
namespace {

using flow::FlowId;

constexpr uint16_t kUnknown = 0xffff;
constexpr uint32_t kLongest = 60 * 24 * 3600 * net::kTicksPerSecond;  ///< 60 days, in ticks

/// Decides about entries, and makes what they hold valid here.
class Judge {
 public:
  Judge(const tables::View& view, const tables::Sizes& sizes, const steer::Steering& steering,
        net::Tick now)
      : view_(view), sizes_(sizes), steering_(steering), now_(now) {
    if (!view.is_ready()) return;
    view.each(view.root()->servers, [this](const tables::Server& server) {
      servers_[server.identity] = static_cast<uint16_t>(index(server.id));
    });
  }

  template <typename Entry>
  bool keep(Entry& entry, bool same_region) const {
    return is_sound(entry) && belongs(entry, same_region) && renew(entry.track);
  }

 private:
  template <typename Entry>
  bool is_sound(const Entry& entry) const {
    const flow::Track& track = entry.track;
    const auto& there = entry.to_server;
    const bool tcp = there.protocol == net::Protocol::tcp,
               udp = there.protocol == net::Protocol::udp;
    // Only source NAT has pings.
    const bool echo = is_outward(track) && is_echo(there.protocol);
    const bool state_fits =
        tcp   ? track.state <= tables::Timeout::closed
        : udp ? track.state == tables::Timeout::udp_single || track.state == tables::Timeout::udp
              : track.state == tables::Timeout::icmp;
    const bool full = is_full(track);
    if (is_told(track.mode) && track.mode != tables::Mode::spliced && !full) return false;
    // The side that both workers' rules take for the client.
    const uint8_t shard =
        is_outward(track)
            ? steering_.shard_hash()(address_of(there.destination), there.destination_port)
            : steering_.shard_hash()(address_of(there.source), there.source_port);
    if ((!tcp && !udp && !echo) || !state_fits || !mode_fits(entry) || track.shard != shard) {
      return false;
    }
    const auto left = static_cast<int32_t>(track.deadline - now_);
    if (track.timeout == 0 || track.timeout > kLongest ||
        left > static_cast<int64_t>(track.timeout)) {
      return false;
    }
    if (track.mode == tables::Mode::announced && track.snat != 0xffff) {
      return is_of_shard(entry, shard);
    }
    if (!full) return is_kept(entry) && entry.to_client.destination_port == there.source_port;
    return is_of_shard(entry, shard);
  }

  /// Answers to that port come to the flow's owner.
  template <typename Entry>
  static bool is_of_shard(const Entry& entry, uint8_t shard) {
    const uint16_t port = net::swap16(entry.to_client.destination_port);
    return port >= tables::kSnatFirstPort && tables::shard_of_snat_port(port) == shard;
  }

  /// In `nat` the server sees the client's address, as it is or inside a prefix.
  static bool is_kept(const flow::Entry4& entry) {
    return entry.to_client.destination == entry.to_server.source;
  }
  static bool is_kept(const flow::Entry6& entry) {
    const auto& seen = entry.to_client.destination;
    if (!is_mixed(entry) || tables::is_tunnel(entry.track.mode))
      return seen == entry.to_server.source;
    if (!flow::is_mapped(entry.to_server.source)) return false;
    const uint32_t client = flow::unmapped(entry.to_server.source);
    return std::ranges::any_of(net::kEmbeddingLengths, [&](uint8_t length) {
      return net::extracted(length, seen) == client;
    });
  }

  static bool is_outward(const flow::Track& track) {
    return track.mode == tables::Mode::masquerade;
  }

  static bool is_told(tables::Mode mode) {
    return mode == tables::Mode::tagged || mode == tables::Mode::prefixed ||
           mode == tables::Mode::spliced;
  }
  static bool mode_fits(const flow::Track& track) {
    if (is_full(track)) return track.mode == tables::Mode::fullnat || is_told(track.mode);
    if (track.mode == tables::Mode::tunnel_gue) return track.snat != 0;
    return track.mode == tables::Mode::nat || track.mode == tables::Mode::route ||
           track.mode == tables::Mode::spliced || track.mode == tables::Mode::announced ||
           tables::is_tunnel(track.mode);
  }
  /// Both its tuples name the outside host.
  template <typename Entry>
  static bool outward_fits(const Entry& entry) {
    return is_full(entry.track) && entry.track.server == flow::kNoServer &&
           entry.to_client.source == entry.to_server.destination &&
           entry.to_client.source_port == entry.to_server.destination_port;
  }
  static bool mode_fits(const flow::Entry4& entry) {
    return is_outward(entry.track) ? outward_fits(entry) : mode_fits(entry.track);
  }
  static bool mode_fits(const flow::Entry6& entry) {
    if (is_outward(entry.track)) {
      return !flow::is_mapped(entry.to_server.source) && outward_fits(entry);
    }
    if (is_mixed(entry)) {
      if (tables::is_tunnel(entry.track.mode)) return mode_fits(entry.track);
      return entry.track.mode == tables::Mode::across ||
             entry.track.mode == tables::Mode::announced || is_told(entry.track.mode);
    }
    // No IPv6 packet has such an address.
    return !flow::is_mapped(entry.to_server.source) && mode_fits(entry.track);
  }

  /// Slots: as they are when they mean the same here, else by identity.
  template <typename Entry>
  bool belongs(Entry& entry, bool same_region) const {
    flow::Track& track = entry.track;
    const tables::ServerIdentity identity{address_of(entry.to_client.source),
                                          entry.to_server.instance,
                                          net::swap16(entry.to_client.source_port),
                                          entry.to_server.protocol,
                                          {}};
    if (same_region && !view_.is_ready()) {
      return (is_outward(track) || track.server < sizes_.servers) &&
             track.service < sizes_.services &&
             (!uses_snat(track) || track.snat < sizes_.addresses);
    }
    if (is_outward(track)) return belongs_to_rule(entry, same_region);
    const bool known =
        is_server(track.server, identity) || (same_region && is_data_of(track, identity));
    if (!known) {
      const auto found = servers_.find(identity);
      if (found == servers_.end()) return false;
      track.server = found->second;
    }
    if (!same_region || view_.service(tables::ServiceId{track.service}) == nullptr) {
      track.service = service_of(entry);
    }
    return !uses_snat(track) || has_snat(entry);
  }

  /// Another region has other slots: the rule is then any that takes the inside host. Without one
  /// the flow goes on for itself, as long as its SNAT address is there.
  template <typename Entry>
  bool belongs_to_rule(Entry& entry, bool same_region) const {
    flow::Track& track = entry.track;
    const tables::Service* slot = view_.service(tables::ServiceId{track.service});
    if (!same_region || slot == nullptr || !tables::is_rule(*slot)) {
      const tables::SourceRules* rules = view_.source_rules();
      const tables::SourceRule* rule =
          rules != nullptr ? admit::rule_of(*rules, address_of(entry.to_server.source),
                                            address_of(entry.to_server.destination))
                           : nullptr;
      track.service = rule != nullptr ? static_cast<uint16_t>(index(rule->service)) : kUnknown;
    }
    return has_snat(entry);
  }

  static bool is_full(const flow::Track& track) {
    return (track.flags & flow::flag::kFullNat) != 0;
  }

  bool is_server(uint16_t slot, const tables::ServerIdentity& identity) const {
    const tables::Server* server = view_.server(tables::ServerId{slot});
    return slot < sizes_.servers && server != nullptr && server->identity == identity;
  }

  /// FTP and TFTP: what was announced has a port of its own.
  bool is_data_of(const flow::Track& track, const tables::ServerIdentity& identity) const {
    const tables::Server* server = view_.server(tables::ServerId{track.server});
    const tables::Service* service = view_.service(tables::ServiceId{track.service});
    return track.server < sizes_.servers && server != nullptr &&
           server->identity.address == identity.address &&
           server->identity.instance == identity.instance && service != nullptr &&
           service->application != tables::Application::none;
  }

  template <typename Entry>
  uint16_t service_of(const Entry& entry) const {
    tables::ServiceKey key{address_of(entry.to_server.destination),
                           entry.to_server.instance,
                           net::swap16(entry.to_server.destination_port),
                           entry.to_server.protocol,
                           {}};
    const tables::Service* service = view_.service(key);
    if (service == nullptr) {
      key.port = 0;
      service = view_.service(key);
    }
    return service != nullptr ? static_cast<uint16_t>(index(service->id)) : kUnknown;
  }

  template <typename Entry>
  bool has_snat(Entry& entry) const {
    const tables::LocalAddress* local =
        view_.address(entry.to_server.instance, address_of(entry.to_client.destination));
    if (local == nullptr || index(local->id) >= sizes_.addresses) return false;
    entry.track.snat = static_cast<uint16_t>(index(local->id));
    return true;
  }

  static bool renew(flow::Track& track) {
    track.stage = flow::stage_of(track.state);
    track.routes_version = 0;
    track.hops = {flow::kNoHop, flow::kNoHop};
    track.flags = static_cast<uint8_t>(
        (track.flags & ~(flow::flag::kSeenToServer | flow::flag::kSeenToClient)) |
        flow::flag::kAdopted);
    return true;
  }

  const tables::View& view_;
  const tables::Sizes& sizes_;
  const steer::Steering& steering_;
  net::Tick now_;
  std::map<tables::ServerIdentity, uint16_t> servers_;
};

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

/// A flow that the table has taken in takes its port; or goes after all.
bool settle_port(Path::State& state, FlowId id) {
  const flow::Track& track = state.flows.track(id);
  if ((track.flags & flow::flag::kFullNat) == 0) return true;
  const uint16_t port =
      id.wide() ? snat_port(state.flows.wide(id)) : snat_port(state.flows.narrow(id));
  if (state.ports.occupy(track.snat, port, state.peer_of(id))) return true;
  state.flows.erase(id);
  return false;
}

/// What a flow needs whose lengths change.
bool is_sound(const flow::Splice* splice) {
  constexpr int32_t kMost = 1 << 28;  // no connection is changed by that much
  return splice != nullptr && std::ranges::all_of(splice->changes, [](const flow::Change& one) {
           return one.kind <= flow::Change::Kind::text && std::abs(one.before) < kMost &&
                  std::abs(one.after) < kMost &&
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
      if (entry.track.valid != 1 || !judge.keep(entry, same_region) ||
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

/// Entries of a file that was set aside, to the workers that own their shards now.
template <typename Entry>
void move_all(const Entry* entries, uint32_t capacity, flow::Splices& splices,
              std::span<Path* const> paths, const Judge& judge, bool same_region,
              std::vector<Gauges>& gauges, Restored& total) {
  constexpr bool kWide = std::is_same_v<Entry, flow::Entry6>;
  for (uint32_t i = 0; i < capacity; ++i) {
    if (entries[i].track.valid == 0) continue;
    Entry entry = entries[i];
    ++total.dropped;
    if (entry.track.valid != 1 || !judge.keep(entry, same_region)) continue;
    entry.track.valid = 0;  // until it is whole in its new place
    const uint16_t owner = paths[0]->state().steering.owner(entry.track.shard);
    Path::State& state = paths[owner]->state();
    const bool spliced = entry.track.mode == tables::Mode::spliced;
    const flow::Splice* splice = splices.find(FlowId(kWide, i, flow::Direction::to_server));
    if (spliced && (!is_sound(splice) || state.splices.used() == state.splices.capacity())) {
      continue;
    }
    if (state.flows.find(entry.to_server).exists() ||
        (!tables::is_one_way(entry.track.mode) &&
         state.flows.find(tuple_to_client(entry)).exists())) {
      continue;
    }
    const auto inserted = state.flows.insert(entry.to_server, entry.to_client, entry.track);
    if (!inserted.id.exists() || !settle_port(state, inserted.id)) continue;
    if (spliced) state.splices.insert(inserted.id)->take(*splice);
    gauges[owner].add(entry.track);
    --total.dropped;
    ++total.kept;
    ++total.moved;
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
    move_all(reinterpret_cast<const flow::Entry4*>(base + extent.narrow), header.capacity.narrow,
             splices, paths, judge, same, gauges, total);
    move_all(reinterpret_cast<const flow::Entry6*>(base + extent.wide), header.capacity.wide,
             splices, paths, judge, same, gauges, total);
  }
  set_gauges(region, gauges);
  files.finish();
  return total;
}

}  // namespace nezu::path
