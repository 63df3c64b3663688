// access: who may open flows, a few prefixes at a time.
#include "tools/nezu/change.h"
#include "tools/nezu/commands.h"

namespace nezu::cli {
namespace {

struct State {
  std::string service;
  std::string instance;
  std::vector<std::string> prefixes;
  ChangeFlags flags;
};

using List = google::protobuf::RepeatedPtrField<std::string>* (*)(v1::ChangeAccessRequest&);

void add_verb(CLI::App& parent, Session& session, const char* verb, const char* text, List list) {
  auto state = std::make_shared<State>();
  auto* command = parent.add_subcommand(verb, text);
  command->add_option("prefixes", state->prefixes, "As 192.0.2.0/24, 2001:db8::/32 or 192.0.2.7")
      ->required();
  auto* service = command->add_option("--service", state->service, "Of this service");
  command
      ->add_option("--instance", state->instance,
                   "Of all services of this network instance, or of the standard one")
      ->excludes(service);
  state->flags.add(command);
  action(command, session, [state, list, &session] {
    v1::ChangeAccessRequest request;
    request.set_service(state->service);
    request.set_instance(state->service.empty() && state->instance.empty() ? "standard"
                                                                           : state->instance);
    for (const std::string& prefix : state->prefixes) {
      *list(request)->Add() = prefix;
    }
    *request.mutable_options() = state->flags.options();
    return change(session, request);
  });
}

}  // namespace

void add_access(CLI::App& app, Session& session) {
  auto* parent = app.add_subcommand(
      "access", "Who may open flows: of one service, or of a whole network instance (default)");
  parent->require_subcommand(1);
  add_verb(*parent, session, "deny", "Deny prefixes; open flows go on (nezu flows end ends them)",
           [](v1::ChangeAccessRequest& request) { return request.mutable_deny(); });
  add_verb(*parent, session, "allow", "Allow prefixes",
           [](v1::ChangeAccessRequest& request) { return request.mutable_allow(); });
  add_verb(*parent, session, "remove", "Take prefixes out of either list",
           [](v1::ChangeAccessRequest& request) { return request.mutable_remove(); });
}

}  // namespace nezu::cli
