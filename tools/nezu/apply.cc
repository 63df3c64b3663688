// apply, get, diff, history, rollback: the configuration as a whole.
#include <algorithm>

#include "controlplane/config/yaml.h"
#include "tools/nezu/change.h"
#include "tools/nezu/commands.h"
#include "tools/nezu/failure.h"
#include "tools/nezu/file.h"
#include "tools/nezu/parts.h"
#include "tools/nezu/table.h"

namespace nezu::cli {
namespace {

/// Below gRPC's 4 MiB for one message.
constexpr size_t kOneMessage = 3u << 20;

v1::ChangeResponse apply(Client& client, v1::Configuration configuration,
                         const v1::ChangeOptions& options) {
  if (configuration.ByteSizeLong() <= kOneMessage) {
    v1::ApplyRequest request;
    *request.mutable_configuration() = std::move(configuration);
    *request.mutable_options() = options;
    return client.call<v1::ChangeResponse>(request);
  }
  v1::ChangeResponse response;
  client.upload(parts_of(std::move(configuration), options, 1u << 20), response);
  return response;
}

void print_configuration(const Session& session, const v1::Configuration& configuration) {
  session.out << (session.format == Format::json ? config::to_json(configuration)
                                                 : config::to_yaml(configuration));
}

}  // namespace

void add_apply(CLI::App& app, Session& session) {
  struct State {
    std::string file;
    ChangeFlags flags;
  };
  auto* command = app.add_subcommand("apply", "Make a file the whole configuration");
  auto state = std::make_shared<State>();
  command->add_option("-f,--file", state->file, "YAML or JSON; - is the standard input")
      ->required();
  state->flags.add(command);
  action(command, session, [state, &session] {
    return report_change(
        session, apply(session.client(), read_configuration(state->file), state->flags.options()));
  });
}

void add_get(CLI::App& app, Session& session) {
  auto* command = app.add_subcommand("get", "Print the configuration, as apply takes it");
  auto revision = std::make_shared<uint64_t>(0);
  command->add_option("--revision", *revision, "An earlier one that is still kept");
  action(command, session, [revision, &session] {
    v1::GetResponse response;
    if (*revision == 0) {
      response = session.client().call<v1::GetResponse>(v1::GetRequest());
    } else {
      v1::GetRevisionRequest request;
      request.set_revision(*revision);
      response = session.client().call<v1::GetResponse>(request);
    }
    print_configuration(session, response.configuration());
    return Exit::ok;
  });
}

void add_diff(CLI::App& app, Session& session) {
  struct State {
    std::string file;
    uint64_t from = 0, to = 0;
  };
  auto* command = app.add_subcommand("diff", "Show what a file or a revision changes");
  auto state = std::make_shared<State>();
  auto* file =
      command->add_option("-f,--file", state->file, "What apply of this file would change");
  command->add_option("--from", state->from, "Revision; default: the one before --to")
      ->excludes(file);
  command->add_option("--to", state->to, "Revision; default: the current one")->excludes(file);
  action(command, session, [state, &session] {
    if (!state->file.empty()) {
      v1::ChangeOptions options;
      options.set_dry_run(true);
      return report_change(session,
                           apply(session.client(), read_configuration(state->file), options));
    }
    v1::DiffRevisionsRequest request;
    request.set_from(state->from);
    request.set_to(state->to);
    const auto diff = session.client().call<v1::Diff>(request);
    print(session, diff, [&] { print_diff(session.out, diff, Fields::all); });
    return Exit::ok;
  });
}

void add_history(CLI::App& app, Session& session) {
  auto* command = app.add_subcommand("history", "List the last changes, newest first");
  auto limit = std::make_shared<uint32_t>(20);
  command->add_option("-n,--limit", *limit, "Most entries")->capture_default_str();
  action(command, session, [limit, &session] {
    v1::ListHistoryRequest request;
    request.set_limit(*limit);
    const auto response = session.client().call<v1::ListHistoryResponse>(request);
    print(session, response, [&] {
      Table table({">revision", "time", ">added", ">changed", ">removed", "author", "comment"});
      for (const auto& entry : response.entries()) {
        table.add({std::to_string(entry.revision()), time_text(entry.time(), entry.has_time()),
                   std::to_string(entry.added()), std::to_string(entry.changed()),
                   std::to_string(entry.removed()), entry.author(), entry.comment()});
      }
      table.print(session.out);
    });
    return Exit::ok;
  });
}

void add_rollback(CLI::App& app, Session& session) {
  struct State {
    uint64_t revision = 0;
    ChangeFlags flags;
  };
  auto* command = app.add_subcommand("rollback", "Apply an earlier revision again");
  auto state = std::make_shared<State>();
  auto* revision =
      command->add_option("revision", state->revision, "Default: the one before the current one");
  state->flags.add(command);
  action(command, session, [state, revision, &session] {
    // To the API 0 is the default, which whoever typed it did not mean.
    if (revision->count() != 0 && state->revision == 0) {
      throw Failure(Exit::usage,
                    "revision 0 is the empty configuration; apply an empty file to remove "
                    "everything, or name another revision (nezu history)");
    }
    v1::RollbackRequest request;
    request.set_revision(state->revision);
    *request.mutable_options() = state->flags.options();
    return change(session, request);
  });
}

}  // namespace nezu::cli
