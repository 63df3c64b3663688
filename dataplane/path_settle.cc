// The second step of opening flows: SNAT ports for all that wait, then all of them filed, by memory
// that the first step has asked for.
#include "dataplane/path_cookie.h"
#include "dataplane/path_ftp.h"
#include "dataplane/path_lines.h"
#include "dataplane/path_open.h"

namespace nezu::path {

using flow::FlowId;
using net::Reason;

namespace {

/// `decide` has seen to it that a record is free.
void begin_splice(const Turn& turn, FlowId id, const net::Packet& packet,
                  const tables::Service* service) {
  Path::State& state = turn.state;
  flow::Splice* splice = state.splices.insert(id);
  if (splice == nullptr) return;
  splice->state = lines::state_of(service->application);
  if (brings_cookie(packet)) begin_handshake(turn, packet, *service, *splice);
  if (service->client_address != tables::ClientAddress::proxy_v2) return;
  const bool v4 = !id.wide() || flow::is_mapped(state.flows.wide(id).to_server.source);
  const uint32_t bytes = forward::proxy_bytes(v4 ? net::Family::ipv4 : net::Family::ipv6);
  // Its place is known when the SYN goes by (path_splice.cc).
  splice->of(flow::Direction::to_server)
      .begin(flow::Change::Kind::proxy_header, 0, 0, static_cast<uint8_t>(bytes));
}

/// The flow is of that client and VIP, too.
template <typename Tuple>
bool differ_by_lane(const flow::Table& flows, FlowId id, Tuple tuple) {
  if constexpr (std::is_same_v<Tuple, net::Tuple6>) {
    tuple.lane = flows.wide(id).to_server.lane;
    return flows.wide(id).to_server == tuple;
  } else {
    tuple.lane = flows.narrow(id).to_server.lane;
    return flows.narrow(id).to_server == tuple;
  }
}

}  // namespace

template <typename F>
bool Opening::take_source_of(Waiting<F>& one) {
  const bool is_v4 = address_of(one.to_client.source).is_v4();
  const Source source =
      take_source(*turn_, *one.service, one.track.shard, is_v4, one.peer(), one.source_hash);
  if (source.port == 0) {
    give_up(one, source.reason);
    return false;
  }
  one.snat_port = source.port;
  one.track.snat = source.slot;
  one.to_client.destination = F::raw(source.address);
  one.to_client.destination_port = net::swap16(source.port);
  one.back = turn_->state.flows.hash_of(tuple_to_client(one.tuple, one.to_client));
  return true;
}

template <typename F>
void Opening::let_go(const Waiting<F>& one) {
  Path::State& state = turn_->state;
  if (one.snat_port != 0) state.ports.release(one.track.snat, one.snat_port, one.peer());
  if (one.track.server != flow::kNoServer) state.let_go_server(one.track.server);
  if (tables::has_relay(one.track.mode)) state.relays.let_go(one.track.snat);
}

template <typename F>
void Opening::give_up(const Waiting<F>& one, Reason reason) {
  let_go(one);
  // What cannot be remembered passes as it would without the service.
  if (one.track.mode != tables::Mode::returned) refused(*one.packet, *one.service, reason);
}

template <typename F>
void Opening::settle_all() {
  Path::State& state = turn_->state;
  Queue<F>& queue = this->queue<F>();
  uint32_t left = 0;
  for (uint32_t i = 0; i < queue.count; ++i) {
    Waiting<F>& one = queue.waiting[i];
    if (one.wants_source) {
      if (!take_source_of(one)) continue;
      state.flows.prefetch_for_insert(F::kWide, one.back, left);
    }
    if (left != i) queue.waiting[left] = one;
    ++left;
  }
  queue.count = left;
  for (uint32_t i = 0; i < queue.count; ++i) {
    Waiting<F>& one = queue.waiting[i];
    const auto inserted =
        state.flows.insert(one.tuple, one.packet->hash, one.to_client, one.back, one.track);
    if (inserted.id.exists()) [[likely]] {
      if (one.track.mode == tables::Mode::spliced) {
        begin_splice(*turn_, inserted.id, *one.packet, one.service);
      }
      state.opened(one.track);
      if (one.service->limits.client.at_once != 0 && state.setup.meters != nullptr) [[unlikely]]
        state.counted.mark(inserted.id,
                           state.setup.meters->opened(*one.service, address_of(one.tuple.source),
                                                      turn_->view.generation(), turn_->now));
      one.packet->flow = inserted.id.word();
      if (flow::is_outward(one.track)) {
        state.log(NatRecord::Kind::open, inserted.id);
      } else if (one.service->application == tables::Application::tftp) {
        announce_answers(*turn_, inserted.id);
      }
      continue;
    }
    // A client whose datagrams are scheduled one by one, or no longer, has it already.
    if (inserted.other.exists() && differ_by_lane(state.flows, inserted.other, one.tuple)) {
      one.packet->flow = inserted.other.word();
      let_go(one);
      continue;
    }
    give_up(one, inserted.reason);
  }
  queue.count = 0;
}

void Opening::settle() {
  settle_all<V4>();
  settle_all<V6>();
  spliced_ = 0;
}

}  // namespace nezu::path
