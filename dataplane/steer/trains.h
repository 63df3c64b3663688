// Trains of fragments: the ports that the first one tells, and the later ones that came before it.
//
// Only a first fragment has ports, so only it can find a flow. All fragments of a packet meet at
// the home of their train, a worker that both ends' addresses, the protocol and the identification
// decide (RFC 791 3.2, RFC 8200 4.5). There the first one is written down; later ones get its ports
// and go on to the owner of their flow; those that are early wait, in a bounded place and for a
// bounded time. Nothing is put together: every fragment leaves as it came.
//
// One object per worker, its thread only. Fixed memory; a train takes one line.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/net/packet.h"
#include "dataplane/net/time.h"
#include "dataplane/steer/handover.h"

namespace nezu::steer {

class Trains {
 public:
  struct Limits {
    uint32_t trains = 4096;                     ///< a power of two, 4 at least
    uint32_t held = 512;                        ///< buffers that wait, of all trains
    uint32_t held_each = 64;                    ///< 64 KiB in fragments of 1,280 bytes are 53
    net::Tick wait = net::kTicksPerSecond;      ///< for the first fragment
    net::Tick keep = 5 * net::kTicksPerSecond;  ///< what it told
  };
  explicit Trains(const Limits& limits);

  /// What names a packet's train: its addresses (IPv4 ones mapped) and protocol, and the
  /// identification in the place of ports. Also what its home is hashed from.
  static net::Tuple6 key_of(const net::Packet& packet);

  /// A first fragment was seen. Those that waited for it come out by `release`.
  void learn(const net::Tuple6& key, uint64_t hash, uint32_t ports, net::Tick now);
  /// True when the train's first fragment was seen; `ports` as they lie in a header.
  bool find(const net::Tuple6& key, uint64_t hash, net::Tick now, uint32_t& ports) const;
  /// A later fragment waits. `none`: taken; else the reason, and the buffer stays the caller's.
  net::Reason hold(const net::Tuple6& key, uint64_t hash, void* buffer, net::Tick now);

  /// Trains whose first fragment did not come in time give up theirs.
  void expire(net::Tick now);
  /// Buffers that go on or end here, oldest first; those of one train in the order in which they
  /// came.
  uint32_t release(std::span<Given> out);

  uint32_t held() const { return held_; }

 private:
  static constexpr uint32_t kWays = 4;
  static constexpr uint16_t kNone = 0xffff;
  struct alignas(64) Train {
    net::Tuple6 key;
    uint32_t ports = 0;
    net::Tick deadline = 0;                ///< 0: free
    uint16_t first = kNone, last = kNone;  ///< that wait
    uint8_t count = 0;                     ///< of them
    bool known = false;                    ///< `ports` are
  };
  static_assert(sizeof(Train) == 64);
  struct Place {
    void* buffer = nullptr;
    uint16_t next = kNone;
  };

  std::span<Train> set_of(uint64_t hash);
  const Train* look_up(const net::Tuple6& key, uint64_t hash, net::Tick now) const;
  Train& enter(const net::Tuple6& key, uint64_t hash, net::Tick now);
  void let_go(Train& train, net::Reason reason);

  Limits limits_;
  std::unique_ptr<Train[]> trains_;
  std::vector<Place> places_;
  uint16_t free_ = kNone;
  uint32_t held_ = 0;   ///< places in use
  uint32_t early_ = 0;  ///< trains that wait for their first fragment
  net::Tick expired_ = 0;
  std::vector<Given> ready_;  ///< a ring
  uint32_t written_ = 0, read_ = 0;
};

}  // namespace nezu::steer
