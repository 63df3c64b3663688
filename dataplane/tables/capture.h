// A capture of packets of the running data plane: what is wanted, for how long, and the rings by
// which copies come back.
//
// The control plane writes the lease, workers read it; each worker writes the ring of its own,
// which the control plane empties. A lease that is not renewed ends by itself, so that nobody pays
// for a control plane that has died. A filter is a program for a stack of truths, in postfix order:
// it is compiled by the control plane (controlplane/compile/capture_filter.h), checked by each
// worker before it runs, and asks only what the parser found (dataplane/capture).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include "dataplane/net/address.h"
#include "dataplane/net/packet.h"

namespace nezu::tables {

/// Questions push a truth, connectives take theirs from the stack.
enum class CaptureOp : uint8_t {
  network,   ///< `address` and `host_bits`, of `sides`
  ports,     ///< `first` to `last`, of `sides`
  protocol,  ///< `first`
  version,   ///< `first`: 4, 6
  arp,
  vlan,       ///< `first`
  instance,   ///< `first`
  interface,  ///< `first`: the number of the port that it came in by, or leaves by
  tcp_flags,  ///< any of `first`
  dropped,
  reason,  ///< `first`
  both,
  either,
  negation,
};
inline constexpr uint8_t kOfSource = 1, kOfDestination = 2;  ///< `sides`

struct CaptureStep {
  CaptureOp op = CaptureOp::dropped;
  uint8_t sides = kOfSource | kOfDestination;
  uint8_t host_bits = 0;  ///< low bits of the 16 bytes of `address` that do not count
  uint8_t reserved = 0;
  uint16_t first = 0, last = 0;
  net::Address address;
  bool operator==(const CaptureStep&) const = default;
};
static_assert(sizeof(CaptureStep) == 24);

inline constexpr uint32_t kMostCaptureSteps = 64;

struct CaptureProgram {
  uint32_t count = 0;  ///< 0: every packet
  uint32_t reserved = 0;
  std::array<CaptureStep, kMostCaptureSteps> steps{};
  std::span<const CaptureStep> all() const { return {steps.data(), count}; }
};

/// Whether each step is one that is known, finds what it takes on the stack, and one truth is left.
/// For bytes of any origin.
bool is_sound(const CaptureProgram& program);

/// Where a packet is shown; bits of CaptureOrder::points.
enum class CapturePoint : uint8_t {
  before = 1,  ///< as it came in
  after = 2,   ///< as it leaves, or goes to the kernel
  drop = 4,    ///< as it came in, with the reason why it ends here
};

/// Beyond it frames are cut off: the longest of any port, with tags.
inline constexpr uint32_t kMostSnap = 9280;

struct CaptureOrder {
  uint32_t points = 0;  ///< CapturePoint
  uint32_t snap = 0;    ///< bytes kept of each packet, at most kMostSnap
  uint32_t rate = 0;    ///< packets that a worker copies a second
  uint32_t looks = 0;   ///< packets that a worker looks at a second
  CaptureProgram program;
};
static_assert(std::is_trivially_copyable_v<CaptureOrder> && sizeof(CaptureOrder) % 8 == 0);

/// The one capture that may run. While `number` is 0 nobody captures and the order may be written.
class CaptureLease {
 public:
  /// The control plane. `number`: of no capture before.
  void give(uint64_t number, const CaptureOrder& order, uint64_t until) {
    end();
    std::array<uint64_t, kWords> words;
    std::memcpy(words.data(), &order, sizeof order);
    // Whoever reads a word of it and has begun before finds another number behind it: each word is
    // released after that. (ThreadSanitizer knows no fences.)
    for (size_t i = 0; i < kWords; ++i) order_[i].store(words[i], std::memory_order_release);
    until_.store(until, std::memory_order_relaxed);
    number_.store(number, std::memory_order_release);
  }
  void renew(uint64_t until) { until_.store(until, std::memory_order_relaxed); }
  void end() { number_.store(0, std::memory_order_relaxed); }

  /// Workers, once a turn: a number other than the last one means that there is something to read.
  uint64_t number() const { return number_.load(std::memory_order_relaxed); }
  /// Boot-time ns.
  uint64_t until() const { return until_.load(std::memory_order_relaxed); }
  /// The number of what was read into `order`; 0: none, or it was being written.
  uint64_t read(CaptureOrder& order) const {
    const uint64_t number = number_.load(std::memory_order_acquire);
    std::array<uint64_t, kWords> words;
    for (size_t i = 0; i < kWords; ++i) words[i] = order_[i].load(std::memory_order_acquire);
    if (number_.load(std::memory_order_relaxed) != number) return 0;
    std::memcpy(static_cast<void*>(&order), words.data(), sizeof order);
    return number;
  }

 private:
  static constexpr size_t kWords = sizeof(CaptureOrder) / 8;
  alignas(64) std::atomic<uint64_t> number_{0};  // CP
  std::atomic<uint64_t> until_{0};               // CP
  alignas(64) std::array<std::atomic<uint64_t>, kWords> order_{};
};

/// In front of each copy.
struct alignas(64) CapturedHead {
  uint64_t number = 0;    ///< of the lease
  uint64_t when = 0;      ///< boot-time ns of the worker's turn
  uint32_t length = 0;    ///< bytes of the frame
  uint32_t captured = 0;  ///< of them that follow
  uint16_t port = 0;      ///< by which it came in; of `after`: by which it leaves
  uint16_t worker = 0;
  CapturePoint point = CapturePoint::before;
  net::Verdict verdict = net::Verdict::undecided;
  net::Reason reason = net::Reason::none;
};
static_assert(sizeof(CapturedHead) == 64);

/// Copies of one worker, each behind its head and padded to 64 bytes.
class CaptureRing {
 public:
  static constexpr uint32_t kBytes = 512 << 10;

  /// The worker. False: there is no room.
  bool push(const CapturedHead& head, std::span<const uint8_t> bytes) {
    const uint64_t at = written_.load(std::memory_order_relaxed);
    const uint64_t end = at + sizeof head + padded(bytes.size());
    if (end - taken_.load(std::memory_order_acquire) > kBytes) return false;
    std::memcpy(&bytes_[at % kBytes], &head, sizeof head);
    const uint64_t from = (at + sizeof head) % kBytes;
    const size_t first = bytes.size() < kBytes - from ? bytes.size() : kBytes - from;
    std::memcpy(&bytes_[from], bytes.data(), first);
    std::memcpy(&bytes_[0], bytes.data() + first, bytes.size() - first);
    written_.store(end, std::memory_order_release);
    return true;
  }
  /// The control plane: one copy, into `bytes`, which holds kMostSnap. False: there is none. What
  /// makes no sense empties the ring.
  bool pop(CapturedHead& head, std::span<uint8_t> bytes) {
    const uint64_t at = taken_.load(std::memory_order_relaxed);
    const uint64_t written = written_.load(std::memory_order_acquire);
    if (at == written) return false;
    std::memcpy(static_cast<void*>(&head), &bytes_[at % kBytes], sizeof head);
    const uint64_t end = at + sizeof head + padded(head.captured);
    if (at % alignof(CapturedHead) != 0 || head.captured > bytes.size() || end > written) {
      clear();
      return false;
    }
    const uint64_t from = (at + sizeof head) % kBytes;
    const size_t first = head.captured < kBytes - from ? head.captured : kBytes - from;
    std::memcpy(bytes.data(), &bytes_[from], first);
    std::memcpy(bytes.data() + first, &bytes_[0], head.captured - first);
    taken_.store(end, std::memory_order_release);
    return true;
  }
  /// The control plane: nobody wants what is there.
  void clear() {
    taken_.store(written_.load(std::memory_order_acquire), std::memory_order_release);
  }

 private:
  static constexpr uint64_t padded(uint64_t bytes) { return (bytes + 63) / 64 * 64; }

  alignas(64) std::atomic<uint64_t> written_{0};  // W: bytes since the region was made
  alignas(64) std::atomic<uint64_t> taken_{0};    // CP
  alignas(64) std::array<uint8_t, kBytes> bytes_{};
};

}  // namespace nezu::tables
