#include "controlplane/api/flow_records.h"

#include "controlplane/config/names.h"

namespace nezu::api {
namespace {

v1::FlowState state_of(tables::Timeout state) {
  switch (state) {
    case tables::Timeout::syn_sent:
      return v1::FLOW_STATE_SYN_SENT;
    case tables::Timeout::syn_received:
      return v1::FLOW_STATE_SYN_RECEIVED;
    case tables::Timeout::established:
      return v1::FLOW_STATE_ESTABLISHED;
    case tables::Timeout::fin_wait:
      return v1::FLOW_STATE_FIN_WAIT;
    case tables::Timeout::close_wait:
      return v1::FLOW_STATE_CLOSE_WAIT;
    case tables::Timeout::time_wait:
      return v1::FLOW_STATE_TIME_WAIT;
    case tables::Timeout::closed:
      return v1::FLOW_STATE_CLOSED;
    case tables::Timeout::udp_single:
      return v1::FLOW_STATE_UDP_SINGLE;
    case tables::Timeout::udp:
      return v1::FLOW_STATE_UDP;
    case tables::Timeout::icmp:
      return v1::FLOW_STATE_ICMP;
    case tables::Timeout::other:
      return v1::FLOW_STATE_OTHER;
  }
  return v1::FLOW_STATE_UNSPECIFIED;
}

}  // namespace

SlotNames::SlotNames(const publish::Reading& now) {
  for (const publish::ServiceReading& service : now.services) {
    services[tables::index(service.id)] = service.name;
  }
  for (const publish::ServiceReading& rule : now.source_nats) {
    source_nats[tables::index(rule.id)] = rule.name;
  }
}

v1::Flow flow_of(const tables::FlowRecord& record, const SlotNames& names) {
  v1::Flow flow;
  flow.set_ip_protocol(static_cast<uint32_t>(record.protocol));
  flow.set_protocol(config::to_proto(record.protocol));
  flow.set_client(net::to_string(record.client));
  flow.set_client_port(record.client_port);
  flow.set_vip(net::to_string(record.vip));
  flow.set_service_port(record.service_port);
  flow.set_server(net::to_string(record.server));
  flow.set_server_port(record.server_port);
  if (record.snat_port != 0) {
    flow.set_snat(net::to_string(record.snat));
    flow.set_snat_port(record.snat_port);
  }
  flow.set_state(state_of(record.state));
  flow.set_worker(record.worker);
  const uint32_t slot = tables::index(record.service);
  if (const auto service = names.services.find(slot); service != names.services.end()) {
    flow.set_service(service->second);
  } else if (const auto rule = names.source_nats.find(slot); rule != names.source_nats.end()) {
    flow.set_source_nat(rule->second);
  }
  flow.set_expires_in_s(record.seconds_left);
  flow.set_instance(static_cast<uint32_t>(record.instance));
  if (record.sender != net::MacAddress{}) {
    flow.set_sender(net::to_string(record.sender));
  }
  return flow;
}

}  // namespace nezu::api
