// A worker: the loop that runs each packet to completion, on a thread of its own.
//
// Takes no lock, allocates nothing, logs nothing, and makes a system call only to sleep when it was
// allowed to. New configuration and new routes enter once a turn, at its beginning.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "dataplane/capture/recorder.h"
#include "dataplane/device/gate.h"
#include "dataplane/errands.h"
#include "dataplane/path.h"
#include "dataplane/route/published.h"
#include "dataplane/route/routes.h"
#include "dataplane/steer/handover.h"
#include "dataplane/tables/reader.h"

namespace nezu::dataplane {

/// What a turn brought.
struct TurnLoad {
  uint32_t packets = 0;
  uint32_t bursts = 0;
};

class Worker {
 public:
  struct Parts {
    uint16_t number = 0;
    path::Path* path = nullptr;
    device::Gate* gate = nullptr;
    steer::Handover* handover = nullptr;
    route::Published<route::Routes>* routes = nullptr;
    tables::Reader* reader = nullptr;
    tables::WorkerLine* line = nullptr;
    const tables::Region* region = nullptr;
    const Conversations* conversations = nullptr;
    uint16_t ports = 0;
    bool sleeps_when_idle = false;
  };
  explicit Worker(const Parts& parts);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void run(const std::atomic<bool>& stop);
  Errands& errands() { return errands_; }

 private:
  void turn();
  void receive(const tables::View& view, const route::Routes& routes, net::Instant now,
               uint64_t began);
  void take(const tables::View& view, const route::Routes& routes, net::Instant now);
  void say_farewells(const tables::View& view, const route::Routes& routes, net::Instant now);
  void send_pieces(const tables::View& view, const route::Routes& routes, net::Instant now);
  void arrived(capture::Origin origin);
  void release(const steer::Given& given);
  void dispose();
  void split(net::Packet& packet);
  void to_twin(net::Packet& packet);
  bool answer_for_twin(net::Packet& packet);
  void publish_errands();
  void hold(net::Packet& packet);
  void refuse(net::Packet& packet, net::Reason reason);
  void count_refusals();
  void rest(uint64_t began, net::Instant now);

  Parts is_;
  Errands errands_;
  capture::Recorder recorder_;
  net::Burst burst_;
  static constexpr uint32_t kPieces = 512;
  std::array<steer::Given, kPieces> pieces_;  ///< of packets too long for their way
  uint32_t piece_count_ = 0;
  TurnLoad load_;
  const route::Routes* routes_ = nullptr;  ///< of this turn
  bool given_ = false;                     ///< something to the housekeeper, by a twin's band
  uint32_t idle_turns_ = 0;
  uint32_t next_source_ = 0;  ///< the one that the next turn begins with
  uint64_t receive_until_ = 0, long_turn_ = 0, longest_turn_ = 0;  ///< cycles of a turn
  net::Instant shown_alive_;
};

}  // namespace nezu::dataplane
