// An event of `change`, as it stands on the command line.
//
// Any thread; pure.
#pragma once

#include <cstdint>
#include <string>

#include "dataplane/net/range.h"

namespace nezu::generator {

/// "push=nezu apply -f a.yaml", "server failed=mute 10.0.0.11", "server back=unmute 10.0.0.11".
struct EventText {
  enum class Kind : uint8_t { command, mute, unmute };
  std::string name, command;  ///< what stands left and right of the first "="
  Kind kind = Kind::command;
  net::Address server{};  ///< mute, unmute
};

/// `servers`: those that are played. Throws std::invalid_argument with a sentence that names the
/// event.
EventText parse_event(const std::string& text, const net::Range& servers);

}  // namespace nezu::generator
