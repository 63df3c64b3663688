// Everything that serves the API, put together: store, committer, health checks, monitor, gRPC.
//
// The constructor restores, publishes and listens; the destructor ends in the opposite order.
// Throws std::runtime_error with a sentence when it cannot start.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "controlplane/publish/publisher.h"

namespace nezu::api {

/// Where the API listens beside the Unix socket, if anywhere.
struct TlsListener {
  std::string address;      ///< "host:port"; empty: none
  std::string certificate;  ///< PEM files
  std::string key;
  std::string client_ca;  ///< whose clients are let in
};

struct ServerOptions {
  std::string state_dir = "/var/lib/nezu";
  std::string socket = "/run/nezu/api.sock";  ///< empty: none
  std::string socket_group;                   ///< may use the socket; empty: the process's
  TlsListener tls;
  /// Socket of a control plane whose configuration and health a new state folder begins with;
  /// empty: of none.
  std::string take_over;
};

/// "unix:/run/nezu/api.sock" -> "/run/nezu/api.sock". Throws for everything else: a plain TCP
/// port would let anybody in.
std::string socket_of(const std::string& listen);

class Server {
 public:
  Server(const ServerOptions& options, publish::Publisher& publisher);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// What start-up found; sentences for the log.
  const std::vector<std::string>& notes() const;
  /// The TCP port that was bound; 0 without TLS listener.
  int tls_port() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace nezu::api
