// A packet as the stages see it: its bytes, what the parser found, and what was decided.
//
// One worker at a time. Stages do no I/O: `buffer` is opaque to all but device/, which makes a
// Packet of what it received and acts on the verdict. All headers up to and including L4 (and, for
// ICMP errors, the inner ones) are contiguous from `head`; a longer payload may lie in further
// segments, so that only `length` counts it.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "dataplane/net/address.h"
#include "dataplane/net/reason.h"

namespace nezu::net {

/// What becomes of a packet.
enum class Verdict : uint8_t {
  undecided,
  forward,    ///< send to `egress`; its bytes are final
  drop,       ///< count `reason` and free
  twin,       ///< to the kernel, by the twin of the port it came from
  hand_over,  ///< to worker `owner`
  hold,       ///< waits for the link-layer address of `awaited`; a queue takes `buffer`
  reply,      ///< turned into our answer, leaves by the port that it came from
  kept,       ///< the path has taken `buffer` and will give it back (an early fragment)
  across,     ///< as it came, by `egress`: the other side of a bridge
  both,       ///< the same, and to the kernel: for everybody
  split,      ///< IPv4 too long for its way: device/ makes pieces, which come in again; `owner`
};

/// Source and destination as they stand in a packet, IPv4. Exactly 16 bytes: one vector register.
struct alignas(16) Tuple4 {
  uint32_t source = 0;       ///< network order
  uint32_t destination = 0;  ///< network order
  /// Network order. ICMP echo: a request has its identifier here and 0 in `destination_port`, a
  /// reply the other way round, so that the two tuples mirror each other. No ports: 0.
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  Instance instance = Instance::standard;
  Protocol protocol = Protocol::any;
  /// 0 in every packet. Flows of one client that are told apart by what is said have others.
  uint8_t lane = 0;
  bool operator==(const Tuple4&) const = default;

  /// The tuple of the answers to this one.
  Tuple4 mirrored() const {
    return {destination, source, destination_port, source_port, instance, protocol, 0};
  }
};
static_assert(sizeof(Tuple4) == 16);

/// The same for IPv6.
struct alignas(16) Tuple6 {
  std::array<uint8_t, 16> source{};
  std::array<uint8_t, 16> destination{};
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  Instance instance = Instance::standard;
  Protocol protocol = Protocol::any;
  uint8_t lane = 0;
  std::array<uint8_t, 8> reserved{};
  bool operator==(const Tuple6&) const = default;

  Tuple6 mirrored() const {
    return {destination, source, destination_port, source_port, instance, protocol, 0, {}};
  }
};
static_assert(sizeof(Tuple6) == 48);

/// TCP flag bits as in the header (RFC 9293 3.1).
inline constexpr uint8_t kTcpFin = 0x01, kTcpSyn = 0x02, kTcpRst = 0x04, kTcpPsh = 0x08,
                         kTcpAck = 0x10, kTcpUrg = 0x20;

/// What kind of packet the parser saw: which path through the stages it takes.
enum class Shape : uint8_t {
  other,       ///< not IP (ARP, LLDP, ...): the answers' or the twin's
  transport,   ///< TCP, UDP, SCTP, ICMP echo; others, without ports: `tuple` is its own; also a
               ///< first fragment of these
  icmp_error,  ///< `tuple` is the inner packet's, as it stands there
  fragment,    ///< not the first: `tuple` has no ports, `l4` is where its piece of payload begins
  control,     ///< NDP, MLD, multicast, link-local, other ICMP: the answers' or the twin's;
               ///< `tuple` has addresses and protocol, no ports
};

inline constexpr uint32_t kNoFlow = 0xffffffffu;

struct alignas(64) Packet {
  Packet() : tuple6{} {}

  // By device/, when the frame comes in.
  uint8_t* head = nullptr;   ///< first byte of the Ethernet header
  void* buffer = nullptr;    ///< device's handle
  uint32_t head_length = 0;  ///< contiguous bytes from `head`
  uint32_t length = 0;       ///< bytes of the whole frame, padding included
  uint32_t room = 0;         ///< bytes that may be written from `head` on, for longer replies
  uint16_t port = 0;         ///< data port that it came in by
  /// VLAN id; 0: untagged. Set by device/ where the port took the tag off, else by the parser.
  uint16_t vlan = 0;

  // By the parser, which writes these 32 bytes in a few stores. Offsets count from `head`.
  uint16_t l3 = 0;         ///< IP header; other: what follows Ethernet and VLAN
  uint16_t l4 = 0;         ///< transport header
  uint16_t inner_l3 = 0;   ///< icmp_error: the inner IP header
  uint16_t inner_l4 = 0;   ///< icmp_error: the inner transport header (8 bytes are there); 0: none
  uint16_t ip_length = 0;  ///< bytes from l3 to the end of the IP packet (without padding)
  uint16_t fragment_header = 0;  ///< the IPv6 fragment header; 0: none
  Shape shape = Shape::other;
  Family family = Family::ipv4;
  Protocol protocol = Protocol::any;
  uint8_t tcp_flags = 0;
  bool first_fragment = false;  ///< has ports, but further fragments follow

  // By later stages; the parser sets them as here.
  /// The sums of IP / L4 are to be computed by the port (or by device/ where it cannot): replies
  /// that we made. Rewrites keep sums right incrementally and leave these false.
  bool sum_l4 = false;
  Verdict verdict = Verdict::undecided;
  Reason reason = Reason::none;
  uint16_t egress = 0;  ///< port to send by
  uint16_t owner = 0;   ///< hand_over: the worker. split: the longest IP packet to come
  /// By device/: came by another worker's ring, must not leave by one.
  bool handed_over = false;
  /// A fragment whose train told `ports`: it has been at its home.
  bool knows_ports = false;
  uint32_t flow = kNoFlow;  ///< flow id with direction; kNoFlow: none

  union {
    Tuple4 tuple4;
    Tuple6 tuple6;
    Address awaited;  ///< `hold`, instead of a tuple: who is to be asked for
  };
  uint64_t hash = 0;   ///< flow hash of the tuple
  uint32_t ports = 0;  ///< as they lie in the first fragment's transport header
  Instance awaited_in = Instance::standard;  ///< `hold`: where `awaited` is

  /// device/: a frame has come in. All that the stages do not write before they read it is set.
  void arrive(uint8_t* frame, void* handle, uint32_t contiguous, uint32_t whole, uint32_t writable,
              uint16_t ingress, uint16_t stripped_vlan = 0) {
    head = frame;
    buffer = handle;
    head_length = contiguous;
    length = whole;
    room = writable;
    port = ingress;
    vlan = stripped_vlan;
    handed_over = false;
    knows_ports = false;
  }
  void drop(Reason why) {
    verdict = Verdict::drop;
    reason = why;
  }
  template <typename Header>
  Header* at(uint32_t offset) {
    return reinterpret_cast<Header*>(head + offset);
  }
  template <typename Header>
  const Header* at(uint32_t offset) const {
    return reinterpret_cast<const Header*>(head + offset);
  }
};

// Two lines: what every packet is asked for, then its key.
static_assert(sizeof(Packet) == 128);

/// The instance that a packet with a tuple (or of Shape::other) came in by.
inline Instance instance_of(const Packet& packet) {
  return packet.family == Family::ipv4 ? packet.tuple4.instance : packet.tuple6.instance;
}

inline constexpr uint32_t kBurstCapacity = 64;

struct Burst {
  uint32_t count = 0;
  // By the parser: what spares a stage the look at every packet.
  bool plain = false;     ///< all are undecided TCP or UDP: no fragment, nothing for a twin
  uint8_t tcp_flags = 0;  ///< of any of them
  std::array<Packet, kBurstCapacity> packets;
  std::span<Packet> all() { return {packets.data(), count}; }
};

}  // namespace nezu::net
