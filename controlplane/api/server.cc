#include "controlplane/api/server.h"

#include <grp.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "controlplane/api/capture_service.h"
#include "controlplane/api/configuration_service.h"
#include "controlplane/api/explain_service.h"
#include "controlplane/api/flow_service.h"
#include "controlplane/api/followed.h"
#include "controlplane/api/known_ports.h"
#include "controlplane/api/own_addresses.h"
#include "controlplane/api/state_service.h"
#include "controlplane/api/system_service.h"
#include "controlplane/api/take_over.h"
#include "controlplane/api/version.h"
#include "controlplane/config/names.h"
#include "controlplane/config/validate.h"
#include "controlplane/health/from_config.h"

namespace nezu::api {
namespace {

constexpr int kLargestMessage = 256 << 20;
constexpr int kMostThreads = 256;

std::string read_pem(const std::string& path) {
  std::string text = path.empty() ? std::string{} : config::read_file(path);
  if (text.empty()) {
    throw std::runtime_error(
        "The file " + (path.empty() ? std::string("of a TLS option") : path) +
        " is missing or empty; a TCP listener needs --cert, --key and --client-ca.");
  }
  return text;
}

std::shared_ptr<grpc::ServerCredentials> credentials_of(const TlsListener& tls) {
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = read_pem(tls.client_ca);
  options.pem_key_cert_pairs.push_back({read_pem(tls.key), read_pem(tls.certificate)});
  return grpc::SslServerCredentials(options);
}

void prepare_socket(const std::string& path) {
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    throw std::runtime_error("The socket's path " + path +
                             " is longer than 107 bytes; give a shorter one by --listen.");
  }
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error || ::access(folder.c_str(), W_OK | X_OK) != 0) {
    throw std::runtime_error("The folder " + folder.string() +
                             " cannot be written; it must belong to the control plane's user, or "
                             "give another socket by --listen.");
  }
}

void admit_group(const std::string& path, const std::string& group) {
  if (::chmod(path.c_str(), 0660) != 0) {
    throw std::runtime_error("Cannot set the permissions of " + path + ": " + std::strerror(errno) +
                             ".");
  }
  if (group.empty()) {
    return;
  }
  const ::group* found = ::getgrnam(group.c_str());
  if (found == nullptr) {
    throw std::runtime_error("There is no group " + group +
                             "; create it or give another by --socket-group.");
  }
  if (::chown(path.c_str(), static_cast<uid_t>(-1), found->gr_gid) != 0) {
    throw std::runtime_error("Cannot give " + path + " to group " + group +
                             "; the control plane's user must be a member of it.");
  }
}

/// What the region still knew, or else the control plane of before, as the publisher and the health
/// engine want it.
publish::Conditions adopted_conditions(config::Store& store, const publish::Publisher& publisher,
                                       const std::string& before) {
  if (!before.empty() && store.revision() == 0) {
    spdlog::info("Taking over from {}.", before);
    return take_over(store, before);
  }
  publish::Conditions found;
  for (const publish::Adopted& adopted : publisher.adopted()) {
    if (adopted.health_known) {
      found.verdicts[adopted.server] = adopted.healthy;
    }
  }
  found.shares = publisher.adopted_shares();
  return found;
}

/// What the health engine would refuse (a regular expression that does not compile, ...).
void check_checks(const store::Edit& edit, config::Problems& problems) {
  for (const v1::Pool& pool : edit.pools()) {
    if (!pool.has_check() || pool.servers().empty()) {
      continue;
    }
    // The pool's checks differ in their servers only: one tells of all.
    v1::Pool one;
    one.set_name(pool.name());
    one.set_protocol(pool.protocol());
    *one.mutable_check() = pool.check();
    *one.add_servers() = pool.servers(0);
    for (const health::Check& check : health::checks_of(one)) {
      const std::string text = health::problem_of(check);
      const std::string path = config::pool_path(pool.name());
      const bool is_told = !text.empty() && std::any_of(problems.begin(), problems.end(),
                                                        [&path](const v1::Problem& problem) {
                                                          return problem.field().starts_with(path);
                                                        });
      if (!text.empty() && !is_told) {
        config::complain(problems, path + ".check", "", text);
      }
    }
  }
}

}  // namespace

std::string socket_of(const std::string& listen) {
  constexpr std::string_view kPrefix = "unix:";
  if (!listen.starts_with(kPrefix)) {
    throw std::runtime_error(
        "The API listens on a Unix socket (unix:/path) or, with certificates, on TCP "
        "(--listen-tls address:port --cert --key --client-ca); \"" +
        listen + "\" would let anybody in.");
  }
  std::string path = listen.substr(kPrefix.size());
  return path.starts_with("//") ? path.substr(2) : path;
}

struct Server::Parts {
  Parts(const ServerOptions& options, publish::Publisher& publisher)
      : store(options.state_dir),
        found(adopted_conditions(store, publisher, options.take_over)),
        committer(store, publisher, found),
        health(
            {.user_agent = std::string("nezu-health/") + kVersion,
             .seed = 0,
             .gets_through = [&publisher] { return publisher.data_plane().forwarding_pid != 0; }},
            {.changed = [this](const auto& changes) { take(changes); },
             .heard = [this](const auto& news) { take_shares(weights.hear(news)); },
             .alarm =
                 [](const health::Status& status) {
                   if (status.frozen) {
                     spdlog::warn("Health checks are frozen: {}", status.reason);
                   }
                 }}),
        monitor(publisher, committer, health, weights, hub),
        configuration(committer),
        state(publisher, committer, monitor, health, weights, hub),
        flows(publisher, committer),
        captures(publisher, committer),
        explanations(publisher, committer),
        notes(notes_of(store, publisher)),
        system(publisher, committer, monitor, health, hub, options.state_dir, notes) {
    store.set_warner([&publisher](const store::Edit& edit, config::Problems& warnings) {
      if (names_interfaces(edit) && publisher.data_plane().attached) {
        warn_unknown_ports(edit, publisher.read_vitals().ports, warnings);
      }
    });
  }

  /// Callers first, then those whom they call.
  ~Parts() {
    if (server != nullptr) {
      server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
      server->Wait();
      server.reset();
    }
    monitor.stop();
    committer.stop();
  }

  static std::vector<std::string> notes_of(const config::Store& store,
                                           const publish::Publisher& publisher) {
    std::vector<std::string> notes = store.notes();
    const std::vector<std::string> more = publisher.notes();
    notes.insert(notes.end(), more.begin(), more.end());
    return notes;
  }

  void take(const std::vector<health::Change>& changes) {
    for (const health::Change& change : changes) {
      spdlog::info("Server {} is {}: {}", config::to_text(change.server),
                   health::to_string(change.health), change.text);
      committer.set_health(change.server, change.health == health::Health::unknown
                                              ? std::nullopt
                                              : std::optional(change.health == health::Health::up));
    }
  }

  void take_shares(compile::Shares shares) {
    for (const auto& [pool, members] : shares) {
      for (const auto& [member, share] : members) {
        spdlog::info("Pool {}: {}", pool, sentence_of(member, share));
      }
    }
    if (!shares.empty()) {
      committer.set_shares(std::move(shares));
    }
  }

  /// A VRF is called as its network instance.
  static std::string interface_of(const config::Model& model, const v1::Pool& pool) {
    const config::Names& names = model.instances_numbered(pool.instance());
    return pool.instance() == 0 || names.empty() ? std::string{} : *names.begin();
  }

  void configure_checks(const config::Model& model, const compile::Touched& touched) {
    health::ChecksByPool checks;
    for (const std::string& name : touched.pools) {
      const v1::Pool* pool = model.pools().find(name);
      checks[name] = pool != nullptr ? health::checks_of(*pool, interface_of(model, *pool))
                                     : std::vector<health::Check>{};
      weights.configure(name, pool != nullptr ? health::weights_of(*pool) : std::nullopt);
    }
    health.reconfigure(std::move(checks), found.verdicts);
    found = {};  // from now on the engine knows better
  }

  void start() {
    store.set_checker(
        [](const config::Model& before, const store::Edit& edit, config::Problems& problems) {
          check_checks(edit, problems);
          if (takes_addresses(before, edit)) {
            check_own_addresses(before, edit, own_addresses(), problems);
          }
        });
    weights.adopt(found.shares);
    health.adopt(found.shares);
    committer.start(
        {.configured = [this](
                           const config::Model& model,
                           const compile::Touched& touched) { configure_checks(model, touched); },
         .published = [this](const compile::Touched& touched) { monitor.wake(touched); }});
    monitor.start();
  }

  config::Store store;
  publish::Conditions found;
  WatchHub hub;
  Committer committer;
  health::Weights weights;
  health::Engine health;
  Monitor monitor;
  ConfigurationService configuration;
  StateService state;
  FlowService flows;
  CaptureService captures;
  ExplainService explanations;
  std::vector<std::string> notes;
  SystemService system;
  std::unique_ptr<grpc::Server> server;
  int tls_port = 0;
};

Server::Server(const ServerOptions& options, publish::Publisher& publisher)
    : parts_(std::make_unique<Parts>(options, publisher)) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(kLargestMessage);
  builder.SetMaxSendMessageSize(kLargestMessage);
  builder.SetResourceQuota(grpc::ResourceQuota("api").SetMaxThreads(kMostThreads));
  // Two servers on one TCP port would each get half of the clients.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  int socket_bound = 0;
  if (!options.socket.empty()) {
    prepare_socket(options.socket);
    builder.AddListeningPort("unix:" + options.socket, grpc::InsecureServerCredentials(),
                             &socket_bound);
  }
  if (!options.tls.address.empty()) {
    builder.AddListeningPort(options.tls.address, credentials_of(options.tls), &parts_->tls_port);
  }
  builder.RegisterService(&parts_->configuration);
  builder.RegisterService(&parts_->state);
  builder.RegisterService(&parts_->flows);
  builder.RegisterService(&parts_->captures);
  builder.RegisterService(&parts_->explanations);
  builder.RegisterService(&parts_->system);
  parts_->start();
  // Nobody may connect in the moment before the permissions are set.
  const mode_t mask = ::umask(0177);
  parts_->server = builder.BuildAndStart();
  ::umask(mask);
  if (parts_->server == nullptr || (!options.socket.empty() && socket_bound == 0) ||
      (!options.tls.address.empty() && parts_->tls_port == 0)) {
    throw std::runtime_error("Cannot listen on " +
                             (options.tls.address.empty() ? options.socket : options.tls.address) +
                             "; another process has it, or the certificates do not fit.");
  }
  if (!options.socket.empty()) {
    admit_group(options.socket, options.socket_group);
  }
}

Server::~Server() = default;

const std::vector<std::string>& Server::notes() const { return parts_->notes; }
int Server::tls_port() const { return parts_->tls_port; }

}  // namespace nezu::api
