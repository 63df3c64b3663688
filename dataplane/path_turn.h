// Within the path: what one worker's stages share, and what one turn of them works on.
//
// Included by path*.cc only. A stage is a function over a Turn; it looks at packets whose verdict
// is still `undecided`.
#pragma once

#include <array>
#include <cstdlib>
#include <memory>
#include <utility>

#include "dataplane/admit/meters.h"
#include "dataplane/admit/scheduling.h"
#include "dataplane/admit/snat_ports.h"
#include "dataplane/flow/relay.h"
#include "dataplane/flow/sweep.h"
#include "dataplane/flow/table.h"
#include "dataplane/flow/tcp_track.h"
#include "dataplane/forward/client_address.h"
#include "dataplane/path.h"
#include "dataplane/path_held.h"
#include "dataplane/route/ways.h"
#include "dataplane/steer/announcements.h"
#include "dataplane/steer/steering.h"
#include "dataplane/steer/strangers.h"
#include "dataplane/steer/trains.h"
#include "dataplane/tables/match.h"

namespace nezu::path {

/// Flows that nobody has answered yet may hold a share of the table.
inline uint64_t embryonic_limit(const tables::Settings& settings, uint32_t capacity) {
  return uint64_t{capacity} * settings.embryonic_percent / 100;
}
/// It has had its second: others may take its place.
inline bool may_make_place(const flow::Track& embryonic, net::Tick now) {
  const auto left = static_cast<int64_t>(static_cast<int32_t>(embryonic.deadline - now));
  return embryonic.timeout - left >= net::kTicksPerSecond;
}

/// A request that a worker is answering, slice by slice.
struct Errand {
  tables::Request request;
  bool active = false;
  flow::Sweep sweep;
  uint64_t matched = 0;
  uint32_t listed = 0;
};

/// Ends the flows of a server whose drain deadline has passed, or that has failed.
struct Ending {
  uint32_t next_server = 0;  ///< to look at
  uint32_t server = 0;       ///< whose flows are being looked at, while the sweep runs
  bool is_failure = false;   ///< not a drain's end
  flow::Sweep sweep;
  net::Tick looked = 0;
  std::unique_ptr<net::Instant[]> swept_for;  ///< by ServerId: the failure that was dealt with
};

/// Tells persistence which clients still send, by a walk over all flows every 16 seconds.
struct Presence {
  flow::Sweep sweep;
  net::Tick since = 0;  ///< what has passed until then has been walked, or is owed
  uint32_t owed = 0;    ///< entries
};

/// Segments of our own that are to leave; fixed room.
class Farewells {
 public:
  static constexpr uint32_t kRoom = 256;
  /// Whether both of another connection would fit.
  bool has_room() const { return count_ + 2 <= kRoom; }
  void add(const Farewell& one) { waiting_[count_++] = one; }
  uint32_t take(std::span<Farewell> out) {
    const auto taken = std::min(count_, static_cast<uint32_t>(out.size()));
    count_ -= taken;
    std::copy_n(waiting_.begin() + count_, taken, out.begin());
    return taken;
  }

 private:
  std::array<Farewell, kRoom> waiting_;
  uint32_t count_ = 0;
};

/// How flows were counted at their clients' limits, by FlowId. Memory that is first written when a
/// service has such a limit.
class Counted {
 public:
  explicit Counted(const flow::Table& flows) {
    for (const bool wide : {false, true}) {
      marks_[wide].reset(
          static_cast<admit::Meters::Mark*>(std::calloc(flows.capacity(wide) + 1, 1)));
      if (marks_[wide] == nullptr) std::abort();
    }
  }
  void mark(flow::FlowId id, admit::Meters::Mark mark) {
    marks_[id.wide()].get()[id.entry()] = mark;
  }
  /// It is none any more.
  admit::Meters::Mark take(flow::FlowId id) {
    return std::exchange(marks_[id.wide()].get()[id.entry()], admit::Meters::Mark{});
  }

 private:
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  std::array<std::unique_ptr<admit::Meters::Mark, Free>, 2> marks_;
};

class Opening;  // path_open.h

/// Of the outside host of a flow of source NAT.
template <typename Half>
uint64_t outside_hash(const Half& to_client, net::Protocol protocol) {
  const uint64_t end = to_client.source_port | static_cast<uint64_t>(protocol) << 16;
  if constexpr (sizeof(to_client.source) == 4) {
    return net::mix64(to_client.source | end << 32);
  } else {
    return net::mix64(net::mix64(net::load<uint64_t>(&to_client.source[0])) ^
                      net::load<uint64_t>(&to_client.source[8])) ^
           net::mix64(~end);
  }
}

struct Path::State {
  explicit State(const Setup& given);
  ~State();

  Setup setup;
  flow::Table& flows;
  const steer::Steering& steering;
  steer::Strangers strangers;
  tables::WorkerLine& line;
  admit::Scheduling scheduling;
  admit::SnatPorts ports;
  flow::Splices splices;
  HeldLines held;
  std::array<uint8_t, tables::kShardCount> active_ports{};  ///< FTP: the last one of each slice
  flow::Relays relays;
  route::ServerWays ways;
  const std::unique_ptr<route::NextHop[]> sender_hops;  ///< by relay; filled when one is used
  const std::unique_ptr<Opening> opening;
  Allowance replies;
  steer::Trains trains{steer::Trains::Limits{}};
  Desk desk;
  Errand errand;
  Ending ending;
  Presence presence;
  Counted counted;
  Farewells farewells;
  bool tunnels = false;    ///< a packet went into a tunnel since the last part of a burst
  uint16_t packet_id = 0;  ///< of the last IPv4 packet that was made of an IPv6 one
  net::Tick reported = 0;  ///< when the gauges of `line` were set last
  net::Instant turn_at;    ///< when this turn began

  /// To all workers (path_announce.cc). False: there is no place.
  bool announce(const steer::Announcement& announcement, net::Tick now);

  // --- the life of a flow (path_flows.cc): everything that it holds, taken and released together
  /// Counts a flow at its server: before it is filed, so that the next choice knows of it.
  void hold_server(uint16_t server);
  /// It was not filed.
  void let_go_server(uint16_t server);
  /// Counts a flow that has just been put into the table; its server is held.
  void opened(const flow::Track& track);
  /// Releases what the flow holds and erases it.
  void end(flow::FlowId id);
  void end(const flow::Table::Leaving& flow);
  /// The same for many whose entries have been asked for: the rest is asked for ahead.
  void end(std::span<const flow::FlowId> ids);
  net::Address client_of(flow::FlowId id) const;
  /// Who is on the other side of the flow's SNAT port.
  admit::Peer peer_of(flow::FlowId id) const;
  /// path_masquerade.cc: tells the NAT log about a flow of source NAT.
  void log(NatRecord::Kind kind, flow::FlowId id);
  NatRecord nat_record(NatRecord::Kind kind, flow::FlowId id, net::Instant at) const;
  /// Writes state, timeout and deadline, and the wheel that follows from them.
  void set_state(flow::FlowId id, tables::Timeout state, const tables::View& view, net::Tick now);
};

/// Packets that are parsed while memory answers what the slice before asked for; and what the later
/// stages pass on between them, so that entries and their translations (a core keeps 64) are still
/// at hand (bench/path: 1.5 cycles a packet at 1 k flows, 5 at 1 M).
inline constexpr uint32_t kSlice = 16;

struct Turn {
  Turn(Path::State& of, net::Burst& packets, const tables::View& tables, const route::Routes& ways,
       net::Instant at)
      : state(of), burst(packets), view(tables), routes(ways), now(at), tick(net::to_tick(at)) {}

  Path::State& state;
  net::Burst& burst;
  const tables::View& view;
  const route::Routes& routes;
  net::Instant now;
  net::Tick tick;
  /// Next hop of each packet; written by `choose_way`.
  std::array<const route::NextHop*, net::kBurstCapacity> hops;  // NOLINT: by a stage
  std::span<net::Packet> part{};  ///< of the burst: what the stages behind `admit` work on now
  uint32_t missing = 0;           ///< packets that found no flow
  /// Of each slice, those that were known to be other workers'.
  std::array<uint32_t, net::kBurstCapacity / kSlice> strangers{};
  bool is_own = false;      ///< the frames are ours
  bool is_metered = false;  ///< no limit of packets or bits is asked (again)
  bool bridged = false;     ///< some came in by a bridge that is open
  // Within `admit`:
  bool erased = false;  ///< flows were ended
  bool may_end = true;  ///< flows may be ended to make room
};

// The stages, in their order.
void look_across(Turn& turn);  ///< path_bridge.cc  frames that are not ours
void spread(Turn& turn);       ///< path_bridge.cc  what the twin gets and the other side as well
void answer(Turn& turn);       ///< path_answer.cc   ARP and NDP for our addresses; the twin's own
void fragments(Turn& turn);    ///< path_fragments.cc   they meet at their train's home
void meter(Turn& turn);        ///< path_meter.cc    packets of flows, where a service has limits
void admit(Turn& turn);        ///< path_admit.cc    packets without a flow
void track(Turn& turn);        ///< path_track.cc    states, deadlines
void choose_way(Turn& turn);   ///< path_route.cc    next hop, MTU
void translate(Turn& turn);    ///< path_translate.cc
void translate_across(Turn& turn, net::Packet& packet);   ///< path_family.cc, for `translate`
void send_one_way(Turn& turn, net::Packet& packet);       ///< path_one_way.cc, for `translate`
void send_redirected(Turn& turn, net::Packet& packet);    ///< path_redirect.cc, for `translate`
void translate_told(Turn& turn, net::Packet& packet);     ///< path_told.cc, for `translate`
void translate_spliced(Turn& turn, net::Packet& packet);  ///< path_splice.cc, for `translate`
void translate_spoken(Turn& turn, net::Packet& packet);   ///< path_sip.cc, for `translate`
/// Addresses and ports by the flow's tuples, between the families or within one.
void translate_flow(Turn& turn, net::Packet& packet);
void dispatch(Turn& turn);  ///< path_route.cc    Ethernet addresses, VLAN, verdict
void count(Turn& turn);     ///< path_count.cc    every packet, once
// In slices of a bounded size, between bursts (path_housekeep.cc, path_errand.cc).
void expire(Path::State& state, const tables::View& view, const route::Routes& routes,
            net::Tick now);
/// path_farewell.cc, for `expire`: true when both ends of a connection are told, and its flow is
/// closed instead of ended.
bool says_farewell(Path::State& state, const tables::View& view, const route::Routes& routes,
                   flow::FlowId id, net::Tick now);
void recycle_ahead(Path::State& state, const tables::View& view, net::Tick now);
/// Whether both ends have said enough to be told; if so, tells them and closes the flow. There must
/// be room.
bool may_say_farewell(const flow::Track& track);
void say_farewell(Path::State& state, const tables::View& view, const route::Routes& routes,
                  flow::FlowId id, net::Tick now);
/// path_ending.cc
void end_flows_of_gone(Path::State& state, const tables::View& view, const route::Routes& routes,
                       net::Instant now);
void run_errand(Path::State& state, net::Instant now);
/// path_errand.cc: what an explanation asks.
void answer_question(Path::State& state, const tables::View& view, net::Instant now);
/// path_errand.cc: a flow as people see it.
tables::FlowRecord record_of(const Path::State& state, flow::FlowId id, net::Tick now);
void keep_present(Path::State& state, const tables::View& view, net::Tick now);  ///< path_pick.cc
void report(Path::State& state, const tables::View& view, net::Tick now);

/// The same as `why_not_passed` of a service that has limits of packets or bits.
net::Reason why_beyond_traffic(Turn& turn, const net::Packet& packet,
                               const tables::Service& service, const net::Address& client);
/// A packet whose flow was found after `meter`: dropped where it is beyond what its service may
/// have.
void meter_one(Turn& turn, net::Packet& packet);
/// What a service and its client may have a second; none: the packet passes (path_meter.cc).
inline net::Reason why_not_passed(Turn& turn, const net::Packet& packet,
                                  const tables::Service& service, const net::Address& client) {
  if (!service.traffic.exist()) [[likely]]
    return net::Reason::none;
  return why_beyond_traffic(turn, packet, service, client);
}

/// Its server sees an address of ours, whose slot stands in it; the port is its own where it has
/// the flag alone.
inline bool uses_snat(const flow::Track& track) {
  return (track.flags & flow::flag::kFullNat) != 0 ||
         (track.mode == tables::Mode::announced && track.snat != 0xffff);
}
/// An address as it stands in a tuple; IPv4 stands in wide entries as in net::Address.
inline net::Address address_of(uint32_t raw) { return net::Address::v4_raw(raw); }
inline net::Address address_of(const std::array<uint8_t, 16>& raw) {
  return net::Address::v6(raw.data());
}
// Mode `redirect` (path_redirect.cc).
/// The service in `redirect` that takes what that client sends to that address and port, by
/// whatever interface; null: none.
const tables::Service* redirecting(const Turn& turn, net::Instance instance,
                                   const net::Address& address, net::Protocol protocol,
                                   uint16_t port, const net::Address& client);
/// A relay for a flow of `service`, in `track.snat`.
net::Reason hold_relay(Turn& turn, const net::Packet& packet, const tables::Service& service,
                       const tables::Member* member, flow::Track& track);
/// The member that sent the packet; null: somebody else.
const tables::Member* sending_member(const Turn& turn, const net::Packet& packet,
                                     net::Instance instance, const tables::Service& service);
/// Where answers of that flow go back to; null: by the routes.
const route::NextHop* hop_to_sender(Turn& turn, flow::FlowId id);
/// A packet to the server of a flow in `redirect` that comes from the servers' side.
bool came_back(const Turn& turn, const net::Packet& packet);
// Bridges (path_bridge.cc).
/// The way to the other side for a frame that is for another host, if that is open.
const route::Crossing* way_across(const Turn& turn, const net::Packet& packet);
/// It passes as it came, or is too long for the other side.
void pass_across(Turn& turn, net::Packet& packet, const route::Crossing& way);
/// The same when the frame is for another host. False: it is not.
inline bool passes_across(Turn& turn, net::Packet& packet) {
  if (!turn.bridged) [[likely]]
    return false;
  const route::Crossing* way = way_across(turn, packet);
  if (way != nullptr) pass_across(turn, packet, *way);
  return way != nullptr;
}
/// An answer of a server to its client that goes on as its frame says; null: by the routes.
const route::NextHop* hop_across(const Turn& turn, const net::Packet& packet);
/// The server's answers to that client do not come by us: both are at one side.
bool answers_past_us(const Turn& turn, const net::Packet& packet, const net::Address& client,
                     const net::Address& server);
/// path_route.cc: another way than the flow's. False: the packet has ended.
bool choose_way_to(Turn& turn, net::Packet& packet, const net::Address& to);

constexpr size_t timeout_index(tables::Timeout state) { return static_cast<size_t>(state); }
inline bool is_v4(const net::Packet& packet) { return packet.family == net::Family::ipv4; }
/// Of the packet itself; of an ICMP error the mirrored inner one: the way of the flow that it goes.
inline net::Tuple4 tuple4_of(const net::Packet& p) {
  return p.shape == net::Shape::icmp_error ? p.tuple4.mirrored() : p.tuple4;
}
inline net::Tuple6 tuple6_of(const net::Packet& p) {
  return p.shape == net::Shape::icmp_error ? p.tuple6.mirrored() : p.tuple6;
}
/// As the flow's `to_client` names it.
inline net::Address server_of(const Turn& turn, flow::FlowId id) {
  const flow::Table& flows = turn.state.flows;
  return id.wide() ? address_of(flows.wide(id).to_client.source)
                   : address_of(flows.narrow(id).to_client.source);
}
/// path_answer.cc: a packet of a protocol that no flow has, to somebody else, which transit lets
/// pass as it is.
bool passes_through(Turn& turn, net::Packet& packet);
/// Where the packet itself goes: of an ICMP error, whom it tells.
net::Address outer_destination_of(const net::Packet& p);
inline bool is_mixed(const Turn& turn, flow::FlowId id) {
  return id.wide() && flow::is_mixed(turn.state.flows.wide(id));
}
/// The flow's client as it called, in its own family.
inline forward::Caller caller_of(const Turn& turn, flow::FlowId id) {
  const flow::Table& flows = turn.state.flows;
  if (!id.wide()) return forward::Caller::of(flows.narrow(id).to_server);
  const net::Tuple6& tuple = flows.wide(id).to_server;
  return flow::is_mapped(tuple.source) ? forward::Caller::of(flow::unmapped(tuple))
                                       : forward::Caller::of(tuple);
}
inline net::Address destination_of(const net::Packet& p) {
  return is_v4(p) ? address_of(p.tuple4.destination) : address_of(p.tuple6.destination);
}

}  // namespace nezu::path
