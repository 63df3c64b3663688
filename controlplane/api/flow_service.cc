#include "controlplane/api/flow_service.h"

#include <algorithm>

#include "controlplane/api/data_plane_requests.h"
#include "controlplane/api/errors.h"
#include "controlplane/api/flow_records.h"
#include "controlplane/config/names.h"
#include "controlplane/config/validate.h"

namespace nezu::api {
namespace {

using grpc::Status;
using grpc::StatusCode;
using tables::RequestKind;

void put_port(uint32_t port, const std::string& field, uint16_t& to, config::Problems& problems) {
  config::check_range(port, 0, 65535, "", field, problems);
  to = static_cast<uint16_t>(port);
}

void resolve_rule(const v1::FlowFilter& from, const publish::Reading& now, tables::FlowFilter& to,
                  config::Problems& problems) {
  const auto at = std::find_if(now.source_nats.begin(), now.source_nats.end(),
                               [&](const auto& one) { return one.name == from.source_nat(); });
  if (at == now.source_nats.end()) {
    config::complain(problems, "filter.source_nat", from.source_nat(),
                     "There is no such source NAT rule.");
  } else if (!from.service().empty()) {
    config::complain(problems, "filter.source_nat", from.source_nat(),
                     "A flow is of a service or of a source NAT rule; name one of them.");
  } else {
    to.service = at->id;
  }
}

/// Names become slots.
void resolve(const v1::FlowFilter& from, const publish::Reading& now, tables::FlowFilter& to,
             config::Problems& problems) {
  resolve_common(from, now, to, problems);
  put_address(from.vip(), "filter.vip", to.vip, problems);
  put_port(from.client_port(), "filter.client_port", to.client_port, problems);
  put_port(from.service_port(), "filter.service_port", to.service_port, problems);
  put_port(from.server_port(), "filter.server_port", to.server_port, problems);
  if (!v1::Protocol_IsValid(from.protocol())) {
    config::complain(problems, "filter.protocol", std::to_string(from.protocol()),
                     "There is no such protocol.");
  } else if (from.protocol() != v1::PROTOCOL_UNSPECIFIED) {
    to.protocol = config::to_net(from.protocol());
  }
  put_address(from.snat(), "filter.snat", to.snat, problems);
  put_port(from.snat_port(), "filter.snat_port", to.snat_port, problems);
  if (!from.source_nat().empty()) {
    resolve_rule(from, now, to, problems);
  }
  if (from.has_server()) {
    auto identity = config::identity_of(from.server());
    if (!identity) {
      config::complain(problems, "filter.server.address", from.server().address(),
                       "This is no IPv4 or IPv6 address.");
      return;
    }
    const auto find = [&] {
      return std::find_if(now.servers.begin(), now.servers.end(),
                          [&](const auto& one) { return one.identity == *identity; });
    };
    auto at = find();
    if (from.server().protocol() == v1::PROTOCOL_UNSPECIFIED) {
      for (const v1::Protocol each : config::kProtocols) {
        if (at != now.servers.end()) {
          break;
        }
        identity->protocol = config::to_net(each);
        at = find();
      }
    }
    if (at == now.servers.end()) {
      config::complain(problems, "filter.server", config::to_text(*identity),
                       "There is no such server, nor one that is leaving.");
    } else {
      to.server_id = at->id;
    }
  }
}

}  // namespace

Status FlowService::ListFlows(grpc::ServerContext* context, const v1::ListFlowsRequest* request,
                              grpc::ServerWriter<v1::ListFlowsResponse>* writer) {
  return guarded([&] {
    const publish::Reading now = publisher_.read();
    tables::FlowFilter filter;
    config::Problems problems;
    resolve(request->filter(), now, filter, problems);
    const auto timeout = timeout_of(request->timeout_ms(), problems);
    const uint32_t limit = limit_of(request->limit(), problems);
    if (!problems.empty()) {
      return invalid(problems);
    }
    const SlotNames names(now);
    return send_records(
        *context, *writer,
        [&](const auto& found) {
          return publisher_.ask(RequestKind::list_flows, filter, limit, timeout, found);
        },
        [&](const tables::FlowRecord& record, auto& message) {
          *message.add_flows() = flow_of(record, names);
        });
  });
}

Status FlowService::EndFlows(grpc::ServerContext*, const v1::EndFlowsRequest* request,
                             v1::EndFlowsResponse* response) {
  return guarded([&] {
    if (Status meant = check_meant(*request, "would end every flow"); !meant.ok()) {
      return meant;
    }
    tables::FlowFilter filter;
    config::Problems problems;
    resolve(request->filter(), publisher_.read(), filter, problems);
    const auto timeout = timeout_of(request->timeout_ms(), problems);
    if (!problems.empty()) {
      return invalid(problems);
    }
    const publish::FlowAnswer answer = publisher_.ask(RequestKind::end_flows, filter, timeout);
    response->set_ended(answer.matched);
    return status_of(answer.answer);
  });
}

}  // namespace nezu::api
