// The network around a replay, as options say it or as the configuration lets it be guessed.
//
// Pure. What cannot be understood is a Failure(usage).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/config/model.h"
#include "tools/replay/replay.h"

namespace nezu::cli {

struct NetworkOptions {
  std::vector<std::string> links;   ///< "front.10,address=192.0.2.1/24,mac=M,mtu=N,side=clients"
  std::vector<std::string> routes;  ///< "0.0.0.0/0=192.0.2.254", "10.0.0.0/8=back"
  std::vector<std::string> neighbours;  ///< "10.0.1.5=02:00:00:00:00:05"
};

/// What a replay needs to know of ports and their surroundings.
struct Surroundings {
  std::vector<std::string> ports;  ///< by number
  std::vector<replay::NetworkLink> links;
  std::vector<route::Route> routes;
  std::map<net::Address, net::MacAddress> macs;
  replay::Replay::Options replay;  ///< names, sides and MACs of ports

  std::optional<uint16_t> port(const std::string& name) const;
};

/// Without links: ports front and back; every server is a neighbour at back, everything else is
/// behind a router at front.
Surroundings surroundings_of(const NetworkOptions& options, const config::Model& model);

}  // namespace nezu::cli
