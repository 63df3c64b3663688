// The HTTP probe: a GET over a connection of its own; the status must be in a set and, when asked,
// the body must match.
//
// Engine thread only. libcurl's multi interface with socket actions runs on the engine's loop; the
// name of the host is never resolved (the URL carries the address) and no proxy is used.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "controlplane/health/loop.h"
#include "controlplane/health/probe.h"

namespace nezu::health {

class HttpProber final : public Prober {
 public:
  HttpProber(Loop& loop, Finish finish, std::string user_agent);
  ~HttpProber() override;
  void start(Ticket ticket, const Check& check) override;
  Outcome abandon(Ticket ticket) override;

 private:
  struct Exchange;
  struct Curl;  // libcurl's types stay out of this header

  std::unique_ptr<Curl> curl_;
};

/// Why this regex cannot be used; empty for a good one.
std::string problem_of_regex(const std::string& regex);

}  // namespace nezu::health
