// The workers with all that they work on: flow tables, paths, hand-over, threads.
//
// Made by the main thread once there is a ready region; ended by it. What flows the last process
// left behind are adopted before the first packet.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/admit/meters.h"
#include "dataplane/admit/syn_guard.h"
#include "dataplane/conversations.h"
#include "dataplane/device/eal.h"
#include "dataplane/device/gate.h"
#include "dataplane/flow/file.h"
#include "dataplane/nat_log.h"
#include "dataplane/path_restore.h"
#include "dataplane/route_keeper.h"
#include "dataplane/steer/announcements.h"
#include "dataplane/steer/calls.h"
#include "dataplane/steer/persistence_file.h"
#include "dataplane/steer/steering.h"
#include "dataplane/tables/reader.h"
#include "dataplane/worker.h"

namespace nezu::dataplane {

class Engine {
 public:
  struct Options {
    uint16_t workers = 1;
    flow::Capacity flows{1 << 20, 1 << 18, 1 << 16};  ///< of each worker
    uint32_t persistent_clients = 1 << 18;            ///< of all
    uint32_t limited_clients = 1 << 18;               ///< of all
    std::string flow_dir;
    bool sleeps_when_idle = false;
    uint16_t port_count = 0;
    /// tables::port_identity of each port, by number.
    std::array<uint64_t, tables::kMaxPorts> ports{};
    std::array<net::Side, tables::kMaxPorts> sides{};
  };
  /// `gates`: of the workers. `nat_log`: null for none. Throws std::runtime_error with a sentence.
  Engine(const Options& options, const tables::Region& region, const tables::View& view,
         RouteKeeper& routes, const std::vector<std::unique_ptr<device::Gate>>& gates,
         NatLog* nat_log = nullptr);
  ~Engine() { stop(); }
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  void start(const device::Eal& eal);
  /// The workers finish their turn and end; flows stay where they are.
  void stop();
  /// It has run well for a while: the next start may trust the flows that it finds.
  void settle() { files_.settle(); }

  std::vector<path::Desk*> desks();
  /// What each worker was made with, by number.
  const std::vector<path::Setup>& setups() const { return setups_; }
  Errands& errands(uint16_t worker) { return crew_[worker]->worker.errands(); }
  uint16_t workers() const { return static_cast<uint16_t>(crew_.size()); }
  Conversations& conversations() { return conversations_; }
  steer::Persistence& persistence() { return persistence_.table(); }
  const path::Restored& restored() const { return restored_; }
  bool started_empty() const { return files_.started_empty(); }

 private:
  struct Member {
    Member(flow::Table& table, const path::Setup& setup, std::unique_ptr<tables::Reader> eyes,
           Worker::Parts parts);
    path::Path path;
    std::unique_ptr<tables::Reader> reader;
    Worker worker;
  };

  void open_persistence(const Options& options, const tables::Header& header,
                        const tables::View& view, net::Instant now);

  flow::Files files_;
  steer::Steering steering_;
  steer::Handover handover_;
  steer::Announcements announcements_;
  steer::Calls calls_;
  steer::PersistenceFile persistence_;
  admit::Meters meters_;
  Conversations conversations_;
  std::unique_ptr<admit::SynGuard> syn_guard_;
  std::vector<std::unique_ptr<flow::Table>> tables_;
  std::vector<std::unique_ptr<Member>> crew_;
  std::vector<const tables::WorkerLine*> lines_;
  std::vector<path::Setup> setups_;
  path::Restored restored_;
  std::atomic<bool> stop_{false};
  std::unique_ptr<device::Threads> threads_;
};

}  // namespace nezu::dataplane
