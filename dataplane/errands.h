// Between one worker and the housekeeper: rings with one producer and one consumer each.
//
// The way to the kernel is cut in two: what keeps a network together (ARP, NDP, routing daemons,
// anything over TCP) has a ring of its own, which a flood of other packets cannot fill. So have the
// hellos of other bridges, which end a loop that floods everything else.
#pragma once

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

struct Errands {
  // worker -> housekeeper, buffers
  steer::Ring<void*> hellos{64};    ///< of bridges, before all
  steer::Ring<void*> control{512};  ///< to the twin, first
  steer::Ring<void*> bulk{256};     ///< to the twin
  steer::Ring<Held> held{512};      ///< waiting for a next hop to answer
  // housekeeper -> worker
  steer::Ring<net::Reason> refused{1024};  ///< why held packets were dropped: the worker counts
};

/// Whether it goes by `hellos`.
inline bool is_hello(const net::Packet& packet) {
  return packet.shape == net::Shape::other && link::is_hello({packet.head, packet.head_length});
}
/// Whether a packet for the twin goes by `control`.
inline bool is_control(const net::Packet& packet) {
  return packet.shape == net::Shape::other || packet.shape == net::Shape::control ||
         packet.protocol == net::Protocol::tcp;
}

}  // namespace nezu::dataplane
