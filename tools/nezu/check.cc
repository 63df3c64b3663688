// check explain: what the last health check of a server saw.
#include "nezu/v1/state.pb.h"
#include "tools/nezu/commands.h"

namespace nezu::cli {
namespace {

void print_explanation(std::ostream& out, const v1::ExplainCheckResponse& check) {
  const auto line = [&out](const char* name, const std::string& text) {
    out << name << text << '\n';
  };
  line("server       ", server_text(check.server()) + ", pool " + check.pool());
  line("check        ", check.check());
  line("health       ",
       name_of(check.health()) + (check.held_down() ? " (good again, held down)" : "") +
           (check.awaits_return() ? " (good again, waits for nezu server return)" : "") +
           (check.has_changed() ? ", since " + time_text(check.changed(), true) : ""));
  line("last result  ",
       name_of(check.last_result()) + (check.text().empty() ? "" : ": ") + check.text());
  if (!check.error().empty() && check.error() != check.text()) {
    line("error        ", check.error());
  }
  line("last check   ", time_text(check.time(), check.has_time()) + ", took " +
                            scaled(static_cast<double>(check.duration_us()) / 1000) + " ms, " +
                            bytes_text(check.bytes_received()) + " received");
  line("in a row     ", std::to_string(check.good_in_a_row()) + " good, " +
                            std::to_string(check.bad_in_a_row()) + " bad");
  line("all          ", std::to_string(check.good()) + " good, " + std::to_string(check.bad()) +
                            " bad, " + std::to_string(check.broken()) +
                            " could not run (not counted)");
  if (!check.frozen().empty()) {
    line("frozen       ", check.frozen());
    line("             ", "until then the state stays as it is");
  }
}

}  // namespace

void add_check(CLI::App& app, Session& session) {
  struct State {
    std::string server;
    std::string pool;
    bool agent = false;
  };
  auto state = std::make_shared<State>();
  auto* parent = app.add_subcommand("check", "Health checks");
  parent->require_subcommand(1);
  auto* command = parent->add_subcommand("explain", "Tell what the last check of a server saw");
  command->add_option("server", state->server, "As 10.0.0.1:80")->required();
  command->add_option("--pool", state->pool, "Whose check; default: the first pool with one");
  command->add_flag("--agent", state->agent,
                    "What its agent said last (pools with weights: agent)");
  action(command, session, [state, &session] {
    v1::ExplainCheckRequest request;
    *request.mutable_server() = parse_server(state->server);
    request.set_pool(state->pool);
    request.set_agent(state->agent);
    const auto response = session.client().call<v1::ExplainCheckResponse>(request);
    print(session, response, [&] { print_explanation(session.out, response); });
    return Exit::ok;
  });
}

}  // namespace nezu::cli
