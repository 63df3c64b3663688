// flows, flows end: the conversations that the workers track.
#include <optional>

#include "nezu/v1/flows.pb.h"
#include "tools/nezu/commands.h"
#include "tools/nezu/table.h"

namespace nezu::cli {
namespace {

struct Filter {
  std::string service, source_nat, client, vip, server, snat, protocol;
  std::optional<uint32_t> instance;

  void add(CLI::App* command);
  bool is_empty() const {
    return service.empty() && source_nat.empty() && client.empty() && vip.empty() &&
           server.empty() && snat.empty() && protocol.empty() && !instance;
  }
  v1::FlowFilter message() const;
};

void Filter::add(CLI::App* command) {
  command->add_option("--service", service, "Only of this service, by name");
  command->add_option("--source-nat", source_nat, "Only of this source NAT rule, by name");
  command->add_option("--snat", snat, "Only with this SNAT address, ADDRESS or ADDRESS:PORT");
  command->add_option("--client", client, "Only from this client, ADDRESS or ADDRESS:PORT");
  command->add_option("--vip", vip, "Only to this VIP, ADDRESS or ADDRESS:PORT");
  command->add_option("--real-server", server, "Only on this server, ADDRESS or ADDRESS:PORT");
  command->add_option("--instance", instance, "Only of the network instance of this number");
  command->add_option("--protocol", protocol, "tcp, udp, sctp, gre or esp")
      ->check(CLI::IsMember({"tcp", "udp", "sctp", "gre", "esp"}));
}

v1::FlowFilter Filter::message() const {
  v1::FlowFilter filter;
  filter.set_service(service);
  filter.set_source_nat(source_nat);
  if (!snat.empty()) {
    const AddressPort parsed = parse_address_port(snat);
    filter.set_snat(parsed.address);
    filter.set_snat_port(parsed.port);
  }
  if (!client.empty()) {
    const AddressPort parsed = parse_address_port(client);
    filter.set_client(parsed.address);
    filter.set_client_port(parsed.port);
  }
  if (!vip.empty()) {
    const AddressPort parsed = parse_address_port(vip);
    filter.set_vip(parsed.address);
    filter.set_service_port(parsed.port);
  }
  if (!server.empty()) {
    const AddressPort parsed = parse_address_port(server);
    filter.set_server_address(parsed.address);
    filter.set_server_port(parsed.port);
  }
  if (instance) {
    filter.set_instance(*instance);
  }
  if (!protocol.empty()) {
    filter.set_protocol(parse_protocol(protocol).value());
  }
  return filter;
}

std::string protocol_of(const v1::Flow& flow) {
  switch (flow.ip_protocol()) {
    case 1:
      return "icmp";
    case 58:
      return "icmpv6";
    default:
      return flow.protocol() != v1::PROTOCOL_UNSPECIFIED ? name_of(flow.protocol())
                                                         : std::to_string(flow.ip_protocol());
  }
}

/// Rows come in pages, so that a million flows do not wait for the last one.
class FlowPrinter {
 public:
  explicit FlowPrinter(const Session& session) : session_(session) {}

  void add(const v1::Flow& flow) {
    if (session_.format == Format::json) {
      session_.out << (listed_ == 0 ? "{\"flows\": [\n" : ",\n") << json_line(flow);
    } else if (session_.format == Format::yaml) {
      all_.add_flows()->CopyFrom(flow);
    } else {
      rows_.push_back(
          {protocol_of(flow), address_port(flow.client(), flow.client_port()),
           address_port(flow.vip(), flow.service_port()) + instance_text(flow.instance()),
           address_port(flow.server(), flow.server_port()),
           !flow.snat().empty()    ? address_port(flow.snat(), flow.snat_port())
           : flow.sender().empty() ? "-"
                                   : "to " + flow.sender(),
           name_of(flow.state()), std::to_string(flow.worker()),
           std::to_string(flow.expires_in_s()) + "s",
           flow.source_nat().empty() ? flow.service() : "source-nat " + flow.source_nat()});
    }
    ++listed_;
    if (rows_.size() == kPage) {
      flush();
    }
  }
  void finish(uint64_t matched) {
    if (session_.format == Format::json) {
      session_.out << (listed_ == 0 ? "{\"flows\": [" : "") << "\n], \"matched\": " << matched
                   << "}\n";
      return;
    }
    if (session_.format == Format::yaml) {
      all_.set_matched(matched);
      all_.set_complete(true);
      print(session_, all_, [] {});
      return;
    }
    flush();
    session_.out << listed_ << " of " << matched << (matched == 1 ? " flow" : " flows")
                 << (listed_ < matched ? "; --limit shows more" : "") << '\n';
  }

 private:
  static constexpr size_t kPage = 1000;
  void flush() {
    Table table(
        {"protocol", "client", "vip", "server", "snat", "state", ">worker", ">expires", "service"});
    for (auto& row : rows_) {
      table.add(std::move(row));
    }
    table.print(session_.out);
    rows_.clear();
  }
  const Session& session_;
  uint64_t listed_ = 0;
  std::vector<std::vector<std::string>> rows_;
  v1::ListFlowsResponse all_;
};

Exit list(Session& session, const Filter& filter, uint32_t limit) {
  v1::ListFlowsRequest request;
  *request.mutable_filter() = filter.message();
  request.set_limit(limit);
  v1::ListFlowsResponse response;
  FlowPrinter printer(session);
  bool complete = false;
  uint64_t matched = 0;
  session.client().stream(
      request, response,
      [&] {
        for (const v1::Flow& flow : response.flows()) {
          printer.add(flow);
        }
        complete |= response.complete();
        matched = response.matched();
        return true;
      },
      parse_duration(session.timeout));
  printer.finish(matched);
  if (!complete) {
    throw Failure(Exit::incomplete, "not every worker has answered: the list has gaps");
  }
  return Exit::ok;
}

void add_end(CLI::App& parent, Session& session) {
  struct State {
    Filter filter;
    bool all = false;
  };
  auto state = std::make_shared<State>();
  auto* command = parent.add_subcommand("end", "End the flows that match, now");
  state->filter.add(command);
  command->add_flag("--all", state->all, "Every flow of every service");
  action(command, session, [state, &session] {
    if (state->filter.is_empty() != state->all) {
      throw Failure(Exit::usage, state->all ? "--all and a filter contradict each other"
                                            : "say which flows, as --client 192.0.2.7, or --all");
    }
    v1::EndFlowsRequest request;
    *request.mutable_filter() = state->filter.message();
    request.set_all(state->all);
    const auto response = session.client().call<v1::EndFlowsResponse>(request);
    print(session, response, [&] {
      session.out << response.ended() << (response.ended() == 1 ? " flow" : " flows") << " ended\n";
    });
    return Exit::ok;
  });
}

}  // namespace

void add_flows(CLI::App& app, Session& session) {
  struct State {
    Filter filter;
    uint32_t limit = 1000;
  };
  auto state = std::make_shared<State>();
  auto* command = app.add_subcommand("flows", "List flows, or end them");
  state->filter.add(command);
  command->add_option("-n,--limit", state->limit, "Most flows")->capture_default_str();
  add_end(*command, session);
  action(command, session,
         [state, &session] { return list(session, state->filter, state->limit); });
}

}  // namespace nezu::cli
