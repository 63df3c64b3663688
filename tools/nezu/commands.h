// The table of commands: one file for each group of verbs.
#pragma once

#include <string>
#include <vector>

#include "tools/nezu/session.h"

namespace nezu::cli {

// configuration as a whole
void add_apply(CLI::App& app, Session& session);
void add_get(CLI::App& app, Session& session);
void add_diff(CLI::App& app, Session& session);
void add_history(CLI::App& app, Session& session);
void add_rollback(CLI::App& app, Session& session);
// one resource at a time
void add_service(CLI::App& app, Session& session);
void add_pool(CLI::App& app, Session& session);
void add_server(CLI::App& app, Session& session);
void add_snat(CLI::App& app, Session& session);
void add_source_nat(CLI::App& app, Session& session);
void add_instance(CLI::App& app, Session& session);
void add_set(CLI::App& app, Session& session);
void add_access(CLI::App& app, Session& session);
void add_drain(CLI::App& app, Session& session);
// what happens
void add_stats(CLI::App& app, Session& session);
void add_flows(CLI::App& app, Session& session);
void add_persistence(CLI::App& app, Session& session);
void add_watch(CLI::App& app, Session& session);
void add_top(CLI::App& app, Session& session);
void add_check(CLI::App& app, Session& session);
void add_nat_log(CLI::App& app, Session& session);
void add_replay(CLI::App& app, Session& session);
void add_capture(CLI::App& app, Session& session);
void add_explain(CLI::App& app, Session& session);
// the programs
void add_tables(CLI::App& app, Session& session);
void add_system(CLI::App& app, Session& session);
void add_support(CLI::App& app, Session& session);
void add_completion(CLI::App& app, Session& session);
void add_version(CLI::App& app, Session& session);

/// Builds the whole command line on `app`.
void add_commands(CLI::App& app, Session& session);

/// Parses and runs; prints errors to session.err. What main() returns.
int run(const std::vector<std::string>& arguments, Session& session);

}  // namespace nezu::cli
