// Recorded frames through the packet path of one worker, without a NIC: what leaves and what ends
// here, with the reason, at the times of the frames.
//
// One thread. The same frames over the same tables have the same fates: time comes from the frames,
// and the hash keys are constants. Neighbours answer at once, ports are never full, and what goes
// to the kernel ends there.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "dataplane/admit/meters.h"
#include "dataplane/admit/syn_guard.h"
#include "dataplane/flow/table.h"
#include "dataplane/path.h"
#include "dataplane/steer/announcements.h"
#include "dataplane/steer/calls.h"
#include "dataplane/steer/persistence.h"
#include "dataplane/steer/steering.h"
#include "dataplane/tables/region.h"
#include "dataplane/tables/view.h"
#include "tools/replay/network.h"

namespace nezu::replay {

struct Arrival {
  /// ns since 1970. One before the last one's counts as that; a pause is never longer than 30 days.
  uint64_t when = 0;
  uint64_t number = 0;  ///< from 1, as the caller counts
  uint16_t port = 0;
  uint32_t length = 0;  ///< of the frame; more than `bytes` when it was cut off
  std::span<const uint8_t> bytes;
};

/// What became of a frame. One may have several: its pieces.
struct Fate {
  net::Verdict verdict = net::Verdict::undecided;  ///< forward, reply, across: it leaves
  net::Reason reason = net::Reason::none;          ///< drop; reply: why, if it is a refusal
  uint16_t port = 0;                               ///< by which it leaves; else by which it came
  uint64_t when = 0;
  uint64_t number = 0;             ///< of the Arrival; 0: our own
  uint32_t length = 0;             ///< of the frame
  std::span<const uint8_t> bytes;  ///< as it leaves; else as it came
};

class Replay {
 public:
  struct Options {
    flow::Capacity flows{1 << 16, 1 << 14, 1 << 12};
    uint32_t snat_lines = 1 << 16;                    ///< as path::Setup
    std::array<uint64_t, tables::kMaxPorts> ports{};  ///< tables::port_identity, by number
    std::array<net::Side, tables::kMaxPorts> sides{};
    /// A port that has one passes frames for other hosts over, as a NIC does.
    std::array<net::MacAddress, tables::kMaxPorts> macs{};
  };
  /// The region is filled, and its worker 0 counts.
  Replay(const tables::Region& region, const tables::View& view, Network& network,
         const Options& options, std::function<void(const Fate&)> told);
  ~Replay();

  void receive(const Arrival& arrival);
  /// Time passes without a frame: flows expire, fragments stop waiting.
  void pass(uint64_t nanoseconds);

  uint32_t flows() const { return table_->count(false) + table_->count(true); }
  const flow::Table& table() const { return *table_; }
  /// Early fragments that wait for their first one.
  size_t waiting() const { return kept_.size(); }

 private:
  struct Frame;
  enum class By : uint8_t { port, ring, pieces, ourselves };
  void advance(net::Instant to);
  void keep_house(uint32_t turns);
  void release();
  void run(std::unique_ptr<Frame> frame, By by, const steer::Given& given = {});
  void end(std::unique_ptr<Frame> frame, net::Packet& packet);
  void split(const Frame& frame, const net::Packet& packet);
  void tell(const Frame& frame, net::Verdict verdict, net::Reason reason, uint16_t port,
            std::span<const uint8_t> bytes, uint32_t length);

  const tables::Region& region_;
  tables::View view_;
  Network& network_;
  Options options_;
  std::function<void(const Fate&)> told_;
  tables::WorkerLine& line_;
  net::Instant now_{1000 * net::kNanosecondsPerSecond};
  net::Instant kept_house_;
  uint64_t wall_ = 0;       ///< of the last frame, or when it would have come
  net::Instant at_ = now_;  ///< the same by `now_`
  steer::Steering steering_;
  steer::Announcements announcements_;
  steer::Calls calls_;
  std::vector<std::byte> persistent_;
  steer::Persistence persistence_;
  admit::Meters meters_;
  admit::SynGuard syn_guard_;
  std::vector<std::byte> memory_;
  std::unique_ptr<flow::Table> table_;
  std::unique_ptr<path::Path> path_;
  std::unordered_map<void*, std::unique_ptr<Frame>> kept_;
  net::Burst burst_;
};

}  // namespace nezu::replay
