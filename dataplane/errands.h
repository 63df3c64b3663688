// Between one worker and the housekeeper: rings with one producer and one consumer each.
//
// The way to the kernel is cut by port, and by what a flood of one kind must not take from the
// others: each band has a ring of its own, and a share of each turn of the housekeeper. The hellos
// of other bridges, which end a loop that floods everything else, go before all.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/conversations.h"
#include "dataplane/link/answers.h"
#include "dataplane/link/hello.h"
#include "dataplane/net/packet.h"
#include "dataplane/steer/handover.h"

namespace nezu::dataplane {

/// A packet as it shall leave, but for the MAC of the next hop.
struct Held {
  void* buffer = nullptr;
  net::Address destination;  ///< where it goes, which need not be what its header says
  net::Instance instance = net::Instance::standard;
};

/// Of packets on their way to a twin.
enum class Band : uint8_t {
  link,          ///< multicast, what is not IP, answers of ARP and NDP that nobody asked for
  conversation,  ///< of those that the kernel talks to: routing daemons, health checks, sshd; who
                 ///< it asks for
  question,      ///< of ARP and NDP
  tcp,           ///< that opens a connection, or is of none
  other,
};
inline constexpr size_t kBands = 5;

/// Packets that fit, and that the housekeeper takes in a turn.
struct BandRoom {
  uint32_t capacity = 0, turn = 0;
};
inline constexpr std::array<BandRoom, kBands> kBandRooms{
    {{128, 32}, {256, 64}, {64, 16}, {128, 16}, {128, 32}}};

using Bands = std::array<steer::Ring<void*>, kBands>;
inline std::unique_ptr<Bands> make_bands() {
  static_assert(kBands == 5);
  const auto ring = [](Band band) {
    return steer::Ring<void*>(kBandRooms[static_cast<size_t>(band)].capacity);
  };
  return std::unique_ptr<Bands>(new Bands{ring(Band::link), ring(Band::conversation),
                                          ring(Band::question), ring(Band::tcp),
                                          ring(Band::other)});
}

struct Errands {
  explicit Errands(size_t ports) {
    for (size_t port = 0; port < ports; ++port) to_twin.push_back(make_bands());
  }
  // worker -> housekeeper, buffers
  steer::Ring<void*> hellos{64};                ///< of bridges, before all
  std::vector<std::unique_ptr<Bands>> to_twin;  ///< by the port that they came in by
  steer::Ring<Held> held{512};                  ///< waiting for a next hop to answer
  // housekeeper -> worker
  steer::Ring<net::Reason> refused{1024};  ///< why held packets were dropped: the worker counts

  steer::Ring<void*>& band(uint16_t port, Band band) {
    return (*to_twin[port])[static_cast<size_t>(band)];
  }
};

/// Whether it goes by `hellos`.
inline bool is_hello(const net::Packet& packet) {
  return packet.shape == net::Shape::other && link::is_hello({packet.head, packet.head_length});
}
inline Band band_of(const net::Packet& packet, const Conversations& conversations) {
  if (packet.shape == net::Shape::other || packet.shape == net::Shape::control) {
    if (link::asked_address(packet)) return Band::question;
    return conversations.have(packet) ? Band::conversation : Band::link;
  }
  if (conversations.have(packet)) return Band::conversation;
  return packet.protocol == net::Protocol::tcp ? Band::tcp : Band::other;
}

}  // namespace nezu::dataplane
