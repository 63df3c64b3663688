#include "tools/nezu/session.h"

#include "controlplane/config/yaml.h"

namespace nezu::cli {

void print(const Session& session, const google::protobuf::Message& message,
           const std::function<void()>& table) {
  switch (session.format) {
    case Format::json:
      session.out << config::to_json(message, config::Detail::all);
      break;
    case Format::yaml:
      session.out << config::to_yaml(message, config::Detail::all);
      break;
    case Format::table:
      table();
      break;
  }
}

std::string json_line(const google::protobuf::Message& message) {
  const std::string text = config::to_json(message, config::Detail::all);
  std::string line;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\n') {
      line += text[i];
      continue;
    }
    // A line break within JSON text is never part of a value; what follows is its indent.
    const size_t next = text.find_first_not_of(' ', i + 1);
    i = next == std::string::npos ? text.size() : next - 1;
  }
  return line;
}

}  // namespace nezu::cli
