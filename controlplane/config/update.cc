#include "controlplane/config/update.h"

#include "controlplane/config/validate.h"

namespace nezu::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

bool is_branch(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field.is_repeated();
}

/// The leaves that are set, as paths.
void collect(const Message& message, const std::string& prefix, std::vector<std::string>& paths) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const std::string path = prefix + field->name();
    const size_t before = paths.size();
    const bool is_time =
        is_branch(*field) && field->message_type()->full_name() == "google.protobuf.Timestamp";
    if (is_branch(*field) && !is_time) {
      collect(message.GetReflection()->GetMessage(message, field), path + ".", paths);
    }
    if (paths.size() == before) {
      paths.push_back(path);
    }
  }
}

/// Replaces one field by what `source` has, also by nothing.
void replace(Message& target, const Message& source, const FieldDescriptor& field) {
  target.GetReflection()->ClearField(&target, &field);
  const std::unique_ptr<Message> only(source.New());
  only->CopyFrom(source);
  std::vector<const FieldDescriptor*> fields;
  only->GetReflection()->ListFields(*only, &fields);
  for (const FieldDescriptor* other : fields) {
    if (other != &field) {
      only->GetReflection()->ClearField(only.get(), other);
    }
  }
  target.MergeFrom(*only);
}

/// False when the path names no field.
bool put(Message& target, const Message& source, std::string_view path) {
  const size_t dot = path.find('.');
  const FieldDescriptor* field =
      target.GetDescriptor()->FindFieldByName(std::string(path.substr(0, dot)));
  if (field == nullptr) {
    return false;
  }
  if (dot == std::string_view::npos) {
    replace(target, source, *field);
    return true;
  }
  return is_branch(*field) &&
         put(*target.GetReflection()->MutableMessage(&target, field),
             source.GetReflection()->GetMessage(source, field), path.substr(dot + 1));
}

}  // namespace

Problems update(Message& target, const Message& source, const google::protobuf::FieldMask& mask) {
  Problems problems;
  std::vector<std::string> paths(mask.paths().begin(), mask.paths().end());
  if (paths.empty()) {
    collect(source, "", paths);
  }
  const std::unique_ptr<Message> result(target.New());
  result->CopyFrom(target);
  for (const std::string& path : paths) {
    if (path == "*") {
      result->CopyFrom(source);
    } else if (!put(*result, source, path)) {
      complain(problems, "update_mask", path,
               "The mask names \"" + path.substr(0, 100) +
                   "\", which is no field of the object; use names as in the .proto file.");
    }
  }
  if (problems.empty()) {
    target.CopyFrom(*result);
  }
  return problems;
}

void add_part(v1::Configuration& whole, v1::Configuration part) {
  const auto move = [](auto& from, auto& to) {
    for (auto& object : from) {
      to.Add(std::move(object));
    }
  };
  move(*part.mutable_services(), *whole.mutable_services());
  move(*part.mutable_pools(), *whole.mutable_pools());
  move(*part.mutable_snat_sets(), *whole.mutable_snat_sets());
  move(*part.mutable_source_nats(), *whole.mutable_source_nats());
  move(*part.mutable_instances(), *whole.mutable_instances());
  if (part.has_settings()) {
    *whole.mutable_settings() = std::move(*part.mutable_settings());
  }
}

}  // namespace nezu::config
