// persistence: clients that stay on a server.
#include <optional>

#include "nezu/v1/flows.pb.h"
#include "tools/nezu/commands.h"
#include "tools/nezu/table.h"

namespace nezu::cli {
namespace {

struct Filter {
  std::string service, client, server;
  std::optional<uint32_t> instance;

  void add(CLI::App* command) {
    command->add_option("--service", service, "Only of this service, or of all with its mark");
    command->add_option("--client", client, "Only this client, by any of its addresses");
    command->add_option("--real-server", server, "Only on the server with this address");
    command->add_option("--instance", instance, "Only of the network instance of this number");
  }
  v1::PersistenceFilter message() const {
    v1::PersistenceFilter filter;
    filter.set_service(service);
    filter.set_client(client);
    filter.set_server_address(server);
    if (instance) {
      filter.set_instance(*instance);
    }
    return filter;
  }
};

std::string owner_of(const v1::PersistentClient& client) {
  return client.mark() != 0 ? "mark " + std::to_string(client.mark()) : client.service();
}

Exit list(Session& session, const Filter& filter, uint32_t limit) {
  v1::ListPersistenceRequest request;
  *request.mutable_filter() = filter.message();
  request.set_limit(limit);
  v1::ListPersistenceResponse response, all;
  session.client().stream(
      request, response,
      [&] {
        all.mutable_clients()->MergeFrom(response.clients());
        all.set_complete(response.complete());
        all.set_matched(response.matched());
        return true;
      },
      parse_duration(session.timeout));
  print(session, all, [&] {
    Table table({"client", "server", "service", ">expires"});
    for (const v1::PersistentClient& client : all.clients()) {
      table.add({client.client() + instance_text(client.instance()),
                 address_port(client.server(), client.server_port()), owner_of(client),
                 std::to_string(client.expires_in_s()) + "s"});
    }
    table.print(session.out);
    const auto listed = static_cast<uint64_t>(all.clients_size());
    session.out << listed << " of " << all.matched()
                << (all.matched() == 1 ? " client" : " clients")
                << (listed < all.matched() ? "; --limit shows more" : "") << '\n';
  });
  if (!all.complete()) {
    throw Failure(Exit::incomplete, "the data plane has not answered in full: the list has gaps");
  }
  return Exit::ok;
}

void add_add(CLI::App& parent, Session& session) {
  struct State {
    std::string service, client, server;
  };
  auto state = std::make_shared<State>();
  auto* command = parent.add_subcommand("add", "From its next flow on a client stays on a server");
  command->add_option("client", state->client, "Its address")->required();
  command->add_option("server", state->server, "Server of the service's pool, ADDRESS:PORT")
      ->required();
  command->add_option("--service", state->service, "Of this service")->required();
  action(command, session, [state, &session] {
    v1::AddPersistenceRequest request;
    request.set_service(state->service);
    request.set_client(state->client);
    const AddressPort parsed = parse_address_port(state->server);
    request.mutable_server()->set_address(parsed.address);
    request.mutable_server()->set_port(parsed.port);
    const auto response = session.client().call<v1::AddPersistenceResponse>(request);
    print(session, response,
          [&] { session.out << state->client << " stays on " << state->server << '\n'; });
    return Exit::ok;
  });
}

void add_clear(CLI::App& parent, Session& session) {
  struct State {
    Filter filter;
    bool all = false;
  };
  auto state = std::make_shared<State>();
  auto* command = parent.add_subcommand("clear", "Forget clients; flows that are open go on");
  state->filter.add(command);
  command->add_flag("--all", state->all, "Every client of every service");
  action(command, session, [state, &session] {
    v1::ClearPersistenceRequest request;
    *request.mutable_filter() = state->filter.message();
    request.set_all(state->all);
    if ((request.filter().ByteSizeLong() == 0) != state->all) {
      throw Failure(Exit::usage, state->all ? "--all and a filter contradict each other"
                                            : "say which, as --client 192.0.2.7, or --all");
    }
    const auto response = session.client().call<v1::ClearPersistenceResponse>(request);
    print(session, response, [&] {
      session.out << response.cleared() << (response.cleared() == 1 ? " client" : " clients")
                  << " forgotten\n";
    });
    return Exit::ok;
  });
}

}  // namespace

void add_persistence(CLI::App& app, Session& session) {
  struct State {
    Filter filter;
    uint32_t limit = 1000;
  };
  auto state = std::make_shared<State>();
  auto* command =
      app.add_subcommand("persistence", "List clients that stay on a server, add or forget some");
  state->filter.add(command);
  command->add_option("-n,--limit", state->limit, "Most clients")->capture_default_str();
  add_add(*command, session);
  add_clear(*command, session);
  action(command, session,
         [state, &session] { return list(session, state->filter, state->limit); });
}

}  // namespace nezu::cli
