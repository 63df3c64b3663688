// Within bench/path: a port without a NIC, and the packets that it receives.
#pragma once

#include <array>
#include <cstring>
#include <vector>

#include "bench/path/rig.h"

namespace nezu::bench {

using net::Burst;
using net::Verdict;

inline constexpr uint32_t kStride = 2048, kHeadroom = 128;
/// Hot buffers: 512 of them are touched again and again. Cold: their headers alone are 4 MiB.
inline constexpr uint32_t kHotBuffers = 512, kColdBuffers = 65536;

class Random {
 public:
  uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    return state_ ^= state_ << 17;
  }

 private:
  uint64_t state_ = 88172645463325252u;
};

/// A port without a NIC: buffers in, verdicts out.
class Port {
 public:
  Port(uint32_t buffers, bool huge)
      : count_(buffers), memory_(size_t{buffers} * kStride, huge), descriptors_(buffers) {}

  uint32_t size() const { return count_; }
  void fill(uint32_t n, const Template& frame) {
    // Like a NIC: the frame begins on a line of its own.
    uint8_t* at = memory_.at() + size_t{n} * kStride + kHeadroom;
    std::memcpy(at, frame.bytes.data(), 96);
    descriptors_[n] = {at, frame.length, frame.port};
    std::memcpy(at - kHeadroom, &descriptors_[n], sizeof(Descriptor));
  }
  void receive(Burst& burst, uint32_t from, uint32_t count) const {
    burst.count = count;
    for (uint32_t i = 0; i < count; ++i) {
      const Descriptor& d = descriptors_[from + i];
      burst.packets[i].arrive(d.head, d.head, d.length, d.length, kStride - kHeadroom, d.port);
    }
  }
  /// What another worker handed over: its descriptor lies in front of it, as an mbuf does.
  static void arrive(net::Packet& packet, void* handle) {
    auto* head = static_cast<uint8_t*>(handle);
    Descriptor d;
    std::memcpy(&d, head - kHeadroom, sizeof d);
    packet.arrive(head, head, d.length, d.length, kStride - kHeadroom, d.port);
  }
  /// As a port's transmit function: looks at every verdict, takes the handle.
  void send(Burst& burst) {
    for (net::Packet& packet : burst.all()) {
      if (packet.verdict == Verdict::forward) [[likely]] {
        out_[sent_++ % out_.size()] = packet.buffer;
      }
    }
  }
  uint64_t sent() const { return sent_; }
  const uint8_t* at(uint32_t n) const { return descriptors_[n].head; }

 private:
  struct Descriptor {
    uint8_t* head = nullptr;
    uint16_t length = 0;
    uint16_t port = 0;
  };
  uint32_t count_;
  Memory memory_;
  std::vector<Descriptor> descriptors_;
  std::array<void*, 256> out_{};
  uint64_t sent_ = 0;
};

/// The turn of a worker, as device/ runs it.
inline void turn(Rig& rig, Port& port, Burst& burst, uint32_t from, uint32_t count) {
  const tables::View view = rig.view();
  capture::Recorder& recorder = rig.recorder();
  recorder.turn(rig.routes().spaces(), rig.now());
  port.receive(burst, from, count);
  if (recorder.is_on()) [[unlikely]]
    recorder.came(burst, capture::Origin::port);
  rig.path().receive(burst, view, rig.routes(), rig.now());
  if (recorder.is_on()) [[unlikely]]
    recorder.went(burst);
  port.send(burst);
  rig.path().housekeep(view, rig.routes(), rig.now());
}

/// Packets of open flows at random, as they come from both sides or from the clients alone.
class Picker {
 public:
  Picker(const Rig& rig, bool one_way) : rig_(rig), one_way_(one_way) {}
  const Template& next() {
    const uint64_t random = random_.next();
    const auto flow = static_cast<size_t>((random >> 32) * rig_.there().size() >> 32);
    return one_way_ || (random & 1) == 0 ? rig_.there()[flow] : rig_.back()[flow];
  }
  /// Of flows that this worker owns.
  const Template& next_of(uint16_t owner) {
    for (;;) {
      const uint64_t random = random_.next();
      const auto flow = static_cast<size_t>((random >> 32) * rig_.there().size() >> 32);
      if (rig_.owner(flow) != owner) continue;
      return one_way_ || (random & 1) == 0 ? rig_.there()[flow] : rig_.back()[flow];
    }
  }

 private:
  const Rig& rig_;
  bool one_way_;
  Random random_;
};

}  // namespace nezu::bench
