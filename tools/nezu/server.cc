// server: real servers, as the checks see them and as members of pools.
#include <algorithm>
#include <chrono>

#include "nezu/v1/state.pb.h"
#include "tools/nezu/commands.h"
#include "tools/nezu/resource.h"

namespace nezu::cli {
namespace {

constexpr char kServer[] = "As 10.0.0.1:80, [2001:db8::1]:80 or 10.0.0.1:53/udp";

struct State {
  std::string pool;
  std::string server;
  std::vector<std::string> assignments;
  ChangeFlags flags;
};

std::string joined(const google::protobuf::RepeatedPtrField<std::string>& names) {
  std::string out;
  for (const std::string& name : names) {
    out += (out.empty() ? "" : ",") + name;
  }
  return out;
}

/// "2", or "2 x 50 %" where pools follow the server; of the first pool, as the weight is.
std::string weight_text(const v1::ServerStatus& server) {
  const std::string weight = std::to_string(server.weight());
  const bool is_first = server.followed_size() != 0 && server.pools_size() != 0 &&
                        server.followed(0).pool() == server.pools(0);
  return is_first ? weight + " x " + std::to_string(server.followed(0).percent()) + " %" : weight;
}

std::string age_text(const google::protobuf::Timestamp& time) {
  const int64_t now = std::chrono::duration_cast<std::chrono::seconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
  return duration_text(static_cast<uint64_t>(std::max<int64_t>(now - time.seconds(), 0)));
}

std::string follows_text(const v1::FollowedWeight& followed) {
  std::string text;
  if (followed.response_us() != 0) {
    text = "answers in " + scaled(followed.response_us() / 1000.0) + " ms";
  }
  if (!followed.agent().empty() || followed.is_stale()) {
    const std::string line = '"' + followed.agent() + '"';
    text = followed.agent().empty() ? "agent never heard" : "agent " + line;
    text += followed.has_heard() ? " " + age_text(followed.heard()) + " ago" : "";
    text += followed.is_stale() ? ", stale" : "";
  }
  const auto add = [&text](bool is, const char* what) {
    text += is ? (text.empty() ? "" : ", ") + std::string(what) : "";
  };
  add(followed.drains(), "drains");
  add(followed.in_maintenance(), "maintenance");
  add(followed.is_down(), "down");
  return text;
}

/// What its first pool that follows it has heard.
std::string follows_text(const v1::ServerStatus& server) {
  return server.followed_size() == 0 ? "" : follows_text(server.followed(0));
}

v1::ListServerStatusResponse status_of(Session& session, const std::string& pool) {
  v1::ListServerStatusRequest request;
  request.set_pool(pool);
  return session.client().call<v1::ListServerStatusResponse>(request);
}

void add_list(CLI::App& parent, Session& session) {
  auto state = std::make_shared<State>();
  auto* command = parent.add_subcommand("list", "List them with their state, health and flows");
  command->add_option("--pool", state->pool, "Only this pool's");
  action(command, session, [state, &session] {
    const auto response = status_of(session, state->pool);
    print(session, response, [&] {
      Table table(
          {"server", "pools", "state", "health", "configured", ">weight", ">flows", "follows"});
      for (const v1::ServerStatus& server : response.servers()) {
        table.add({server_text(server.server()), joined(server.pools()),
                   server.leaving() ? "leaving" : name_of(server.state()),
                   server.awaits_return() ? "awaits return" : name_of(server.health()),
                   name_of(server.admin_state()), weight_text(server),
                   std::to_string(server.flows()), follows_text(server)});
      }
      table.print(session.out);
    });
    return Exit::ok;
  });
}

bool is_same(const v1::ServerIdentity& a, const v1::ServerIdentity& b) {
  const auto protocol = [](const auto& s) {
    return s.protocol() == v1::PROTOCOL_UNSPECIFIED ? v1::PROTOCOL_TCP : s.protocol();
  };
  return a.instance() == b.instance() && a.address() == b.address() && a.port() == b.port() &&
         protocol(a) == protocol(b);
}

Exit show(Session& session, const State& state) {
  const v1::ServerIdentity identity = parse_server(state.server);
  if (!state.pool.empty()) {
    v1::GetServerRequest request;
    request.set_pool(state.pool);
    *request.mutable_server() = identity;
    print_object(session, session.client().call<v1::RealServer>(request));
    return Exit::ok;
  }
  const auto response = status_of(session, "");
  for (const v1::ServerStatus& server : response.servers()) {
    if (is_same(server.server(), identity)) {
      print_object(session, server);
      return Exit::ok;
    }
  }
  throw Failure(Exit::not_found, "no pool has the server " + state.server +
                                     "; nezu server list shows those that exist");
}

void add_show(CLI::App& parent, Session& session) {
  auto state = std::make_shared<State>();
  auto* command = parent.add_subcommand("show", "Show one: its state, or a pool's member");
  command->add_option("server", state->server, kServer)->required();
  command->add_option("--pool", state->pool, "As this pool has it configured");
  action(command, session, [state, &session] { return show(session, *state); });
}

void add_return(CLI::App& parent, Session& session) {
  auto state = std::make_shared<State>();
  auto* command = parent.add_subcommand(
      "return", "Let one return that has failed and is good again (checks with manual_return)");
  command->add_option("server", state->server, kServer)->required();
  action(command, session, [state, &session] {
    v1::ReturnServerRequest request;
    *request.mutable_server() = parse_server(state->server);
    const auto response = session.client().call<v1::ReturnServerResponse>(request);
    print(session, response,
          [&] { session.out << server_text(response.server()) << " may take new flows again\n"; });
    return Exit::ok;
  });
}

/// The member that a create or update is about, with what was assigned.
v1::RealServer member_of(const State& state, std::vector<std::string>& paths) {
  const v1::ServerIdentity identity = parse_server(state.server);
  v1::RealServer server;
  paths = assign(state.assignments, server);
  server.set_address(identity.address());
  server.set_port(identity.port());
  server.set_protocol(identity.protocol());
  return server;
}

void add_write(CLI::App& parent, Session& session, bool is_new) {
  auto state = std::make_shared<State>();
  auto* command =
      parent.add_subcommand(is_new ? "create" : "update",
                            is_new ? "Add one to a pool" : "Change some fields of a pool's member");
  command->add_option("pool", state->pool, "The pool's name")->required();
  command->add_option("server", state->server, kServer)->required();
  command->add_option("assignments", state->assignments, "Fields, as weight=3");
  state->flags.add(command);
  action(command, session, [state, is_new, &session] {
    std::vector<std::string> paths;
    const v1::RealServer server = member_of(*state, paths);
    if (is_new) {
      v1::CreateServerRequest request;
      request.set_pool(state->pool);
      *request.mutable_server() = server;
      *request.mutable_options() = state->flags.options();
      return change(session, request);
    }
    if (paths.empty()) {
      throw Failure(Exit::usage, "nothing to change was given, as weight=3");
    }
    v1::UpdateServerRequest request;
    request.set_pool(state->pool);
    *request.mutable_server() = server;
    for (const std::string& path : paths) {
      request.mutable_update_mask()->add_paths(path);
    }
    *request.mutable_options() = state->flags.options();
    return change(session, request);
  });
}

void add_delete(CLI::App& parent, Session& session) {
  auto state = std::make_shared<State>();
  auto* command =
      parent.add_subcommand("delete", "Remove one from a pool; its flows go on until they end");
  command->add_option("pool", state->pool, "The pool's name")->required();
  command->add_option("server", state->server, kServer)->required();
  state->flags.add(command);
  action(command, session, [state, &session] {
    v1::DeleteServerRequest request;
    request.set_pool(state->pool);
    *request.mutable_server() = parse_server(state->server);
    *request.mutable_options() = state->flags.options();
    return change(session, request);
  });
}

}  // namespace

void add_server(CLI::App& app, Session& session) {
  auto* parent = app.add_subcommand("server", "Real servers: their state, and members of pools");
  parent->require_subcommand(1);
  add_list(*parent, session);
  add_show(*parent, session);
  add_return(*parent, session);
  add_write(*parent, session, true);
  add_write(*parent, session, false);
  add_delete(*parent, session);
}

}  // namespace nezu::cli
