// Weights in inverse proportion to how long the servers of one pool take to answer their checks.
//
// Each server's time is smoothed (an eighth of every new one). The fastest has 100 %, one that
// takes n times as long 100/n %, never less than the floor: one that got nothing would not show how
// it works. Three things keep weights from flapping:
// * of three answers the middle one counts: one that was held up moves nothing;
// * five milliseconds and less are the same: below that networks and kernels are measured;
// * a server's weight moves when it is a fifth off; only to the whole and to the floor it moves
//   whenever it is there, so that servers that are equally fast (within 5 %) are equal in the end.
//
// Nothing is decided before every server that answers has done so kEnough times: after a restart
// what was published stays until then. Pure: no clock, no lock.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <vector>

#include "dataplane/tables/blocks.h"

namespace nezu::health {

class ResponseWeights {
 public:
  using Time = std::chrono::microseconds;
  static constexpr uint32_t kEnough = 4;
  static constexpr Time kGrain{5000};

  explicit ResponseWeights(uint32_t floor_percent) : floor_(floor_percent) {}
  void set_floor(uint32_t percent) { floor_ = percent; }

  /// What an earlier life had published.
  void adopt(const tables::ServerIdentity& server, uint16_t percent);
  void answered(const tables::ServerIdentity& server, Time took);
  /// It has failed: its time means nothing until it answers again. It keeps its weight.
  void lost(const tables::ServerIdentity& server);
  /// It is no member any more.
  void forget(const tables::ServerIdentity& server) { servers_.erase(server); }

  /// The servers whose weights move now. Costs the pool's size.
  std::vector<tables::ServerIdentity> settle();

  uint16_t percent(const tables::ServerIdentity& server) const;
  /// 0: not known.
  Time smoothed(const tables::ServerIdentity& server) const;

 private:
  struct Server {
    std::array<double, 3> last_us{};
    double smoothed_us = 0;
    uint32_t answers = 0;  // since it was lost
    uint16_t percent = 100;
  };
  uint16_t wanted(const Server& server, double fastest) const;
  bool moves(uint16_t from, uint16_t to) const;

  uint32_t floor_;
  std::map<tables::ServerIdentity, Server> servers_;
};

}  // namespace nezu::health
