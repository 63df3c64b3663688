// Files given on the command line, in YAML or JSON; "-" is the standard input.
#pragma once

#include <google/protobuf/message.h>

#include <string>

#include "nezu/v1/change.pb.h"
#include "nezu/v1/configuration.pb.h"

namespace nezu::cli {

std::string read_text(const std::string& path);

/// Throws Failure(usage) with every problem as "path: sentence".
void parse_into(const std::string& text, const std::string& source,
                google::protobuf::Message& message);

/// "services["shop"].port: sentence (it is "70000")".
std::string problem_text(const v1::Problem& problem);

v1::Configuration read_configuration(const std::string& path);

}  // namespace nezu::cli
