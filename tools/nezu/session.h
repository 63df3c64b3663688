// What every command gets: the global options, the streams, the connection; and how it is run.
//
// A command is declared by `add_*` (commands.h) on a CLI::App: options are bound to a state that
// lives as long as the app, and `action` says what runs when this very command was chosen.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <iostream>
#include <memory>
#include <string>

#include "tools/nezu/client.h"
#include "tools/nezu/text.h"

namespace nezu::cli {

enum class Format : uint8_t { table, json, yaml };

struct Session {
  Session() = default;
  Session(std::ostream& to_out, std::ostream& to_err) : out(to_out), err(to_err) {}

  Target target;
  Format format = Format::table;
  std::string timeout = "30s";
  std::ostream& out = std::cout;
  std::ostream& err = std::cerr;
  std::function<Exit()> run;  ///< set by the command that was chosen

  /// Connects at first use.
  Client& client() {
    if (!client_) {
      client_ = std::make_unique<Client>(target, parse_duration(timeout));
    }
    return *client_;
  }

 private:
  std::unique_ptr<Client> client_;
};

/// `run` is called when `command` itself was chosen, not one of its subcommands.
inline void action(CLI::App* command, Session& session, std::function<Exit()> run) {
  command->callback([command, &session, run = std::move(run)] {
    if (command->get_subcommands().empty()) {
      session.run = run;
    }
  });
}

/// Prints `message` as JSON or YAML when that was asked for; else calls `table`.
void print(const Session& session, const google::protobuf::Message& message,
           const std::function<void()>& table);
/// One line of JSON, for streams.
std::string json_line(const google::protobuf::Message& message);

}  // namespace nezu::cli
