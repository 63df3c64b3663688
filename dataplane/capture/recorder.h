// One worker's part in a capture: looks at packets around the path, and copies those that match
// into the worker's ring.
//
// The worker's thread. While nobody captures a turn costs one load and a comparison. While somebody
// does, two buckets bound what it costs: so many packets are looked at in a second, so many copied;
// the rest is counted. No lock, allocation or system call.
//
// What the path will do to a packet is not known when it comes in, and the path rewrites in place:
// so bytes are put aside before (`came`), and go to the ring when all is known (`went`). What goes
// to another worker, or waits as a fragment, is shown where it ends.
#pragma once

#include <array>
#include <memory>
#include <span>

#include "dataplane/capture/filter.h"
#include "dataplane/net/spaces.h"
#include "dataplane/net/time.h"
#include "dataplane/tables/region.h"

namespace nezu::capture {

/// So many a second, and a few at once.
class Bucket {
 public:
  void begin(uint64_t rate, net::Instant now);
  void fill(net::Instant now);
  bool take(uint64_t count) {
    if (tokens_ < count) return false;
    tokens_ -= count;
    return true;
  }

 private:
  uint64_t rate_ = 0, tokens_ = 0, most_ = 0;
  net::Instant filled_;
};

/// What only device/ can do with a packet.
struct Buffers {
  /// Fills `out` with the first bytes of the frame, of which it has at least as many.
  void (*read)(const net::Packet& packet, std::span<uint8_t> out) = nullptr;
  /// Makes the sums that a reply still lacks.
  void (*settle)(net::Packet& packet) = nullptr;
};

enum class Origin : uint8_t {
  port,       ///< as it was received, by this worker or another
  ourselves,  ///< a piece of a longer packet, or a frame of our own: never came in
};

class Recorder {
 public:
  /// Without `buffers` frames are contiguous, and have their sums.
  Recorder(const tables::Region& region, uint16_t worker, const Buffers& buffers = {});

  /// At the beginning of each turn. `spaces` must last until the next one.
  void turn(const net::Spaces& spaces, net::Instant now) {
    if (lease_.number() == passed_) [[likely]]
      return;
    look_up(spaces, now);
  }
  bool is_on() const { return on_; }

  /// Only while it is on: before the path, and behind it for the same burst.
  void came(const net::Burst& burst, Origin origin);
  void went(net::Burst& burst);
  /// A packet that ends without the path's verdict: before it, or because a queue behind it is
  /// full.
  void lost(const net::Packet& packet, net::Reason reason);

 private:
  void look_up(const net::Spaces& spaces, net::Instant now);
  net::Instance instance_of(const net::Packet& parsed) const;
  bool wants(tables::CapturePoint point) const {
    return (order_.points & static_cast<uint32_t>(point)) != 0;
  }
  std::span<uint8_t> aside(uint32_t n) const {
    return {aside_.get() + size_t{n} * tables::kMostSnap, tables::kMostSnap};
  }
  uint32_t kept_of(const net::Packet& packet) const;
  void read(const net::Packet& packet, std::span<uint8_t> out) const;
  void show(net::Packet& packet, uint32_t n);
  void put(tables::CapturedHead& head, std::span<const uint8_t> bytes);
  void put_as_is(const net::Packet& packet, tables::CapturedHead& head);

  const tables::CaptureLease& lease_;
  tables::CaptureRing& ring_;
  tables::WorkerLine& line_;
  const uint16_t worker_;
  const Buffers buffers_;
  uint64_t passed_ = 0;  ///< a lease that is over; 0: there is none
  uint64_t number_ = 0;  ///< of `order_`
  bool on_ = false;
  bool looking_ = false;  ///< at the burst that is on its way
  Origin origin_ = Origin::port;
  tables::CaptureOrder order_;
  Bucket rate_, looks_;
  const net::Spaces* spaces_ = nullptr;
  net::Instant now_;
  // Of the burst on its way:
  std::array<Look, net::kBurstCapacity> looks_at_;
  std::array<uint32_t, net::kBurstCapacity> lengths_{}, kept_{};  ///< of frames, of their bytes
  std::unique_ptr<uint8_t[]> aside_;  ///< bytes of each, and room for one more
};

}  // namespace nezu::capture
