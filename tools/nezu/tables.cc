// tables, system, version: the shared memory, and the two programs around it.
#include "nezu/v1/system.pb.h"
#include "tools/nezu/commands.h"
#include "tools/nezu/table.h"

#ifndef NEZU_VERSION
#error "meson gives the version"
#endif

namespace nezu::cli {
namespace {

void print_readers(std::ostream& out, const v1::Region& region) {
  Table table({"  reader", ">pid", "alive", ">generation", ">behind", ">last turn", "late"});
  for (const v1::Reader& reader : region.readers()) {
    table.add({"  " + reader.name(), std::to_string(reader.pid()), reader.alive() ? "yes" : "no",
               std::to_string(reader.generation()), std::to_string(reader.behind()),
               std::to_string(reader.last_turn_ms()) + " ms", reader.late() ? "LATE" : "no"});
  }
  if (!table.is_empty()) {
    table.print(out);
  }
}

void print_slots(std::ostream& out, const v1::Region& region) {
  for (const v1::Slots& slots : region.slots()) {
    out << "  " << slots.kind() << ' ' << slots.used() << " of " << slots.capacity() << " slots\n";
  }
}

void print_region(std::ostream& out, const v1::Region& region) {
  out << region.path() << (region.ours() ? "  (ours)" : "") << '\n'
      << "  layout " << region.layout()
      << (region.compatible() ? "" : ", another than this control plane's: not read") << '\n';
  if (!region.compatible()) {
    out << "  " << bytes_text(region.file_bytes()) << '\n';
    return;
  }
  out << "  " << region.state() << ", generation " << region.generation() << ", revision "
      << region.revision() << '\n'
      << "  tables " << bytes_text(region.heap_used_bytes()) << " of "
      << bytes_text(region.heap_bytes()) << " in use, of it "
      << bytes_text(region.heap_retired_bytes()) << " wait for readers; file "
      << bytes_text(region.file_bytes()) << '\n';
  print_slots(out, region);
  print_readers(out, region);
  if (!region.laggard().empty()) {
    out << "  " << region.laggard() << " holds memory back: it has not taken the newest tables\n";
  }
}

void print_workers(std::ostream& out, const v1::System& system) {
  Table table({">worker", ">load", ">pkt/s", ">cycles/pkt", ">generation", ">shards", ">live",
               ">embryonic", ">closed", "entries ipv4", "entries ipv6", "snat slices",
               "changed flows", "announced", "calls", ">calls forgotten", ">clients forgotten",
               ">limits forgotten", ">SYN cookies taken"});
  const auto fill = [](uint64_t used, uint64_t capacity) {
    return scaled(static_cast<double>(used)) + " of " + scaled(static_cast<double>(capacity));
  };
  for (const v1::Worker& worker : system.workers()) {
    table.add(
        {std::to_string(worker.number()), percent(worker.load()),
         scaled(static_cast<double>(worker.packets_per_second())),
         scaled(worker.cycles_per_packet()), std::to_string(worker.generation()),
         std::to_string(worker.shards()), std::to_string(worker.flows_live()),
         std::to_string(worker.flows_embryonic()), std::to_string(worker.flows_closed()),
         fill(worker.flows_ipv4(), worker.flow_capacity_ipv4()),
         fill(worker.flows_ipv6(), worker.flow_capacity_ipv6()),
         fill(worker.snat_lines(), worker.snat_line_capacity()),
         fill(worker.changed_flows(), worker.changed_flow_capacity()),
         fill(worker.announced(), worker.announced_capacity()),
         fill(worker.calls(), worker.call_capacity()), std::to_string(worker.calls_forgotten()),
         std::to_string(worker.persistence_forgotten()), std::to_string(worker.limits_forgotten()),
         std::to_string(worker.syn_cookies_taken())});
  }
  table.print(out);
}

void print_system(std::ostream& out, const v1::System& system) {
  const v1::ControlPlane& control = system.control_plane();
  const v1::DataPlane& data = system.data_plane();
  out << "control plane  " << control.version() << ", pid " << control.pid() << ", up "
      << duration_text(control.uptime_s()) << ", " << bytes_text(control.memory_bytes()) << '\n'
      << "               state in " << control.state_directory() << ", journal "
      << bytes_text(control.journal_bytes()) << ", " << control.checks() << " checks"
      << (control.health_engine_running() ? "" : " (NOT COUNTING: the last health is kept)") << ", "
      << control.watches() << " watches\n";
  if (data.attached()) {
    out << "data plane     " << data.version() << ", pid " << data.pid() << ", up "
        << duration_text(data.uptime_s()) << ", " << bytes_text(data.memory_bytes()) << '\n';
    out << "               " << data.persistent_clients() << " of " << data.persistence_capacity()
        << " clients stay on a server\n";
  } else {
    out << "data plane     not running\n";
  }
  out << "configuration  revision " << system.revision() << ", published as generation "
      << system.generation() << '\n';
  for (const std::string& note : system.notes()) {
    out << "note           " << note << '\n';
  }
  if (system.workers_size() > 0) {
    out << '\n';
    print_workers(out, system);
  }
}

}  // namespace

void add_tables(CLI::App& app, Session& session) {
  auto* command = app.add_subcommand("tables", "The shared memory: size, generation, readers");
  action(command, session, [&session] {
    const auto system = session.client().call<v1::System>(v1::GetSystemRequest());
    v1::System regions;  // only what is asked for, in JSON and YAML too
    *regions.mutable_regions() = system.regions();
    regions.set_generation(system.generation());
    regions.set_revision(system.revision());
    print(session, regions, [&] {
      for (const v1::Region& region : regions.regions()) {
        print_region(session.out, region);
      }
    });
    return Exit::ok;
  });
}

void add_system(CLI::App& app, Session& session) {
  auto* command = app.add_subcommand("system", "The two programs: versions, load, memory");
  action(command, session, [&session] {
    const auto system = session.client().call<v1::System>(v1::GetSystemRequest());
    print(session, system, [&] { print_system(session.out, system); });
    return Exit::ok;
  });
}

void add_version(CLI::App& app, Session& session) {
  auto* command = app.add_subcommand("version", "Print the version of this program");
  action(command, session, [&session] {
    session.out << "nezu " << NEZU_VERSION << '\n';
    return Exit::ok;
  });
}

}  // namespace nezu::cli
