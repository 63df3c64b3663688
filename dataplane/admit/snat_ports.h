// Which SNAT ports are taken: one cache line for each (SNAT address, shard, peer).
//
// One worker; its shards' slices are its alone, so nothing is shared. A peer is one address, port
// and protocol on the other side: a real server by its slot, an outside host by a hash. So (SNAT
// address, port, peer) is unique, and the same port serves any number of peers. (Two outside hosts
// of one hash would share a line: fewer ports for both, and nothing wrong.) Within a line ports go
// round: one that was freed is taken again after all others that are free. No line falls behind the
// clock, which comes round once in 63 seconds: a server keeps the ports of a connection that has
// ended for a minute (TIME-WAIT), and may refuse a SYN of another client from them. Lines are cells
// of an open hash of fixed size; a line without ports is given back. (One that more than four flows
// a second have used and that all of them have left at once begins in the midst of their ports when
// it is made anew: 64,512 ports are 1,075 flows a second and server.) Nothing here outlives the
// process: it is rebuilt from the flows.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "dataplane/net/time.h"
#include "dataplane/tables/blocks.h"

namespace nezu::admit {

/// Whoever is on the other side of an SNAT port.
struct Peer {
  constexpr Peer(uint16_t server) : word(server) {}  // NOLINT: a slot is one
  static constexpr Peer outside(uint64_t hash) {
    Peer peer(0);
    peer.word = uint64_t{1} << 38 | hash >> 26;
    return peer;
  }
  uint64_t word;  ///< 39 bits
};

class SnatPorts {
 public:
  /// At most about `lines` (address, shard, peer) at a time.
  explicit SnatPorts(uint32_t lines);

  /// A free port (host order) of the shard's slice towards that peer, now taken; 0: none, or no
  /// line.
  uint16_t take(uint16_t address, uint8_t shard, Peer peer);
  void release(uint16_t address, uint16_t port, Peer peer);
  /// At start, from a flow that lives. False: the port is taken already, or there is no line.
  bool occupy(uint16_t address, uint16_t port, Peer peer);

  /// What is known of the ports of a slice towards a peer: to try out elsewhere which comes next.
  struct Slice {
    std::array<uint64_t, 4> taken{};
    uint32_t cursor = 0, clock = 0;
    uint16_t count = 0;
    bool exists = false;
  };
  Slice slice(uint16_t address, uint8_t shard, Peer peer) const;
  /// Of an object that knows nothing of that slice yet.
  void adopt(uint16_t address, uint8_t shard, Peer peer, const Slice& slice);

  /// The present, a few times a second.
  void note_time(net::Tick now) {
    constexpr net::Tick kTicksPerPort = net::kTicksPerSecond / 4;
    clock_ = now / kTicksPerPort;
  }

  uint32_t used() const { return used_; }
  uint32_t capacity() const { return limit_; }
  void prefetch(uint16_t address, uint8_t shard, Peer peer) const {
    __builtin_prefetch(&lines_[home(key_of(address, shard, peer))]);
  }

 private:
  struct alignas(64) Line {
    uint64_t key = 0;  ///< 0: free cell
    std::array<uint64_t, 4> taken{};
    /// The search for a free port goes on here, or at the clock if that is ahead. Both count
    /// rounds, too.
    uint32_t cursor = 0;
    uint16_t count = 0;
  };
  static_assert(sizeof(Line) == 64);

  static constexpr uint64_t key_of(uint16_t address, uint8_t shard, Peer peer) {
    return uint64_t{1} << 63 | uint64_t{address} << 47 | uint64_t{shard} << 39 | peer.word;
  }
  uint32_t home(uint64_t key) const;
  Line* find(uint64_t key) const;
  Line* find_or_make(uint64_t key);
  void remove(Line* line);

  uint32_t mask_;
  uint32_t limit_;
  uint32_t used_ = 0;
  uint32_t clock_ = 0;  ///< goes on by a port four times a second
  std::unique_ptr<Line[]> lines_;
};

}  // namespace nezu::admit
