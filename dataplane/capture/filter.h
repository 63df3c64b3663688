// The evaluator of capture filters: a pure function of what was found in a packet.
//
// Any thread. Nothing here looks at bytes, so that no filter reads beyond a packet. A question is
// true of a packet when it is true of it as it came or as it leaves; of an ICMP error, also when it
// is true of the packet that it quotes. So `host CLIENT and host SERVER` finds both directions of a
// translated conversation, wherever it is looked at, and `not host X` what has X on neither side.
#pragma once

#include "dataplane/capture/look.h"
#include "dataplane/tables/capture.h"

namespace nezu::capture {

/// A packet with what became of it.
struct Seen {
  const Look* came = nullptr;
  const Look* left = nullptr;  ///< null: it does not leave
  bool is_dropped = false;
  net::Reason reason = net::Reason::none;
};

/// `program` is sound (tables::is_sound).
bool matches(const tables::CaptureProgram& program, const Seen& seen);

}  // namespace nezu::capture
