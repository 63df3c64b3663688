// Whose the packets of foreign flows are, remembered: where the NIC does not bring them to their
// owner, most packets that a worker receives are another's, and to ask the flow table in vain and
// then the tables for each costs more than to hand it over.
//
// One worker. A cell for each of some flow hashes, the last one counts; 56 bits of the hash tell
// them apart. What is remembered follows from the tables, and is forgotten whenever they change.
// Asked only as long as it has answers: where NIC and owner agree it costs nothing.
#pragma once

#include <cstdint>
#include <memory>

#include "dataplane/net/hash.h"
#include "dataplane/net/packet.h"

namespace nezu::steer {

class Strangers {
 public:
  static constexpr uint32_t kCells = 1 << 16;  ///< half a MiB: what a core's second cache holds

  /// One worker alone needs none.
  explicit Strangers(uint16_t workers)
      : mask_(workers > 1 ? kCells - 1 : 0), cells_(std::make_unique<uint64_t[]>(mask_ + 1)) {}

  /// The tables as of now. False: asking is not worth it.
  bool begin(uint64_t generation) {
    if (generation != generation_) [[unlikely]] {
      generation_ = generation;
      salt_ = net::mix64(generation);
    }
    if (patience_ == 0) return false;
    --patience_;
    return true;
  }
  /// Asks for the cells of these packets, whose hash is known.
  void ask(const net::Burst& burst, uint32_t from, uint32_t to) const;
  /// Those that are known to be another worker's get that verdict. How many.
  uint32_t recall(net::Burst& burst, uint32_t from, uint32_t to);
  /// A packet of that hash is `owner`'s, wherever it comes in.
  void remember(uint64_t hash, uint16_t owner) {
    cells_[cell_of(hash)] = ((hash ^ salt_) & ~kOwner) | owner;
    patience_ = kPatience;
  }

 private:
  static constexpr uint64_t kOwner = 0xff;
  static constexpr uint32_t kPatience = 64;  ///< bursts without an answer
  size_t cell_of(uint64_t hash) const { return hash >> 8 & mask_; }

  uint64_t mask_;
  std::unique_ptr<uint64_t[]> cells_;  ///< hash ^ salt, the lowest byte replaced by the owner
  uint64_t generation_ = 0, salt_ = net::mix64(0);
  uint32_t patience_ = 0;
};

}  // namespace nezu::steer
