// Requests of people (list or end flows), a bounded slice a turn.
#include "dataplane/path_turn.h"

namespace nezu::path {
namespace {

using flow::FlowId;

constexpr uint32_t kEntriesPerTurn = 256;

template <typename Entry>
tables::FlowRecord record_in(const Path::State& state, const Entry& entry, net::Tick now) {
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

}  // namespace

tables::FlowRecord record_of(const Path::State& state, FlowId id, net::Tick now) {
  return id.wide() ? record_in(state, state.flows.wide(id), now)
                   : record_in(state, state.flows.narrow(id), now);
}

namespace {

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
  const tables::FlowRecord record = record_of(state, id, now);
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

namespace {

FlowId find(const flow::Table& flows, const Question& question) {
  return question.is_v4 ? flows.find(question.tuple4) : flows.find(question.tuple6);
}

void tell_flow(Path::State& state, const Question& question, Knowledge& out) {
  const flow::Table& flows = state.flows;
  out.flow = find(flows, question);
  for (Question next = question; question.wants_lanes && !out.flow.exists();) {
    const uint8_t lane = ++next.tuple4.lane;
    next.tuple6.lane = lane;
    if (lane == 0) break;
    out.flow = find(flows, next);
  }
  if (!out.flow.exists()) return;
  if (out.flow.wide()) {
    out.wide = flows.wide(out.flow);
  } else {
    out.narrow = flows.narrow(out.flow);
  }
  const flow::Track& track = flows.track(out.flow);
  if (tables::has_relay(track.mode)) {
    out.relay = state.relays[track.snat];
    out.is_relayed = true;
  }
  const flow::Splice* splice = state.splices.find(out.flow);
  if (splice == nullptr) return;
  out.splice = *splice;
  out.is_spliced = true;
  for (const flow::Direction way : {flow::Direction::to_server, flow::Direction::to_client}) {
    const HeldLines::Line* line = state.held.find(out.flow.towards(way));
    if (line == nullptr) continue;
    out.held[index(way)] = *line;
    out.is_held[index(way)] = true;
  }
}

bool is_crowded(const Path::State& state, const tables::View& view, bool wide) {
  const flow::Table& flows = state.flows;
  const uint32_t capacity = flows.capacity(wide);
  return flows.count(wide) >= capacity ||
         (view.is_ready() &&
          flows.count(wide, flow::Stage::embryonic) >= embryonic_limit(view.settings(), capacity));
}

}  // namespace

void answer_question(Path::State& state, const tables::View& view, net::Instant now) {
  Question question;
  if (!state.desk.questions.pop(question)) [[likely]]
    return;
  Knowledge out;
  out.question = question;
  if (question.wants_train) {
    out.knows_train =
        state.trains.find(question.tuple6, question.train_hash, net::to_tick(now), out.train_ports);
  } else {
    tell_flow(state, question, out);
  }
  out.packet_id = state.packet_id;
  out.replies = state.replies;
  out.active_ports = state.active_ports;
  out.is_crowded = {is_crowded(state, view, false), is_crowded(state, view, true)};
  out.splices_full = state.splices.used() == state.splices.capacity();
  const tables::Service* service = view.service(tables::ServiceId{question.service});
  const tables::Pool* pool = service != nullptr ? view.pool(service->pool) : nullptr;
  if (pool != nullptr) {
    out.standing = state.scheduling.standing(*service, *pool);
    out.knows_service = true;
  }
  if (state.setup.meters != nullptr) {
    out.left = state.setup.meters->left(state.setup.worker, question.service, question.client);
  }
  if (question.wants_slice) {
    admit::Peer peer(0);
    peer.word = question.peer;
    out.slice = state.ports.slice(question.address, question.shard, peer);
  }
  // Whoever asked does so again only when there is room.
  state.desk.answers.push(out);
  state.desk.answers.publish();
}

}  // namespace nezu::path
