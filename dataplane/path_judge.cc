#include "dataplane/path_judge.h"

#include <algorithm>
#include <span>

#include "dataplane/admit/masquerade.h"
#include "dataplane/path_ftp.h"

namespace nezu::path {
namespace {

using flow::is_outward;
using tables::Mode;
using tables::Timeout;

constexpr uint16_t kUnknown = 0xffff;
constexpr uint32_t kLongest = 60 * 24 * 3600 * net::kTicksPerSecond;  ///< 60 days, in ticks

bool is_full(const flow::Track& track) { return (track.flags & flow::flag::kFullNat) != 0; }
bool is_told(Mode mode) {
  return mode == Mode::tagged || mode == Mode::prefixed || mode == Mode::spliced ||
         mode == Mode::spoken;
}
bool is_portless(net::Protocol protocol) {
  return !net::has_ports(protocol) && !net::is_icmp(protocol);
}

bool state_fits(net::Protocol protocol, const flow::Track& track) {
  const Timeout state = track.state;
  if (protocol == net::Protocol::tcp || protocol == net::Protocol::sctp) {
    return state <= Timeout::closed;
  }
  const Timeout live = protocol == net::Protocol::udp ? Timeout::udp
                       : net::is_icmp(protocol)       ? Timeout::icmp
                                                      : Timeout::other;
  return protocol != net::Protocol::any && (state == Timeout::udp_single || state == live);
}

/// What the mode may be of.
bool protocol_fits(net::Protocol protocol, Mode mode) {
  const bool tcp = protocol == net::Protocol::tcp, udp = protocol == net::Protocol::udp;
  if (mode == Mode::tagged || mode == Mode::spliced) return tcp;
  if (mode == Mode::prefixed || mode == Mode::spoken) return udp;
  if (mode == Mode::announced || mode == Mode::across) return tcp || udp;
  return mode != Mode::masquerade || !is_portless(protocol);
}

bool mode_fits(const flow::Track& track) {
  if (is_full(track)) return track.mode == Mode::fullnat || is_told(track.mode);
  if (track.mode == Mode::tunnel_gue) return track.snat != 0;
  return track.mode == Mode::nat || track.mode == Mode::route || track.mode == Mode::spliced ||
         track.mode == Mode::announced || track.mode == Mode::spoken ||
         tables::is_tunnel(track.mode) || tables::has_relay(track.mode);
}
/// Both its tuples name the outside host; FTP's data connections seem to come from one port.
template <typename Entry>
bool outward_fits(const Entry& entry) {
  return is_full(entry.track) && entry.track.server == flow::kNoServer &&
         entry.to_client.source == entry.to_server.destination &&
         (entry.to_client.source_port == entry.to_server.destination_port ||
          net::swap16(entry.to_server.destination_port) == ftp::kDataPort);
}
bool mode_fits(const flow::Entry4& entry) {
  return is_outward(entry.track) ? outward_fits(entry) : mode_fits(entry.track);
}
bool mode_fits(const flow::Entry6& entry) {
  if (is_outward(entry.track)) {
    return !flow::is_mapped(entry.to_server.source) && outward_fits(entry);
  }
  if (is_mixed(entry)) {
    if (tables::has_relay(entry.track.mode)) return false;
    if (tables::is_tunnel(entry.track.mode)) return mode_fits(entry.track);
    return entry.track.mode == Mode::across || entry.track.mode == Mode::announced ||
           is_told(entry.track.mode);
  }
  // No IPv6 packet has such an address.
  return !flow::is_mapped(entry.to_server.source) && mode_fits(entry.track);
}

/// Nothing is translated: answers are the other way round.
template <typename Entry>
bool is_mirrored(const Entry& entry) {
  const auto& there = entry.to_server;
  const auto& back = entry.to_client;
  return entry.track.snat < flow::kRelays && back.source == there.destination &&
         back.destination == there.source && back.source_port == there.destination_port &&
         back.destination_port == there.source_port;
}

/// Answers to that port come to the flow's owner.
template <typename Entry>
bool is_of_shard(const Entry& entry) {
  const uint16_t port = net::swap16(entry.to_client.destination_port);
  return port >= tables::kSnatFirstPort && tables::shard_of_snat_port(port) == entry.track.shard;
}

/// In `nat` the server sees the client's address, as it is or inside a prefix.
bool is_kept(const flow::Entry4& entry) {
  return entry.to_client.destination == entry.to_server.source;
}
bool is_kept(const flow::Entry6& entry) {
  const auto& seen = entry.to_client.destination;
  if (!is_mixed(entry) || tables::is_tunnel(entry.track.mode)) {
    return seen == entry.to_server.source;
  }
  if (!flow::is_mapped(entry.to_server.source)) return false;
  const uint32_t client = flow::unmapped(entry.to_server.source);
  return std::ranges::any_of(net::kEmbeddingLengths, [&](uint8_t length) {
    return net::extracted(length, seen) == client;
  });
}

/// What is as it must be where ports and addresses are translated.
template <typename Entry>
bool translation_fits(const Entry& entry) {
  const flow::Track& track = entry.track;
  if (tables::has_relay(track.mode)) return is_mirrored(entry);
  if (track.mode == Mode::announced && track.snat != flow::kNoSnat) return is_of_shard(entry);
  if (!is_full(track)) {
    return is_kept(entry) && entry.to_client.destination_port == entry.to_server.source_port;
  }
  if (is_portless(entry.to_server.protocol)) return entry.to_client.destination_port == 0;
  return is_of_shard(entry);
}

void renew(flow::Track& track) {
  track.stage = flow::stage_of(track.state);
  track.routes_version = 0;
  track.hops = {flow::kNoHop, flow::kNoHop};
  track.flags = static_cast<uint8_t>(
      (track.flags & ~(flow::flag::kSeenToServer | flow::flag::kSeenToClient)) |
      flow::flag::kAdopted);
}

}  // namespace

ServerSlots slots_of_servers(const tables::View& view) {
  ServerSlots slots;
  if (!view.is_ready()) return slots;
  view.each(view.root()->servers, [&slots](const tables::Server& server) {
    slots[server.identity] = static_cast<uint16_t>(index(server.id));
  });
  return slots;
}

Judge::Judge(const tables::View& view, const tables::Sizes& sizes, const steer::Steering& steering,
             net::Tick now)
    : view_(view),
      sizes_(sizes),
      steering_(steering),
      now_(now),
      servers_(slots_of_servers(view)) {}

bool Judge::keep(flow::Entry4& entry, bool same_region, const flow::Relay* relays) const {
  return keep_entry(entry, same_region, relays);
}
bool Judge::keep(flow::Entry6& entry, bool same_region, const flow::Relay* relays) const {
  return keep_entry(entry, same_region, relays);
}

template <typename Entry>
bool Judge::keep_entry(Entry& entry, bool same_region, const flow::Relay* relays) const {
  if (!is_sound(entry)) return false;
  const bool here = tables::has_relay(entry.track.mode)
                        ? belongs_redirected(entry, same_region, relays[entry.track.snat])
                        : belongs(entry, same_region);
  if (here) renew(entry.track);
  return here;
}

/// The side that both workers' rules take for the client.
template <typename Entry>
uint8_t Judge::shard_of(const Entry& entry) const {
  const auto& there = entry.to_server;
  const flow::Track& track = entry.track;
  if (is_full(track) && is_portless(there.protocol)) return tables::kPortlessShard;
  return is_outward(track) || track.mode == Mode::returned
             ? steering_.shard_hash()(address_of(there.destination), there.destination_port)
             : steering_.shard_hash()(address_of(there.source), there.source_port);
}

template <typename Entry>
bool Judge::is_sound(const Entry& entry) const {
  const flow::Track& track = entry.track;
  const net::Protocol protocol = entry.to_server.protocol;
  const bool spoken = track.mode == Mode::spoken;
  if (is_told(track.mode) && track.mode != Mode::spliced && !spoken && !is_full(track)) {
    return false;
  }
  // Lanes are of SIP, and of datagrams that are scheduled one by one.
  const bool may_have_lane = protocol == net::Protocol::udp && !is_told(track.mode);
  if (spoken ? entry.to_server.lane == 0 : entry.to_server.lane != 0 && !may_have_lane)
    return false;
  if (!state_fits(protocol, track) || !protocol_fits(protocol, track.mode) || !mode_fits(entry) ||
      track.shard != shard_of(entry)) {
    return false;
  }
  const auto left = static_cast<int32_t>(track.deadline - now_);
  if (track.timeout == 0 || track.timeout > kLongest ||
      left > static_cast<int64_t>(track.timeout)) {
    return false;
  }
  return translation_fits(entry);
}

template <typename Entry>
bool Judge::belongs(Entry& entry, bool same_region) const {
  flow::Track& track = entry.track;
  if (same_region && !view_.is_ready()) {
    return (is_outward(track) || track.server < sizes_.servers) &&
           track.service < sizes_.services && (!uses_snat(track) || track.snat < sizes_.addresses);
  }
  if (is_outward(track)) return belongs_to_rule(entry, same_region);
  if (!find_server(entry, same_region)) return false;
  if (!same_region || view_.service(tables::ServiceId{track.service}) == nullptr) {
    track.service = service_for(entry.to_server, track.server);
  }
  return !uses_snat(track) || has_snat(entry);
}

/// In `redirect` the server's identity stands in the relay; who opened a flow from the servers'
/// side may be none.
template <typename Entry>
bool Judge::belongs_redirected(Entry& entry, bool same_region, const flow::Relay& relay) const {
  flow::Track& track = entry.track;
  const bool returned = track.mode == Mode::returned;
  if (same_region && !view_.is_ready()) {
    return track.service < sizes_.services && (track.server < sizes_.servers || returned);
  }
  if (!is_server(track.server, relay.server)) {
    const auto found = servers_.find(relay.server);
    if (found == servers_.end() && !returned) return false;
    track.server = found != servers_.end() ? found->second : kUnknown;
  }
  if (!same_region || view_.service(tables::ServiceId{track.service}) == nullptr) {
    const auto& tuple = returned ? tuple_to_client(entry) : entry.to_server;
    track.service = service_for(tuple, track.server);
  }
  return true;
}

/// Another region has other slots: the rule is then any that takes the inside host. Without one
/// the flow goes on for itself, as long as its SNAT address is there.
template <typename Entry>
bool Judge::belongs_to_rule(Entry& entry, bool same_region) const {
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

/// A server may be there for the flow's port and protocol, for every port, or for every protocol.
template <typename Entry>
bool Judge::find_server(Entry& entry, bool same_region) const {
  const tables::ServerIdentity exact{address_of(entry.to_client.source),
                                     entry.to_server.instance,
                                     net::swap16(entry.to_client.source_port),
                                     entry.to_server.protocol,
                                     {}};
  std::array<tables::ServerIdentity, 4> candidates{exact, exact, exact, exact};
  candidates[1].port = candidates[3].port = 0;
  candidates[2].protocol = candidates[3].protocol = net::Protocol::any;
  for (const tables::ServerIdentity& identity : candidates) {
    if (is_server(entry.track.server, identity)) return true;
  }
  if (same_region && is_data_of(entry.track, exact)) return true;
  for (const tables::ServerIdentity& identity : candidates) {
    const auto found = servers_.find(identity);
    if (found == servers_.end()) continue;
    entry.track.server = found->second;
    return true;
  }
  return false;
}

bool Judge::is_server(uint16_t slot, const tables::ServerIdentity& identity) const {
  const tables::Server* server = view_.server(tables::ServerId{slot});
  return slot < sizes_.servers && server != nullptr && server->identity == identity;
}

/// FTP and TFTP: what was announced has a port of its own.
bool Judge::is_data_of(const flow::Track& track, const tables::ServerIdentity& identity) const {
  const tables::Server* server = view_.server(tables::ServerId{track.server});
  const tables::Service* service = view_.service(tables::ServiceId{track.service});
  return track.server < sizes_.servers && server != nullptr &&
         server->identity.address == identity.address &&
         server->identity.instance == identity.instance && service != nullptr &&
         service->application != tables::Application::none;
}

/// By which interface it once came nobody knows: where services go by that, the one that has the
/// flow's server.
template <typename Tuple>
uint16_t Judge::service_for(const Tuple& tuple, uint16_t server) const {
  const net::Address client = address_of(tuple.source);
  const auto found = [&](tables::Interface entry) {
    return tables::match(view_, tuple.instance, address_of(tuple.destination), tuple.protocol,
                         net::swap16(tuple.destination_port), {&client, entry})
        .service;
  };
  const auto serves = [&](const tables::Service* service) {
    const tables::Pool* pool = service != nullptr ? view_.pool(service->pool) : nullptr;
    if (pool == nullptr) return false;
    const std::span members(pool->members(), pool->member_count);
    return std::any_of(members.begin(), members.end(),
                       [server](const tables::Member& one) { return index(one.server) == server; });
  };
  constexpr uint64_t kNoPort = UINT64_MAX;  // as if by one that no rule names
  const tables::Service* somebody = found({});
  const tables::Service* anybody = found({kNoPort, 0, {}});
  const tables::Service* service =
      anybody == nullptr || (serves(somebody) && !serves(anybody)) ? somebody : anybody;
  return service != nullptr ? static_cast<uint16_t>(index(service->id)) : kUnknown;
}

template <typename Entry>
bool Judge::has_snat(Entry& entry) const {
  const tables::LocalAddress* local =
      view_.address(entry.to_server.instance, address_of(entry.to_client.destination));
  if (local == nullptr || index(local->id) >= sizes_.addresses) return false;
  entry.track.snat = static_cast<uint16_t>(index(local->id));
  return true;
}

}  // namespace nezu::path
