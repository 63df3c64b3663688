// Which network instance a frame belongs to: by the port that it came in by and its VLAN.
//
// Built off the packet path, then only read, by any thread. Untagged frames cost one load, tagged
// ones two.
#pragma once

#include <array>
#include <memory>

#include "dataplane/net/address.h"

namespace nezu::net {

class Spaces {
 public:
  static constexpr uint16_t kPorts = 32;  ///< tables::kMaxPorts

  /// Untagged frames of every port belong to the standard instance, no VLAN to any.
  Spaces() = default;

  void set(uint16_t port, uint16_t vlan, Instance instance) {
    if (port >= kPorts || vlan > 0xfff) return;
    if (vlan == 0) {
      untagged_[port] = instance;
      return;
    }
    if (!tagged_[port]) {
      tagged_[port] = std::make_unique<Vlans>();
      tagged_[port]->fill(Instance::unknown);
    }
    (*tagged_[port])[vlan] = instance;
  }

  Instance untagged(uint16_t port) const { return untagged_[port % kPorts]; }
  /// `unknown` when the port does not carry that VLAN. `vlan`: 1 to 4095.
  Instance tagged(uint16_t port, uint16_t vlan) const {
    const auto& vlans = tagged_[port % kPorts];
    return vlans ? (*vlans)[vlan & 0xfff] : Instance::unknown;
  }

 private:
  using Vlans = std::array<Instance, 4096>;
  std::array<Instance, kPorts> untagged_{};
  std::array<std::unique_ptr<Vlans>, kPorts> tagged_;
};

/// The same where nothing is told apart: for tests and tools that look at single frames.
struct OneSpace {
  Instance instance = Instance::standard;
  Instance untagged(uint16_t) const { return instance; }
  Instance tagged(uint16_t, uint16_t) const { return instance; }
};

}  // namespace nezu::net
