// Source NAT: packets of inside hosts that no flow knows, and what the NAT log hears of them.
//
// A packet comes here when nothing else has claimed it: it belongs to no flow, and its destination
// is no address of ours. Its owner is the worker of its destination's shard, whose slice of SNAT
// ports brings the answers home.
#include "dataplane/admit/masquerade.h"
#include "dataplane/net/headers.h"
#include "dataplane/path_open.h"
#include "dataplane/tables/region.h"

namespace nezu::path {
namespace {

using net::Reason;

/// What an inside host may open a flow with.
enum class Kind : uint8_t {
  opening,
  continuing,  ///< TCP or SCTP of a flow that is gone
  answer,      ///< to a ping that came to it
};
Kind kind_of(const net::Packet& packet) {
  if (!net::is_icmp(packet.protocol)) {
    return why_no_opening(packet) == Reason::none ? Kind::opening : Kind::continuing;
  }
  const uint8_t type = packet.at<net::Icmp>(packet.l4)->type;
  return type == net::icmp::kEchoRequest || type == net::icmpv6::kEchoRequest ? Kind::opening
                                                                              : Kind::answer;
}

/// Answers to IPv4 clients that servers see below such a prefix.
bool is_below_client_prefix(const Turn& turn, const net::Address& address) {
  if (address.is_v4()) return false;
  for (const net::EmbeddingPrefix& prefix : turn.view.settings().client_prefixes) {
    if (!prefix.exists()) break;
    if (net::embeds(prefix, address.bytes)) return true;
  }
  return false;
}

/// The rule that takes the packet; null: none. `hop`: its way out, kNoRoute included.
const tables::SourceRule* rule_for(const Turn& turn, const net::Packet& packet,
                                   net::Instance instance, const net::Address& source,
                                   const net::Address& destination, uint32_t hop) {
  const tables::SourceRules& rules = *turn.view.source_rules();
  if (rules.find(source) == tables::kNoPrefix || admit::is_inside(rules, destination) ||
      is_below_client_prefix(turn, destination) ||
      // A server that holds the VIP answers past us: through us, as its router.
      turn.view.address(instance, source) != nullptr) {
    return nullptr;
  }
  const tables::Interface in = interface_of(turn, packet.port, packet.vlan);
  if (hop == route::kNoRoute) return admit::rule_for(rules, source, destination, in, {});
  const route::NextHop& way = turn.routes.at(hop);
  return admit::rule_for(rules, source, destination, in, interface_of(turn, way.port, way.vlan));
}

}  // namespace

template <typename F>
bool masquerade(Turn& turn, Opening& opening, net::Packet& packet, const typename F::Tuple& tuple,
                uint8_t shard) {
  if (turn.view.source_rules() == nullptr) [[likely]]
    return false;
  // Rules and their addresses are of the standard instance.
  if (tuple.instance != net::Instance::standard) return false;
  // Answers to protocols without ports would not tell whose they are.
  if (!net::has_ports(tuple.protocol) && !net::is_icmp(tuple.protocol)) return false;
  if (packet.shape != net::Shape::transport && packet.shape != net::Shape::fragment) return false;
  const net::Address source = address_of(tuple.source), destination = address_of(tuple.destination);
  const uint32_t hop =
      turn.routes.find(tuple.instance, destination, static_cast<uint32_t>(packet.hash >> 16));
  const tables::SourceRule* rule = rule_for(turn, packet, tuple.instance, source, destination, hop);
  const tables::Service* service = rule != nullptr ? turn.view.service(rule->service) : nullptr;
  if (service == nullptr) return false;
  if (packet.shape == net::Shape::fragment) {
    packet.drop(Reason::fragment_unmatched);
    return true;
  }
  const Kind kind = kind_of(packet);
  if (kind == Kind::answer) return false;
  if (hop == route::kNoRoute) {
    packet.drop(Reason::no_route);
  } else if (kind == Kind::continuing) {
    refuse(turn, packet, why_no_opening(packet), service->refusal);
  } else {
    opening.prepare_outward<F>(packet, tuple, *service, shard);
  }
  return true;
}

template bool masquerade<V4>(Turn&, Opening&, net::Packet&, const net::Tuple4&, uint8_t);
template bool masquerade<V6>(Turn&, Opening&, net::Packet&, const net::Tuple6&, uint8_t);

NatRecord Path::State::nat_record(NatRecord::Kind kind, flow::FlowId id, net::Instant at) const {
  NatRecord record;
  record.when = at.nanoseconds;
  record.kind = kind;
  const auto tell = [&](const auto& entry) {
    record.inside = address_of(entry.to_server.source);
    record.outside = address_of(entry.to_server.destination);
    record.snat = address_of(entry.to_client.destination);
    record.inside_port = net::swap16(entry.to_server.source_port);
    record.outside_port = net::swap16(entry.to_server.destination_port);
    record.snat_port = net::swap16(entry.to_client.destination_port);
    record.protocol = entry.to_server.protocol;
  };
  id.wide() ? tell(flows.wide(id)) : tell(flows.narrow(id));
  return record;
}

void Path::State::log(NatRecord::Kind kind, flow::FlowId id) {
  if (setup.nat_log == nullptr) return;
  if (!setup.nat_log->push(nat_record(kind, id, turn_at))) return line.nat_log_lost.add(1);
  setup.nat_log->publish();
}

void Path::each_nat(const std::function<void(const NatRecord&)>& visit) const {
  const net::Instant now = tables::boot_time();
  flow::Sweep sweep;
  sweep.begin();
  while (sweep.running()) {
    sweep.slice(state_->flows, 4096, [&](flow::FlowId id) {
      if (flow::is_outward(state_->flows.track(id))) {
        visit(state_->nat_record(NatRecord::Kind::open, id, now));
      }
      return true;
    });
  }
}

}  // namespace nezu::path
