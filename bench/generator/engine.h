// The loop: two sides on one port or two, flows between them, trials.
//
// One thread, DPDK's main lcore. Each turn receives from both ports, sends what is due, and does
// nothing else; ARP and NDP for the hosts that are played are answered in between. Flows are made
// known to the device first: a frame of each from left to right, whose addresses and ports as they
// come out are those that answers go to, so that NAT, full NAT and translation need no telling.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/generator/analyser.h"
#include "bench/generator/connections.h"
#include "bench/generator/frame.h"
#include "bench/generator/progress.h"
#include "bench/generator/servers.h"
#include "bench/generator/trial.h"
#include "bench/generator/wire.h"
#include "dataplane/net/range.h"

namespace nezu::generator {

struct SideOptions {
  std::string device;
  std::optional<net::Address> gateway;  ///< asked for its MAC
  std::optional<net::MacAddress> peer;  ///< or given
  uint16_t vlan = 0;
  uint16_t receive_queues = 1;
};

/// What becomes of a frame that the port does not take at its time.
enum class Refused : uint8_t {
  automatic,  ///< lost on virtual wires, wait on others
  lost,       ///< as on a wire: the device was too slow to take it
  wait,       ///< it stays due; the port's limit is reached
};

struct EngineOptions {
  SideOptions left;
  std::optional<SideOptions> right;   ///< none: one port plays both sides
  net::Range clients, servers;        ///< addresses played on the left and on the right
  std::optional<net::Range> targets;  ///< whom clients address (VIPs); none: the servers
  net::PortRange client_ports{10000, 59999}, target_ports{7, 7};
  uint32_t flows = 1000;
  bool random_flows = false;  ///< the next frame's flow is drawn, else the flows take turns
  uint64_t seed = 1;
  uint32_t longest = 1518;  ///< frame, with FCS
  uint32_t buffers = 16383;
  uint16_t descriptors = 2048;
  Refused refused = Refused::automatic;
  double wait = 2, pause = 5;    ///< seconds after a trial for late frames, before one
  double learning_rate = 20000;  ///< frames a second
  double patience = 5;           ///< seconds, at least, for all flows to get through
  bool naps = false;             ///< sleeps when nothing is due: on shared cores
  int bounce_core = -1;          ///< beside each trial, a line's way to there; negative: not
  uint32_t retries = 3;          ///< of trials that were slow, or short because of a pause
  double ask = 0.1;              ///< floods: seconds between questions for the gateway
};

class Engine final : public Trials {
 public:
  /// Opens the ports and finds the gateways. Throws std::runtime_error with a sentence.
  Engine(const EngineOptions& options, Progress& progress);
  ~Engine() override;

  /// Makes all flows known. Throws when some do not get through.
  void learn();
  bool answers_pass() const { return answers_pass_; }

  TrialResult run(const TrialPlan& plan) override;
  /// From now on trials send these frames to the right, as they stand, instead of flows: whether
  /// the device takes them is all that is looked at.
  void set_recording(std::vector<std::vector<uint8_t>> frames) { recording_ = std::move(frames); }
  /// Runs without stamped frames until `until` says so.
  void run_segments(const std::function<bool(uint64_t now)>& until);
  /// Whose segments come and go, beside stamped frames as well; null: nobody's.
  void set_connections(Connections* connections) { connections_ = connections; }

  /// This server falls silent: frames and segments for it are lost, what it would send as well, and
  /// nobody answers for its address. How many flows it has.
  uint64_t mute(const net::Address& server) { return servers_.mute(server); }
  void unmute(const net::Address& server) { servers_.unmute(server); }
  /// Flows that no server answers, as they have not come out at another one yet.
  uint64_t silent_flows() const { return servers_.silent_flows(); }

  double tsc_hz() const { return hz_; }
  /// The least size of the left side's frames.
  uint32_t least_size() const;
  /// What the right side's frames have more than the left's.
  int32_t longer_on_right() const;
  /// Frames a second that the medium carries; 0: it has no limit that is known.
  double line_rate(double mean_size) const;
  Link link(Way way) const;
  const Wire& wire(Way from) const { return *side(from).wire; }
  /// Is told of every trial that counts.
  void set_recorder(std::function<void(const TrialResult&)> recorder) {
    recorder_ = std::move(recorder);
  }

 private:
  struct Side {
    Wire* wire = nullptr;
    SideOptions options;
    net::MacAddress peer;
    bool knows_peer = false;
  };
  struct Stream;

  /// The side that sends frames of this way.
  Side& side(Way from) { return sides_[static_cast<size_t>(from)]; }
  const Side& side(Way from) const { return sides_[static_cast<size_t>(from)]; }
  void resolve(Way from);
  uint32_t receive(Wire& wire);
  void receive_questions(Wire& wire);
  void meet_neighbour(Wire& wire, rte_mbuf* frame);
  bool is_heard(std::span<const uint8_t> frame, const Reading& reading);
  void send_bytes(Wire& wire, std::span<const uint8_t> bytes);
  bool send_segments(uint64_t now);
  uint32_t learn_way(Way way);
  void answer_flows(const std::vector<Tuple>& seen);
  TrialResult run_once(const TrialPlan& plan);
  TrialResult flood_once(const TrialPlan& plan);
  struct Flood;
  void ask_gateway(Way from);
  void idle() const;
  void idle_for(double seconds);
  uint64_t cycles(double seconds) const { return static_cast<uint64_t>(seconds * hz_); }

  EngineOptions options_;
  Progress& progress_;
  double hz_;
  rte_mempool* pool_ = nullptr;
  std::vector<std::unique_ptr<Wire>> wires_;
  Side sides_[2];  ///< by Way: left sends to the right
  std::vector<Headers> headers_[2];
  std::vector<Tuple> flows_;
  Servers servers_;
  /// Flow of a frame to the right by its number, in trials whose answers follow.
  std::function<size_t(uint32_t number)> flow_of_;
  bool answers_pass_ = false;
  Analyser analyser_;
  Connections* connections_ = nullptr;
  std::vector<std::vector<uint8_t>> recording_;
  /// What learning does with stamped frames, instead of the analyser.
  std::function<void(std::span<const uint8_t>, const Reading&)> learner_;
  uint8_t trial_ = kLearning;
  double shortest_bounce_ = 0;
  std::function<void(const TrialResult&)> recorder_;
};

}  // namespace nezu::generator
