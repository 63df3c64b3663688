// Requests of people (list or end flows), a bounded slice a turn.
#include "dataplane/path_turn.h"

namespace nezu::path {
namespace {

using flow::FlowId;

constexpr uint32_t kEntriesPerTurn = 256;

/// A flow as people see it.
template <typename Entry>
tables::FlowRecord record_of(const Path::State& state, const Entry& entry, net::Tick now) {
  const flow::Track& track = entry.track;
  tables::FlowRecord record{};
  record.client = address_of(entry.to_server.source);
  record.vip = address_of(entry.to_server.destination);
  record.server = address_of(entry.to_client.source);
  record.client_port = net::swap16(entry.to_server.source_port);
  record.service_port = net::swap16(entry.to_server.destination_port);
  record.server_port = net::swap16(entry.to_client.source_port);
  if (uses_snat(track) || track.mode == tables::Mode::across) {
    record.snat = address_of(entry.to_client.destination);
    record.snat_port = net::swap16(entry.to_client.destination_port);
  }
  record.instance = entry.to_server.instance;
  record.protocol = entry.to_server.protocol;
  record.state = track.state;
  record.worker = state.setup.worker;
  record.service = tables::ServiceId{track.service};
  record.server_id = tables::ServerId{track.server};
  if (tables::has_relay(track.mode)) {
    const flow::Relay& relay = state.relays[track.snat];
    record.server = relay.server.address;
    record.server_port = relay.server.port;
    record.sender = relay.sender;
  }
  const auto left = static_cast<int32_t>(track.deadline - now);
  record.seconds_left = left > 0 ? static_cast<uint32_t>(left) / net::kTicksPerSecond : 0;
  return record;
}

bool fits(const net::Address& wanted, const net::Address& is) {
  return wanted == net::Address{} || wanted == is;
}
bool fits(uint16_t wanted, uint16_t is) { return wanted == 0 || wanted == is; }

bool matches(const tables::FlowFilter& filter, const tables::FlowRecord& flow) {
  return fits(filter.client, flow.client) && fits(filter.vip, flow.vip) &&
         fits(filter.server, flow.server) && fits(filter.client_port, flow.client_port) &&
         fits(filter.service_port, flow.service_port) &&
         fits(filter.server_port, flow.server_port) &&
         (filter.instance == net::Instance::unknown || filter.instance == flow.instance) &&
         (filter.protocol == net::Protocol::any || filter.protocol == flow.protocol) &&
         (!tables::is_slot(filter.service) || filter.service == flow.service) &&
         (!tables::is_slot(filter.server_id) || filter.server_id == flow.server_id) &&
         fits(filter.snat, flow.snat) && fits(filter.snat_port, flow.snat_port);
}

bool reply(Path::State& state, tables::ReplyKind kind, const tables::FlowRecord& flow) {
  tables::Reply reply;
  reply.sequence = state.errand.request.sequence;
  reply.kind = kind;
  reply.matched = state.errand.matched;
  reply.flow = flow;
  return state.desk.replies.push(reply);
}

/// False: the desk is full; the same flow again next turn.
bool serve(Path::State& state, FlowId id, net::Tick now) {
  Errand& errand = state.errand;
  const tables::Request& request = errand.request;
  const tables::FlowRecord record = id.wide() ? record_of(state, state.flows.wide(id), now)
                                              : record_of(state, state.flows.narrow(id), now);
  if (!matches(request.filter, record)) return true;
  if (request.kind == tables::RequestKind::end_flows) {
    if (request.limit != 0 && errand.matched >= request.limit) return true;
    state.end(id);
    state.line.flows_ended.add(1);
  } else if (request.limit == 0 || errand.listed < request.limit) {
    if (!reply(state, tables::ReplyKind::flow, record)) return false;
    ++errand.listed;
  }
  ++errand.matched;
  return true;
}

}  // namespace

void run_errand(Path::State& state, net::Instant now) {
  Errand& errand = state.errand;
  if (!errand.active) {
    if (!state.desk.requests.pop(errand.request)) return;
    errand = {errand.request, true, {}, 0, 0};
    errand.sweep.begin();
  }
  const bool late = errand.request.deadline != 0 && now.nanoseconds > errand.request.deadline;
  const bool known = errand.request.kind == tables::RequestKind::list_flows ||
                     errand.request.kind == tables::RequestKind::end_flows;
  if (known && !late) {
    errand.sweep.slice(state.flows, kEntriesPerTurn,
                       [&state, now](FlowId id) { return serve(state, id, net::to_tick(now)); });
  }
  const bool over = !known || late || !errand.sweep.running();
  if (over && reply(state, tables::ReplyKind::done, {})) errand.active = false;
  state.desk.replies.publish();
}

}  // namespace nezu::path
