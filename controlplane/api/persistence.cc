// The calls of FlowService about clients that stay on a server.
#include <unordered_map>

#include "controlplane/api/data_plane_requests.h"
#include "controlplane/api/errors.h"
#include "controlplane/api/flow_service.h"
#include "controlplane/config/names.h"

namespace nezu::api {
namespace {

using grpc::Status;
using grpc::StatusCode;
using tables::RequestKind;

v1::PersistentClient client_of(const tables::FlowRecord& record,
                               const std::unordered_map<uint32_t, std::string>& services) {
  v1::PersistentClient client;
  client.set_client(net::to_string(record.client) + "/" + std::to_string(record.client_port));
  client.set_server(net::to_string(record.server));
  client.set_server_port(record.server_port);
  client.set_mark(record.service_port);
  if (const auto service = services.find(tables::index(record.service));
      record.service_port == 0 && service != services.end()) {
    client.set_service(service->second);
  }
  client.set_instance(static_cast<uint32_t>(record.instance));
  client.set_expires_in_s(record.seconds_left);
  return client;
}

}  // namespace

Status FlowService::ListPersistence(grpc::ServerContext* context,
                                    const v1::ListPersistenceRequest* request,
                                    grpc::ServerWriter<v1::ListPersistenceResponse>* writer) {
  return guarded([&] {
    const publish::Reading now = publisher_.read();
    config::Problems problems;
    tables::FlowFilter filter;
    resolve_common(request->filter(), now, filter, problems);
    const auto timeout = timeout_of(request->timeout_ms(), problems);
    const uint32_t limit = limit_of(request->limit(), problems);
    if (!problems.empty()) {
      return invalid(problems);
    }
    std::unordered_map<uint32_t, std::string> services;
    for (const publish::ServiceReading& service : now.services) {
      services[tables::index(service.id)] = service.name;
    }
    return send_records(
        *context, *writer,
        [&](const auto& found) {
          return publisher_.ask(RequestKind::list_clients, filter, limit, timeout, found);
        },
        [&](const tables::FlowRecord& record, auto& message) {
          *message.add_clients() = client_of(record, services);
        });
  });
}

Status FlowService::AddPersistence(grpc::ServerContext*, const v1::AddPersistenceRequest* request,
                                   v1::AddPersistenceResponse*) {
  return guarded([&] {
    const publish::Reading now = publisher_.read();
    config::Problems problems;
    tables::FlowFilter filter;
    const auto timeout = timeout_of(request->timeout_ms(), problems);
    if (request->client().empty()) {
      config::complain(problems, "client", "", "The client's address is missing.");
    }
    put_address(request->client(), "client", filter.client, problems);
    const auto* service = find_service(request->service(), "service", now, problems);
    if (service != nullptr) {
      filter.service = service->id;
    }
    auto server = config::identity_of(request->server());
    if (!server) {
      config::complain(problems, "server.address", request->server().address(),
                       "This is no IPv4 or IPv6 address.");
    }
    if (!problems.empty()) {
      return invalid(problems);
    }
    committer_.read([&](const config::Store& store) {
      const v1::VirtualService* wanted = store.model().services().find(request->service());
      const v1::Pool* pool =
          wanted != nullptr ? store.model().pools().find(wanted->pool()) : nullptr;
      if (wanted == nullptr || !wanted->has_persistence()) {
        config::complain(problems, "service", request->service(),
                         "Clients of this service stay nowhere; give it persistence first.");
        return 0;
      }
      if (const bool is_v4 = config::vip_of(*wanted).address.is_v4();
          is_v4 != filter.client.is_v4()) {
        config::complain(problems, "client", request->client(),
                         std::string("The service is ") + config::family_text(is_v4) +
                             ", and so are all its clients; give an address of that family.");
      }
      server->instance = static_cast<net::Instance>(wanted->instance());
      server->protocol = config::to_net(wanted->protocol());
      if (pool == nullptr || config::find_server(*pool, *server) < 0) {
        config::complain(problems, "server", config::to_text(*server),
                         "There is no such server in pool " + wanted->pool() + ".");
      }
      return 0;
    });
    for (const publish::ServerReading& one : now.servers) {
      if (one.identity == *server) {
        filter.server_id = one.id;
      }
    }
    if (!problems.empty()) {
      return invalid(problems);
    }
    const publish::FlowAnswer answer = publisher_.ask(RequestKind::add_client, filter, timeout);
    if (answer.answer == publish::Answer::complete && answer.matched == 0) {
      return Status(StatusCode::UNAVAILABLE,
                    "The data plane does not know this service or server yet; try again.");
    }
    return status_of(answer.answer);
  });
}

Status FlowService::ClearPersistence(grpc::ServerContext*,
                                     const v1::ClearPersistenceRequest* request,
                                     v1::ClearPersistenceResponse* response) {
  return guarded([&] {
    if (Status meant = check_meant(*request, "would clear every client"); !meant.ok()) {
      return meant;
    }
    config::Problems problems;
    tables::FlowFilter filter;
    resolve_common(request->filter(), publisher_.read(), filter, problems);
    const auto timeout = timeout_of(request->timeout_ms(), problems);
    if (!problems.empty()) {
      return invalid(problems);
    }
    const publish::FlowAnswer answer = publisher_.ask(RequestKind::clear_clients, filter, timeout);
    response->set_cleared(answer.matched);
    return status_of(answer.answer);
  });
}

}  // namespace nezu::api
