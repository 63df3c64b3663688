// What an explanation (path_explain.h) asks a worker about its own state, and what it answers.
//
// The housekeeper asks, by the worker's Desk; the worker answers between two bursts, one question a
// turn, by a few look-ups. Copies only: nothing that is asked for changes.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/admit/meters.h"
#include "dataplane/admit/scheduling.h"
#include "dataplane/admit/snat_ports.h"
#include "dataplane/flow/entry.h"
#include "dataplane/flow/relay.h"
#include "dataplane/flow/splice.h"
#include "dataplane/path_allowance.h"
#include "dataplane/path_held.h"

namespace nezu::path {

/// No service has this slot.
inline constexpr uint16_t kNoService = 0xffff;

struct Question {
  uint64_t number = 0;  ///< the answer repeats it
  bool is_v4 = true;
  net::Tuple4 tuple4;  ///< or `tuple6`: of the flow that is looked for
  net::Tuple6 tuple6;
  uint16_t service = kNoService;  ///< where its turns stand, and what it may let pass
  net::Address client;            ///< of that service: what he may
  bool wants_lanes = false;       ///< of a SIP client: the first flow from the tuple's lane on
  // The slice of an SNAT address that a flow would take its port from:
  bool wants_slice = false;
  uint8_t shard = 0;
  uint16_t address = 0;  ///< slot
  uint64_t peer = 0;     ///< admit::Peer::word
  // The train of a later fragment, instead of a flow: `tuple6` is its key.
  bool wants_train = false;
  uint64_t train_hash = 0;

  /// The same is asked.
  bool is_like(const Question& other) const {
    Question one = other;
    one.number = number;
    return *this == one;
  }
  bool operator==(const Question&) const = default;
};

/// What one worker says.
struct Knowledge {
  Question question;
  flow::FlowId flow;    ///< exists: the worker has it, as one of these two
  flow::Entry4 narrow;  ///< NOLINT: filled when there is one
  flow::Entry6 wide;
  bool is_spliced = false, is_relayed = false;
  flow::Splice splice;
  flow::Relay relay;
  std::array<bool, 2> is_held{};  ///< lines of it that wait, by direction
  std::array<HeldLines::Line, 2> held;
  /// No room for one more flow: narrow ones, wide ones; of those whose lengths change.
  std::array<bool, 2> is_crowded{};
  bool splices_full = false;
  bool knows_service = false;
  admit::Scheduling::Standing standing;
  admit::Meters::Left left;
  admit::SnatPorts::Slice slice;
  bool knows_train = false;
  uint32_t train_ports = 0;  ///< as net::Packet::ports
  uint16_t packet_id = 0;    ///< of the last IPv4 packet that was made of an IPv6 one
  Allowance replies;
  std::array<uint8_t, tables::kShardCount> active_ports{};
};

}  // namespace nezu::path
