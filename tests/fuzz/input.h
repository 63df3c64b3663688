// Frames of the target `path`.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/net/packet.h"
#include "tests/fuzz/parsed.h"

namespace nezu::fuzz {

inline constexpr uint32_t kHeadroom = 128, kTailroom = 512;

/// A frame in a buffer of its own; the handle of every packet made of it.
class Input {
 public:
  Input(std::span<const uint8_t> frame, uint16_t port)
      : bytes_(std::make_unique<uint8_t[]>(kHeadroom + frame.size() + kTailroom)),
        length_(static_cast<uint32_t>(frame.size())),
        port_(port) {
    std::memcpy(bytes_.get() + kHeadroom, frame.data(), frame.size());
    repair_ipv4_sum({bytes_.get() + kHeadroom, frame.size()});
    sent_.assign(bytes_.get() + kHeadroom, bytes_.get() + kHeadroom + frame.size());
  }
  void arrive(net::Packet& packet) const {
    packet.arrive(bytes_.get() + kHeadroom, const_cast<Input*>(this), length_, length_,
                  length_ + kTailroom, port_);
  }
  bool is_as_it_came(const net::Packet& packet) const {
    return packet.length == length_ && std::memcmp(packet.head, sent_.data(), length_) == 0;
  }

 private:
  std::unique_ptr<uint8_t[]> bytes_;
  std::vector<uint8_t> sent_;
  uint32_t length_;
  uint16_t port_;
};

}  // namespace nezu::fuzz
