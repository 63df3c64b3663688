// list, show, create, update and delete of one kind of named resource; a kind is described by a
// struct of its messages (service.cc, pool.cc and snat.cc have one each).
#pragma once

#include <string>
#include <vector>

#include "controlplane/config/yaml.h"
#include "tools/nezu/assignments.h"
#include "tools/nezu/change.h"
#include "tools/nezu/file.h"
#include "tools/nezu/session.h"
#include "tools/nezu/table.h"

namespace nezu::cli {

inline constexpr uint32_t kPage = 1000;

/// All pages of a list, as one response.
template <typename Response, typename Request>
Response list_all(Client& client, Request request) {
  Response all;
  request.set_page_size(kPage);
  do {
    const auto page = client.call<Response>(request);
    request.set_page_token(page.next_page_token());
    all.clear_total();
    all.MergeFrom(page);
  } while (!request.page_token().empty());
  all.clear_next_page_token();
  return all;
}

/// One object: YAML, which reads well and can be given back, unless JSON is asked for.
inline void print_object(const Session& session, const google::protobuf::Message& object) {
  session.out << (session.format == Format::json ? config::to_json(object)
                                                 : config::to_yaml(object));
}

struct ResourceState {
  std::string name;
  std::string file;
  std::vector<std::string> assignments;
  ChangeFlags flags;
};

template <typename Kind>
void add_list(CLI::App& parent, Session& session) {
  action(parent.add_subcommand("list", "List them all"), session, [&session] {
    const auto response =
        list_all<typename Kind::ListResponse>(session.client(), typename Kind::ListRequest());
    print(session, response, [&] {
      Table table(Kind::titles());
      for (const auto& object : Kind::objects(response)) {
        table.add(Kind::row(object));
      }
      table.print(session.out);
    });
    return Exit::ok;
  });
}

template <typename Kind>
void add_show(CLI::App& parent, Session& session) {
  auto state = std::make_shared<ResourceState>();
  auto* command = parent.add_subcommand("show", "Show one with every field");
  command->add_option("name", state->name, "Its name")->required();
  action(command, session, [state, &session] {
    typename Kind::GetRequest request;
    request.set_name(state->name);
    print_object(session, session.client().call<typename Kind::Object>(request));
    return Exit::ok;
  });
}

/// create and update differ in the request and in the mask.
template <typename Kind>
void add_write(CLI::App& parent, Session& session, bool is_new) {
  auto state = std::make_shared<ResourceState>();
  auto* command = parent.add_subcommand(is_new ? "create" : "update",
                                        is_new ? "Add one" : "Change some fields of one");
  command->add_option("name", state->name, "Its name")->required();
  command->add_option("assignments", state->assignments,
                      std::string("Fields, as ") + Kind::kExample);
  if (is_new) {
    command->add_option("-f,--file", state->file, "Its fields from a file (YAML or JSON)");
  }
  state->flags.add(command);
  action(command, session, [state, is_new, &session] {
    typename Kind::Object object;
    if (!state->file.empty()) {
      parse_into(read_text(state->file), state->file, object);
    }
    const auto paths = assign(state->assignments, object);
    object.set_name(state->name);
    if (is_new) {
      typename Kind::CreateRequest request;
      Kind::object(request) = object;
      *request.mutable_options() = state->flags.options();
      return change(session, request);
    }
    if (paths.empty()) {
      throw Failure(Exit::usage, std::string("nothing to change was given, as ") + Kind::kExample);
    }
    typename Kind::UpdateRequest request;
    Kind::object(request) = object;
    for (const std::string& path : paths) {
      request.mutable_update_mask()->add_paths(path);
    }
    *request.mutable_options() = state->flags.options();
    return change(session, request);
  });
}

template <typename Kind>
void add_delete(CLI::App& parent, Session& session) {
  auto state = std::make_shared<ResourceState>();
  auto* command = parent.add_subcommand("delete", "Remove one");
  command->add_option("name", state->name, "Its name")->required();
  state->flags.add(command);
  action(command, session, [state, &session] {
    typename Kind::DeleteRequest request;
    request.set_name(state->name);
    *request.mutable_options() = state->flags.options();
    return change(session, request);
  });
}

template <typename Kind>
void add_resource(CLI::App& app, Session& session, const char* name, const char* text) {
  auto* parent = app.add_subcommand(name, text);
  parent->require_subcommand(1);
  add_list<Kind>(*parent, session);
  add_show<Kind>(*parent, session);
  add_write<Kind>(*parent, session, true);
  add_write<Kind>(*parent, session, false);
  add_delete<Kind>(*parent, session);
}

}  // namespace nezu::cli
