// Asks an agent: connects, sends what it wants to hear, reads one line (agent_words.h).
//
// Engine thread only. The outcome tells whether there was an answer; what it means to the server is
// the runner's business.
#pragma once

#include <string>
#include <unordered_map>

#include "controlplane/health/loop.h"
#include "controlplane/health/probe.h"

namespace nezu::health {

class AgentProber final : public Prober {
 public:
  AgentProber(Loop& loop, Finish finish) : loop_(loop), finish_(std::move(finish)) {}
  ~AgentProber() override;
  void start(Ticket ticket, const Check& check) override;
  Outcome abandon(Ticket ticket) override;

 private:
  struct Question {
    Descriptor socket;
    const Check* check = nullptr;
    bool is_asked = false;  // connected, and `send` is sent
    std::string received;
  };
  void on_ready(Ticket ticket);
  void ask(Ticket ticket, Question& question);
  void listen(Ticket ticket, Question& question);
  void finish(Ticket ticket, Outcome outcome);
  void end(Ticket ticket);

  Loop& loop_;
  Finish finish_;
  std::unordered_map<Ticket, Question> questions_;
};

}  // namespace nezu::health
