#include "tools/nezu/commands.h"

#include <algorithm>

namespace nezu::cli {
namespace {

using Add = void (*)(CLI::App&, Session&);
constexpr Add kCommands[] = {
    add_apply,    add_get,         add_diff,    add_history,    add_rollback,  // whole
    add_service,  add_pool,        add_server,  add_snat,       add_source_nat,
    add_instance, add_set,         add_access,  add_drain,  // single
    add_stats,    add_flows,       add_watch,   add_top,        add_check,
    add_nat_log,  add_persistence, add_capture, add_explain,    add_replay,   // state
    add_tables,   add_system,      add_support, add_completion, add_version,  // programs
};

Format format_of(const std::string& name) {
  for (const auto& [known, format] :
       {std::pair{"table", Format::table}, {"json", Format::json}, {"yaml", Format::yaml}}) {
    if (name == known) {
      return format;
    }
  }
  throw CLI::ValidationError("--output", "must be table, json or yaml, not \"" + name + "\"");
}

void add_global_options(CLI::App& app, Session& session) {
  app.add_option("--server", session.target.server, "Control plane: unix:PATH or HOST:PORT")
      ->envname("NEZU_SERVER")
      ->capture_default_str();
  app.add_option_function<std::string>(
         "-o,--output", [&session](const std::string& form) { session.format = format_of(form); },
         "Form of the output: table, json or yaml")
      ->type_name("FORM");
  app.add_option("--timeout", session.timeout, "Longest wait for an answer, as 500ms, 30s or 5m")
      ->capture_default_str();
  app.add_option("--tls-ca", session.target.tls_ca, "CA of the control plane's certificate (PEM)")
      ->envname("NEZU_TLS_CA");
  app.add_option("--tls-cert", session.target.tls_certificate, "Own certificate (PEM)")
      ->envname("NEZU_TLS_CERT");
  app.add_option("--tls-key", session.target.tls_key, "Own private key (PEM)")
      ->envname("NEZU_TLS_KEY");
  app.add_option("--tls-name", session.target.tls_name,
                 "Name in the control plane's certificate, when it is not the host's");
}

int report(const Failure& failure, std::ostream& err) {
  err << "nezu: " << failure.what() << '\n';
  for (const std::string& detail : failure.details()) {
    err << "  " << detail << '\n';
  }
  return static_cast<int>(failure.exit());
}

}  // namespace

void add_commands(CLI::App& app, Session& session) {
  app.require_subcommand(1);
  app.fallthrough();  // global options may stand behind the command too
  add_global_options(app, session);
  for (const Add add : kCommands) {
    add(app, session);
  }
}

int run(const std::vector<std::string>& arguments, Session& session) {
  CLI::App app("Configure and watch the Nezu load balancer", "nezu");
  add_commands(app, session);
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    app.parse(reversed);
  } catch (const CLI::ParseError& error) {
    const int status = app.exit(error, session.out, session.err);
    return status == 0 ? 0 : static_cast<int>(Exit::usage);
  } catch (const Failure& failure) {
    return report(failure, session.err);
  }
  try {
    const int status = static_cast<int>(session.run());
    session.out.flush();
    return status;
  } catch (const Failure& failure) {
    session.out.flush();
    return report(failure, session.err);
  } catch (const std::exception& error) {
    session.err << "nezu: " << error.what() << '\n';
    return static_cast<int>(Exit::internal);
  }
}

}  // namespace nezu::cli
