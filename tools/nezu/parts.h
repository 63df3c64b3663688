// A configuration beyond one message, cut into parts for ApplyStream.
#pragma once

#include <vector>

#include "nezu/v1/change.pb.h"

namespace nezu::cli {

/// Parts of about `bytes` each, in the order of the lists; a single object is never cut. The first
/// has the options and the settings.
std::vector<v1::ApplyStreamRequest> parts_of(v1::Configuration configuration,
                                             const v1::ChangeOptions& options, size_t bytes);

}  // namespace nezu::cli
