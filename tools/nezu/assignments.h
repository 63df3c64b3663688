// "field=value" on the command line, put into a message by the same schema as files.
#pragma once

#include <google/protobuf/message.h>

#include <string>
#include <vector>

namespace nezu::cli {

/// Sets each field by its path ("timeouts.udp_s=10", "addresses=192.0.2.1,192.0.2.2",
/// "check={tcp: {}}"; "addresses=" empties a list) and returns the paths, for a field mask. Throws
/// Failure(usage).
std::vector<std::string> assign(const std::vector<std::string>& assignments,
                                google::protobuf::Message& message);

}  // namespace nezu::cli
