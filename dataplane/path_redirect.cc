// Mode `redirect`: packets for other people's addresses go through a server of ours (a web cache, a
// firewall) that is a neighbour: only the MAC changes.
//
// Who is the client tells the side of the port. What comes from the servers' side is never
// redirected: answers, what servers ask for themselves, and what a server that is in the way has
// let through. With `return_to_sender` a flow remembers the host that sent its first packet, and
// its answers go there: to the router of a client, or back through the firewall that has opened it
// (a flow of mode `returned`).
#include "dataplane/forward/translation.h"
#include "dataplane/net/headers.h"
#include "dataplane/path_open.h"

namespace nezu::path {
namespace {

using flow::Direction;
using flow::FlowId;
using flow::Relay;
using net::Reason;

net::Side side_of(const Turn& turn, const net::Packet& packet) {
  return turn.state.setup.sides[packet.port];
}

void remember_sender(Relay& relay, const net::Packet& packet) {
  relay.sender = packet.at<net::Ethernet>(0)->source;
  relay.port = packet.port;
  relay.vlan = packet.vlan;
}

/// The member whose MAC a packet came from.
const tables::Member* member_by_mac(const Turn& turn, net::Instance instance,
                                    const tables::Service& service, const net::MacAddress& mac) {
  constexpr uint32_t kMost = 256;  // that are looked at
  const tables::Pool* pool = turn.view.pool(service.pool);
  if (pool == nullptr) return nullptr;
  for (uint32_t i = 0; i < pool->member_count && i < kMost; ++i) {
    const tables::Member& member = pool->members()[i];
    const uint32_t index = turn.routes.find(instance, member.address, 0);
    if (index == route::kNoRoute) continue;
    const uint64_t word = turn.routes.at(index).word.load(std::memory_order_relaxed);
    if (word == route::hop_word(mac, route::HopState::ready)) return &member;
  }
  return nullptr;
}

}  // namespace

const tables::Service* redirecting(const Turn& turn, net::Instance instance,
                                   const net::Address& address, net::Protocol protocol,
                                   uint16_t port, const net::Address& client) {
  if (!turn.view.root()->prefixes.any()) return nullptr;
  const tables::Service* service =
      tables::match(turn.view, instance, address, protocol, port, {&client, {}}).service;
  const bool redirects =
      service != nullptr && service->mode == tables::Mode::redirect && service->enabled != 0;
  return redirects ? service : nullptr;
}

Reason hold_relay(Turn& turn, const net::Packet& packet, const tables::Service& service,
                  const tables::Member* member, flow::Track& track) {
  Relay relay;
  const tables::Server* server = member != nullptr ? turn.view.server(member->server) : nullptr;
  if (server != nullptr) relay.server = server->identity;
  if (service.return_to_sender != 0) remember_sender(relay, packet);
  uint16_t number = turn.state.relays.hold(relay);
  if (number == flow::kNoRelay && track.mode == tables::Mode::redirect) {
    // Too many different senders: better by the routes than not at all.
    Relay plain;
    plain.server = relay.server;
    number = turn.state.relays.hold(plain);
  }
  if (number == flow::kNoRelay) return Reason::relays_full;
  track.snat = number;
  return Reason::none;
}

const tables::Member* sending_member(const Turn& turn, const net::Packet& packet,
                                     net::Instance instance, const tables::Service& service) {
  return member_by_mac(turn, instance, service, packet.at<net::Ethernet>(0)->source);
}

const route::NextHop* hop_to_sender(Turn& turn, FlowId id) {
  if (!id.exists()) return nullptr;
  const flow::Track& track = turn.state.flows.track(id);
  if (!tables::has_relay(track.mode) || id.direction() != Direction::to_client) return nullptr;
  const Relay& relay = turn.state.relays[track.snat];
  if (!relay.remembers_sender()) return nullptr;
  route::NextHop& hop = turn.state.sender_hops[track.snat];
  const auto& links = turn.routes.links();
  for (size_t number = 0; number < links.size(); ++number) {
    const route::Link& link = links[number];
    if (link.port != relay.port || link.vlan != relay.vlan) continue;
    hop.word.store(route::hop_word(relay.sender, route::HopState::ready),
                   std::memory_order_relaxed);
    hop.source = link.mac;
    hop.port.store(link.port, std::memory_order_relaxed);
    hop.vlan = link.vlan;
    hop.mtu.store(link.mtu, std::memory_order_relaxed);
    hop.link = static_cast<uint16_t>(number);
    return &hop;
  }
  return nullptr;  // that link is gone: by the routes
}

// A server has let it through, or asks its origin by the client's address: no second time.
bool came_back(const Turn& turn, const net::Packet& packet) {
  const FlowId id(packet.flow);
  return id.exists() && id.direction() == Direction::to_server &&
         side_of(turn, packet) == net::Side::servers &&
         turn.state.flows.track(id).mode == tables::Mode::redirect;
}

void send_redirected(Turn& turn, net::Packet& packet) {
  if (came_back(turn, packet) && !choose_way_to(turn, packet, destination_of(packet))) return;
  (void)forward::pass_on(packet);
}

}  // namespace nezu::path
