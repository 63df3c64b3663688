// Packets without a flow: whose they are, and whether they open one.
//
// Also a SYN that reuses the ports of a flow which is dying: that one ends and the SYN is scheduled
// anew.
#include <algorithm>

#include "dataplane/flow/sctp_track.h"
#include "dataplane/forward/reply.h"
#include "dataplane/path_cookie.h"
#include "dataplane/path_lanes.h"
#include "dataplane/path_open.h"

namespace nezu::path {
namespace {

using flow::Direction;
using flow::FlowId;
using net::Reason;

bool is_opening(const net::Packet& p) {
  return p.protocol == net::Protocol::tcp &&
         (p.tcp_flags & (net::kTcpSyn | net::kTcpAck | net::kTcpRst)) == net::kTcpSyn;
}

}  // namespace

Reason why_no_opening(const net::Packet& p) {
  if (p.protocol == net::Protocol::tcp) {
    return is_opening(p) ? Reason::none : Reason::tcp_without_flow;
  }
  if (p.protocol != net::Protocol::sctp) return Reason::none;
  const uint32_t end = std::min<uint32_t>(p.head_length, p.l3 + p.ip_length);
  return flow::opens_sctp(p.head + p.l4, end - p.l4) ? Reason::none : Reason::sctp_without_flow;
}

Reason why_denied(const Turn& turn, const tables::Service& service, net::Instance instance,
                  const net::Address& client) {
  const auto lists = turn.view.instance_access();
  const auto here = std::lower_bound(lists.begin(), lists.end(), instance,
                                     [](const tables::InstanceAccess& one, net::Instance wanted) {
                                       return one.instance < wanted;
                                     });
  if (here != lists.end() && here->instance == instance &&
      !turn.view.at(here->list)->allows(client)) {
    return Reason::access_denied_here;
  }
  const tables::AccessList* list = turn.view.at(service.access);
  return list == nullptr || list->allows(client) ? Reason::none : Reason::access_denied;
}

namespace {

uint64_t flows_of(const Setup& setup, uint32_t service) {
  uint64_t flows = setup.services[service].flows_active.read();
  for (const tables::ServiceCounters* other : setup.other_services) {
    flows += other[service].flows_active.read();
  }
  return flows;
}

}  // namespace

Reason why_beyond(Turn& turn, Opening& opening, const tables::Service& service,
                  const net::Address& client) {
  const Setup& setup = turn.state.setup;
  if (setup.meters == nullptr) return Reason::none;
  // Those that wait count.
  if ((service.limits.all.at_once | service.limits.client.at_once) != 0) opening.settle();
  const uint32_t slot = index(service.id);
  const uint64_t flows = slot < setup.sizes.services ? flows_of(setup, slot) : 0;
  const admit::Meters::Verdict verdict =
      setup.meters->admit(service, client, flows, turn.view.generation(), turn.now);
  if (verdict.forgot) turn.state.line.limits_forgotten.add(1);
  return verdict.reason;
}

namespace {

/// A packet of a client to one of our VIPs, that no flow knows.
template <typename F>
void admit_client(Turn& turn, Opening& opening, net::Packet& packet, const typename F::Tuple& tuple,
                  const tables::Service* service, uint8_t shard) {
  if (service == nullptr) {
    return refuse(turn, packet, Reason::service_unknown, tables::Refusal::refuse);
  }
  if (service->enabled == 0) {
    return refuse(turn, packet, Reason::service_disabled, service->refusal);
  }
  Reason reason = why_no_opening(packet);
  if (reason == Reason::tcp_without_flow && service->cookies.enabled != 0) [[unlikely]]
    reason = why_no_cookie(turn, packet, tuple, *service);
  if (reason != Reason::none) return refuse(turn, packet, reason, service->refusal);
  if (service->cookies.enabled != 0 && is_opening(packet) &&
      answer_by_cookie(turn, packet, tuple, *service)) [[unlikely]] {
    return;
  }
  // Who brings a cookie takes the connection for open: silence would let it wait for ever.
  const tables::Refusal held_back =
      brings_cookie(packet) ? tables::Refusal::refuse : tables::Refusal::drop;
  if (const Reason beyond = why_not_passed(turn, packet, *service, address_of(tuple.source));
      beyond != Reason::none) {
    return refuse(turn, packet, beyond, held_back);
  }
  if (const Reason out =
          why_kept_out(turn, opening, *service, tuple.instance, address_of(tuple.source));
      out != Reason::none) {
    return opening.refused(packet, *service, out, held_back);
  }
  opening.prepare<F>(packet, tuple, *service, shard);
}

/// An ICMP error that tells an address of ours, or of the kernel's.
bool is_for_us(const Turn& turn, const net::Packet& packet) {
  const net::Instance instance = net::instance_of(packet);
  const net::Address to = outer_destination_of(packet);
  return turn.view.address(instance, to) != nullptr || turn.routes.is_twin_address(instance, to);
}

/// An ICMP error that no flow knows. What the kernel sends goes through no tunnel of its own.
void pass_error_by(Turn& turn, net::Packet& packet, net::Instance instance) {
  constexpr uint8_t kIpv4 = 4, kIpv6 = 41, kGre = 47;
  const net::Protocol inner = is_v4(packet) ? packet.tuple4.protocol : packet.tuple6.protocol;
  const auto number = static_cast<uint8_t>(inner);
  const net::Address to = outer_destination_of(packet);
  const tables::Transit transit = turn.view.settings().transit;
  const bool ours = turn.view.address(instance, to) != nullptr;
  const bool kernel = turn.routes.is_twin_address(instance, to);
  if ((ours || kernel) && (number == kIpv4 || number == kIpv6 || number == kGre)) {
    packet.drop(Reason::tunnel_error);
  } else if (!ours && (transit == tables::Transit::kernel || kernel)) {
    packet.verdict = net::Verdict::twin;
  } else if (ours || transit == tables::Transit::drop) {
    packet.drop(Reason::icmp_unmatched);
  }
}

/// Nobody's: for the kernel, or what the settings say about transit.
void pass_by(Turn& turn, net::Packet& packet, net::Instance instance,
             const tables::LocalAddress* local) {
  if (packet.shape == net::Shape::icmp_error) return pass_error_by(turn, packet, instance);
  if (local != nullptr) return packet.drop(Reason::snat_unmatched);
  switch (turn.view.settings().transit) {
    case tables::Transit::kernel:
      packet.verdict = net::Verdict::twin;
      return;
    case tables::Transit::forward:  // `choose_way` and `translate` know what to do without a flow
      return;
    case tables::Transit::drop:
      break;
  }
  packet.drop(Reason::transit_refused);
}

/// The answer to a ping that a rule of source NAT sent out. (A request has port 0 there.)
template <typename Tuple>
bool is_masqueraded_answer(const Tuple& tuple, const tables::LocalAddress& local) {
  return local.kind == tables::AddressKind::snat &&
         net::swap16(tuple.destination_port) >= tables::kSnatFirstPort;
}

/// A ping of an address of ours is answered where it comes in, whoever owns its shard.
void answer_echo(net::Packet& packet, const tables::LocalAddress& local) {
  if (packet.first_fragment) return packet.drop(Reason::fragment_unsupported);
  const bool answered = local.answers_ping != 0 && forward::reply_echo(packet);
  packet.verdict = answered ? net::Verdict::reply : net::Verdict::drop;
  packet.reason = answered ? Reason::answered : Reason::icmp_unmatched;
}

/// FTP's data connections and TFTP's answers come to no service of their own.
bool may_be_announced(const net::Packet& packet, const tables::Service* service) {
  return packet.shape == net::Shape::transport &&
         (service == nullptr || !service->key.is_exact()) &&
         (is_opening(packet) || packet.protocol == net::Protocol::udp);
}

bool comes_from_servers(const Turn& turn, const net::Packet& packet) {
  return turn.state.setup.sides[packet.port] == net::Side::servers;
}

/// Services in `redirect` let through what comes as an answer to their clients. True: it goes on,
/// or has opened a flow that answers find back by.
template <typename F>
bool goes_back(Turn& turn, Opening& opening, net::Packet& packet, const typename F::Tuple& tuple,
               uint8_t shard) {
  const tables::Service* returning =
      redirecting(turn, tuple.instance, address_of(tuple.source), tuple.protocol,
                  net::swap16(tuple.source_port), address_of(tuple.destination));
  if (returning != nullptr && returning->return_to_sender != 0 &&
      comes_from_servers(turn, packet) && packet.shape == net::Shape::transport &&
      why_no_opening(packet) == Reason::none) {
    opening.prepare_returned<F>(packet, tuple, *returning, shard);
    return true;
  }
  return returning != nullptr;
}

/// They let through what their servers ask for themselves, too.
template <typename Tuple>
bool goes_on(Turn& turn, const net::Packet& packet, const Tuple& tuple) {
  return comes_from_servers(turn, packet) &&
         redirecting(turn, tuple.instance, address_of(tuple.destination), tuple.protocol,
                     net::swap16(tuple.destination_port), address_of(tuple.source)) != nullptr;
}

/// To nobody of ours, and of no flow: redirected on its way back, taken by a rule of source NAT, or
/// redirected no more.
template <typename F>
bool is_somebodys(Turn& turn, Opening& opening, net::Packet& packet, const typename F::Tuple& tuple,
                  uint8_t shard) {
  const bool redirects = turn.view.root()->prefixes.any() &&
                         (packet.shape != net::Shape::icmp_error || !is_for_us(turn, packet));
  return (redirects && goes_back<F>(turn, opening, packet, tuple, shard)) ||
         masquerade<F>(turn, opening, packet, tuple, shard) ||
         (redirects && goes_on(turn, packet, tuple));
}

bool is_for_others(const Turn& turn, const net::Packet& packet) {
  return turn.bridged && way_across(turn, packet) != nullptr;
}

template <typename F>
void admit_one(Turn& turn, Opening& opening, net::Packet& packet) {
  const auto tuple = F::tuple(packet);
  if (opening.may_have(packet.hash)) {
    // An earlier packet of this burst may have opened the flow.
    opening.settle();
    packet.flow = turn.state.flows.find(tuple, packet.hash).word();
    if (packet.flow != net::kNoFlow) return meter_one(turn, packet);
  }
  const Opening::Target& target = opening.target<F>(packet, tuple);
  const steer::Whose whose{target.local, target.prefix, turn.state.setup.sides[packet.port]};
  const steer::Place place = turn.state.steering.place(tuple, whose, turn.view.settings());
  if (packet.shape == net::Shape::transport) {
    if (place.local != nullptr && net::is_icmp(packet.protocol) &&
        !is_masqueraded_answer(tuple, *place.local)) {
      return answer_echo(packet, *place.local);
    }
    if (place.local == nullptr &&
        turn.routes.is_twin_address(tuple.instance, address_of(tuple.destination)) &&
        !is_for_others(turn, packet)) {
      packet.verdict = net::Verdict::twin;
      return;
    }
  }
  if (const uint16_t owner = turn.state.steering.owner(place.shard);
      owner != turn.state.setup.worker) {
    if (packet.handed_over) return packet.drop(Reason::handover_again);
    packet.owner = owner;
    packet.verdict = net::Verdict::hand_over;
    // Not where the port that it came in by has a say. Nor is any route remembered: an address that
    // becomes a twin's is found out by the owner, as long as it has no flow.
    if (target.prefix == nullptr) turn.state.strangers.remember(packet.hash, owner);
    return;
  }
  if (may_be_announced(packet, target.service) &&
      open_announced<F>(turn, opening, packet, tuple, place.shard)) {
    return;
  }
  if (packet.shape == net::Shape::icmp_error && target.service != nullptr &&
      lanes::are_of(*target.service)) [[unlikely]] {
    if (const tables::Pool* pool = turn.view.pool(target.service->pool)) {
      packet.flow = lanes::flow_to_any(turn, tuple, *pool, lanes::kPlaces).word();
      if (packet.flow != net::kNoFlow) return;
    }
  }
  const bool nobody = target.local == nullptr && target.service == nullptr;
  if (place.direction == Direction::to_client || packet.shape == net::Shape::icmp_error || nobody) {
    if (place.local == nullptr && passes_across(turn, packet)) return;
    if (place.local == nullptr && is_somebodys<F>(turn, opening, packet, tuple, place.shard))
      return;
    return pass_by(turn, packet, tuple.instance, place.local);
  }
  if (target.service != nullptr && target.service->one_packet != 0) [[unlikely]] {
    return admit_datagram<F>(turn, opening, packet, tuple, *target.service, place.shard);
  }
  if (packet.shape == net::Shape::fragment) {
    return refuse(turn, packet, Reason::fragment_unmatched,
                  target.service != nullptr && target.service->refusal == tables::Refusal::pass
                      ? tables::Refusal::pass
                      : tables::Refusal::drop);
  }
  if (target.service != nullptr && target.service->application == tables::Application::sip)
      [[unlikely]] {
    return admit_message<F>(turn, opening, packet, tuple, *target.service, place.shard);
  }
  admit_client<F>(turn, opening, packet, tuple, target.service, place.shard);
}

/// Whom an announcement brought to the same ports before: its far end opens.
bool may_come_from_server(const flow::Track& track) {
  return track.mode == tables::Mode::announced || track.mode == tables::Mode::masquerade;
}

/// True when the packet's flow is dying and this SYN makes a new one of it.
bool reopens(Turn& turn, const net::Packet& packet) {
  const FlowId id(packet.flow);
  const flow::Track& track = turn.state.flows.track(id);
  return is_opening(packet) &&
         (id.direction() == Direction::to_server || may_come_from_server(track)) &&
         packet.shape == net::Shape::transport && flow::is_dying(track.state, track.flags);
}

void admit_missing(Turn& turn) {
  Opening& opening = *turn.state.opening;
  opening.begin(turn);
  for (net::Packet& packet : turn.burst.all()) {
    if (packet.verdict != net::Verdict::undecided) continue;
    if (packet.shape == net::Shape::control) continue;  // passes through
    if (packet.flow != net::kNoFlow) {
      if (packet.tcp_flags == 0 || !turn.may_end || !reopens(turn, packet)) [[likely]]
        continue;
      turn.state.end(FlowId(packet.flow));
      turn.state.line.flows_recycled.add(1);
      turn.erased = true;
      packet.flow = net::kNoFlow;
    }
    if (!turn.view.is_ready()) {
      packet.drop(Reason::not_ready);
      continue;
    }
    is_v4(packet) ? admit_one<V4>(turn, opening, packet) : admit_one<V6>(turn, opening, packet);
  }
  opening.settle();
}

/// Flows were ended while packets of this burst already pointed at them: those look again.
void look_again(Turn& turn) {
  const flow::Table& flows = turn.state.flows;
  for (net::Packet& packet : turn.burst.all()) {
    if (packet.verdict != net::Verdict::undecided || packet.flow == net::kNoFlow) continue;
    packet.flow = is_v4(packet) ? flows.find(tuple4_of(packet), packet.hash).word()
                                : flows.find(tuple6_of(packet), packet.hash).word();
  }
}

}  // namespace

void admit(Turn& turn) {
  if (turn.missing == 0 && (turn.burst.tcp_flags & net::kTcpSyn) == 0) [[likely]]
    return;
  admit_missing(turn);
  if (!turn.erased) return;
  // Whoever has lost its flow may open another, but end none: this comes to an end.
  look_again(turn);
  turn.may_end = false;
  admit_missing(turn);
}

}  // namespace nezu::path
