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
    lines.push_back(problem_text(problem));
  }
  throw Failure(Exit::usage, source + " cannot be understood; nothing was changed", lines);
}

std::string problem_text(const v1::Problem& problem) {
  std::string text = problem.description();
  if (!problem.field().empty() && !text.starts_with(problem.field())) {
    text = problem.field() + ": " + text;
  }
  // The value is worth its place only where it is not read already (an unknown key is its path).
  const bool is_told = text.find(problem.value()) != std::string::npos;
  return is_told ? text : text + " (it is \"" + problem.value() + "\")";
}

v1::Configuration read_configuration(const std::string& path) {
  v1::Configuration configuration;
  parse_into(read_text(path), path == "-" ? "the standard input" : path, configuration);
  return configuration;
}

}  // namespace nezu::cli
