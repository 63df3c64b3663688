#include "tools/nezu/stats_tables.h"

#include "tools/nezu/text.h"

namespace nezu::cli {
namespace {

std::string number(uint64_t value) { return scaled(static_cast<double>(value)); }

const std::vector<std::string> kTrafficTitles = {">flows",   ">new/s",    ">pkt/s in", ">pkt/s out",
                                                 ">rate in", ">rate out", ">opened",   ">refused",
                                                 ">pkts in", ">pkts out"};

/// "in" is towards the servers.
void add_traffic(std::vector<std::string>& row, const v1::TrafficCounters& counters,
                 const v1::TrafficRates& rates) {
  for (std::string cell :
       {number(counters.flows_active()), scaled(rates.flows_opened()),
        scaled(rates.packets_to_server()), scaled(rates.packets_to_client()),
        bit_rate(rates.bytes_to_server() * 8), bit_rate(rates.bytes_to_client() * 8),
        number(counters.flows_opened()), number(counters.flows_refused()),
        number(counters.packets_to_server()), number(counters.packets_to_client())}) {
    row.push_back(std::move(cell));
  }
}

std::vector<std::string> with_traffic(std::vector<std::string> titles) {
  titles.insert(titles.end(), kTrafficTitles.begin(), kTrafficTitles.end());
  return titles;
}

}  // namespace

Table services_table(const v1::Statistics& statistics) {
  Table table(with_traffic({"service"}));
  for (const auto& service : statistics.services()) {
    std::vector<std::string> row = {service.name()};
    add_traffic(row, service.counters(), service.rates());
    table.add(std::move(row));
  }
  return table;
}

Table servers_table(const v1::Statistics& statistics) {
  Table table(with_traffic({"server", "state"}));
  for (const auto& server : statistics.servers()) {
    std::vector<std::string> row = {server_text(server.server()), name_of(server.state())};
    add_traffic(row, server.counters(), server.rates());
    table.add(std::move(row));
  }
  return table;
}

Table workers_table(const v1::Statistics& statistics) {
  Table table({">worker", ">load", ">pkt/s in", ">pkt/s out", ">cycles/pkt", ">pkts/burst",
               ">longest turn", ">too long", ">handed over/s", ">new/s", ">live", ">embryonic",
               ">closed", ">expired", ">dropped/s", ">dropped", ">transit", ">fragmented",
               ">address left out"});
  for (const auto& worker : statistics.workers()) {
    table.add({std::to_string(worker.worker()), percent(worker.busy_share()),
               scaled(worker.received_per_second()), scaled(worker.sent_per_second()),
               scaled(worker.cycles_per_packet()), scaled(worker.packets_per_burst()),
               scaled(worker.longest_turn_us()) + " us", number(worker.turns_too_long()),
               scaled(worker.handed_over_per_second()), scaled(worker.flows_opened_per_second()),
               number(worker.flows_live()), number(worker.flows_embryonic()),
               number(worker.flows_closed()), number(worker.flows_expired()),
               scaled(worker.dropped_per_second()), number(worker.dropped()),
               number(worker.transit()), number(worker.fragmented()),
               number(worker.client_address_left_out())});
  }
  return table;
}

Table ports_table(const v1::Statistics& statistics) {
  Table table({">port", "name", "link", "twin", ">pkt/s in", ">pkt/s out", ">rate in", ">rate out",
               ">missed", ">errors in", ">errors out", ">to twin", ">from twin", "side",
               "steering"});
  for (const auto& port : statistics.ports()) {
    const std::string speed =
        port.speed_mbps() == 0 ? "" : " " + scaled(port.speed_mbps()) + " Mbit/s";
    table.add({std::to_string(port.port()), port.name(), port.link_up() ? "up" + speed : "down",
               port.twin(), scaled(port.received_per_second()), scaled(port.sent_per_second()),
               bit_rate(port.received_bits_per_second()), bit_rate(port.sent_bits_per_second()),
               number(port.receive_missed()), number(port.receive_errors()),
               number(port.send_errors()), number(port.twin_sent()), number(port.twin_received()),
               port.side().empty() ? "-" : port.side(), port.steering()});
  }
  return table;
}

/// "in" is towards the outside; each flow has an SNAT port.
Table source_nats_table(const v1::Statistics& statistics) {
  Table table(with_traffic({"source nat"}));
  for (const auto& rule : statistics.source_nats()) {
    std::vector<std::string> row = {rule.name()};
    add_traffic(row, rule.counters(), rule.rates());
    table.add(std::move(row));
  }
  return table;
}

Table bridges_table(const v1::Statistics& statistics) {
  Table table({"bridge", "clients", "servers", "state", "better box", ">pkt/s to servers",
               ">pkt/s to clients", ">pkts to servers", ">pkts to clients"});
  for (const auto& bridge : statistics.bridges()) {
    table.add({bridge.name(), bridge.clients(), bridge.servers(), name_of(bridge.state()),
               bridge.better().empty() ? "-" : bridge.better(),
               scaled(bridge.packets_to_servers_per_second()),
               scaled(bridge.packets_to_clients_per_second()), number(bridge.packets_to_servers()),
               number(bridge.packets_to_clients())});
  }
  return table;
}

Table drops_table(const v1::Statistics& statistics) {
  Table table({"reason", ">dropped/s", ">dropped", "what it means"});
  for (const auto& drop : statistics.drops()) {
    table.add({drop.reason(), scaled(drop.packets_per_second()), number(drop.packets()),
               drop.description()});
  }
  return table;
}

}  // namespace nezu::cli
