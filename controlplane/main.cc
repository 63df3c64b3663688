// nezu-controlplane: options, the region, the API server, until SIGTERM. Wiring only.
#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <systemd/sd-daemon.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <string>

#include "controlplane/api/server.h"
#include "controlplane/api/version.h"
#include "controlplane/publish/publisher.h"
#include "dataplane/tables/region.h"

namespace {

using namespace nezu;

struct Options {
  publish::Options region;
  api::ServerOptions server;
  std::string listen = "unix:/run/nezu/api.sock";
  std::string take_over;
  uint64_t heap_mib = 64;
  std::string log_level = "info";
};

void add_options(CLI::App& app, Options& options) {
  options.region.region_dir = tables::usual_directory();
  app.add_option("--region-dir", options.region.region_dir,
                 "folder of the shared tables; the data plane has the same")
      ->capture_default_str();
  app.add_option("--state-dir", options.server.state_dir,
                 "folder of the configuration and its history")
      ->capture_default_str();
  app.add_option("--listen", options.listen, "Unix socket of the API, as unix:/path")
      ->capture_default_str();
  app.add_option("--socket-group", options.server.socket_group,
                 "group that may use the socket (mode 0660)");
  app.add_option("--listen-tls", options.server.tls.address,
                 "address:port of the API with mutual TLS");
  app.add_option("--cert", options.server.tls.certificate, "the server's certificate (PEM)");
  app.add_option("--key", options.server.tls.key, "its private key (PEM)");
  app.add_option("--client-ca", options.server.tls.client_ca,
                 "certificates (PEM) that a client's certificate must come from");
  app.add_option("--take-over", options.take_over,
                 "socket (unix:/path) of the control plane of before: an empty state folder begins "
                 "with its configuration and the health of its servers");
  tables::Sizes& sizes = options.region.sizes;
  const auto limit = [&](const char* name, uint32_t& value, const char* text) {
    app.add_option(name, value, text)
        ->capture_default_str()
        ->check(CLI::Range(1u, tables::kMaxSlots));
  };
  limit("--max-services", sizes.services, "most services; fixed when the tables are made");
  limit("--max-pools", sizes.pools, "most pools");
  limit("--max-servers", sizes.servers, "most real servers");
  limit("--max-addresses", sizes.addresses, "most VIPs and SNAT addresses together");
  app.add_option("--max-workers", sizes.workers, "most workers of the data plane")
      ->capture_default_str()
      ->check(CLI::Range(1u, tables::kMaxWorkers));
  app.add_option("--heap-mib", options.heap_mib, "memory for published tables, in MiB")
      ->capture_default_str()
      ->check(CLI::Range(uint64_t{4}, uint64_t{1} << 20));
  app.add_option("--log-level", options.log_level, "trace, debug, info, warn or error")
      ->capture_default_str()
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error"}));
}

/// Time and level come from the journal when there is one.
void set_up_log(const std::string& level) {
  auto logger = spdlog::stderr_logger_mt("nezu");
  logger->set_level(spdlog::level::from_str(level));
  const bool has_journal = std::getenv("JOURNAL_STREAM") != nullptr;
  logger->set_pattern(has_journal ? "%v" : "%Y-%m-%dT%H:%M:%S.%e %l %v");
  spdlog::set_default_logger(std::move(logger));
}

int run(const Options& options, const sigset_t& ends) {
  const auto publisher = publish::open_region(options.region);
  const api::Server server(options.server, *publisher);
  for (const std::string& note : server.notes()) {
    spdlog::warn("{}", note);
  }
  spdlog::info("nezu-controlplane {} is ready on {}", api::kVersion, options.listen);
  ::sd_notify(0, "READY=1");
  int signal = 0;
  ::sigwait(&ends, &signal);
  ::sd_notify(0, "STOPPING=1");
  spdlog::info("Ending; the data plane goes on with what is published.");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  // Before any thread is made, so that all of them leave these signals to this one.
  sigset_t ends;
  ::sigemptyset(&ends);
  ::sigaddset(&ends, SIGTERM);
  ::sigaddset(&ends, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  ::signal(SIGPIPE, SIG_IGN);

  CLI::App app{"The control plane of the load balancer Nezu: gRPC server, configuration, health."};
  app.set_version_flag("--version", api::kVersion);
  Options options;
  add_options(app, options);
  CLI11_PARSE(app, argc, argv);
  try {
    set_up_log(options.log_level);
    options.region.sizes.heap_bytes = options.heap_mib << 20;
    options.server.socket = api::socket_of(options.listen);
    if (!options.take_over.empty()) {
      options.server.take_over = api::socket_of(options.take_over);
    }
    return run(options, ends);
  } catch (const std::exception& error) {
    spdlog::error("{}", error.what());
    return 1;
  }
}
