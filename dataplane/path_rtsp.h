// Within the path: what RTSP's Transport lines say.
#pragma once

#include <span>
#include <string_view>

#include "dataplane/path_turn.h"

namespace nezu::path {

/// What changes in such a line.
struct TransportSaid {
  bool has_place = false;       ///< on the board, for all that it announces
  std::string_view put;         ///< empty: nothing changes
  uint32_t begin = 0, end = 0;  ///< of the line: what it replaces
};
/// Announces what the line says (path_rtsp_transport.cc); `value`: where that begins, `room`: for
/// `put`.
TransportSaid say_transport(Turn& turn, flow::FlowId id, std::string_view line, uint32_t value,
                            std::span<char> room);

}  // namespace nezu::path
