// nezu-dataplane: options, DPDK, ports, twins, the region, workers, until SIGTERM. Wiring only.
#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "dataplane/device/eal.h"
#include "dataplane/device/ports.h"
#include "dataplane/engine.h"
#include "dataplane/housekeeper.h"
#include "dataplane/tables/presence.h"
#include "dataplane/tables/region.h"
#include "dataplane/version.h"

namespace {

using namespace nezu;
using dataplane::Engine;
using dataplane::Housekeeper;

std::atomic<bool> ending{false};
void end(int) { ending.store(true, std::memory_order_relaxed); }

struct Options {
  std::vector<std::string> ports;
  device::PortsOptions devices;
  Housekeeper::Options housekeeper;
  Engine::Options engine;
  dataplane::NatLog::Options nat_log;
  uint32_t nat_log_mib = 64;
  std::string region_dir;
  std::string log_level = "info";
  std::vector<std::string> eal;
};

void add_options(CLI::App& app, Options& options) {
  options.region_dir = tables::usual_directory();
  options.housekeeper.state_dir = "/var/lib/nezu-dataplane";
  app.add_option("--port", options.ports,
                 "a data port: name=front,dev=0000:01:00.0[,mtu=9000][,queues=4]"
                 "[,side=clients|servers][,offloads=off]; may be repeated")
      ->required();
  app.add_option("--workers", options.engine.workers, "threads that forward")
      ->capture_default_str()
      ->check(CLI::Range(1u, tables::kMaxWorkers));
  app.add_option("--region-dir", options.region_dir,
                 "folder of the shared tables; the control plane has the same")
      ->capture_default_str();
  app.add_option("--state-dir", options.housekeeper.state_dir, "folder of the last known routes")
      ->capture_default_str();
  app.add_option("--flow-dir", options.engine.flow_dir,
                 "folder of the flow tables, in huge pages or tmpfs [as --region-dir]");
  app.add_option("--flows", options.engine.flows.narrow, "most IPv4 flows of each worker")
      ->capture_default_str();
  app.add_option("--flows6", options.engine.flows.wide,
                 "most IPv6 flows of each worker, and those between IPv4 and IPv6")
      ->capture_default_str();
  app.add_option(
         "--changed-flows", options.engine.flows.splices,
         "most TCP flows of each worker whose numbers change (PROXY protocol, FTP, RTSP, SYN "
         "cookies)")
      ->capture_default_str();
  app.add_option("--persistent-clients", options.engine.persistent_clients,
                 "most clients that stay on their server, of all workers")
      ->capture_default_str()
      ->check(CLI::Range(1024u, 1u << 26));
  app.add_option("--limited-clients", options.engine.limited_clients,
                 "most clients whose limits are known, of all workers and services")
      ->capture_default_str()
      ->check(CLI::Range(1024u, 1u << 26));
  app.add_option("--neighbours", options.housekeeper.hops, "most next hops")
      ->capture_default_str()
      ->check(CLI::Range(64u, route::Hops::kMost));
  app.add_option("--buffers", options.devices.buffers,
                 "packet buffers of each pool; 0: as many as ports and workers need")
      ->capture_default_str();
  app.add_option("--twin-prefix", options.housekeeper.twin_prefix,
                 "of the kernel interface of each port, in front of the port's name")
      ->capture_default_str();
  app.add_flag("--idle-sleep", options.engine.sleeps_when_idle,
               "workers sleep up to 0.5 ms when there is nothing to do, instead of polling");
  app.add_option("--nat-log", options.nat_log.file,
                 "file for who had which SNAT address and port when (source NAT) [none]");
  app.add_option("--nat-log-size", options.nat_log_mib,
                 "MiB after which a new file of the NAT log begins")
      ->capture_default_str()
      ->check(CLI::Range(1u, 1u << 20));
  app.add_option("--nat-log-files", options.nat_log.files, "most files of the NAT log")
      ->capture_default_str()
      ->check(CLI::Range(1u, 10000u));
  app.add_option("--log-level", options.log_level, "trace, debug, info, warn or error")
      ->capture_default_str()
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error"}));
  app.footer("Arguments behind -- are DPDK's own, for example: -- -l 0-2 -a 0000:01:00.0");
}

/// Time and level come from the journal when there is one.
void set_up_log(const std::string& level) {
  auto logger = spdlog::stderr_logger_mt("nezu");
  logger->set_level(spdlog::level::from_str(level));
  const bool has_journal = std::getenv("JOURNAL_STREAM") != nullptr;
  logger->set_pattern(has_journal ? "%v" : "%Y-%m-%dT%H:%M:%S.%e %l %v");
  spdlog::set_default_logger(std::move(logger));
}

void nap(bool long_one) {
  const timespec time{0, long_one ? 200'000 : 20'000};
  nanosleep(&time, nullptr);
}

void notify(const std::string& status) { sd_notify(0, ("READY=1\nSTATUS=" + status).c_str()); }

/// Waits for a region that the control plane has filled; the twins work meanwhile.
std::unique_ptr<tables::Region> find_region(const Options& options, Housekeeper& housekeeper) {
  std::string said;
  net::Instant next;
  while (!ending) {
    if (const net::Instant now = tables::boot_time(); now >= next) {
      next = net::after(now, net::kNanosecondsPerSecond / 10);
      auto opened = tables::Region::open_reader(options.region_dir);
      const bool ready =
          opened.region && opened.region->header().state.load(std::memory_order_acquire) ==
                               static_cast<uint32_t>(tables::RegionState::ready);
      if (ready) return std::move(opened.region);
      const std::string why =
          opened.region ? opened.region->path() + " has no configuration yet" : opened.error;
      if (why != said) {
        spdlog::warn("forwarding nothing, only the twins work: {}", why);
        notify("waiting for the control plane: " + why);
        said = why;
      }
    }
    if (!housekeeper.turn()) nap(options.engine.sleeps_when_idle);
  }
  return nullptr;
}

/// Whether the file behind the mapping is still the one by that name.
class Identity {
 public:
  explicit Identity(std::string path) : path_(std::move(path)), inode_(inode()) {}
  bool holds() const { return inode() == inode_; }

 private:
  ino_t inode() const {
    struct stat status {};
    return ::stat(path_.c_str(), &status) == 0 ? status.st_ino : inode_;
  }
  std::string path_;
  ino_t inode_ = 0;
};

/// Serves until the end (true) or until another region has taken the place of this one.
bool serve(const Options& options, const device::Eal& eal, const tables::Region& region,
           Housekeeper& housekeeper, std::vector<std::unique_ptr<device::Gate>>& gates) {
  const tables::Presence presence(options.region_dir);
  if (!presence.error().empty()) throw std::runtime_error(presence.error());
  const auto reader = tables::Reader::attach(region, "housekeeper");
  if (!reader) throw std::runtime_error("all reader lines of the tables are taken");
  std::unique_ptr<dataplane::NatLog> nat_log;
  if (!options.nat_log.file.empty()) {
    nat_log = std::make_unique<dataplane::NatLog>(options.nat_log, options.engine.workers,
                                                  region.header());
  }
  Engine engine(options.engine, region, reader->latest(), housekeeper.routes(), gates,
                nat_log.get());
  const path::Restored& restored = engine.restored();
  spdlog::info("generation {}; flows of the last run: {} kept, {} of them moved, {} dropped{}",
               reader->latest().generation(), restored.kept, restored.moved, restored.dropped,
               engine.started_empty() ? " (empty: it had ended early twice)" : "");
  housekeeper.attach(region, *reader, engine);
  if (nat_log) nat_log->start();
  engine.start(eal);
  notify("forwarding");
  const Identity identity(region.path());
  net::Instant next;
  bool same = true;
  while (!ending && same) {
    if (!housekeeper.turn()) nap(options.engine.sleeps_when_idle);
    if (const net::Instant now = tables::boot_time(); now >= next) {
      next = net::after(now, net::kNanosecondsPerSecond);
      same = identity.holds();
    }
  }
  engine.stop();
  if (nat_log) nat_log->stop();
  housekeeper.turn();
  housekeeper.detach();
  return same;
}

/// Before any port is touched: they may be another data plane's. One that has just been killed gets
/// a second to be gone.
void be_the_only_one(const std::string& region_dir) {
  for (int i = 0; i < 20; ++i) {
    if (tables::Presence::holder(region_dir) == 0) return;
    const timespec time{0, 50'000'000};
    nanosleep(&time, nullptr);
  }
  throw std::runtime_error("process " + std::to_string(tables::Presence::holder(region_dir)) +
                           " is a data plane that uses " + region_dir +
                           " already; end it first, or give another folder by --region-dir");
}

int run(Options& options, const char* program) {
  for (const std::string& text : options.ports) {
    options.devices.ports.push_back(device::parse_port(text));
  }
  be_the_only_one(options.region_dir);
  for (size_t port = 0; port < options.devices.ports.size() && port < tables::kMaxPorts; ++port) {
    options.engine.sides[port] = options.devices.ports[port].side;
  }
  options.devices.workers = options.engine.workers;
  options.engine.port_count = static_cast<uint16_t>(options.devices.ports.size());
  options.nat_log.bytes = uint64_t{options.nat_log_mib} << 20;
  for (size_t i = 0; i < options.devices.ports.size() && i < tables::kMaxPorts; ++i) {
    options.engine.ports[i] = tables::port_identity(options.devices.ports[i].name);
  }
  if (options.engine.flow_dir.empty()) options.engine.flow_dir = options.region_dir;
  std::filesystem::create_directories(options.housekeeper.state_dir);
  std::filesystem::create_directories(options.engine.flow_dir);
  const device::Eal eal(program, options.eal);
  device::Ports ports(options.devices);
  std::vector<std::unique_ptr<device::Gate>> gates;
  for (uint16_t thread = 0; thread < ports.threads(); ++thread) {
    gates.push_back(std::make_unique<device::Gate>(ports, thread));
  }
  Housekeeper housekeeper(options.housekeeper, ports, gates);
  const auto region = find_region(options, housekeeper);
  const bool ended = !region || serve(options, eal, *region, housekeeper, gates);
  sd_notify(0, "STOPPING=1");
  housekeeper.save();
  gates.clear();
  if (ended) return 0;
  spdlog::warn("{} has been replaced: starting anew", region->path());
  return 75;  // EX_TEMPFAIL: the service is started again
}

}  // namespace

int main(int argc, char** argv) {
  ::signal(SIGTERM, end);
  ::signal(SIGINT, end);
  ::signal(SIGPIPE, SIG_IGN);
  CLI::App app{"The data plane of the load balancer Nezu: forwards packets by the shared tables."};
  app.set_version_flag("--version", dataplane::kVersion);
  Options options;
  add_options(app, options);
  // What stands behind -- is DPDK's, unchanged.
  char** const split = std::find(argv, argv + argc, std::string_view("--"));
  for (char** word = split + 1; split != argv + argc && word != argv + argc; ++word) {
    options.eal.emplace_back(*word);
  }
  CLI11_PARSE(app, static_cast<int>(split - argv), argv);
  try {
    set_up_log(options.log_level);
    return run(options, argv[0]);
  } catch (const std::exception& error) {
    spdlog::error("{}", error.what());
    return 1;
  }
}
