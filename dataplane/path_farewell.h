// Within the path: segments of our own, as one end of a flow would have sent them
// (path_farewell.cc).
#pragma once

#include "dataplane/forward/segment.h"
#include "dataplane/path_turn.h"

namespace nezu::path {

/// It leaves through the stages as a packet of that direction, in a later turn; dropped where no
/// route tells by which port such packets come in. There must be room. `vlan` is not the caller's.
void say_as(Path::State& state, const route::Routes& routes, flow::FlowId id,
            flow::Direction direction, forward::Segment segment);

}  // namespace nezu::path
