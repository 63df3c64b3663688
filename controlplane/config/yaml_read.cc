#include <google/protobuf/util/time_util.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <numeric>
#include <set>

#include "controlplane/config/yaml.h"

namespace nezu::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::OneofDescriptor;
using google::protobuf::Reflection;

/// More nodes than any sensible file has: aliases of aliases would otherwise never end.
constexpr size_t kMaxNodes = 8'000'000;
constexpr size_t kMaxProblems = 10'000;

std::string cut(std::string text) {
  constexpr size_t kLongest = 255;
  if (text.size() > kLongest) {
    text.resize(kLongest);
  }
  return text;
}

std::string place_of(const YAML::Node& node) {
  const YAML::Mark mark = node.Mark();
  return mark.line < 0 ? std::string{} : " (line " + std::to_string(mark.line + 1) + ")";
}

std::string kind_of(const YAML::Node& node) {
  if (node.IsMap()) {
    return "a map";
  }
  if (node.IsSequence()) {
    return "a list";
  }
  return node.IsScalar() ? "a single value" : "nothing";
}

/// RFC 3629: no overlong forms, no surrogates.
bool is_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const size_t length = lead < 0x80         ? 1
                          : lead >> 5 == 0x6  ? 2
                          : lead >> 4 == 0xe  ? 3
                          : lead >> 3 == 0x1e ? 4
                                              : 0;
    if (length == 0 || at + length > text.size()) {
      return false;
    }
    uint32_t code = length == 1 ? lead : lead & (0x7fu >> length);
    for (size_t i = 1; i < length; ++i) {
      const auto byte = static_cast<unsigned char>(text[at + i]);
      if (byte >> 6 != 2) {
        return false;
      }
      code = code << 6 | (byte & 0x3fu);
    }
    constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
    if (code < kLeast[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
      return false;
    }
    at += length;
  }
  return true;
}

class Reader {
 public:
  Problems problems;

  /// What the file calls its network instances: `instance: red` stands for the number of that one.
  void learn_instances(const YAML::Node& file) {
    numbers_["standard"] = 0;
    const YAML::Node list = file.IsMap() ? file["instances"] : YAML::Node();
    for (const YAML::Node& one : list) {
      uint32_t number = 0;
      if (one.IsMap() && one["name"] && one["name"].IsScalar() && one["number"] &&
          YAML::convert<uint32_t>::decode(one["number"], number)) {
        numbers_[one["name"].Scalar()] = number;
      }
    }
  }

  void read_message(const YAML::Node& node, Message& into, const std::string& path) {
    if (!may_go_on()) {
      return;
    }
    if (node.IsNull()) {
      return;
    }
    if (!node.IsMap()) {
      complain(path, node, "must be a map of fields, but is " + kind_of(node) + ".");
      return;
    }
    std::set<std::string> seen;
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) {
        complain(path, entry.first, "has a key that is not a plain word.");
        continue;
      }
      const std::string& key = entry.first.Scalar();
      const std::string at = path.empty() ? key : path + "." + key;
      if (!seen.insert(key).second) {
        complain(at, entry.first, "is given twice; keep one.");
        continue;
      }
      const FieldDescriptor* field = into.GetDescriptor()->FindFieldByName(key);
      if (field == nullptr) {
        complain(at, entry.first, "is not known" + suggestion(key, *into.GetDescriptor()) + ".");
        continue;
      }
      read_field(entry.second, into, *field, at);
    }
  }

 private:
  bool may_go_on() { return ++nodes_ < kMaxNodes && problems.size() < kMaxProblems; }

  void complain(const std::string& path, const YAML::Node& node, const std::string& text) {
    v1::Problem& problem = problems.emplace_back();
    problem.set_field(path.empty() ? "the file" : path);
    problem.set_value(node.IsScalar() ? cut(node.Scalar()) : std::string{});
    problem.set_description((path.empty() ? "The file" : path) + place_of(node) + " " + text);
  }

  static std::string suggestion(const std::string& key, const Descriptor& type) {
    std::vector<std::string> names;
    for (int i = 0; i < type.field_count(); ++i) {
      names.push_back(type.field(i)->name());
    }
    const std::string near = nearest(key, names);
    return near.empty() ? "; the fields are " + joined(names) : "; did you mean " + near + "?";
  }
  static std::string joined(const std::vector<std::string>& words) {
    return std::accumulate(words.begin(), words.end(), std::string{},
                           [](const std::string& all, const std::string& word) {
                             return all.empty() ? word : all + ", " + word;
                           });
  }

  void read_field(const YAML::Node& node, Message& into, const FieldDescriptor& field,
                  const std::string& path) {
    if (field.is_repeated()) {
      read_list(node, into, field, path);
      return;
    }
    const Reflection& reflection = *into.GetReflection();
    const OneofDescriptor* choice = field.real_containing_oneof();
    if (choice != nullptr && reflection.HasOneof(into, choice)) {
      complain(path, node,
               "excludes " + reflection.GetOneofFieldDescriptor(into, choice)->name() +
                   "; give one of them.");
      return;
    }
    if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      if (!node.IsNull()) {
        read_scalar(node, into, field, path);
      }
      return;
    }
    // A message without fields, as `tcp:`, says all by being there.
    if (!node.IsNull() || field.message_type()->field_count() == 0) {
      read_inner(node, *reflection.MutableMessage(&into, &field), path);
    }
  }

  void read_inner(const YAML::Node& node, Message& into, const std::string& path) {
    if (into.GetDescriptor()->full_name() != "google.protobuf.Timestamp") {
      read_message(node, into, path);
      return;
    }
    google::protobuf::Timestamp time;
    if (!node.IsScalar() || !google::protobuf::util::TimeUtil::FromString(node.Scalar(), &time)) {
      complain(path, node, "must be a time as 2026-01-31T12:00:00Z.");
      return;
    }
    into.CopyFrom(time);
  }

  void read_list(const YAML::Node& node, Message& into, const FieldDescriptor& field,
                 const std::string& path) {
    if (node.IsNull()) {
      return;
    }
    if (!node.IsSequence()) {
      complain(path, node,
               "must be a list (lines that begin with '-'), but is " + kind_of(node) + ".");
      return;
    }
    size_t position = 0;
    for (const YAML::Node& element : node) {
      if (!may_go_on()) {
        return;
      }
      if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        Message* inner = into.GetReflection()->AddMessage(&into, &field);
        read_inner(element, *inner, path + label_of(element, position));
      } else {
        read_scalar(element, into, field, path + "[" + std::to_string(position) + "]");
      }
      ++position;
    }
  }

  /// Known before the element is read: by its name, else by its address and port, else by number.
  static std::string label_of(const YAML::Node& element, size_t position) {
    const auto scalar = [&](const char* key) {
      if (element.IsMap()) {
        if (const YAML::Node value = element[key]; value && value.IsScalar()) {
          return value.Scalar();
        }
      }
      return std::string{};
    };
    std::string label = scalar("name");
    if (const std::string address = scalar("address"); label.empty() && !address.empty()) {
      label = address.find(':') == std::string::npos ? address : "[" + address + "]";
      const std::string port = scalar("port");
      label += port.empty() ? port : ":" + port;
    }
    return label.empty() ? "[" + std::to_string(position) + "]" : "[\"" + cut(label) + "\"]";
  }

  template <typename Number>
  bool number(const YAML::Node& node, const std::string& path, Number& value) {
    const std::string& text = node.Scalar();
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    if (result.ec == std::errc{} && result.ptr == text.data() + text.size()) {
      return true;
    }
    if constexpr (std::is_floating_point_v<Number>) {
      complain(path, node, "must be a number.");
    } else {
      complain(path, node,
               "must be a whole number from " + std::to_string(std::numeric_limits<Number>::min()) +
                   " to " + std::to_string(std::numeric_limits<Number>::max()) + ".");
    }
    return false;
  }

  template <typename Number, typename Set, typename Add>
  void put_number(const YAML::Node& node, Message& into, const FieldDescriptor& field,
                  const std::string& path, Set set, Add add) {
    Number value{};
    if (number(node, path, value)) {
      (into.GetReflection()->*(field.is_repeated() ? add : set))(&into, &field, value);
    }
  }

  void read_scalar(const YAML::Node& node, Message& into, const FieldDescriptor& field,
                   const std::string& path) {
    if (!node.IsScalar()) {
      complain(path, node, "must be a single value, but is " + kind_of(node) + ".");
      return;
    }
    const Reflection& r = *into.GetReflection();
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        return put_number<int32_t>(node, into, field, path, &Reflection::SetInt32,
                                   &Reflection::AddInt32);
      case FieldDescriptor::CPPTYPE_INT64:
        return put_number<int64_t>(node, into, field, path, &Reflection::SetInt64,
                                   &Reflection::AddInt64);
      case FieldDescriptor::CPPTYPE_UINT32:
        if (const auto named = numbers_.find(node.Scalar());
            field.name() == "instance" && named != numbers_.end()) {
          return r.SetUInt32(&into, &field, named->second);
        }
        return put_number<uint32_t>(node, into, field, path, &Reflection::SetUInt32,
                                    &Reflection::AddUInt32);
      case FieldDescriptor::CPPTYPE_UINT64:
        return put_number<uint64_t>(node, into, field, path, &Reflection::SetUInt64,
                                    &Reflection::AddUInt64);
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return put_number<double>(node, into, field, path, &Reflection::SetDouble,
                                  &Reflection::AddDouble);
      case FieldDescriptor::CPPTYPE_FLOAT:
        return put_number<float>(node, into, field, path, &Reflection::SetFloat,
                                 &Reflection::AddFloat);
      case FieldDescriptor::CPPTYPE_BOOL:
        return read_bool(node, into, field, path);
      case FieldDescriptor::CPPTYPE_ENUM:
        return read_enum(node, into, field, path);
      case FieldDescriptor::CPPTYPE_STRING:
        if (!is_utf8(node.Scalar())) {
          complain(path, node, "is no UTF-8 text; save the file as UTF-8.");
          return;
        }
        if (field.is_repeated()) {
          r.AddString(&into, &field, node.Scalar());
        } else {
          r.SetString(&into, &field, node.Scalar());
        }
        return;
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return;
    }
  }

  void read_bool(const YAML::Node& node, Message& into, const FieldDescriptor& field,
                 const std::string& path) {
    bool value = false;
    if (!YAML::convert<bool>::decode(node, value)) {
      complain(path, node, "must be true or false.");
      return;
    }
    const Reflection& r = *into.GetReflection();
    field.is_repeated() ? r.AddBool(&into, &field, value) : r.SetBool(&into, &field, value);
  }

  void read_enum(const YAML::Node& node, Message& into, const FieldDescriptor& field,
                 const std::string& path) {
    const std::string& text = node.Scalar();
    std::vector<std::string> names;
    for (int i = 0; i < field.enum_type()->value_count(); ++i) {
      const auto* value = field.enum_type()->value(i);
      if (short_name(*value) == text || value->name() == text) {
        const Reflection& r = *into.GetReflection();
        field.is_repeated() ? r.AddEnum(&into, &field, value) : r.SetEnum(&into, &field, value);
        return;
      }
      if (value->number() != 0) {
        names.push_back(short_name(*value));
      }
    }
    complain(path, node, "is \"" + cut(text) + "\", but must be one of " + joined(names) + ".");
  }

  size_t nodes_ = 0;
  std::map<std::string, uint32_t> numbers_;  // of network instances, by name
};

/// Insertions, deletions, changes and swaps of neighbours that lead from `a` to `b`.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), row(b.size() + 1), next(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    next[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      next[j + 1] = std::min({row[j] + (a[i] == b[j] ? 0 : 1), row[j + 1] + 1, next[j] + 1});
      if (i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j]) {
        next[j + 1] = std::min(next[j + 1], before[j - 1] + 1);
      }
    }
    before.swap(row);
    row.swap(next);
  }
  return row.back();
}

}  // namespace

std::string nearest(std::string_view given, const std::vector<std::string>& candidates) {
  std::string best;
  size_t least = std::max<size_t>(2, given.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    // "interval" is a short "interval_ms".
    const bool is_start = given.size() >= 3 && candidate.starts_with(given);
    const size_t steps = distance(given.substr(0, 64), candidate);
    const size_t far = is_start ? std::min<size_t>(2, steps) : steps;
    if (far < least) {
      least = far;
      best = candidate;
    }
  }
  return best;
}

Problems from_yaml(std::string_view text, Message& into) {
  Reader reader;
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(std::string(text));
    if (documents.size() > 1) {
      v1::Problem& problem = reader.problems.emplace_back();
      problem.set_field("the file");
      problem.set_description("The file has several documents; remove the lines '---'.");
    } else if (!documents.empty()) {
      reader.learn_instances(documents[0]);
      reader.read_message(documents[0], into, "");
    }
  } catch (const std::exception& error) {
    v1::Problem& problem = reader.problems.emplace_back();
    problem.set_field("the file");
    problem.set_description(std::string("The file is neither YAML nor JSON: ") + error.what() +
                            ".");
  }
  return reader.problems;
}

}  // namespace nezu::config
