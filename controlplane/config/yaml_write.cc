#include <google/protobuf/util/time_util.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "controlplane/config/yaml.h"

namespace nezu::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

std::string upper(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return toupper(c); });
  return out;
}

bool is_timestamp(const Descriptor& type) {
  return type.full_name() == "google.protobuf.Timestamp";
}

std::string number_text(double value) {
  if (!std::isfinite(value)) {
    return "0";
  }
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), end.ptr};
}

/// One value of a field: `index` is -1 for a singular field.
std::string scalar_text(const Message& message, const FieldDescriptor& field, int index) {
  const Reflection& r = *message.GetReflection();
  const bool one = index < 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return std::to_string(one ? r.GetInt32(message, &field)
                                : r.GetRepeatedInt32(message, &field, index));
    case FieldDescriptor::CPPTYPE_INT64:
      return std::to_string(one ? r.GetInt64(message, &field)
                                : r.GetRepeatedInt64(message, &field, index));
    case FieldDescriptor::CPPTYPE_UINT32:
      return std::to_string(one ? r.GetUInt32(message, &field)
                                : r.GetRepeatedUInt32(message, &field, index));
    case FieldDescriptor::CPPTYPE_UINT64:
      return std::to_string(one ? r.GetUInt64(message, &field)
                                : r.GetRepeatedUInt64(message, &field, index));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return number_text(one ? r.GetDouble(message, &field)
                             : r.GetRepeatedDouble(message, &field, index));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return number_text(static_cast<double>(one ? r.GetFloat(message, &field)
                                                 : r.GetRepeatedFloat(message, &field, index)));
    case FieldDescriptor::CPPTYPE_BOOL:
      return (one ? r.GetBool(message, &field) : r.GetRepeatedBool(message, &field, index))
                 ? "true"
                 : "false";
    case FieldDescriptor::CPPTYPE_STRING:
      return one ? r.GetString(message, &field) : r.GetRepeatedString(message, &field, index);
    case FieldDescriptor::CPPTYPE_ENUM: {
      const int number =
          one ? r.GetEnumValue(message, &field) : r.GetRepeatedEnumValue(message, &field, index);
      const EnumValueDescriptor* value = field.enum_type()->FindValueByNumber(number);
      return value == nullptr ? std::to_string(number) : short_name(*value);
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;  // the caller descends
  }
  return {};
}

bool is_text(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_STRING ||
         field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM ||
         field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;  // a timestamp
}

std::string timestamp_text(const Message& message) {
  google::protobuf::Timestamp time;
  time.CopyFrom(message);
  return google::protobuf::util::TimeUtil::ToString(time);
}

std::vector<const FieldDescriptor*> fields_to_write(const Message& message, Detail detail) {
  std::vector<const FieldDescriptor*> fields;
  const Reflection& r = *message.GetReflection();
  if (detail == Detail::set) {
    r.ListFields(message, &fields);
    return fields;
  }
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message.GetDescriptor()->field(i);
    const bool is_message = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    // `real_containing_oneof` leaves out the hidden one of an `optional` field.
    const bool is_chosen = is_message || field->real_containing_oneof() != nullptr;
    if (field->is_repeated() || !is_chosen || r.HasField(message, field)) {
      fields.push_back(field);
    }
  }
  return fields;
}

/// Receives a message as a tree of maps, lists and scalars.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void empty_map() = 0;
  virtual void begin_map() = 0;
  virtual void key(const std::string& name) = 0;
  virtual void end_map() = 0;
  virtual void begin_list() = 0;
  virtual void end_list() = 0;
  virtual void scalar(const std::string& text, bool quoted) = 0;
};

void write(const Message& message, Detail detail, Sink& sink);

void write_value(const Message& message, const FieldDescriptor& field, int index, Detail detail,
                 Sink& sink) {
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
    sink.scalar(scalar_text(message, field, index), is_text(field));
    return;
  }
  const Reflection& r = *message.GetReflection();
  const Message& inner =
      index < 0 ? r.GetMessage(message, &field) : r.GetRepeatedMessage(message, &field, index);
  if (is_timestamp(*inner.GetDescriptor())) {
    sink.scalar(timestamp_text(inner), true);
  } else {
    write(inner, detail, sink);
  }
}

void write(const Message& message, Detail detail, Sink& sink) {
  const Reflection& r = *message.GetReflection();
  const auto fields = fields_to_write(message, detail);
  if (fields.empty()) {
    sink.empty_map();
    return;
  }
  sink.begin_map();
  for (const FieldDescriptor* field : fields) {
    sink.key(field->name());
    if (!field->is_repeated()) {
      write_value(message, *field, -1, detail, sink);
      continue;
    }
    sink.begin_list();
    for (int i = 0; i < r.FieldSize(message, field); ++i) {
      write_value(message, *field, i, detail, sink);
    }
    sink.end_list();
  }
  sink.end_map();
}

class YamlSink : public Sink {
 public:
  void empty_map() override { out_ << YAML::Flow << YAML::BeginMap << YAML::EndMap; }
  void begin_map() override { out_ << YAML::BeginMap; }
  void key(const std::string& name) override { out_ << YAML::Key << name << YAML::Value; }
  void end_map() override { out_ << YAML::EndMap; }
  void begin_list() override { out_ << YAML::BeginSeq; }
  void end_list() override { out_ << YAML::EndSeq; }
  void scalar(const std::string& text, bool quoted) override {
    if (quoted && !is_plain(text)) {
      out_ << YAML::DoubleQuoted;
    }
    out_ << text;
  }
  std::string text() const { return std::string(out_.c_str(), out_.size()) + "\n"; }

 private:
  /// Whether any reader of YAML takes the bare word for a text.
  static bool is_plain(const std::string& text) {
    static constexpr std::array<std::string_view, 12> kWords = {
        "true", "false", "yes", "no", "on", "off", "null", "y", "n", "nan", "inf", "~"};
    const auto is_word_byte = [](unsigned char c) {
      return isalnum(c) || c == '_' || c == '-' || c == '.' || c == '/';
    };
    const bool is_ipv4 = std::count(text.begin(), text.end(), '.') == 3 &&
                         text.find_first_not_of("0123456789.") == std::string::npos;
    return is_ipv4 ||
           (!text.empty() && (isalpha(static_cast<unsigned char>(text[0])) || text[0] == '/') &&
            std::all_of(text.begin(), text.end(), is_word_byte) &&
            std::none_of(kWords.begin(), kWords.end(),
                         [&](std::string_view word) { return upper(word) == upper(text); }));
  }

  YAML::Emitter out_;
};

class JsonSink : public Sink {
 public:
  void empty_map() override {
    open('{');
    close('}');
  }
  void begin_map() override { open('{'); }
  void key(const std::string& name) override {
    separate();
    quote(name);
    out_ += ": ";
    after_key_ = true;
  }
  void end_map() override { close('}'); }
  void begin_list() override { open('['); }
  void end_list() override { close(']'); }
  void scalar(const std::string& text, bool quoted) override {
    before_value();
    if (quoted) {
      quote(text);
    } else {
      out_ += text;
    }
  }
  std::string text() const { return out_ + "\n"; }

 private:
  void before_value() {
    if (!after_key_ && depth_ > 0) {
      separate();
    }
    after_key_ = false;
  }
  void separate() {
    if (!first_) {
      out_ += ',';
    }
    first_ = false;
    out_ += '\n';
    out_.append(2 * depth_, ' ');
  }
  void open(char bracket) {
    before_value();
    out_ += bracket;
    ++depth_;
    first_ = true;
  }
  void close(char bracket) {
    --depth_;
    if (!first_) {
      out_ += '\n';
      out_.append(2 * depth_, ' ');
    }
    out_ += bracket;
    first_ = false;
  }
  void quote(const std::string& text) {
    out_ += '"';
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') {
        out_ += '\\';
        out_ += c;
      } else if (byte < 0x20) {
        std::array<char, 8> escape{};
        std::snprintf(escape.data(), escape.size(), "\\u%04x", byte);
        out_ += escape.data();
      } else {
        out_ += c;
      }
    }
    out_ += '"';
  }

  std::string out_;
  size_t depth_ = 0;
  bool first_ = true;
  bool after_key_ = false;
};

}  // namespace

std::string short_name(const EnumValueDescriptor& value) {
  // The prefix is the enum's name in upper snake case: WithoutServer -> WITHOUT_SERVER_.
  std::string prefix;
  for (const char c : value.type()->name()) {
    if (isupper(static_cast<unsigned char>(c)) && !prefix.empty()) {
      prefix += '_';
    }
    prefix += static_cast<char>(toupper(c));
  }
  prefix += '_';
  std::string name = value.name();
  if (name.starts_with(prefix)) {
    name.erase(0, prefix.size());
  }
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return tolower(c); });
  return name;
}

std::string field_text(const Message& message, const FieldDescriptor& field) {
  const Reflection& r = *message.GetReflection();
  if (field.is_repeated() || (field.has_presence() && !r.HasField(message, &field))) {
    return {};
  }
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
    return scalar_text(message, field, -1);
  }
  const Message& inner = r.GetMessage(message, &field);
  return is_timestamp(*inner.GetDescriptor()) ? timestamp_text(inner) : std::string{};
}

std::string to_yaml(const Message& message, Detail detail) {
  YamlSink sink;
  write(message, detail, sink);
  return sink.text();
}

std::string to_json(const Message& message, Detail detail) {
  JsonSink sink;
  write(message, detail, sink);
  return sink.text();
}

std::string element_label(const Message& element, size_t position) {
  const Descriptor& type = *element.GetDescriptor();
  const FieldDescriptor* name = type.FindFieldByName("name");
  const FieldDescriptor* address = type.FindFieldByName("address");
  const FieldDescriptor* port = type.FindFieldByName("port");
  std::string label = name == nullptr ? std::string{} : field_text(element, *name);
  if (label.empty() && name == nullptr && address != nullptr && port != nullptr) {
    const std::string text = field_text(element, *address);
    label = text.find(':') == std::string::npos ? text : "[" + text + "]";
    const std::string number = field_text(element, *port);
    label = text.empty() ? text : number.empty() ? label : label + ":" + number;
  }
  return label.empty() ? "[" + std::to_string(position) + "]" : "[\"" + label + "\"]";
}

}  // namespace nezu::config
