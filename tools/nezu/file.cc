#include "tools/nezu/file.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>

#include "controlplane/config/yaml.h"
#include "tools/nezu/failure.h"

namespace nezu::cli {

std::string read_text(const std::string& path) {
  std::ostringstream text;
  if (path == "-") {
    text << std::cin.rdbuf();
    return text.str();
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw Failure(Exit::usage, "cannot open " + path + ": " + std::strerror(errno));
  }
  text << file.rdbuf();
  if (file.bad()) {
    throw Failure(Exit::usage, "cannot read " + path + ": " + std::strerror(errno));
  }
  return text.str();
}

void parse_into(const std::string& text, const std::string& source,
                google::protobuf::Message& message) {
  const config::Problems problems = config::from_yaml(text, message);
  if (problems.empty()) {
    return;
  }
  std::vector<std::string> lines;
  for (const v1::Problem& problem : problems) {
    lines.push_back(problem.field().empty() ? problem.description()
                                            : problem.field() + ": " + problem.description());
  }
  throw Failure(Exit::usage, source + " cannot be understood; nothing was changed", lines);
}

v1::Configuration read_configuration(const std::string& path) {
  v1::Configuration configuration;
  parse_into(read_text(path), path == "-" ? "the standard input" : path, configuration);
  return configuration;
}

}  // namespace nezu::cli
