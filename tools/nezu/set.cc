// set weight, set state, drain: what is changed most often, in one word.
#include <thread>

#include "nezu/v1/state.pb.h"
#include "tools/nezu/change.h"
#include "tools/nezu/commands.h"

namespace nezu::cli {
namespace {

constexpr char kServer[] = "As 10.0.0.1:80, [2001:db8::1]:80 or 10.0.0.1:53/udp";
constexpr std::chrono::milliseconds kLookEvery{250};

struct State {
  std::string server;
  std::string pool;
  uint32_t weight = 1;
  v1::AdminState state = v1::ADMIN_STATE_READY;
  std::string deadline;
  bool wait = false;
  ChangeFlags flags;
};

v1::SetServerStateRequest state_request(const State& state) {
  v1::SetServerStateRequest request;
  *request.mutable_server() = parse_server(state.server);
  request.set_state(state.state);
  if (!state.deadline.empty()) {
    if (state.state != v1::ADMIN_STATE_DRAIN) {
      throw Failure(Exit::usage, "--deadline is for draining only: set state SERVER drain");
    }
    const auto deadline = std::chrono::ceil<std::chrono::seconds>(parse_duration(state.deadline));
    if (deadline.count() < 1) {
      throw Failure(Exit::usage,
                    "a deadline of 0 is no drain: nezu flows end --real-server ends flows at once");
    }
    request.set_drain_timeout_s(static_cast<uint32_t>(deadline.count()));
  }
  *request.mutable_options() = state.flags.options();
  return request;
}

/// Flows left on the server; nothing when it is in no pool and has no flow any more.
uint64_t flows_left(Session& session, const v1::ServerIdentity& server) {
  const auto response =
      session.client().call<v1::ListServerStatusResponse>(v1::ListServerStatusRequest());
  for (const v1::ServerStatus& status : response.servers()) {
    if (server_text(status.server()) == server_text(server)) {
      return status.flows();
    }
  }
  return 0;
}

/// Until no flow is left. Without a deadline of the drain it waits as long as it takes.
Exit wait_for_drain(Session& session, const State& state) {
  const v1::ServerIdentity server = parse_server(state.server);
  const auto start = std::chrono::steady_clock::now();
  // The data plane ends what is left at the deadline; a little more time is for the counting.
  const auto longest = state.deadline.empty()
                           ? std::chrono::hours{24 * 365}
                           : parse_duration(state.deadline) + std::chrono::seconds{10};
  uint64_t told = UINT64_MAX;
  for (;;) {
    const uint64_t left = flows_left(session, server);
    if (left != told && session.format == Format::table) {
      session.out << server_text(server) << ": " << left << (left == 1 ? " flow" : " flows")
                  << " left" << std::endl;
      told = left;
    }
    if (left == 0) {
      return Exit::ok;
    }
    if (std::chrono::steady_clock::now() - start > longest) {
      throw Failure(Exit::incomplete, server_text(server) + " still has " + std::to_string(left) +
                                          " flows; is the data plane running? (nezu system)");
    }
    std::this_thread::sleep_for(kLookEvery);
  }
}

}  // namespace

void add_set(CLI::App& app, Session& session) {
  auto* parent = app.add_subcommand("set", "Set a server's weight or state");
  parent->require_subcommand(1);

  auto state = std::make_shared<State>();
  auto* weight = parent->add_subcommand("weight", "Share of new flows against the other members");
  weight->add_option("server", state->server, kServer)->required();
  weight->add_option("weight", state->weight, "0 to 65535; 0 takes no new flow")->required();
  weight->add_option("--pool", state->pool, "Only in this pool; default: in all that have it");
  state->flags.add(weight);
  action(weight, session, [state, &session] {
    v1::SetServerWeightRequest request;
    request.set_pool(state->pool);
    *request.mutable_server() = parse_server(state->server);
    request.set_weight(state->weight);
    *request.mutable_options() = state->flags.options();
    return change(session, request);
  });

  state = std::make_shared<State>();
  auto* set_state = parent->add_subcommand("state", "ready, drain or disabled");
  set_state->add_option("server", state->server, kServer)->required();
  set_state->add_option("state", state->state, "ready, drain or disabled")
      ->required()
      ->transform(CLI::CheckedTransformer(
                      std::map<std::string, v1::AdminState>{{"ready", v1::ADMIN_STATE_READY},
                                                            {"drain", v1::ADMIN_STATE_DRAIN},
                                                            {"disabled", v1::ADMIN_STATE_DISABLED}})
                      .description(""))
      ->type_name("STATE");
  set_state->add_option("--deadline", state->deadline,
                        "With drain: end the flows that are left after this time");
  state->flags.add(set_state);
  action(set_state, session, [state, &session] { return change(session, state_request(*state)); });
}

void add_drain(CLI::App& app, Session& session) {
  auto state = std::make_shared<State>();
  state->state = v1::ADMIN_STATE_DRAIN;
  auto* command = app.add_subcommand("drain", "Give a server no new flow; existing ones go on");
  command->add_option("server", state->server, kServer)->required();
  command->add_option("--deadline", state->deadline,
                      "End the flows that are left after this time, as 30s; default: never");
  command->add_flag("--wait", state->wait, "Return when no flow is left");
  state->flags.add(command);
  action(command, session, [state, &session] {
    const Exit exit = change(session, state_request(*state));
    return exit == Exit::ok && state->wait && !state->flags.check ? wait_for_drain(session, *state)
                                                                  : exit;
  });
}

}  // namespace nezu::cli
