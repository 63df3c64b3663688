// Within the path: opening the flows of a burst.
//
// Each goes in two steps. `prepare` decides (server, both tuples but for SNAT ports) and asks for
// the memory that the rest touches; `settle` takes the SNAT ports of all that wait and files them,
// by which time that memory is at hand. Whoever does not get in is told and counted in either step.
#pragma once

#include <array>

#include "dataplane/path_turn.h"

namespace nezu::path {

/// One family's words for the same things.
struct V4 {
  using Tuple = net::Tuple4;
  using Half = flow::Half4;
  static Tuple tuple(const net::Packet& p) { return tuple4_of(p); }
  static uint32_t raw(const net::Address& address) { return address.v4_raw(); }
  static constexpr bool kWide = false;
  static constexpr net::Family kFamily = net::Family::ipv4;
};
struct V6 {
  using Tuple = net::Tuple6;
  using Half = flow::Half6;
  static Tuple tuple(const net::Packet& p) { return tuple6_of(p); }
  static std::array<uint8_t, 16> raw(const net::Address& address) { return address.bytes; }
  static constexpr bool kWide = true;
  static constexpr net::Family kFamily = net::Family::ipv6;
};

/// As rules name it.
inline tables::Interface interface_of(const Turn& turn, uint16_t port, uint16_t vlan) {
  const auto& ports = turn.state.setup.ports;
  return {port < ports.size() ? ports[port] : 0, vlan, {}};
}

// path_room.cc:
/// An SNAT address and port of the shard's slice towards that peer.
struct Source {
  net::Address address;
  uint16_t slot = 0;
  uint16_t port = 0;  ///< host order; 0: `reason`, or of a protocol without ports
  net::Reason reason = net::Reason::none;
};
/// `hash`: where among the addresses of the service's set the search begins.
Source take_source(Turn& turn, const tables::Service& service, uint8_t shard, bool is_v4,
                   admit::Peer peer, uint64_t hash);
/// Asks for the memory that `take_source` will look at, if the first address has a port.
void ask_for_source(const Turn& turn, const tables::Service& service, uint8_t shard, bool is_v4,
                    admit::Peer peer, uint64_t hash);
/// Without ports one address serves one flow to that server: answers tell nothing else. What still
/// waits in `Opening` is not seen.
template <typename F>
Source take_whole_source(Turn& turn, const tables::Service& service, const typename F::Tuple& tuple,
                         const tables::Member& member, uint64_t hash);

/// How many flows may be opened beside those that wait before anybody must be ended for them.
uint32_t room_for(const Turn& turn, bool wide, uint32_t waiting);
/// The table's rules for fullness: makes room for one more flow beside those that wait by ending
/// whoever may be ended, or says why not. `proven`: its client has answered us, so that it counts
/// not among those that may only have a share.
net::Reason make_room(Turn& turn, bool wide, uint32_t waiting, bool proven);

/// Why a packet without a flow opens none; `none`: it may (path_admit.cc).
net::Reason why_no_opening(const net::Packet& packet);

/// Whether access lists let a client open a flow of the service; `none`: they do (path_admit.cc).
net::Reason why_denied(const Turn& turn, const tables::Service& service, net::Instance instance,
                       const net::Address& client);

/// Whether the service's limits have room for a flow, which is then metered (path_admit.cc).
net::Reason why_beyond(Turn& turn, Opening& opening, const tables::Service& service,
                       const net::Address& client);
/// Both.
inline net::Reason why_kept_out(Turn& turn, Opening& opening, const tables::Service& service,
                                net::Instance instance, const net::Address& client) {
  const net::Reason denied = why_denied(turn, service, instance, client);
  if (denied != net::Reason::none || !service.limits.exist()) [[likely]]
    return denied;
  return why_beyond(turn, opening, service, client);
}

/// Ends the packet: `reason` is counted, and if `refusal` says so whoever sent it is told.
void refuse(Turn& turn, net::Packet& packet, net::Reason reason, tables::Refusal refusal);

/// Which of the set's addresses is tried first. FTP servers take data connections from the address
/// alone that the control connection came from.
inline uint64_t source_hash(const tables::Service& service, const net::Address& client,
                            uint64_t flow_hash) {
  if (service.application != tables::Application::ftp) [[likely]]
    return flow_hash;
  return net::mix64(net::load<uint64_t>(&client.bytes[0]) ^
                    net::mix64(net::load<uint64_t>(&client.bytes[8])));
}

/// A packet that an earlier connection has announced opens its flow, or ends. False: nobody has
/// announced it (path_announce.cc).
template <typename F>
bool open_announced(Turn& turn, Opening& opening, net::Packet& packet,
                    const typename F::Tuple& tuple, uint8_t shard);
/// TFTP: what the server of a new flow will answer from.
void announce_answers(Turn& turn, flow::FlowId id);
/// SIP: a client's message, whose Call-ID says which flow it belongs to (path_sip.cc).
template <typename F>
void admit_message(Turn& turn, Opening& opening, net::Packet& packet,
                   const typename F::Tuple& tuple, const tables::Service& service, uint8_t shard);
/// A datagram of a client, or a piece of one, of a service that schedules each by itself
/// (path_datagrams.cc).
template <typename F>
void admit_datagram(Turn& turn, Opening& opening, net::Packet& packet,
                    const typename F::Tuple& tuple, const tables::Service& service, uint8_t shard);
/// path_masquerade.cc: a packet to somebody else that no flow knows. True when a rule of source NAT
/// has dealt with it.
template <typename F>
bool masquerade(Turn& turn, Opening& opening, net::Packet& packet, const typename F::Tuple& tuple,
                uint8_t shard);

class Opening {
 public:
  /// Nothing waits. Kept between bursts, as what it holds is large.
  void begin(Turn& turn) {
    turn_ = &turn;
    seen_.fill(0);
    v4_.known = v6_.known = false;
    room_ = {};
  }

  /// Where a packet is going to: new flows mostly go where the one before went.
  using Target = tables::Match;
  template <typename F>
  const Target& target(const net::Packet& packet, const typename F::Tuple& tuple);

  /// A packet that opens a flow of `service`, or is refused.
  template <typename F>
  void prepare(net::Packet& packet, const typename F::Tuple& tuple, const tables::Service& service,
               uint8_t shard);
  /// Who serves a new flow; nobody: the packet is refused.
  template <typename F>
  const tables::Member* pick(net::Packet& packet, const typename F::Tuple& tuple,
                             const tables::Service& service, const tables::Pool& pool) {
    if (persists(service)) return pick_again<F>(packet, tuple, service, pool);
    return choose<F>(packet, tuple, service, pool);
  }
  bool persists(const tables::Service& service) const {
    return service.persistence.exists() && turn_->state.setup.persistence != nullptr;
  }
  bool is_local(const tables::Pool& pool) const {
    return pool.locality != tables::Locality::none && turn_->state.setup.persistence != nullptr;
  }
  /// The same by the service's scheduler alone.
  template <typename F>
  const tables::Member* choose(net::Packet& packet, const typename F::Tuple& tuple,
                               const tables::Service& service, const tables::Pool& pool);
  /// No server takes it.
  void nobody(net::Packet& packet, const tables::Service& service, const tables::Pool& pool);
  /// As `choose`, but the packet is not refused.
  template <typename F>
  const tables::Member* would_choose(const typename F::Tuple& tuple, const tables::Service& service,
                                     const tables::Pool& pool);
  /// The same where flows to one destination stay together (path_pick.cc).
  template <typename F>
  const tables::Member* pick_near(const typename F::Tuple& tuple, const tables::Service& service,
                                  const tables::Pool& pool);
  /// The same where clients stay on their server (path_pick.cc).
  template <typename F>
  const tables::Member* pick_again(net::Packet& packet, const typename F::Tuple& tuple,
                                   const tables::Service& service, const tables::Pool& pool);
  /// As `prepare`, to that member.
  template <typename F>
  void prepare_for(net::Packet& packet, const typename F::Tuple& tuple,
                   const tables::Service& service, uint8_t shard, const tables::Member& member);
  /// The same for an inside host whose packet a rule of source NAT takes.
  template <typename F>
  void prepare_outward(net::Packet& packet, const typename F::Tuple& tuple,
                       const tables::Service& rule, uint8_t shard);
  /// A packet that a server of `service` in `redirect` sent opens a flow whose answers go back
  /// there. Where that is not possible it passes without one.
  template <typename F>
  void prepare_returned(net::Packet& packet, const typename F::Tuple& tuple,
                        const tables::Service& service, uint8_t shard);
  /// Counts it at the service and tells who sent it.
  void refused(net::Packet& packet, const tables::Service& service, net::Reason reason) {
    refused(packet, service, reason, service.refusal);
  }
  void refused(net::Packet& packet, const tables::Service& service, net::Reason reason,
               tables::Refusal refusal);
  /// Files what waits. Flows may have been ended for it: `turn.erased`.
  void settle();

  /// Others have filed flows: how many may be opened is to be found out again.
  void forget_room() { room_ = {}; }
  /// A packet of this hash has opened a flow.
  void note(uint64_t hash) { seen_[hash / 64 % kSeen] |= uint64_t{1} << (hash % 64); }
  /// False: no flow of this hash has been prepared here.
  bool may_have(uint64_t hash) const { return (seen_[hash / 64 % kSeen] >> (hash % 64) & 1) != 0; }

 private:
  template <typename F>
  struct Waiting {
    net::Packet* packet;
    const tables::Service* service;
    typename F::Tuple tuple;
    typename F::Half to_client;
    flow::Track track;
    uint64_t back;       ///< hash of the answers' tuple
    uint16_t snat_port;  ///< host order; 0: none, or of a protocol without ports
    /// `to_client` lacks its destination: an SNAT address and port, taken when it is settled.
    bool wants_source = false;
    uint64_t source_hash = 0;  ///< then

    admit::Peer peer() const {
      return flow::is_outward(track) ? admit::Peer::outside(outside_hash(to_client, tuple.protocol))
                                     : admit::Peer(track.server);
    }
  };
  static constexpr uint32_t kMost = 16;
  template <typename F>
  struct Queue {
    typename F::Tuple like;  ///< the last one that `target` was asked about
    bool known = false;
    Target target;
    uint32_t count = 0;
    std::array<Waiting<F>, kMost> waiting;  // NOLINT: filled up to `count`
  };

  template <typename F>
  Queue<F>& queue() {
    if constexpr (F::kWide) {
      return v6_;
    } else {
      return v4_;
    }
  }
  /// `F`: of the entry. A flow between families is wide, its IPv4 side mapped (flow/entry.h).
  template <typename F>
  void prepare_entry(net::Packet& packet, const typename F::Tuple& tuple,
                     const tables::Service& service, uint8_t shard, const tables::Member& member);
  /// What all new flows have, if there is room for one more.
  template <typename F>
  net::Reason begin(const typename F::Tuple& tuple, const tables::Service& service, uint8_t shard,
                    tables::Timeout state, Waiting<F>& out, bool proven = false);
  /// What all new flows of services have; `member`: null in `returned`, when nobody knows it.
  template <typename F>
  net::Reason begin_flow(const typename F::Tuple& tuple, const tables::Service& service,
                         uint8_t shard, const tables::Member* member, Waiting<F>& out,
                         bool proven = false);
  template <typename F>
  net::Reason decide_redirect(const net::Packet& packet, const typename F::Tuple& tuple,
                              const tables::Service& service, const tables::Member* member,
                              Waiting<F>& out);
  template <typename F>
  net::Reason decide(const net::Packet& packet, const typename F::Tuple& tuple,
                     const tables::Service& service, uint8_t shard, const tables::Member& member,
                     Waiting<F>& out);
  template <typename F>
  net::Reason decide_outward(const typename F::Tuple& tuple, const tables::Service& rule,
                             uint8_t shard, Waiting<F>& out);
  template <typename F>
  void let_wait(net::Packet& packet, Waiting<F>& next);
  template <typename F>
  void settle_all();
  /// False: none is left, and the packet is refused.
  template <typename F>
  bool take_source_of(Waiting<F>& one);
  /// An SNAT address and port are to be taken for it, from the address that `hash` chooses on.
  template <typename F>
  void want_source(const tables::Service& service, uint64_t hash, Waiting<F>& one);
  /// What a flow holds that is not filed after all.
  template <typename F>
  void let_go(const Waiting<F>& one);
  /// The same, and its packet is refused.
  template <typename F>
  void give_up(const Waiting<F>& one, net::Reason reason);

  static constexpr size_t kSeen = 16;  ///< words of 64 bits
  Turn* turn_ = nullptr;
  std::array<uint64_t, kSeen> seen_{};  ///< hashes that were prepared since `begin`
  uint32_t spliced_ = 0;                ///< of those that wait
  std::array<uint32_t, 2> room_{};      ///< by family of the entry: of room_for, what is left
  Queue<V4> v4_;
  Queue<V6> v6_;
};

}  // namespace nezu::path
