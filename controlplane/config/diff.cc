#include "controlplane/config/diff.h"

#include <algorithm>
#include <unordered_set>

#include "controlplane/config/names.h"
#include "controlplane/config/normalise.h"
#include "controlplane/config/validate.h"

namespace nezu::config {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::RepeatedPtrField;

template <typename T, typename Path, typename Removed>
void edit_list(const RepeatedPtrField<T>& wanted, const Table<T>& present, Path path,
               RepeatedPtrField<T>* changed, Removed removed, Problems& problems) {
  std::unordered_set<std::string_view> names;
  names.reserve(static_cast<size_t>(wanted.size()));
  for (const T& object : wanted) {
    if (!names.insert(object.name()).second) {
      complain(problems, path(object.name()) + ".name", object.name(),
               "The name is used twice; every name must be unique in its list.");
      continue;
    }
    const T* before = present.find(object.name());
    if (before == nullptr || !equal(*before, object)) {
      *changed->Add() = object;
    }
  }
  for (const auto& [name, object] : present) {
    if (!names.contains(name)) {
      removed(name);
    }
  }
}

template <typename T>
void drop_repeats(RepeatedPtrField<T>* objects, const Table<T>& present) {
  int kept = 0;
  for (int i = 0; i < objects->size(); ++i) {
    const T* before = present.find(objects->Get(i).name());
    if (before == nullptr || !equal(*before, objects->Get(i))) {
      objects->SwapElements(kept++, i);
    }
  }
  objects->DeleteSubrange(kept, objects->size() - kept);
}

std::string list_text(const Message& message, const FieldDescriptor& field) {
  std::string text;
  const auto& reflection = *message.GetReflection();
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    text += (i == 0 ? "" : ", ") + reflection.GetRepeatedString(message, &field, i);
  }
  return text;
}

/// Fields that differ; lists of messages are told apart by the caller.
void compare(const Message& before, const Message& after, const std::string& prefix,
             v1::Change& change) {
  const auto& type = *before.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    const std::string path = prefix + field.name();
    const bool is_message = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    if (field.is_repeated() && is_message) {
      continue;
    }
    const auto had = !field.is_repeated() && before.GetReflection()->HasField(before, &field);
    const auto has = !field.is_repeated() && after.GetReflection()->HasField(after, &field);
    const bool is_time =
        is_message && field.message_type()->full_name() == "google.protobuf.Timestamp";
    if (is_message && !is_time) {
      if (had || has) {
        if (field.message_type()->field_count() == 0 && had != has) {
          v1::FieldChange& line = *change.add_fields();
          line.set_field(path);
          line.set_before(had ? "set" : "");
          line.set_after(has ? "set" : "");
        }
        compare(before.GetReflection()->GetMessage(before, &field),
                after.GetReflection()->GetMessage(after, &field), path + ".", change);
      }
      continue;
    }
    std::string old_text =
        field.is_repeated() ? list_text(before, field) : field_text(before, field);
    std::string new_text = field.is_repeated() ? list_text(after, field) : field_text(after, field);
    // An unset number is no "0" of somebody's choice.
    const bool is_numeric = !field.is_repeated() && !field.has_presence() && !is_time &&
                            field.cpp_type() != FieldDescriptor::CPPTYPE_STRING;
    old_text = is_numeric && !had ? "" : old_text;
    new_text = is_numeric && !has ? "" : new_text;
    if (old_text != new_text) {
      v1::FieldChange& line = *change.add_fields();
      line.set_field(path);
      line.set_before(std::move(old_text));
      line.set_after(std::move(new_text));
    }
  }
}

class Describer {
 public:
  v1::Diff diff;

  /// Either side may be missing.
  void add(const std::string& object, const Message* before, const Message* after) {
    const bool is_listed = diff.changes_size() < kMostChanges;
    v1::Change change;
    change.set_object(object);
    const Message& some = before == nullptr ? *after : *before;
    const std::unique_ptr<Message> nothing(some.New());
    change.set_kind(before == nullptr  ? v1::CHANGE_KIND_ADDED
                    : after == nullptr ? v1::CHANGE_KIND_REMOVED
                                       : v1::CHANGE_KIND_CHANGED);
    if (after != nullptr && (is_listed || before != nullptr)) {
      compare(before == nullptr ? *nothing : *before, *after, "", change);
    }
    if (before != nullptr && after != nullptr && change.fields().empty()) {
      return;  // a pool of which only servers changed
    }
    diff.set_added(diff.added() + (before == nullptr ? 1 : 0));
    diff.set_removed(diff.removed() + (after == nullptr ? 1 : 0));
    diff.set_changed(diff.changed() + (before != nullptr && after != nullptr ? 1 : 0));
    if (is_listed) {
      *diff.add_changes() = std::move(change);
    }
  }

  void add_servers(const std::string& pool, const v1::Pool* before, const v1::Pool* after) {
    std::map<tables::ServerIdentity, std::pair<const Message*, const Message*>> servers;
    std::map<tables::ServerIdentity, std::string> paths;
    const auto collect = [&](const v1::Pool* side, bool is_after) {
      for (int i = 0; side != nullptr && i < side->servers_size(); ++i) {
        const auto identity = identity_of(side->servers(i));
        if (identity) {
          auto& pair = servers[*identity];
          (is_after ? pair.second : pair.first) = &side->servers(i);
          paths[*identity] = server_path(pool, side->servers(i));
        }
      }
    };
    collect(before, false);
    collect(after, true);
    for (const auto& [identity, pair] : servers) {
      if (pair.first == nullptr || pair.second == nullptr || !equal(*pair.first, *pair.second)) {
        add(paths[identity], pair.first, pair.second);
      }
    }
  }
};

template <typename T>
using Pairs = std::map<std::string, std::pair<const T*, const T*>>;

template <typename T>
Pairs<T> pairs_of(const RepeatedPtrField<T>& before, const RepeatedPtrField<T>& after) {
  Pairs<T> pairs;
  for (const T& object : before) {
    pairs[object.name()].first = &object;
  }
  for (const T& object : after) {
    pairs[object.name()].second = &object;
  }
  return pairs;
}

}  // namespace

store::Edit edit_to(const Model& model, const v1::Configuration& wanted, Problems& problems) {
  store::Edit edit;
  edit_list(
      wanted.services(), model.services(), service_path, edit.mutable_services(),
      [&](const std::string& name) { edit.add_removed_services(name); }, problems);
  edit_list(
      wanted.pools(), model.pools(), pool_path, edit.mutable_pools(),
      [&](const std::string& name) { edit.add_removed_pools(name); }, problems);
  edit_list(
      wanted.snat_sets(), model.snat_sets(), snat_set_path, edit.mutable_snat_sets(),
      [&](const std::string& name) { edit.add_removed_snat_sets(name); }, problems);
  edit_list(
      wanted.source_nats(), model.source_nats(), source_nat_path, edit.mutable_source_nats(),
      [&](const std::string& name) { edit.add_removed_source_nats(name); }, problems);
  edit_list(
      wanted.instances(), model.instances(), instance_path, edit.mutable_instances(),
      [&](const std::string& name) { edit.add_removed_instances(name); }, problems);
  if (!equal(wanted.settings(), model.settings())) {
    *edit.mutable_settings() = wanted.settings();
  }
  return edit;
}

store::Edit without_repeats(const Model& model, store::Edit edit) {
  drop_repeats(edit.mutable_services(), model.services());
  drop_repeats(edit.mutable_pools(), model.pools());
  drop_repeats(edit.mutable_snat_sets(), model.snat_sets());
  drop_repeats(edit.mutable_source_nats(), model.source_nats());
  drop_repeats(edit.mutable_instances(), model.instances());
  if (edit.has_settings() && equal(edit.settings(), model.settings())) {
    edit.clear_settings();
  }
  return edit;
}

bool is_empty(const store::Edit& edit) { return edit.ByteSizeLong() == 0; }

v1::Diff describe(const store::Edit& edit, const store::Edit& undo) {
  Describer describer;
  for (const auto& [name, pair] : pairs_of(undo.services(), edit.services())) {
    describer.add(service_path(name), pair.first, pair.second);
  }
  for (const auto& [name, pair] : pairs_of(undo.pools(), edit.pools())) {
    describer.add(pool_path(name), pair.first, pair.second);
    describer.add_servers(name, pair.first, pair.second);
  }
  for (const auto& [name, pair] : pairs_of(undo.snat_sets(), edit.snat_sets())) {
    describer.add(snat_set_path(name), pair.first, pair.second);
  }
  for (const auto& [name, pair] : pairs_of(undo.source_nats(), edit.source_nats())) {
    describer.add(source_nat_path(name), pair.first, pair.second);
  }
  for (const auto& [name, pair] : pairs_of(undo.instances(), edit.instances())) {
    describer.add(instance_path(name), pair.first, pair.second);
  }
  if (edit.has_settings()) {
    describer.add("settings", &undo.settings(), &edit.settings());
  }
  return std::move(describer.diff);
}

}  // namespace nezu::config
