#include "tools/nezu/assignments.h"

#include <google/protobuf/descriptor.h>

#include "tools/nezu/failure.h"
#include "tools/nezu/file.h"

namespace nezu::cli {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  size_t begin = 0;
  for (size_t end; (end = text.find(at, begin)) != std::string::npos; begin = end + 1) {
    parts.push_back(text.substr(begin, end - begin));
  }
  parts.push_back(text.substr(begin));
  return parts;
}

/// The field at the end of a path; null when some part of it does not exist.
const FieldDescriptor* leaf_of(const Descriptor* type, const std::vector<std::string>& path) {
  const FieldDescriptor* field = nullptr;
  for (const std::string& name : path) {
    field = type == nullptr ? nullptr : type->FindFieldByName(name);
    type = field == nullptr ? nullptr : field->message_type();
  }
  return field;
}

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    out += c;
    if (c == '\'') {
      out += c;  // YAML's way to write one inside
    }
  }
  return out + "'";
}

bool is_text(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_STRING ||
         (field.message_type() != nullptr &&
          field.message_type()->full_name() == "google.protobuf.Timestamp");
}

/// The value as YAML: texts are quoted, so that nobody has to know YAML's rules to give one.
std::string value_of(const FieldDescriptor* field, const std::string& text) {
  if (field == nullptr || (!field->is_repeated() && !is_text(*field))) {
    return text;  // what does not exist is told by the reader, with a suggestion
  }
  if (!field->is_repeated()) {
    return quoted(text);
  }
  if (text.empty()) {
    return "[]";
  }
  if (text.starts_with('[')) {
    return text;
  }
  std::string list;
  for (const std::string& part : split(text, ',')) {
    list += (list.empty() ? "" : ", ") + (is_text(*field) ? quoted(part) : part);
  }
  return "[" + list + "]";
}

}  // namespace

std::vector<std::string> assign(const std::vector<std::string>& assignments,
                                google::protobuf::Message& message) {
  std::vector<std::string> paths;
  for (const std::string& assignment : assignments) {
    const size_t equals = assignment.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw Failure(Exit::usage, "\"" + assignment + "\" is not an assignment, as weight=3");
    }
    const std::string path = assignment.substr(0, equals);
    const auto names = split(path, '.');
    std::string yaml =
        value_of(leaf_of(message.GetDescriptor(), names), assignment.substr(equals + 1));
    for (auto name = names.rbegin(); name != names.rend(); ++name) {
      yaml = "{" + *name + ": " + yaml + "}";
    }
    parse_into(yaml, "\"" + assignment + "\"", message);
    paths.push_back(path);
  }
  return paths;
}

}  // namespace nezu::cli
