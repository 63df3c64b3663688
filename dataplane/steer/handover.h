// The way from one worker to another: rings with one producer and one consumer each.
//
// `Ring<T>` serves any two threads; `Handover` is the mesh of all workers, of opaque buffer
// handles (device/ makes packets of them again on the other side). Producer and consumer write on
// lines of their own and look at the other's only when their own memory of it runs out.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/net/packet.h"
#include "dataplane/tables/layout.h"

namespace nezu::steer {

template <typename T>
class Ring {
 public:
  /// `capacity` is a power of two.
  explicit Ring(uint32_t capacity)
      : mask_(capacity - 1), records_(std::make_unique<T[]>(capacity)) {}

  /// Only the producer. False: full.
  bool push(const T& record) {
    if (written_ - taken_seen_ > mask_) {
      taken_seen_ = taken_.load(std::memory_order_acquire);
      if (written_ - taken_seen_ > mask_) return false;
    }
    records_[written_++ & mask_] = record;
    return true;
  }
  /// Only the producer: what was pushed becomes visible. Once for a burst.
  void publish() { published_.store(written_, std::memory_order_release); }

  /// Only the consumer: moves up to `out.size()` records.
  uint32_t pop(std::span<T> out) {
    uint32_t count = 0;
    while (count < out.size()) {
      if (read_ == published_seen_) {
        published_seen_ = published_.load(std::memory_order_acquire);
        if (read_ == published_seen_) break;
      }
      out[count++] = records_[read_++ & mask_];
    }
    if (count != 0) taken_.store(read_, std::memory_order_release);
    return count;
  }
  bool pop(T& record) { return pop(std::span<T>(&record, 1)) == 1; }

 private:
  alignas(64) std::atomic<uint64_t> published_{0};  // the producer
  uint64_t written_ = 0;                            // the producer
  uint64_t taken_seen_ = 0;                         // the producer
  alignas(64) std::atomic<uint64_t> taken_{0};      // the consumer
  uint64_t read_ = 0;                               // the consumer
  uint64_t published_seen_ = 0;                     // the consumer
  alignas(64) const uint64_t mask_;
  std::unique_ptr<T[]> records_;
};

/// A buffer on its way to a path, and what its bytes do not tell.
struct Given {
  void* buffer = nullptr;
  uint32_t ports = 0;                      ///< as Packet::ports
  bool knows_ports = false;                ///< as in Packet
  net::Reason reason = net::Reason::none;  ///< the packet ends here
};

/// workers x workers rings.
class Handover {
 public:
  explicit Handover(uint16_t workers, uint32_t capacity = 1024);

  /// Worker `from`: every packet whose verdict is hand_over goes to its owner's ring; those that
  /// find it full are dropped, counted in `line`. Call after Path::receive; it looks only at such
  /// packets.
  void give(uint16_t from, net::Burst& burst, tables::WorkerLine& line);

  /// Worker `to`: buffers that others gave, up to `out.size()`, the givers in turn.
  uint32_t take(uint16_t to, std::span<Given> out);

 private:
  Ring<Given>& ring(uint16_t from, uint16_t to) { return *rings_[from * workers_ + to]; }

  struct alignas(64) Turn {
    uint16_t next = 0;  // the consumer
  };
  uint16_t workers_;
  std::vector<std::unique_ptr<Ring<Given>>> rings_;
  std::vector<Turn> turns_;
};

}  // namespace nezu::steer
