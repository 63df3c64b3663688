// Between one worker and the housekeeper: rings with one producer and one consumer each.
//
// The way to the kernel is cut in two: what keeps a network together (ARP, NDP, routing daemons,
// anything over TCP) has a ring of its own, which a flood of other packets cannot fill.
#pragma once

#include "dataplane/net/packet.h"
#include "dataplane/steer/handover.h"

namespace nezu::dataplane {

struct Errands {
  // worker -> housekeeper, buffers
  steer::Ring<void*> control{512};  ///< to the twin, first
  steer::Ring<void*> bulk{256};     ///< to the twin
  steer::Ring<void*> held{512};     ///< waiting for a next hop to answer
  // housekeeper -> worker
  steer::Ring<net::Reason> refused{1024};  ///< why held packets were dropped: the worker counts
};

/// Whether a packet for the twin goes by `control`.
inline bool is_control(const net::Packet& packet) {
  return packet.shape == net::Shape::other || packet.shape == net::Shape::control ||
         packet.protocol == net::Protocol::tcp;
}

}  // namespace nezu::dataplane
