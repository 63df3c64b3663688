// The servers that the generator plays, as its flows meet them: each flow is answered by whom it
// was sent to last, and a server that is mute is as good as dead.
//
// One thread; pure. Flows are known by their numbers, from 0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bench/generator/frame.h"

namespace nezu::generator {

class Servers {
 public:
  /// The flows as they came out of the device at their servers. Who is mute stays so.
  void begin(std::vector<Tuple> flows);

  /// It hears and says nothing from now on. How many flows it has; again: nothing changes.
  uint64_t mute(const net::Address& server);
  void unmute(const net::Address& server);
  bool is_mute(const net::Address& server) const;
  const std::vector<net::Address>& mute_ones() const { return mute_; }

  /// The flow is with a server that is mute: nobody answers it.
  bool is_silent(size_t flow) const { return silent_[flow] != 0; }
  uint64_t silent_flows() const { return silent_flows_; }

  enum class Met : uint8_t {
    same,    ///< where it was
    moved,   ///< at another server, or as somebody else: it is answered there from now on
    nobody,  ///< at a server that is mute: lost
  };
  /// A frame of a flow came out of the device.
  Met meet(size_t flow, const Tuple& seen);

 private:
  uint64_t set_silent(const net::Address& server, bool silent);

  std::vector<Tuple> flows_;
  std::vector<uint8_t> silent_;  ///< of each flow
  uint64_t silent_flows_ = 0;
  std::vector<net::Address> mute_;
};

}  // namespace nezu::generator
