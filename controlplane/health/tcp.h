// The TCP probe: does the server accept a connection?
//
// Engine thread only. The connection is ended with RST at once, so that neither side keeps
// TIME_WAIT entries for thousands of probes.
#pragma once

#include <unordered_map>

#include "controlplane/health/loop.h"
#include "controlplane/health/probe.h"

namespace nezu::health {

class TcpProber final : public Prober {
 public:
  TcpProber(Loop& loop, Finish finish) : loop_(loop), finish_(std::move(finish)) {}
  ~TcpProber() override;
  void start(Ticket ticket, const Check& check) override;
  Outcome abandon(Ticket ticket) override;

 private:
  struct Connection {
    Descriptor socket;
    bool sends_header = false;
  };
  void on_ready(Ticket ticket);
  void end(Ticket ticket);

  Loop& loop_;
  Finish finish_;
  std::unordered_map<Ticket, Connection> connections_;
};

}  // namespace nezu::health
