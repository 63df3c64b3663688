// Whole-path tests: several workers with their real paths, tables and hand-over rings, on virtual
// time, without a NIC. A frame goes in by a port at a worker; what comes out is a frame, a port and
// a verdict.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/admit/meters.h"
#include "dataplane/admit/syn_guard.h"
#include "dataplane/capture/recorder.h"
#include "dataplane/flow/file.h"
#include "dataplane/path.h"
#include "dataplane/path_explainer.h"
#include "dataplane/path_restore.h"
#include "dataplane/steer/announcements.h"
#include "dataplane/steer/calls.h"
#include "dataplane/steer/handover.h"
#include "dataplane/steer/persistence_file.h"
#include "dataplane/steer/steering.h"
#include "dataplane/tables/explain.h"
#include "tests/dsl/dsl.h"
#include "tests/path/world.h"

namespace nezu::lab {

/// What became of a frame.
struct Fate {
  net::Verdict verdict = net::Verdict::undecided;
  net::Reason reason = net::Reason::none;
  uint16_t egress = 0;
  uint16_t worker = 0;  ///< that decided
  bool handed_over = false;
  net::Address awaited;  ///< hold
  net::Instance awaited_in = net::Instance::standard;
  dsl::Frame frame;
};

class Lab {
 public:
  static constexpr uint32_t kAnnouncements = 4096;  ///< places at each worker
  explicit Lab(uint16_t workers, flow::Capacity capacity = {1024, 512, 64},
               tables::Sizes sizes = world::World::small_sizes(8));
  ~Lab();

  world::World& world() { return world_; }
  uint16_t workers() const { return static_cast<uint16_t>(paths_.size()); }

  /// One frame, received by `worker` on `port`, to its end.
  Fate send(const dsl::Frame& frame, uint16_t worker = 0, uint16_t port = 0);
  /// Many in one burst, at one worker; in the order in which they were given.
  std::vector<Fate> send(const std::vector<dsl::Frame>& frames, uint16_t worker = 0,
                         uint16_t port = 0);
  /// The same for one frame, which is explained before; the process ends where that was wrong. (So
  /// does `send` of one frame when NEZU_EXPLAIN is set.)
  Fate send_explained(const dsl::Frame& frame, uint16_t worker = 0, uint16_t port = 0);
  /// What would become of a frame. Nothing that is counted or kept may differ afterwards.
  tables::Explanation explain(const dsl::Frame& frame, uint16_t worker = 0, uint16_t port = 0);
  /// All that workers count and keep, but for what their own memory holds beside flows.
  std::string kept() const;
  /// What became of early fragments that waited, since the last call.
  std::vector<Fate> released() { return std::exchange(released_, {}); }
  /// What became of the pieces of packets that were too long (verdict `split`), since the last
  /// call.
  std::vector<Fate> pieces() { return std::exchange(pieces_, {}); }
  /// Segments of our own that left, since the last call.
  std::vector<Fate> said() { return std::exchange(said_, {}); }
  /// Who sends into a port, from the next start on.
  void side(uint16_t port, net::Side side) { sides_[port] = side; }
  /// Time passes; housekeeping runs often enough to finish what is due.
  void advance(double seconds);
  net::Instant now() const { return now_; }

  /// The process ends and starts again over the same files, with as many workers as given.
  path::Restored restart(uint16_t workers);

  /// What a worker has told the NAT log since the last call.
  std::vector<path::NatRecord> nat_log(uint16_t worker) {
    std::vector<path::NatRecord> records(64);
    records.resize(logs_[worker]->pop(records));
    return records;
  }
  /// How many clients it knows, and room for how many it has.
  static constexpr uint32_t kPersistentClients = 64;
  static constexpr uint32_t kLimitedClients = 64;
  steer::Persistence& persistence() { return persistence_->table(); }
  /// What each worker was made with.
  const std::vector<path::Setup>& setups() const { return setups_; }
  path::Path& path(uint16_t worker) { return *paths_[worker]; }
  flow::Table& flows(uint16_t worker) { return *tables_[worker]; }
  uint32_t flow_count() const;
  tables::WorkerLine& line(uint16_t worker) { return world_.region().worker(worker); }
  /// Summed over workers.
  uint64_t count(tables::Counter tables::WorkerLine::*counter);
  uint64_t count(net::Reason reason);
  uint64_t gauge_of_server(tables::ServerId id);
  uint64_t gauge_of_service(tables::ServiceId id);
  /// Every table fits together; nothing, or what does not.
  std::string audit();

 private:
  void start(uint16_t workers);
  void stop();
  /// A frame on its way to a path, with what its bytes do not tell.
  struct Way {
    dsl::Frame* frame = nullptr;
    bool knows_ports = false;
    uint32_t ports = 0;
  };
  enum class By : uint8_t { port, ring, pieces, ourselves };
  std::vector<Fate> receive(const std::vector<dsl::Frame>& frames, uint16_t worker, uint16_t port);
  std::vector<Fate> run(uint16_t worker, uint16_t port, const std::vector<Way>& ways, By by);
  void release(uint16_t worker);
  void split(const net::Packet& packet, uint16_t worker, uint16_t port);
  void say_farewells(uint16_t worker);
  /// Where the explanation was wrong about what then happened, and ends the process.
  tables::Explanation ask(const dsl::Frame& frame, uint16_t worker, uint16_t port);
  void compare(const tables::Explanation& told, const Fate& fate) const;

  flow::Capacity capacity_;
  std::array<net::Side, tables::kMaxPorts> sides_{};
  world::World world_;
  std::string directory_;
  net::Instant now_{1000 * net::kNanosecondsPerSecond};
  std::unique_ptr<steer::Steering> steering_;
  std::unique_ptr<steer::Handover> handover_;
  std::unique_ptr<steer::Announcements> announcements_;
  std::unique_ptr<steer::Calls> calls_;
  std::unique_ptr<steer::PersistenceFile> persistence_;
  std::unique_ptr<admit::Meters> meters_;
  std::unique_ptr<admit::SynGuard> syn_guard_;
  std::unique_ptr<flow::Files> files_;
  std::vector<std::unique_ptr<flow::Table>> tables_;
  std::vector<std::unique_ptr<path::NatRing>> logs_;
  std::vector<path::Setup> setups_;
  std::vector<std::unique_ptr<path::Path>> paths_;
  std::vector<std::unique_ptr<capture::Recorder>> recorders_;
  path::Restored restored_;
  uint32_t sent_ = 0, explained_ = 0;
  struct Kept {
    dsl::Frame frame;
    uint16_t port;
  };
  std::vector<std::unique_ptr<Kept>> kept_;  ///< early fragments, by their handles
  std::vector<Fate> released_, said_, pieces_;
};

}  // namespace nezu::lab
