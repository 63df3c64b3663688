// top: services, servers, workers, ports and drops, busiest first, refreshed.
#include <algorithm>
#include <sstream>
#include <thread>

#include "nezu/v1/state.pb.h"
#include "nezu/v1/system.pb.h"
#include "tools/nezu/commands.h"
#include "tools/nezu/screen.h"
#include "tools/nezu/stats_tables.h"

namespace nezu::cli {
namespace {

struct State {
  std::string interval = "1s";
  uint32_t count = 0;
  bool once = false;
};

/// Busiest first; what rests keeps the order of its names.
void sort_by_traffic(v1::Statistics& statistics) {
  const auto busier = [](const auto& a, const auto& b) {
    return a.rates().packets_to_server() > b.rates().packets_to_server();
  };
  std::stable_sort(statistics.mutable_services()->begin(), statistics.mutable_services()->end(),
                   busier);
  std::stable_sort(statistics.mutable_servers()->begin(), statistics.mutable_servers()->end(),
                   busier);
  std::stable_sort(
      statistics.mutable_drops()->begin(), statistics.mutable_drops()->end(),
      [](const auto& a, const auto& b) { return a.packets_per_second() > b.packets_per_second(); });
}

std::string head(const v1::Statistics& statistics, const v1::System& system) {
  double packets = 0;
  double flows_opened = 0;
  double dropped = 0;
  uint64_t flows = 0;
  for (const auto& worker : statistics.workers()) {
    packets += worker.received_per_second();
    flows_opened += worker.flows_opened_per_second();
    dropped += worker.dropped_per_second();
    flows += worker.flows_live() + worker.flows_embryonic();
  }
  std::ostringstream out;
  out << "nezu " << system.control_plane().version() << "   "
      << time_text(statistics.time(), statistics.has_time()) << "   "
      << (statistics.data_plane_attached()
              ? "data plane up " + duration_text(system.data_plane().uptime_s())
              : "DATA PLANE NOT RUNNING")
      << "   revision " << system.revision() << ", generation " << system.generation() << '\n'
      << scaled(packets) << " packets/s   " << scaled(static_cast<double>(flows)) << " flows, "
      << scaled(flows_opened) << " new/s   " << scaled(dropped) << " dropped/s\n";
  return out.str();
}

std::string picture(Session& session, size_t rows) {
  auto statistics = session.client().call<v1::Statistics>(v1::GetStatisticsRequest());
  const auto system = session.client().call<v1::System>(v1::GetSystemRequest());
  sort_by_traffic(statistics);
  std::ostringstream out;
  out << head(statistics, system);
  const Table tables[] = {workers_table(statistics), services_table(statistics),
                          servers_table(statistics), ports_table(statistics),
                          drops_table(statistics)};
  for (const Table& table : tables) {
    if (!table.is_empty()) {
      out << '\n';
      table.print(out, rows);
    }
  }
  return out.str();
}

/// Rows of each table, so that all five are on the screen at once.
size_t rows_each(const Screen::Size& size) { return size.rows < 30 ? 4 : (size.rows - 12) / 5; }

Exit live(Session& session, std::chrono::milliseconds interval) {
  session.client();  // what fails does so before the screen is taken
  Screen screen;
  do {
    screen.show(picture(session, rows_each(Screen::size())));
  } while (screen.wait(interval));
  return Exit::ok;
}

Exit printed(Session& session, std::chrono::milliseconds interval, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    if (i > 0) {
      std::this_thread::sleep_for(interval);
      session.out << '\n';
    }
    session.out << picture(session, 20) << std::flush;
  }
  return Exit::ok;
}

}  // namespace

void add_top(CLI::App& app, Session& session) {
  auto state = std::make_shared<State>();
  auto* command = app.add_subcommand("top", "The busiest services, servers and workers, live");
  command->add_option("-d,--interval", state->interval, "Time between two pictures")
      ->capture_default_str();
  command->add_option("-n,--count", state->count, "Print so many pictures and end");
  command->add_flag("--once", state->once, "Print one picture and end");
  action(command, session, [state, &session] {
    const auto interval = std::max(parse_duration(state->interval), std::chrono::milliseconds{100});
    const bool is_live = state->count == 0 && !state->once && Screen::is_possible();
    return is_live ? live(session, interval)
                   : printed(session, interval, std::max(state->count, 1u));
  });
}

}  // namespace nezu::cli
