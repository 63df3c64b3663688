// An SCTP association as a middle sees it: state and one packet in, state out. A pure value
// machine.
//
// RFC 9260. Single-homed: one pair of addresses and ports. The states are those of TCP, by their
// meaning for a flow's timeout:
//
//            INIT            INIT ACK              anything more of the client
//   (none) ---------> syn_sent ------> syn_received ------> established
//                                                              |
//        both after SHUTDOWN: fin_wait, after SHUTDOWN ACK: close_wait
//                                                              |
//   SHUTDOWN COMPLETE: time_wait          ABORT whose tag is right: closed     INIT: syn_sent again
//
// `end` of a direction is the verification tag that packets of it carry (8.5), once known.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/flow/entry.h"

namespace nezu::flow {

/// What a packet says: the types of its chunks, as bits, as far as they could be read.
struct SctpPacket {
  Direction direction = Direction::to_server;
  uint32_t tag = 0;
  uint32_t chunks = 0;        ///< bit n: a chunk of type n < 32
  uint32_t initiated = 0;     ///< INIT, INIT ACK: the tag that the sender wants to see
  bool is_reflected = false;  ///< ABORT, SHUTDOWN COMPLETE: `tag` is the sender's peer's own
};

struct Sctp {
  tables::Timeout state = tables::Timeout::syn_sent;
  uint8_t flags = 0;
  std::array<uint32_t, 2> end{};
  bool operator==(const Sctp&) const = default;
};

/// Reads the chunks of `length` bytes behind the common header at `header`.
SctpPacket read_sctp(const uint8_t* header, uint32_t length, Direction direction);
/// The first chunk is INIT: it opens an association.
bool opens_sctp(const uint8_t* header, uint32_t length);

/// `one_way`: answers are not seen, so that what the client sends next stands for them.
Sctp advance(Sctp sctp, const SctpPacket& packet, bool one_way);

}  // namespace nezu::flow
