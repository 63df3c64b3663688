// The way out: which next hop, whether the packet fits there, and the Ethernet header.
#include <algorithm>
#include <cstring>

#include "dataplane/forward/family.h"
#include "dataplane/forward/pieces.h"
#include "dataplane/forward/reply.h"
#include "dataplane/forward/tunnel.h"
#include "dataplane/net/headers.h"
#include "dataplane/path_turn.h"

namespace nezu::path {
namespace {

using flow::Direction;
using flow::FlowId;
using net::Reason;

/// Where the packet will go to once it has been translated.
net::Address future_destination(const Turn& turn, const net::Packet& packet, FlowId id) {
  if (!id.exists()) return outer_destination_of(packet);
  const bool there = id.direction() == Direction::to_server;
  const flow::Track& track = turn.state.flows.track(id);
  if (there && tables::has_relay(track.mode)) [[unlikely]] {
    if (track.mode == tables::Mode::redirect && !came_back(turn, packet)) {
      return turn.state.relays[track.snat].server.address;
    }
    return id.wide() ? address_of(turn.state.flows.wide(id).to_server.destination)
                     : address_of(turn.state.flows.narrow(id).to_server.destination);
  }
  const auto of = [there](const auto& entry) {
    return address_of(there ? entry.to_client.source : entry.to_server.source);
  };
  return id.wide() ? of(turn.state.flows.wide(id)) : of(turn.state.flows.narrow(id));
}

/// It goes to a server that keeps the packet's addresses.
bool is_routed_flow(const Turn& turn, const net::Packet& packet) {
  const FlowId id(packet.flow);
  if (!id.exists() || id.direction() != Direction::to_server) return false;
  const tables::Mode mode = turn.state.flows.track(id).mode;
  return mode == tables::Mode::route ||
         (mode == tables::Mode::redirect && !came_back(turn, packet));
}

uint32_t look_up(Turn& turn, const net::Packet& packet, FlowId id) {
  const net::Address to = future_destination(turn, packet, id);
  // Only a neighbour can be told from its VIP by a MAC address alone.
  if (is_routed_flow(turn, packet) &&
      turn.routes.port_of_neighbour(net::instance_of(packet), to) == route::kNoPort) {
    return route::kNoRoute;
  }
  return turn.routes.find(net::instance_of(packet), to, static_cast<uint32_t>(packet.hash >> 16));
}

/// By the index that the flow keeps, as long as it belongs to these routes.
uint32_t next_hop(Turn& turn, const net::Packet& packet) {
  const FlowId id(packet.flow);
  if (!id.exists()) return look_up(turn, packet, id);
  flow::Track& track = turn.state.flows.track(id);
  const size_t way = index(id.direction());
  const uint32_t version = turn.routes.version();
  if (track.routes_version == version && track.hops[way] != flow::kNoHop) [[likely]] {
    return track.hops[way];
  }
  if (hop_to_sender(turn, id) != nullptr) return route::kNoRoute;
  const uint32_t hop = look_up(turn, packet, id);
  if (came_back(turn, packet)) return hop;  // not the flow's way
  if (track.routes_version != version) {
    track.routes_version = version;
    track.hops = {flow::kNoHop, flow::kNoHop};
  }
  // A link's own hop stands for a host that gets an index of its own when it answers.
  if (hop != route::kNoRoute && turn.routes.at(hop).state() != route::HopState::link) {
    track.hops[way] = static_cast<uint16_t>(hop);
  }
  return hop;
}
static_assert(flow::kNoHop == route::kNoRoute);

/// Ends the packet and, where that may be said, says why: `make` turns it into the message.
template <typename Make>
void tell(Turn& turn, net::Packet& packet, Reason reason, Make make) {
  const net::Address from =
      turn.routes.own_address(packet.port, packet.vlan, net::instance_of(packet), packet.family);
  const bool sent =
      !from.is_unspecified() && turn.state.replies.take(turn.now) && make(packet, from);
  packet.verdict = sent ? net::Verdict::reply : net::Verdict::drop;
  packet.reason = reason;
}

bool may_fragment(const net::Packet& packet) {
  return is_v4(packet) &&
         (packet.at<net::Ipv4>(packet.l3)->fragment & net::Ipv4::kDontFragment) == 0;
}

constexpr uint32_t kMostGrowth = std::max<uint32_t>(
    {forward::kFamilyMostGrowth, forward::kMostTunnelBytes, forward::kMostProxyBytes,
     forward::proxy_bytes(net::Family::ipv4) + forward::kFamilyMostGrowth});

/// What the way of the flow adds to the packet, in bytes; less than nothing when it takes away.
int32_t growth_of(const Turn& turn, const net::Packet& packet) {
  const FlowId id(packet.flow);
  if (!id.exists()) return 0;
  const tables::Mode mode = turn.state.flows.track(id).mode;
  if (mode <= tables::Mode::fullnat) return 0;
  if (mode == tables::Mode::across) return forward::family_growth(packet);
  if (mode >= tables::Mode::tagged) {
    const bool told = mode == tables::Mode::prefixed && id.direction() == Direction::to_server &&
                      packet.shape == net::Shape::transport;
    return (told ? static_cast<int32_t>(forward::proxy_bytes(packet.family)) : 0) +
           (is_mixed(turn, id) ? forward::family_growth(packet) : 0);
  }
  if (!tables::is_tunnel(mode)) return 0;
  return static_cast<int32_t>(forward::tunnel_bytes(mode, server_of(turn, id).family()));
}

/// What a flow's mode does to fragments: those that carry the client's address, or whose lengths or
/// sums over the whole change, cannot be cut.
bool may_split(const Turn& turn, const net::Packet& packet) {
  if (packet.shape != net::Shape::transport && packet.shape != net::Shape::fragment) return false;
  const FlowId id(packet.flow);
  if (!id.exists()) return true;
  const tables::Mode mode = turn.state.flows.track(id).mode;
  if (packet.protocol == net::Protocol::sctp) {
    return tables::is_one_way(mode) || tables::has_relay(mode);
  }
  return mode != tables::Mode::tagged && mode != tables::Mode::prefixed &&
         mode != tables::Mode::spliced && mode != tables::Mode::spoken;
}

/// A later fragment knows its ports already.
void split(Turn& turn, net::Packet& packet, uint16_t longest) {
  const FlowId id(packet.flow);
  const bool grows_more =
      id.exists() && is_mixed(turn, id) && !tables::is_tunnel(turn.state.flows.track(id).mode);
  // Between the families each piece has a fragment header.
  if (grows_more) longest = static_cast<uint16_t>(longest - sizeof(net::Ipv6Fragment));
  if (forward::Pieces(packet, longest).count() == 0) return packet.drop(Reason::too_big);
  if (packet.shape == net::Shape::transport) {
    packet.ports = packet.tuple4.source_port | uint32_t{packet.tuple4.destination_port} << 16;
  }
  packet.verdict = net::Verdict::split;
  packet.owner = longest;
}

void too_big(Turn& turn, net::Packet& packet, uint16_t mtu) {
  // Whoever lets us fragment is not told (RFC 1191).
  if (may_fragment(packet)) {
    return may_split(turn, packet) ? split(turn, packet, mtu) : packet.drop(Reason::too_big);
  }
  tell(turn, packet, Reason::too_big, [mtu](net::Packet& p, const net::Address& from) {
    return forward::reply_too_big(p, from, mtu);
  });
}

/// False: the packet is too long for the way out, and has ended. For those that might be.
[[gnu::noinline]] bool fits(Turn& turn, net::Packet& packet, uint16_t mtu) {
  const int32_t growth = growth_of(turn, packet);
  if (packet.ip_length + growth <= mtu) return true;
  const int32_t least = is_v4(packet) ? 68 : 1280;  // RFC 791, RFC 8200 5
  too_big(turn, packet, static_cast<uint16_t>(std::clamp(mtu - growth, least, 0xffff)));
  return false;
}

/// Where packets go into tunnels, the next ones will as well: the line in front of each, which
/// outer headers are written to, is asked for while ways are chosen.
[[gnu::noinline]] void ask_for_room(Turn& turn) {
  turn.state.tunnels = false;
  for (const net::Packet& packet : turn.part) {
    __builtin_prefetch(
        packet.head - forward::tunnel_bytes(tables::Mode::tunnel_ipip, net::Family::ipv4), 1);
  }
}

/// The frame has or lacks a VLAN tag as it came in: make it what the way out carries.
void set_vlan(net::Packet& packet, const route::NextHop& hop) {
  if (hop.state() == route::HopState::across) return;  // also one of a priority alone
  const uint16_t vlan = hop.vlan;
  constexpr uint32_t kTag = sizeof(net::Vlan), kTagged = sizeof(net::Ethernet) + kTag;
  const bool tagged = packet.l3 == kTagged;
  if (tagged && vlan != 0) {
    net::Vlan& tag = *packet.at<net::Vlan>(sizeof(net::Ethernet));
    tag.control = static_cast<uint16_t>((tag.control & 0xf000) | vlan);
    return;
  }
  if (!tagged && vlan == 0) return;
  const uint32_t shift = tagged ? kTag : 0u - kTag;
  packet.head += static_cast<int32_t>(shift);
  packet.head_length -= shift;
  packet.length -= shift;
  packet.room -= shift;
  packet.l3 = static_cast<uint16_t>(packet.l3 - shift);
  packet.l4 = static_cast<uint16_t>(packet.l4 - shift);
  if (!tagged) {
    packet.at<net::Ethernet>(0)->type = net::kEtherVlan;
    packet.at<net::Vlan>(sizeof(net::Ethernet))->control = vlan;
  }
}

}  // namespace

net::Address outer_destination_of(const net::Packet& p) {
  if (p.shape != net::Shape::icmp_error) return destination_of(p);
  return is_v4(p) ? net::Address::v4_raw(p.at<net::Ipv4>(p.l3)->destination.raw())
                  : net::Address::v6(&p.at<net::Ipv6>(p.l3)->destination);
}

namespace {

[[gnu::always_inline]] inline void choose_one(Turn& turn, size_t i) {
  net::Packet& packet = turn.part[i];
  if (packet.verdict != net::Verdict::undecided) [[unlikely]]
    return;
  const uint32_t index = next_hop(turn, packet);
  if (index == route::kNoRoute) [[unlikely]] {
    if (const route::NextHop* hop = hop_to_sender(turn, FlowId(packet.flow))) {
      if (packet.ip_length <= hop->mtu || fits(turn, packet, hop->mtu)) turn.hops[i] = hop;
      return;
    }
    packet.drop(is_routed_flow(turn, packet) ? Reason::server_off_link : Reason::no_route);
    return;
  }
  const route::NextHop& hop = turn.routes.at(index);
  const uint16_t mtu = hop.mtu.load(std::memory_order_relaxed);
  if (packet.ip_length + kMostGrowth > mtu && !fits(turn, packet, mtu)) [[unlikely]] {
    return;
  }
  turn.hops[i] = &hop;
}

/// Of a bridge: answers of servers go on as their frames say.
[[gnu::noinline]] void choose_bridged(Turn& turn) {
  for (size_t i = 0; i < turn.part.size(); ++i) {
    net::Packet& packet = turn.part[i];
    if (packet.verdict != net::Verdict::undecided) continue;
    if (const route::NextHop* hop = hop_across(turn, packet)) {
      if (fits(turn, packet, hop->mtu)) turn.hops[i] = hop;
    } else {
      choose_one(turn, i);
    }
  }
}

}  // namespace

void choose_way(Turn& turn) {
  if (turn.state.tunnels) ask_for_room(turn);
  if (turn.bridged) [[unlikely]]
    return choose_bridged(turn);
  for (size_t i = 0; i < turn.part.size(); ++i) choose_one(turn, i);
}

bool choose_way_to(Turn& turn, net::Packet& packet, const net::Address& to) {
  const uint32_t index =
      turn.routes.find(net::instance_of(packet), to, static_cast<uint32_t>(packet.hash >> 16));
  if (index == route::kNoRoute) {
    packet.drop(Reason::no_route);
    return false;
  }
  const route::NextHop& hop = turn.routes.at(index);
  if (packet.ip_length > hop.mtu && !fits(turn, packet, hop.mtu)) return false;
  turn.hops[static_cast<size_t>(&packet - turn.part.data())] = &hop;
  return true;
}

void dispatch(Turn& turn) {
  for (size_t i = 0; i < turn.part.size(); ++i) {
    net::Packet& packet = turn.part[i];
    if (packet.verdict != net::Verdict::undecided) [[unlikely]] {
      // Its hop count ended here, before anything was changed.
      if (packet.verdict == net::Verdict::drop && packet.reason == Reason::ttl_exceeded) {
        tell(turn, packet, Reason::ttl_exceeded, [](net::Packet& p, const net::Address& from) {
          return forward::reply_time_exceeded(p, from);
        });
      } else if (packet.reason == Reason::ipv4_source_route &&
                 packet.verdict == net::Verdict::drop) {
        tell(turn, packet, packet.reason, [](net::Packet& p, const net::Address& from) {
          return forward::reply_source_route_failed(p, from);
        });
      }
      continue;
    }
    const route::NextHop& hop = *turn.hops[i];
    if (hop.vlan != 0 || packet.l3 != sizeof(net::Ethernet)) [[unlikely]] {
      set_vlan(packet, hop);
    }
    packet.egress = hop.port.load(std::memory_order_relaxed);
    if (hop.write_addresses(packet.head)) [[likely]] {
      packet.verdict = net::Verdict::forward;
    } else if (hop.state() == route::HopState::across) {
      packet.verdict = net::Verdict::forward;
    } else if (!turn.routes.links()[hop.link].up) {
      packet.drop(Reason::port_down);
    } else if (hop.state() == route::HopState::failed) {
      packet.drop(Reason::neighbour_unresolved);
    } else {
      packet.verdict = net::Verdict::hold;
      packet.awaited = future_destination(turn, packet, FlowId(packet.flow));
      packet.awaited_in = turn.routes.links()[hop.link].instance;
    }
  }
}

}  // namespace nezu::path
