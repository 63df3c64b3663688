#include "controlplane/api/statistics.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <unordered_map>

#include "controlplane/config/names.h"

namespace nezu::api {
namespace {

using publish::PortReading;
using publish::Reading;
using publish::ServerReading;
using publish::ServiceReading;
using publish::Traffic;
using publish::WorkerReading;

double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

void put(const Traffic& from, v1::TrafficCounters& to) {
  to.set_packets_to_server(from.packets_to_server);
  to.set_bytes_to_server(from.bytes_to_server);
  to.set_packets_to_client(from.packets_to_client);
  to.set_bytes_to_client(from.bytes_to_client);
  to.set_flows_opened(from.flows_opened);
  to.set_flows_closed(from.flows_closed);
  to.set_flows_refused(from.flows_refused);
  to.set_flows_active(from.flows_active);
}

void put(const Traffic& now, const Traffic& before, double seconds, v1::TrafficRates& to) {
  to.set_packets_to_server(per_second(now.packets_to_server, before.packets_to_server, seconds));
  to.set_bytes_to_server(per_second(now.bytes_to_server, before.bytes_to_server, seconds));
  to.set_packets_to_client(per_second(now.packets_to_client, before.packets_to_client, seconds));
  to.set_bytes_to_client(per_second(now.bytes_to_client, before.bytes_to_client, seconds));
  to.set_flows_opened(per_second(now.flows_opened, before.flows_opened, seconds));
  to.set_flows_refused(per_second(now.flows_refused, before.flows_refused, seconds));
}

uint64_t drops_of(const WorkerReading& worker) {
  uint64_t sum = 0;
  for (size_t i = 0; i < worker.reasons.size(); ++i) {
    sum += is_drop(static_cast<net::Reason>(i)) ? worker.reasons[i] : 0;
  }
  return sum;
}

void put(const WorkerReading& now, const WorkerReading& before, double seconds,
         v1::WorkerStatistics& to) {
  to.set_worker(now.number);
  to.set_received(now.received);
  to.set_received_bytes(now.received_bytes);
  to.set_sent(now.sent);
  to.set_sent_bytes(now.sent_bytes);
  to.set_handed_over(now.handed_over);
  to.set_taken_over(now.taken_over);
  to.set_to_twin(now.to_twin);
  to.set_dropped(drops_of(now));
  to.set_flows_opened(now.flows_opened);
  to.set_flows_expired(now.flows_expired);
  to.set_flows_recycled(now.flows_recycled);
  to.set_flows_ended(now.flows_ended);
  to.set_flows_reset_when_idle(now.flows_reset_when_idle);
  to.set_flows_live(now.flows_live);
  to.set_flows_embryonic(now.flows_embryonic);
  to.set_flows_closed(now.flows_closed);
  to.set_received_per_second(per_second(now.received, before.received, seconds));
  to.set_sent_per_second(per_second(now.sent, before.sent, seconds));
  to.set_flows_opened_per_second(per_second(now.flows_opened, before.flows_opened, seconds));
  to.set_handed_over_per_second(per_second(now.handed_over, before.handed_over, seconds));
  to.set_dropped_per_second(per_second(drops_of(now), drops_of(before), seconds));
  const double busy = per_second(now.busy_cycles, before.busy_cycles, seconds);
  const double idle = per_second(now.idle_cycles, before.idle_cycles, seconds);
  const double taken = per_second(now.taken_over, before.taken_over, seconds);
  to.set_busy_share(ratio(busy, busy + idle));
  to.set_cycles_per_packet(ratio(busy, to.received_per_second() + taken));
  to.set_packets_per_burst(
      ratio(to.received_per_second(), per_second(now.bursts, before.bursts, seconds)));
  to.set_longest_turn_us(
      ratio(1e6 * static_cast<double>(now.longest_turn), static_cast<double>(now.tsc_hz)));
  to.set_turns_too_long(now.turns_too_long);
  to.set_transit(now.transit);
  to.set_transit_bytes(now.transit_bytes);
  to.set_client_address_left_out(now.client_address_left_out);
  to.set_fragmented(now.fragmented);
  to.set_captured(now.captured);
  to.set_capture_passed_over(now.capture_passed_over);
  to.set_capture_not_looked_at(now.capture_not_looked_at);
}

void put(const PortReading& now, const PortReading& before, double seconds,
         v1::PortStatistics& to) {
  to.set_port(now.number);
  to.set_name(now.name);
  to.set_device(now.device);
  to.set_twin(now.twin);
  to.set_mac(net::to_string(now.mac));
  to.set_mtu(now.mtu);
  to.set_speed_mbps(now.speed_mbps);
  to.set_link_up(now.link_up);
  to.set_steering(now.steering);
  to.set_side(now.side == net::Side::clients   ? "clients"
              : now.side == net::Side::servers ? "servers"
                                               : "");
  to.set_received(now.received);
  to.set_received_bytes(now.received_bytes);
  to.set_sent(now.sent);
  to.set_sent_bytes(now.sent_bytes);
  to.set_receive_missed(now.receive_missed);
  to.set_receive_errors(now.receive_errors);
  to.set_send_errors(now.send_errors);
  to.set_twin_received(now.twin_received);
  to.set_twin_sent(now.twin_sent);
  to.set_twin_dropped(now.twin_dropped);
  to.set_received_per_second(per_second(now.received, before.received, seconds));
  to.set_sent_per_second(per_second(now.sent, before.sent, seconds));
  to.set_received_bits_per_second(8 *
                                  per_second(now.received_bytes, before.received_bytes, seconds));
  to.set_sent_bits_per_second(8 * per_second(now.sent_bytes, before.sent_bytes, seconds));
}

v1::EffectiveState effective(tables::ServerState state) {
  switch (state) {
    case tables::ServerState::ready:
      return v1::EFFECTIVE_STATE_READY;
    case tables::ServerState::draining:
      return v1::EFFECTIVE_STATE_DRAINING;
    case tables::ServerState::disabled:
      return v1::EFFECTIVE_STATE_DISABLED;
    case tables::ServerState::failed:
      return v1::EFFECTIVE_STATE_FAILED;
  }
  return v1::EFFECTIVE_STATE_UNSPECIFIED;
}

v1::EffectiveState effective(v1::AdminState state) {
  return state == v1::ADMIN_STATE_DRAIN      ? v1::EFFECTIVE_STATE_DRAINING
         : state == v1::ADMIN_STATE_DISABLED ? v1::EFFECTIVE_STATE_DISABLED
                                             : v1::EFFECTIVE_STATE_READY;
}

void put_services(const Reading& now, const Reading& before, double seconds,
                  const std::string& only, v1::Statistics& to) {
  std::unordered_map<std::string_view, const Traffic*> earlier;
  for (const ServiceReading& service : before.services) {
    earlier[service.name] = &service.traffic;
  }
  for (const ServiceReading& service : now.services) {
    if (!only.empty() && service.name != only) {
      continue;
    }
    v1::ServiceStatistics& line = *to.add_services();
    line.set_name(service.name);
    put(service.traffic, *line.mutable_counters());
    const auto at = earlier.find(service.name);
    put(service.traffic, at == earlier.end() ? service.traffic : *at->second, seconds,
        *line.mutable_rates());
  }
  std::sort(to.mutable_services()->pointer_begin(), to.mutable_services()->pointer_end(),
            [](const auto* a, const auto* b) { return a->name() < b->name(); });
}

void put_source_nats(const Reading& now, const Reading& before, double seconds,
                     v1::Statistics& to) {
  std::map<std::string_view, const Traffic*> earlier, present;
  for (const ServiceReading& rule : before.source_nats) {
    earlier[rule.name] = &rule.traffic;
  }
  for (const ServiceReading& rule : now.source_nats) {
    present[rule.name] = &rule.traffic;
  }
  for (const auto& [name, traffic] : present) {
    v1::SourceNatStatistics& line = *to.add_source_nats();
    line.set_name(std::string(name));
    put(*traffic, *line.mutable_counters());
    const auto at = earlier.find(name);
    put(*traffic, at == earlier.end() ? *traffic : *at->second, seconds, *line.mutable_rates());
  }
  to.mutable_nat_log()->set_written(now.nat_log_written);
  to.mutable_nat_log()->set_lost(now.nat_log_lost);
}

void put_servers(const Reading& now, const Reading& before, double seconds,
                 const config::Model& model, const std::string& only, v1::Statistics& to) {
  std::map<tables::ServerIdentity, const ServerReading*> present;
  std::map<tables::ServerIdentity, const Traffic*> earlier;
  for (const ServerReading& server : now.servers) {
    present[server.identity] = &server;
  }
  for (const ServerReading& server : before.servers) {
    earlier[server.identity] = &server.traffic;
  }
  for (const auto& [identity, server] : present) {
    const config::Names& pools = model.pools_of(identity);
    if (!only.empty() && !pools.contains(only)) {
      continue;
    }
    v1::ServerStatistics& line = *to.add_servers();
    *line.mutable_server() = config::to_proto(identity);
    line.mutable_pools()->Add(pools.begin(), pools.end());
    line.set_state(effective(server->state));
    put(server->traffic, *line.mutable_counters());
    const auto at = earlier.find(identity);
    put(server->traffic, at == earlier.end() ? server->traffic : *at->second, seconds,
        *line.mutable_rates());
  }
}

void put_drops(const Reading& now, const Reading& before, double seconds, v1::Statistics& to) {
  for (size_t reason = 0; reason < net::kReasonCount; ++reason) {
    if (!is_drop(static_cast<net::Reason>(reason))) {
      continue;
    }
    v1::DropStatistics line;
    uint64_t sum = 0, sum_before = 0;
    for (const WorkerReading& worker : now.workers) {
      sum += worker.reasons[reason];
      line.add_by_worker(worker.reasons[reason]);
    }
    for (const WorkerReading& worker : before.workers) {
      sum_before += worker.reasons[reason];
    }
    if (sum == 0) {
      continue;
    }
    line.set_reason(std::string(net::kReasonNames[reason]));
    line.set_description(std::string(net::kReasonTexts[reason]));
    line.set_packets(sum);
    line.set_packets_per_second(per_second(sum, sum_before, seconds));
    *to.add_drops() = std::move(line);
  }
}

v1::BridgeState state_of(tables::BridgeState state) {
  switch (state) {
    case tables::BridgeState::none:
      return v1::BRIDGE_STATE_UNSPECIFIED;
    case tables::BridgeState::down:
      return v1::BRIDGE_STATE_DOWN;
    case tables::BridgeState::listening:
      return v1::BRIDGE_STATE_LISTENING;
    case tables::BridgeState::claiming:
      return v1::BRIDGE_STATE_CLAIMING;
    case tables::BridgeState::bridging:
      return v1::BRIDGE_STATE_BRIDGING;
    case tables::BridgeState::standing_by:
      return v1::BRIDGE_STATE_STANDING_BY;
    case tables::BridgeState::loop:
      return v1::BRIDGE_STATE_LOOP;
  }
  return v1::BRIDGE_STATE_UNSPECIFIED;
}

/// As configured, with what the data plane shows of it.
void put_bridges(const Reading& now, const Reading& before, double seconds,
                 const config::Model& model, v1::Statistics& to) {
  const auto named = [](const std::vector<publish::BridgeReading>& all, const std::string& name) {
    const auto found =
        std::find_if(all.begin(), all.end(), [&name](const auto& one) { return one.name == name; });
    return found == all.end() ? publish::BridgeReading{} : *found;
  };
  for (const auto& [instance_name, instance] : model.instances()) {
    for (const v1::Bridge& bridge : instance->bridges()) {
      v1::BridgeStatistics& line = *to.add_bridges();
      line.set_name(bridge.name());
      line.set_instance(instance->number());
      line.set_clients(bridge.clients());
      line.set_servers(bridge.servers());
      const publish::BridgeReading reading = named(now.bridges, bridge.name());
      const publish::BridgeReading earlier = named(before.bridges, bridge.name());
      line.set_state(state_of(reading.state));
      if (reading.better != net::MacAddress{}) {
        line.set_better(net::to_string(reading.better));
      }
      line.set_packets_to_servers(reading.packets_to_servers);
      line.set_bytes_to_servers(reading.bytes_to_servers);
      line.set_packets_to_clients(reading.packets_to_clients);
      line.set_bytes_to_clients(reading.bytes_to_clients);
      line.set_packets_to_servers_per_second(
          per_second(reading.packets_to_servers, earlier.packets_to_servers, seconds));
      line.set_packets_to_clients_per_second(
          per_second(reading.packets_to_clients, earlier.packets_to_clients, seconds));
    }
  }
  std::sort(to.mutable_bridges()->pointer_begin(), to.mutable_bridges()->pointer_end(),
            [](const auto* a, const auto* b) { return a->name() < b->name(); });
}

/// The element of `before` with the same number; a reading of zeros when there is none, so that a
/// worker that has just begun counts from nothing.
template <typename T>
T same(const std::vector<T>& before, const T& now) {
  for (const T& other : before) {
    if (other.number == now.number) {
      return other;
    }
  }
  return now;
}

}  // namespace

bool is_drop(net::Reason reason) {
  return reason != net::Reason::none && reason != net::Reason::answered;
}

double per_second(uint64_t now, uint64_t before, double seconds) {
  // A counter that fell belongs to something else now.
  return now > before ? ratio(static_cast<double>(now - before), seconds) : 0;
}

v1::Statistics statistics_of(const Reading& now, const Reading& before, const config::Model& model,
                             const v1::GetStatisticsRequest& request) {
  v1::Statistics statistics;
  const uint64_t window =
      now.when > before.when ? now.when.nanoseconds - before.when.nanoseconds : 0;
  const double seconds = static_cast<double>(window) / 1e9;
  const auto wants = [&](v1::StatisticsPart part) {
    return request.parts().empty() ||
           std::find(request.parts().begin(), request.parts().end(), part) != request.parts().end();
  };
  *statistics.mutable_time() = google::protobuf::util::TimeUtil::GetCurrentTime();
  statistics.set_rate_window_ms(static_cast<uint32_t>(window / 1'000'000));
  statistics.set_generation(now.generation);
  if (wants(v1::STATISTICS_PART_SERVICES)) {
    put_services(now, before, seconds, request.service(), statistics);
  }
  if (wants(v1::STATISTICS_PART_SOURCE_NATS)) {
    put_source_nats(now, before, seconds, statistics);
  }
  if (wants(v1::STATISTICS_PART_SERVERS)) {
    put_servers(now, before, seconds, model, request.pool(), statistics);
  }
  if (wants(v1::STATISTICS_PART_WORKERS)) {
    for (const WorkerReading& worker : now.workers) {
      put(worker, same(before.workers, worker), seconds, *statistics.add_workers());
    }
  }
  if (wants(v1::STATISTICS_PART_PORTS)) {
    for (const PortReading& port : now.ports) {
      put(port, same(before.ports, port), seconds, *statistics.add_ports());
    }
  }
  if (wants(v1::STATISTICS_PART_DROPS)) {
    put_drops(now, before, seconds, statistics);
  }
  if (wants(v1::STATISTICS_PART_BRIDGES)) {
    put_bridges(now, before, seconds, model, statistics);
  }
  return statistics;
}

std::optional<v1::ServerStatus> status_of(const tables::ServerIdentity& server,
                                          const ServerReading* reading,
                                          const config::Model& model) {
  const config::Names& pools = model.pools_of(server);
  if (pools.empty() && reading == nullptr) {
    return std::nullopt;
  }
  v1::ServerStatus status;
  *status.mutable_server() = config::to_proto(server);
  status.set_flows(reading != nullptr ? reading->traffic.flows_active : 0);
  if (pools.empty()) {
    status.set_health(v1::HEALTH_UNCHECKED);
    status.set_state(v1::EFFECTIVE_STATE_DRAINING);
    status.set_leaving(true);
    return status;
  }
  const v1::Pool& first = *model.pools().find(*pools.begin());
  const v1::RealServer& member = first.servers(config::find_server(first, server));
  // An agent may say that its server is up or down, where there is no check, too.
  const bool is_known = reading != nullptr && reading->health_known;
  const bool is_checked = std::any_of(pools.begin(), pools.end(), [&](const auto& name) {
    const v1::Pool& pool = *model.pools().find(name);
    return pool.has_check() || (is_known && pool.weights() == v1::WEIGHTS_AGENT);
  });
  status.mutable_pools()->Add(pools.begin(), pools.end());
  status.set_admin_state(member.state());
  status.set_state(reading != nullptr ? effective(reading->state) : effective(member.state()));
  status.set_weight(member.weight());
  if (member.has_drain_deadline()) {
    *status.mutable_drain_deadline() = member.drain_deadline();
  }
  status.set_health(!is_checked        ? v1::HEALTH_UNCHECKED
                    : !is_known        ? v1::HEALTH_UNKNOWN
                    : reading->healthy ? v1::HEALTH_HEALTHY
                                       : v1::HEALTH_FAILED);
  return status;
}

std::vector<v1::ServerStatus> statuses_of(const Reading& now, const config::Model& model) {
  std::map<tables::ServerIdentity, const ServerReading*> servers;
  for (const auto& [name, pool] : model.pools()) {
    for (const v1::RealServer& server : pool->servers()) {
      if (const auto identity = config::identity_of(server)) {
        servers.try_emplace(*identity, nullptr);
      }
    }
  }
  for (const ServerReading& server : now.servers) {
    servers[server.identity] = &server;
  }
  std::vector<v1::ServerStatus> statuses;
  for (const auto& [identity, reading] : servers) {
    if (auto status = status_of(identity, reading, model)) {
      statuses.push_back(std::move(*status));
    }
  }
  return statuses;
}

}  // namespace nezu::api
