// Protobuf messages as YAML and JSON, both ways: one schema for file, API and command line.
//
// Keys are the field names of the .proto files. Enum values are written without their prefix and
// in lower case (MODE_FULLNAT is `fullnat`); reading also takes the full name. A timestamp is
// RFC 3339 text. JSON is read as the subset of YAML that it is.
//
// Needs only protobuf and yaml-cpp, so that clients link it without the server. Any thread; no
// exception leaves it.
#pragma once

#include <google/protobuf/message.h>

#include <string>
#include <string_view>
#include <vector>

#include "nezu/v1/change.pb.h"

namespace nezu::config {

using Problems = std::vector<v1::Problem>;

/// Adds what `text` says to `into`. Reports every problem at once, with the path of the field (as
/// `services["shop"].port`) or the line; `into` is only meaningful when there is none.
Problems from_yaml(std::string_view text, google::protobuf::Message& into);

enum class Detail {
  set,  ///< fields that are set; for configurations, whose readers know the defaults
  all,  ///< also numbers that are 0 and empty texts; for statistics
};

std::string to_yaml(const google::protobuf::Message& message, Detail detail = Detail::set);
std::string to_json(const google::protobuf::Message& message, Detail detail = Detail::set);

/// "fullnat" for MODE_FULLNAT.
std::string short_name(const google::protobuf::EnumValueDescriptor& value);

/// One singular scalar, enum or timestamp field as text; empty when it is not set.
std::string field_text(const google::protobuf::Message& message,
                       const google::protobuf::FieldDescriptor& field);

/// How an element of a list is named in paths: `["shop"]` by its name, `["10.0.0.1:80"]` by its
/// address and port, else `[3]`.
std::string element_label(const google::protobuf::Message& element, size_t position);

/// The candidate that was probably meant by `given`; empty when none is near.
std::string nearest(std::string_view given, const std::vector<std::string>& candidates);

}  // namespace nezu::config
