#include "dataplane/path_explain.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "dataplane/admit/syn_guard.h"
#include "dataplane/forward/pieces.h"
#include "dataplane/path_lanes.h"
#include "dataplane/path_open.h"
#include "dataplane/path_stages.h"
#include "dataplane/steer/persistence.h"

namespace nezu::path {
namespace {

using flow::FlowId;
using tables::ExplainStage;

/// Small tables that hold what one packet concerns. Of flows as many that a share of them, as the
/// settings have it, is more than one.
constexpr flow::Capacity kFlows{1024, 1024, 16};
constexpr uint32_t kSnatLines = 64, kAnnouncements = 64, kClients = 16;

/// As in path_stages.h, but for the last one, which only counts.
constexpr std::array<ExplainStage, kStageNames.size()> kStages = {
    ExplainStage::parse,     ExplainStage::answer,   ExplainStage::find,
    ExplainStage::admit,     ExplainStage::track,    ExplainStage::choose_way,
    ExplainStage::translate, ExplainStage::dispatch, ExplainStage::dispatch};

/// Zeros, of which the system only hands out what is touched.
class Zeros {
 public:
  explicit Zeros(size_t bytes) : memory_(std::calloc(bytes + kAlign, 1)) {
    if (memory_ == nullptr) std::abort();
    void* at = memory_;
    size_t room = bytes + kAlign;
    at_ = static_cast<std::byte*>(std::align(kAlign, bytes, at, room));
  }
  ~Zeros() { std::free(memory_); }
  Zeros(const Zeros&) = delete;
  Zeros& operator=(const Zeros&) = delete;
  std::byte* at() const { return at_; }

 private:
  static constexpr size_t kAlign = 64;
  void* memory_;
  std::byte* at_;
};

/// Lines that are zeros in a region that was just made are ready for use here as well.
template <typename T>
class Lines {
 public:
  explicit Lines(size_t count) : memory_(count * sizeof(T)) {}
  T* all() const { return reinterpret_cast<T*>(memory_.at()); }

 private:
  Zeros memory_;
};

/// A SYN with the ports of a flow that is dying: admission looks as if there were none.
bool may_reopen(const Turn& turn, const net::Packet& packet) {
  const flow::Track& track = turn.state.flows.track(FlowId(packet.flow));
  return packet.shape == net::Shape::transport && (packet.tcp_flags & net::kTcpSyn) != 0 &&
         flow::is_dying(track.state, track.flags);
}

tables::Whose whose(const Turn& turn, const tables::Match& target, net::Instance instance,
                    const net::Address& to) {
  if (target.local != nullptr) {
    return target.local->kind == tables::AddressKind::snat ? tables::Whose::snat
                                                           : tables::Whose::vip;
  }
  if (turn.routes.is_twin_address(instance, to)) return tables::Whose::kernel;
  return target.service != nullptr ? tables::Whose::prefix : tables::Whose::somebody;
}

}  // namespace

ExplainedFrame::ExplainedFrame(std::span<const uint8_t> bytes)
    : bytes_(kHeadroom + bytes.size() + kTailroom), length_(static_cast<uint32_t>(bytes.size())) {
  std::copy(bytes.begin(), bytes.end(), bytes_.begin() + kHeadroom);
}

void ExplainedFrame::arrive(net::Packet& packet, uint16_t port) {
  packet.arrive(bytes_.data() + kHeadroom, this, length_, length_, length_ + kTailroom, port);
}

/// All that a worker writes to.
class Trial::Private {
 public:
  Private(const Setup& live, net::Instant now)
      : line_(1),
        services_(live.sizes.services),
        servers_(live.sizes.servers),
        addresses_(live.sizes.addresses),
        flows_(flow::Extent(kFlows).bytes),
        table_({flows_.at(), flow::Extent(kFlows).bytes}, kFlows, live.steering->flow_hash(),
               net::to_tick(now)),
        announcements_(static_cast<uint16_t>(live.worker + 1), kAnnouncements),
        clients_(steer::Persistence::bytes(kClients)) {}

  Setup setup(const Setup& live) {
    Setup own = live;
    own.flows = &table_;
    own.line = line_.all();
    own.services = services_.all();
    own.servers = servers_.all();
    own.addresses = addresses_.all();
    own.snat_lines = kSnatLines;
    own.nat_log = nullptr;
    own.meters = nullptr;
    own.syn_guard = nullptr;
    own.announcements = live.announcements != nullptr ? &announcements_ : nullptr;
    if (live.persistence != nullptr) {
      persistence_ = std::make_unique<steer::Persistence>(
          std::span(clients_.at(), steer::Persistence::bytes(kClients)), kClients,
          live.persistence->seed());
      own.persistence = persistence_.get();
    }
    return own;
  }

  std::unique_ptr<admit::Meters> meters;
  std::unique_ptr<admit::SynGuard> guard;

 private:
  Lines<tables::WorkerLine> line_;
  Lines<tables::ServiceCounters> services_;
  Lines<tables::ServerCounters> servers_;
  Lines<tables::AddressGauge> addresses_;
  Zeros flows_;
  flow::Table table_;
  steer::Announcements announcements_;
  Zeros clients_;
  std::unique_ptr<steer::Persistence> persistence_;
};

Trial::Trial(const Setup& worker, std::span<const Knowledge> heard, const tables::View& view,
             const route::Routes& routes, net::Instant now)
    : live_(worker),
      heard_(heard),
      view_(view),
      routes_(routes),
      now_(now),
      private_(std::make_unique<Private>(worker, now)),
      path_(std::make_unique<Path>(private_->setup(worker))) {
  Path::State& state = path_->state();
  state.turn_at = now;
  state.ports.note_time(net::to_tick(now));
  if (!heard.empty()) {
    state.packet_id = heard.back().packet_id;
    state.replies = heard.back().replies;
    state.active_ports = heard.back().active_ports;
  }
  for (const Knowledge& known : heard) {
    const Question& asked = known.question;
    if (known.flow.exists()) adopt_flow(known);
    if (known.knows_train) {
      state.trains.learn(asked.tuple6, asked.train_hash, known.train_ports, net::to_tick(now));
    }
    if (!asked.wants_slice) continue;
    admit::Peer peer(0);
    peer.word = asked.peer;
    state.ports.adopt(asked.address, asked.shard, peer, known.slice);
  }
}

Trial::~Trial() = default;

/// A flow that the worker has, as it would have found it itself.
void Trial::adopt_flow(const Knowledge& known) {
  Path::State& state = path_->state();
  const auto take = [&](const auto& entry) {
    if (state.flows.find(entry.to_server).exists()) return FlowId();
    flow::Track track = entry.track;
    if (known.is_relayed) track.snat = state.relays.hold(known.relay);
    return state.flows.insert(entry.to_server, entry.to_client, track).id;
  };
  const FlowId id = known.flow.wide() ? take(known.wide) : take(known.narrow);
  if (!id.exists() || !known.is_spliced) return;
  if (flow::Splice* splice = state.splices.insert(id)) splice->take(known.splice);
  for (const flow::Direction way : {flow::Direction::to_server, flow::Direction::to_client}) {
    if (!known.is_held[index(way)]) continue;
    if (HeldLines::Line* line = state.held.take(id.towards(way))) *line = known.held[index(way)];
  }
}

void Trial::run(ExplainedFrame& frame, uint16_t port, Passage& passage, tables::Explanation& out) {
  net::Burst burst;
  burst.count = 1;
  net::Packet& packet = burst.packets[0];
  frame.arrive(packet, port);
  packet.handed_over = passage.is_handed_over;
  packet.knows_ports = passage.knows_ports;
  packet.ports = passage.ports;
  go(burst, false, out);
  passage = {true, packet.knows_ports, packet.ports};
  tell_flow(packet, out);
  if (packet.verdict != net::Verdict::split) return tell_end(packet, out);
  // As a worker does after each burst; all pieces go the first one's way.
  forward::Pieces pieces(packet, packet.owner);
  out.pieces = static_cast<uint16_t>(pieces.count());
  const forward::Pieces::Piece first = pieces.piece(0);
  std::vector<uint8_t> bytes(first.headers.begin(), first.headers.end());
  bytes.insert(bytes.end(), packet.head + first.from, packet.head + first.from + first.length);
  ExplainedFrame piece(bytes);
  net::Burst next;
  next.count = 1;
  piece.arrive(next.packets[0], port);
  next.packets[0].handed_over = next.packets[0].knows_ports = true;
  next.packets[0].ports = packet.ports;
  go(next, true, out);
  tell_end(next.packets[0], out);
}

void Trial::go(net::Burst& burst, bool is_piece, tables::Explanation& out) {
  const net::Packet& packet = burst.packets[0];
  tables::ExplainedPass pass;
  pass.worker = live_.worker;
  pass.is_piece = is_piece;
  Turn turn(path_->state(), burst, view_, routes_, now_);
  turn.is_metered = is_piece;
  run_stages(turn, [&](int stage) { after(stage, turn, pass, out); });
  pass.verdict = packet.verdict;
  pass.reason = packet.reason;
  pass.owner = packet.owner;
  if (out.pass_count < out.passes.size()) out.passes[out.pass_count++] = pass;
}

/// Between the stages: where the packet's fate was decided, and what each stage had to go by.
void Trial::after(int stage, Turn& turn, tables::ExplainedPass& pass, tables::Explanation& out) {
  const net::Packet& packet = turn.burst.packets[0];
  const bool is_open = packet.verdict == net::Verdict::undecided;
  if (is_open || pass.decided == ExplainStage::receive) {
    // What is open is for the next stage to decide.
    pass.decided = kStages[is_open ? std::min<size_t>(stage + 1, kStages.size() - 1) : stage];
  }
  switch (kStages[stage]) {
    case ExplainStage::parse:
      if (packet.verdict != net::Verdict::drop && !pass.is_piece) tell_packet(packet, out);
      break;
    case ExplainStage::answer:
      if (packet.verdict == net::Verdict::kept) look_for_train(packet);
      break;
    case ExplainStage::find:
      if (!is_open || packet.shape == net::Shape::control) break;
      is_v4(packet) ? look<V4>(turn, packet, out) : look<V6>(turn, packet, out);
      break;
    case ExplainStage::admit:
      turn.state.setup.calls = nullptr;  // from here on they would remember what is said
      break;
    case ExplainStage::choose_way:
    case ExplainStage::translate:
      if (is_open) tell_way(*turn.hops[0], out);
      break;
    case ExplainStage::receive:
    case ExplainStage::track:
    case ExplainStage::dispatch:
      break;
  }
}

/// A later fragment waits, unless its home knows the ports.
void Trial::look_for_train(const net::Packet& packet) {
  question_.wants_train = asks_ = true;
  question_.tuple6 = steer::Trains::key_of(packet);
  question_.train_hash = live_.steering->flow_hash()(question_.tuple6);
}

/// Before admission: what the worker has for the packet's flow, or for who would open one, is lent
/// to this path.
template <typename F>
void Trial::look(Turn& turn, const net::Packet& packet, tables::Explanation& out) {
  const typename F::Tuple tuple = F::tuple(packet);
  question_.is_v4 = !F::kWide;
  if constexpr (F::kWide) {
    question_.tuple6 = tuple;
  } else {
    question_.tuple4 = tuple;
  }
  asks_ = true;
  const FlowId id(packet.flow);
  if (id.exists() && !may_reopen(turn, packet)) {
    const uint16_t slot = turn.state.flows.track(id).service;
    question_.service = slot;
    const tables::Service* service = turn.view.service(tables::ServiceId{slot});
    if (service != nullptr) lend(turn, *service, turn.state.client_of(id));
  } else if (turn.view.is_ready()) {
    const tables::Service* service = look_around<F>(turn, packet, tuple, out);
    if (service == nullptr) return;
    out.service = service->id;
    question_.service = static_cast<uint16_t>(index(service->id));
    if (lanes::are_of(*service)) look_for_lanes();
    lend(turn, *service, address_of(tuple.source));
  }
}

/// Flows of such a client have a lane each (path_lanes.h), which follows from the server that is
/// chosen for what it says: all of them are asked for, one after another.
void Trial::look_for_lanes() {
  uint32_t lane = 1;
  for (const Knowledge& known : heard_) {
    if (!known.question.wants_lanes) continue;
    lane = !known.flow.exists() ? known.question.tuple4.lane
           : known.flow.wide()  ? known.wide.to_server.lane + 1u
                                : known.narrow.to_server.lane + 1u;
  }
  question_.wants_lanes = true;
  question_.tuple4.lane = question_.tuple6.lane = static_cast<uint8_t>(std::min(lane, 255u));
}

/// What admission will go by: the same look-ups. The service that the packet is for.
template <typename F>
const tables::Service* Trial::look_around(Turn& turn, const net::Packet& packet,
                                          const typename F::Tuple& tuple,
                                          tables::Explanation& out) {
  const net::Address from = address_of(tuple.source), to = address_of(tuple.destination);
  turn.state.opening->begin(turn);
  const Opening::Target& target = turn.state.opening->target<F>(packet, tuple);
  const steer::Place place = turn.state.steering.place(
      tuple, {target.local, target.prefix, live_.sides[packet.port]}, turn.view.settings());
  out.has_owner = 1;
  out.owner = turn.state.steering.owner(place.shard);
  out.whose = whose(turn, target, tuple.instance, to);
  steer::Announcement announced;
  if (live_.announcements != nullptr &&
      live_.announcements->find(
          {from, to, net::swap16(tuple.destination_port), tuple.instance, tuple.protocol},
          turn.tick, announced)) {
    was_told_ = tuple.protocol == net::Protocol::udp;
    turn.state.announce(announced, turn.tick);
  }
  const tables::Service* service = target.service;
  if (service == nullptr || live_.persistence == nullptr) return service;
  const uint16_t kept = lend_clients(turn, *live_.persistence, *service, tuple.instance, from, to);
  out.is_persistent = service->persistence.exists();
  if (kept != steer::Persistence::kNobody) out.kept = tables::ServerId{kept};
  return service;
}

/// The gauges that schedulers and limits go by, where turns stand, what client and service may
/// have.
void Trial::lend(Turn& turn, const tables::Service& service, const net::Address& client) {
  Path::State& state = turn.state;
  question_.client = client;
  const uint32_t slot = index(service.id);
  if (slot < live_.sizes.services) {
    state.setup.services[slot].flows_active.set(live_.services[slot].flows_active.read());
  }
  const Knowledge* known = heard_.empty() ? nullptr : &heard_.back();
  if (const tables::Pool* pool = turn.view.pool(service.pool)) {
    if (known != nullptr && known->knows_service) {
      state.scheduling.stand(service, *pool, known->standing);
    }
    for (const tables::Member& member : std::span(pool->members(), pool->member_count)) {
      const uint32_t server = index(member.server);
      if (server >= live_.sizes.servers) continue;
      state.setup.servers[server].flows_active.set(live_.servers[server].flows_active.read());
    }
  }
  if (live_.meters != nullptr && (service.limits.exist() || service.traffic.exist())) {
    private_->meters = std::make_unique<admit::Meters>(
        *live_.meters, service, client, live_.worker,
        known != nullptr ? known->left : admit::Meters::Left{}, now_);
    state.setup.meters = private_->meters.get();
  }
  if (live_.syn_guard != nullptr && service.cookies.enabled != 0) {
    private_->guard = std::make_unique<admit::SynGuard>(*live_.syn_guard, service);
    state.setup.syn_guard = private_->guard.get();
  }
}

}  // namespace nezu::path
