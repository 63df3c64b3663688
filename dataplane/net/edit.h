// A translation: addresses, ports, hop count, and every checksum that they touch change together,
// once, when the edit ends.
//
// One worker at a time, on a packet that the parser has passed. Shape:
//
//   Edit4 edit{packet};
//   edit.source(flow.snat);
//   edit.destination(flow.server);
//   edit.hop();
//
// Sums are kept in a register and written at the end of the scope. Nothing is read back that was
// just written in another width, which would stall (bench/micro/edit.cc shows both). RFC 1624 for
// the update, RFC 768 for UDP's zero, RFC 8200 8.1 for the pseudo-header of IPv6.
#pragma once

#include <emmintrin.h>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/net/packet.h"

namespace nezu::net {

/// An address and port as they lie in a packet.
struct Endpoint4 {
  uint32_t address = 0;
  uint16_t port = 0;
  bool operator==(const Endpoint4&) const = default;
};
struct Endpoint6 {
  std::array<uint8_t, 16> address{};
  uint16_t port = 0;
  bool operator==(const Endpoint6&) const = default;
};

/// Both ends as an IPv4 packet carries them: two words instead of four fields.
struct Ends4 {
  uint64_t addresses = 0;  ///< the last 8 bytes of an IPv4 header
  uint32_t ports = 0;      ///< the first 4 of TCP and UDP
  static constexpr Ends4 of(Endpoint4 source, Endpoint4 destination) {
    return {source.address | uint64_t{destination.address} << 32,
            source.port | uint32_t{destination.port} << 16};
  }
  constexpr Endpoint4 source() const {
    return {static_cast<uint32_t>(addresses), static_cast<uint16_t>(ports)};
  }
  constexpr Endpoint4 destination() const {
    return {static_cast<uint32_t>(addresses >> 32), static_cast<uint16_t>(ports >> 16)};
  }
  /// As packets the other way carry them.
  constexpr Ends4 mirrored() const { return {std::rotl(addresses, 32), std::rotl(ports, 16)}; }
};

/// What an edit may touch behind the IP header.
enum class Touch : uint8_t {
  transport,  ///< TCP and UDP, also a first fragment: ports and checksum
  echo,       ///< ICMP echo: the identifier, as the port of the side that asks, and checksum
  addresses,  ///< a later fragment or another protocol: nothing (SCTP: forward/sctp.h)
};

constexpr Touch touch_of(const Packet& packet) {
  if (packet.shape != Shape::transport) return Touch::addresses;
  if (packet.protocol == Protocol::tcp || packet.protocol == Protocol::udp) return Touch::transport;
  return is_icmp(packet.protocol) ? Touch::echo : Touch::addresses;
}

/// The transport header's part of an edit: ports, other fields, and its checksum.
class TransportEdit {
 public:
  TransportEdit(uint8_t* header, Protocol protocol, Touch touch)
      : header_(header), protocol_(protocol), touch_(touch) {}

  void source_port(uint16_t port) {
    if (touch_ == Touch::transport) return set16(0, port);
    if (touch_ == Touch::echo && is_request()) set16(offsetof(Icmp, echo), port);
  }
  void destination_port(uint16_t port) {
    if (touch_ == Touch::transport) return set16(2, port);
    if (touch_ == Touch::echo && !is_request()) set16(offsetof(Icmp, echo), port);
  }
  /// Both, as they lie in the header.
  void ports(uint32_t both) {
    if (touch_ == Touch::transport) [[likely]] {
      sum_ += change32(load<uint32_t>(header_), both);
      return store(header_, both);
    }
    source_port(static_cast<uint16_t>(both));
    destination_port(static_cast<uint16_t>(both >> 16));
  }
  /// Any other field at an even distance from the header's start, as in
  /// edit.transport().field(tcp.sequence, n).
  void field(Big16& at, uint16_t value) {
    const uint16_t from = at.raw();
    at = value;
    sum_ += change16(from, at.raw());
  }
  void field(Big32& at, uint32_t value) {
    const uint32_t from = at.raw(), to = swap32(value);
    at.set_raw(to);
    sum_ += change32(from, to);
  }
  /// What the pseudo-header has changed by.
  void pseudo(Change change) {
    if (protocol_ != Protocol::icmp) sum_ += change;  // which has none
  }

  void end() {
    if (touch_ == Touch::addresses) return;
    const bool udp = protocol_ == Protocol::udp;
    uint8_t* at = header_ + (udp ? offsetof(Udp, checksum) : offsetof(Tcp, checksum));
    if (touch_ == Touch::echo) [[unlikely]] {
      at = header_ + offsetof(Icmp, checksum);
    }
    const auto checksum = load<uint16_t>(at);
    store(at, udp ? updated_udp(checksum, sum_) : updated(checksum, sum_));
  }

 private:
  void set16(size_t offset, uint16_t port) {
    sum_ += change16(load<uint16_t>(header_ + offset), port);
    store(header_ + offset, port);
  }
  bool is_request() const {
    return header_[0] == icmp::kEchoRequest || header_[0] == icmpv6::kEchoRequest;
  }

  uint8_t* header_;
  Change sum_ = 0;
  Protocol protocol_;
  Touch touch_;
};

class Edit4 {
 public:
  explicit Edit4(Packet& packet) : Edit4(packet, touch_of(packet)) {}
  /// For callers that know: the checks of `touch_of` fold away.
  Edit4(Packet& packet, Touch touch)
      : ip_(packet.head + packet.l3), transport_(packet.head + packet.l4, packet.protocol, touch) {}
  Edit4(const Edit4&) = delete;
  Edit4& operator=(const Edit4&) = delete;
  ~Edit4() { end(); }

  void source(Endpoint4 to) {
    address_at(offsetof(Ipv4, source), to.address);
    transport_.source_port(to.port);
  }
  void destination(Endpoint4 to) {
    address_at(offsetof(Ipv4, destination), to.address);
    transport_.destination_port(to.port);
  }
  /// Source and destination.
  void ends(Ends4 to) {
    uint8_t* at = ip_ + offsetof(Ipv4, source);
    addresses_ += change64(load<uint64_t>(at), to.addresses);
    store(at, to.addresses);
    transport_.ports(to.ports);
  }
  /// One hop further. The TTL was checked to be above 1.
  void hop() { hops_ = 1; }
  TransportEdit& transport() { return transport_; }

 private:
  void address_at(size_t offset, uint32_t to) {
    addresses_ += change32(load<uint32_t>(ip_ + offset), to);
    store(ip_ + offset, to);
  }
  void end() {
    // TTL, protocol and checksum share a word: one load, one store. The TTL is its lowest byte.
    uint8_t* at = ip_ + offsetof(Ipv4, ttl);
    const auto word = load<uint32_t>(at) - hops_;
    const uint16_t sum = updated(static_cast<uint16_t>(word >> 16), addresses_ - hops_);
    store(at, (word & 0xffff) | static_cast<uint32_t>(sum) << 16);
    transport_.pseudo(addresses_);
    transport_.end();
  }

  uint8_t* ip_;
  TransportEdit transport_;
  Change addresses_ = 0;
  uint32_t hops_ = 0;
};

class Edit6 {
 public:
  explicit Edit6(Packet& packet) : Edit6(packet, touch_of(packet)) {}
  Edit6(Packet& packet, Touch touch)
      : ip_(packet.head + packet.l3), transport_(packet.head + packet.l4, packet.protocol, touch) {}
  Edit6(const Edit6&) = delete;
  Edit6& operator=(const Edit6&) = delete;
  ~Edit6() { end(); }

  void source(const Endpoint6& to) {
    address_at(offsetof(Ipv6, source), to.address);
    transport_.source_port(to.port);
  }
  void destination(const Endpoint6& to) {
    address_at(offsetof(Ipv6, destination), to.address);
    transport_.destination_port(to.port);
  }
  void hop() { --reinterpret_cast<Ipv6*>(ip_)->hop_limit; }
  TransportEdit& transport() { return transport_; }

 private:
  void address_at(size_t offset, const std::array<uint8_t, 16>& to) {
    auto* at = reinterpret_cast<__m128i*>(ip_ + offset);
    const __m128i from = _mm_loadu_si128(at);
    const __m128i into = _mm_loadu_si128(reinterpret_cast<const __m128i*>(to.data()));
    _mm_storeu_si128(at, into);
    addresses_ = _mm_add_epi64(addresses_, _mm_sub_epi64(halves(into), halves(from)));
  }
  /// The four 32-bit words, added into two lanes of 64 bits.
  static __m128i halves(__m128i words) {
    const __m128i low = _mm_and_si128(words, _mm_set1_epi64x(0xffffffff));
    return _mm_add_epi64(low, _mm_srli_epi64(words, 32));
  }
  void end() {
    const __m128i both = _mm_add_epi64(addresses_, _mm_unpackhi_epi64(addresses_, addresses_));
    transport_.pseudo(_mm_cvtsi128_si64(both));
    transport_.end();
  }

  uint8_t* ip_;
  TransportEdit transport_;
  __m128i addresses_ = _mm_setzero_si128();
};

}  // namespace nezu::net
