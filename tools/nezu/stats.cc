// stats: counters and rates of services, servers, workers, ports, drops, source NAT and bridges.
#include <algorithm>

#include "nezu/v1/state.pb.h"
#include "tools/nezu/commands.h"
#include "tools/nezu/stats_tables.h"

namespace nezu::cli {
namespace {

struct Part {
  const char* name;
  v1::StatisticsPart value;
  Table (*table)(const v1::Statistics&);
};
constexpr Part kParts[] = {
    {"services", v1::STATISTICS_PART_SERVICES, services_table},
    {"servers", v1::STATISTICS_PART_SERVERS, servers_table},
    {"workers", v1::STATISTICS_PART_WORKERS, workers_table},
    {"ports", v1::STATISTICS_PART_PORTS, ports_table},
    {"drops", v1::STATISTICS_PART_DROPS, drops_table},
    {"source-nats", v1::STATISTICS_PART_SOURCE_NATS, source_nats_table},
    {"bridges", v1::STATISTICS_PART_BRIDGES, bridges_table},
};

struct State {
  std::vector<std::string> parts;
  std::string service;
  std::string pool;
  bool wants(const char* part) const {
    return parts.empty() || std::find(parts.begin(), parts.end(), part) != parts.end();
  }
};

v1::Statistics fetch(Session& session, const State& state) {
  v1::GetStatisticsRequest request;
  for (const Part& part : kParts) {
    if (state.wants(part.name)) {
      request.add_parts(part.value);
    }
  }
  request.set_service(state.service);
  request.set_pool(state.pool);
  return session.client().call<v1::Statistics>(request);
}

void print_nat_log(const Session& session, const v1::NatLogStatistics& log) {
  if (log.written() != 0 || log.lost() != 0) {
    session.out << "NAT log: " << log.written() << " records written, " << log.lost() << " lost\n";
  }
}

void print_tables(const Session& session, const State& state, const v1::Statistics& statistics) {
  if (!statistics.data_plane_attached()) {
    session.err << "nezu: no data plane is running; these are its last counters\n";
  }
  const char* separator = "";
  for (const Part& part : kParts) {
    const Table table = part.table(statistics);
    if (state.wants(part.name) && !(state.parts.empty() && table.is_empty())) {
      session.out << separator;
      table.print(session.out);
      separator = "\n";
    }
  }
  print_nat_log(session, statistics.nat_log());
}

}  // namespace

void add_stats(CLI::App& app, Session& session) {
  auto state = std::make_shared<State>();
  auto* command = app.add_subcommand("stats", "Counters and rates");
  command
      ->add_option(
          "part", state->parts,
          "services, servers, workers, ports, drops, source-nats, bridges; default: all of "
          "them")
      ->check(CLI::IsMember(
          {"services", "servers", "workers", "ports", "drops", "source-nats", "bridges"}));
  command->add_option("--service", state->service, "Only this service");
  command->add_option("--pool", state->pool, "Only this pool's servers");
  action(command, session, [state, &session] {
    const auto statistics = fetch(session, *state);
    print(session, statistics, [&] { print_tables(session, *state, statistics); });
    return Exit::ok;
  });
}

}  // namespace nezu::cli
