// A flow as it lies in memory and in the named file: both tuples, who serves it, and its state.
//
// Owned by one worker; nobody else writes. An entry is valid from the release store of `valid`, the
// last one of an insertion, to the first one of an erasure, so that a process killed between any
// two stores leaves a table that flow/file.h rebuilds. Deadlines are coarse boot-time ticks. Slots
// are the tables' numbers on this node: what names a flow elsewhere is its tuples, which hold the
// identity of the service and of the server.
//
// IPv4 flows take one line ("narrow"), all others two ("wide"). A flow whose client and server are
// of different families ("mixed") is wide; its IPv4 side stands there as IPv4-mapped addresses
// (::ffff:a.b.c.d), which no IPv6 packet that the parser passes carries. Each side is filed under
// the hash of the tuple as packets of that side have it, so that nobody else's look-up changes.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "dataplane/net/packet.h"
#include "dataplane/net/time.h"
#include "dataplane/tables/blocks.h"

namespace nezu::flow {

/// The way that a packet of a flow goes.
enum class Direction : uint8_t { to_server = 0, to_client = 1 };
constexpr Direction opposite(Direction direction) {
  return direction == Direction::to_server ? Direction::to_client : Direction::to_server;
}
constexpr size_t index(Direction direction) { return static_cast<size_t>(direction); }

/// How a full table and the timers see a flow: which wheel it hangs in.
enum class Stage : uint8_t { live, embryonic, closed };
inline constexpr size_t kStageCount = 3;

/// What TCP tracking remembers besides the state (flow/tcp_track.h) and how the flow is rewritten.
namespace flag {
inline constexpr uint8_t kFinToServer = 0x01, kFinToClient = 0x02,  // a FIN was seen that way
    kAckedToServer = 0x04, kAckedToClient = 0x08,                   // ... and acknowledged
    kSeenToServer = 0x10, kSeenToClient = 0x20,                     // `end` of that way is known
    kFullNat = 0x40,                                                // `snat` is a slot
    kAdopted = 0x80;  // lived through a restart of ours: checks are lenient until seen both ways
}  // namespace flag

inline constexpr uint16_t kNoHop = 0xffff;
/// `Track::server` of a flow of source NAT: the other side is no real server. No server has this
/// slot.
inline constexpr uint16_t kNoServer = 0xffff;
/// In Track::snat of a flow that was announced: its server sees no address of ours.
inline constexpr uint16_t kNoSnat = 0xffff;

/// What both kinds of entry keep beside the tuples. A flow of a mode that is one-way
/// (tables::is_one_way) is found by its client's tuple alone: `to_client` says who serves it.
struct Track {
  uint16_t service = 0;                            ///< slot
  uint16_t server = 0;                             ///< slot, or kNoServer
  net::Tick deadline = 0;                          ///< idle until then: expires
  uint32_t timeout = 0;                            ///< ticks; of the state that it is in
  std::array<uint32_t, 2> end{};                   ///< TCP: next sequence number, by Direction
  uint32_t routes_version = 0;                     ///< `hops` belong to these routes
  std::array<uint16_t, 2> hops{kNoHop, kNoHop};    ///< next hop's index, by Direction
  uint16_t snat = 0;                               ///< slot of the SNAT address; gue: the UDP port
  uint8_t shard = 0;                               ///< of its client: decides the owner
  tables::Timeout state = tables::Timeout::other;  ///< also which timeout it is under
  Stage stage = Stage::embryonic;
  tables::Mode mode = tables::Mode::nat;
  uint8_t flags = 0;  ///< of `flag`
  uint8_t valid = 0;  ///< 1: everything else is complete

  void publish() { std::atomic_ref(valid).store(1, std::memory_order_release); }
  /// Stores that follow stay behind this one. Whoever reads them is the next process, after this
  /// one has died between two of its own stores: the program's order is all that counts.
  void retract() {
    std::atomic_ref(valid).store(0, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
};
/// Of source NAT: the other side is an outside host. (One whose lines are read is spliced.)
constexpr bool is_outward(const Track& track) {
  return track.mode == tables::Mode::masquerade ||
         (track.mode == tables::Mode::spliced && track.server == kNoServer);
}
static_assert(sizeof(Track) == 36 && alignof(Track) == 4);
static_assert(tables::kMaxSlots <= 65536, "slots fit 16 bits");

/// Addresses and ports without what both tuples of a flow share.
struct Half4 {
  uint32_t source = 0, destination = 0;
  uint16_t source_port = 0, destination_port = 0;
};
struct Half6 {
  std::array<uint8_t, 16> source{}, destination{};
  uint16_t source_port = 0, destination_port = 0;
};

/// Client -> virtual service, as it comes in; server -> client (or SNAT address), as answers do (or
/// would, where they do not come through us). In source NAT the client is the inside host, and
/// service and server are both the outside one.
struct alignas(64) Entry4 {
  net::Tuple4 to_server;
  Half4 to_client;
  Track track;
};
struct alignas(64) Entry6 {
  net::Tuple6 to_server;
  Half6 to_client;
  Track track;
};
static_assert(sizeof(Entry4) == 64 && sizeof(Entry6) == 128);
static_assert(std::is_trivially_destructible_v<Entry4> && std::is_trivially_destructible_v<Entry6>);

inline net::Tuple4 tuple_to_client(const net::Tuple4& there, const Half4& back) {
  return {back.source,
          back.destination,
          back.source_port,
          back.destination_port,
          there.instance,
          there.protocol,
          0};
}
inline net::Tuple6 tuple_to_client(const net::Tuple6& there, const Half6& back) {
  return {back.source,
          back.destination,
          back.source_port,
          back.destination_port,
          there.instance,
          there.protocol,
          0,
          {}};
}
inline net::Tuple4 tuple_to_client(const Entry4& e) {
  return tuple_to_client(e.to_server, e.to_client);
}
inline net::Tuple6 tuple_to_client(const Entry6& e) {
  return tuple_to_client(e.to_server, e.to_client);
}

// --- mixed flows ---------------------------------------------------------------------------------

/// An IPv4 address as it stands in a wide entry.
inline std::array<uint8_t, 16> mapped(uint32_t raw) { return net::Address::v4_raw(raw).bytes; }
inline net::Tuple6 mapped(const net::Tuple4& t) {
  return {mapped(t.source), mapped(t.destination),
          t.source_port,    t.destination_port,
          t.instance,       t.protocol,
          t.lane,           {}};
}
inline bool is_mapped(const std::array<uint8_t, 16>& address) {
  return net::load<uint64_t>(&address[0]) == 0 && net::load<uint32_t>(&address[8]) == 0xffff0000u;
}
inline uint32_t unmapped(const std::array<uint8_t, 16>& address) {
  return net::load<uint32_t>(&address[12]);
}
/// Of a tuple with mapped addresses: as the packet has it.
inline net::Tuple4 unmapped(const net::Tuple6& t) {
  return {unmapped(t.source),
          unmapped(t.destination),
          t.source_port,
          t.destination_port,
          t.instance,
          t.protocol,
          t.lane};
}
inline bool is_mixed(const Entry6& e) {
  return is_mapped(e.to_server.source) != is_mapped(e.to_client.source);
}

/// A flow's number in its worker's table, as net::Packet::flow carries it.
class FlowId {
 public:
  static constexpr uint32_t kWide = 0x8000'0000u, kToClient = 0x4000'0000u, kIndex = 0x3fff'ffffu;

  constexpr explicit FlowId(uint32_t word = net::kNoFlow) : word_(word) {}
  constexpr FlowId(bool wide, uint32_t entry, Direction direction)
      : word_(entry | (wide ? kWide : 0) | (direction == Direction::to_client ? kToClient : 0)) {}

  constexpr bool exists() const { return word_ != net::kNoFlow; }
  constexpr bool wide() const { return (word_ & kWide) != 0; }
  constexpr uint32_t entry() const { return word_ & kIndex; }
  constexpr Direction direction() const {
    return (word_ & kToClient) != 0 ? Direction::to_client : Direction::to_server;
  }
  constexpr FlowId towards(Direction direction) const { return FlowId(wide(), entry(), direction); }
  constexpr uint32_t word() const { return word_; }
  constexpr bool operator==(const FlowId&) const = default;

 private:
  uint32_t word_;
};

}  // namespace nezu::flow
