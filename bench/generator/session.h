// One run of nezu-traffic: the methods that were asked for, one after the other, into the results.
//
// DPDK's main thread.
#pragma once

#include <string>
#include <vector>

#include "bench/generator/engine.h"
#include "bench/generator/event_text.h"
#include "bench/generator/methods.h"
#include "bench/generator/options.h"
#include "bench/generator/results.h"

namespace nezu::generator {

class Session {
 public:
  Session(Options& options, Progress& progress, results::Results& results);

  /// By the subcommand's name. Throws std::runtime_error.
  void run(const std::string& method);

 private:
  MethodOptions method_options(const Mix& mix);
  double most_rate(const Mix& mix, bool to_right, bool to_left);
  std::vector<Mix> mixes();
  std::vector<Mix> sizes();
  /// The rate of the least loss that is tolerated; 0: none passed.
  double throughput(const Mix& mix);
  void trial(const Mix& mix);
  void loss(const Mix& mix);
  void latency(const Mix& mix, double rate);
  void back_to_back(const Mix& mix);
  void translate();
  ConnectionOptions connection_options(uint64_t most) const;
  /// Whose ends answer while nothing else is done with connections; null: the servers' alone.
  void attend(Connections* connections);
  void run_connections(Connections& connections, const std::function<bool(uint64_t now)>& over);
  void find_connections();
  void hold();
  void flood();
  /// All of them are good, or none is done.
  std::vector<EventText> events() const;
  void change(const std::vector<EventText>& events);
  void change_once(const EventText& text, Connections& connections);
  TrialPlan plan_of_change(const std::string& purpose, double seconds);
  void describe();
  void learn();
  void note(const std::string& sentence);
  uint32_t repeats(uint32_t usual) const {
    return options_.repeats == 0 ? usual : options_.repeats;
  }
  double seconds(double usual) const { return options_.seconds == 0 ? usual : options_.seconds; }

  Options& options_;
  Progress& progress_;
  results::Results& results_;
  Engine engine_;
  Connections servers_;  ///< without clients: they answer a device's checks
  Connections* attending_ = &servers_;
};

}  // namespace nezu::generator
