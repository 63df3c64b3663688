#include "dataplane/forward/tunnel.h"

#include <optional>
#include <type_traits>

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"

namespace nezu::forward {
namespace {

using namespace net;
using tables::Mode;

constexpr uint8_t kHops = 64;
constexpr uint8_t kProtocolIpv4 = 4, kProtocolIpv6 = 41, kProtocolGre = 47, kProtocolUdp = 17;
/// A multiple of 0xffff, so that sums with negative parts stay above 0.
constexpr Change kZero = Change{0xffff} << 32;

/// What stands between the two IP headers.
struct Gre {
  Big16 flags_version;
  Big16 type;
};
struct Gue {
  uint8_t version_length;
  uint8_t protocol;
  Big16 flags;
};
static_assert(sizeof(Gre) == 4 && sizeof(Gue) == 4);

uint8_t number_of(Family inner) { return inner == Family::ipv4 ? kProtocolIpv4 : kProtocolIpv6; }
uint16_t ethertype_of(Family family) { return family == Family::ipv4 ? kEtherIpv4 : kEtherIpv6; }

uint16_t source_port_of(uint64_t hash) {
  return static_cast<uint16_t>(0xc000 | (hash >> 24 & 0x3fff));
}

uint8_t service_of(const Packet& p) {
  if (p.family == Family::ipv4) return p.at<Ipv4>(p.l3)->service;
  return static_cast<uint8_t>(p.at<Ipv6>(p.l3)->version_class_label >> 20);
}

/// Its transport checksum covers all that follows.
bool is_covered(const Packet& p) {
  if (p.first_fragment || p.fragment_header != 0) return false;
  const uint32_t length = p.l3 + p.ip_length - p.l4;
  if (p.shape == Shape::transport && p.protocol == Protocol::udp) {
    const Udp& udp = *p.at<Udp>(p.l4);
    return udp.checksum != 0 && udp.length == length;
  }
  return p.shape == Shape::icmp_error ||
         (p.shape == Shape::transport && p.protocol == Protocol::tcp);
}

/// What the bytes of the whole packet sum up to; nothing when that takes a look at all of them.
std::optional<Change> sum_by_headers(const Packet& p) {
  if (!is_covered(p)) return std::nullopt;
  const uint32_t length = p.l3 + p.ip_length - p.l4;
  const auto protocol = static_cast<uint8_t>(p.protocol);
  const uint8_t* ip = p.head + p.l3;
  if (p.family == Family::ipv4) {  // whose header sums up to nothing, and ICMP has no pseudo-header
    if (p.protocol == Protocol::icmp) return 0;
    return -static_cast<Change>(pseudo_header(ip + offsetof(Ipv4, source), 8, protocol, length));
  }
  const Sum pseudo = pseudo_header(ip + offsetof(Ipv6, source), 32, protocol, length);
  return static_cast<Change>(add(0, ip, p.l4 - p.l3)) - static_cast<Change>(pseudo);
}

/// Of UDP and GUE in front of what sums up to `inner`; `length`: of all three. From values: headers
/// that have just been written would be waited for.
uint16_t udp_checksum(const Ipv6Tunnel& tunnel, uint8_t protocol, Change inner, uint32_t length) {
  Sum sum = add(0, tunnel.source.data(), 16);
  sum = add(sum, tunnel.destination.data(), 16);
  sum += swap16(kProtocolUdp) + 2u * swap16(static_cast<uint16_t>(length));
  sum += uint32_t{swap16(source_port_of(tunnel.hash))} + swap16(tunnel.port) + swap16(protocol);
  return udp_form(checksum_of(static_cast<Sum>(kZero + static_cast<Change>(sum) + inner)));
}

/// In whole words, with the sum of what is in the registers.
void write_ip(uint8_t* at, const Ipv4Tunnel& tunnel, uint8_t protocol, uint8_t service,
              uint32_t length) {
  const uint64_t first = 0x45u | uint32_t{service} << 8 |
                         uint32_t{swap16(static_cast<uint16_t>(length))} << 16 |
                         uint64_t{swap16(Ipv4::kDontFragment)} << 48;
  const uint32_t hops = kHops | uint32_t{protocol} << 8;
  const uint16_t sum = checksum_of((first & 0xffffffff) + (first >> 32) + hops + tunnel.source +
                                   uint64_t{tunnel.destination});
  store(at, first);
  store(at + 8, hops | uint32_t{sum} << 16 | uint64_t{tunnel.source} << 32);
  store(at + 16, tunnel.destination);
}

void write_ip(uint8_t* at, const Ipv6Tunnel& tunnel, uint8_t protocol, uint8_t service,
              uint32_t length) {
  auto& ip = *reinterpret_cast<Ipv6*>(at);
  const auto label = static_cast<uint32_t>(tunnel.hash >> 24 & 0xfffff);
  ip.version_class_label = 6u << 28 | static_cast<uint32_t>(service) << 20 | label;
  ip.payload_length = static_cast<uint16_t>(length - sizeof(Ipv6));
  ip.next = protocol;
  ip.hop_limit = kHops;
  ip.source = tunnel.source;
  ip.destination = tunnel.destination;
}

/// GRE, or UDP and GUE. Answers the number by which the outer header announces it.
template <Mode kMode>
uint8_t write_between(uint8_t* at, uint16_t port, uint64_t hash, Family inner,
                      uint32_t inner_length) {
  if constexpr (kMode == Mode::tunnel_ipip) return number_of(inner);
  if constexpr (kMode == Mode::tunnel_gre) {
    auto& gre = *reinterpret_cast<Gre*>(at);
    gre.flags_version = 0;
    gre.type = ethertype_of(inner);
    return kProtocolGre;
  }
  auto& udp = *reinterpret_cast<Udp*>(at);
  udp.source = source_port_of(hash);
  udp.destination = port;
  udp.length = static_cast<uint16_t>(sizeof(Udp) + sizeof(Gue) + inner_length);
  udp.checksum = 0;
  auto& gue = *reinterpret_cast<Gue*>(at + sizeof(Udp));
  gue.version_length = 0;
  gue.protocol = number_of(inner);
  gue.flags = 0;
  return kProtocolUdp;
}

/// Ethernet header and tag, `bytes` further in front; the inner packet stays where it is.
void make_room(Packet& p, uint32_t bytes) {
  if (p.length == p.head_length) p.length = p.head_length = p.l3 + uint32_t{p.ip_length};
  const auto addresses = load<uint64_t>(p.head);
  const auto rest = load<uint64_t>(p.head + 8);
  const auto tag = load<uint32_t>(p.head + 14);
  p.head -= bytes;
  store(p.head, addresses);
  store(p.head + 8, rest);
  store(p.head + 14, tag);
  p.head_length += bytes;
  p.length += bytes;
  p.room += bytes;
}

/// All but the checksum of GUE over IPv6. Answers where the outer header begins.
template <Mode kMode, typename Tunnel>
uint8_t* put_in_front(Packet& p, const Tunnel& tunnel) {
  constexpr Family kOuter = std::is_same_v<Tunnel, Ipv4Tunnel> ? Family::ipv4 : Family::ipv6;
  constexpr uint32_t kHeader = kOuter == Family::ipv4 ? sizeof(Ipv4) : sizeof(Ipv6);
  const Family inner = p.family;
  const uint32_t inner_length = p.ip_length;
  const uint8_t service = service_of(p);
  constexpr uint32_t kBytes = tunnel_bytes(kMode, kOuter);
  make_room(p, kBytes);
  uint8_t* at = p.head + p.l3;
  const uint8_t protocol =
      write_between<kMode>(at + kHeader, tunnel.port, tunnel.hash, inner, inner_length);
  write_ip(at, tunnel, protocol, service, kBytes + inner_length);
  store(at - 2, swap16(ethertype_of(kOuter)));
  p.l4 = static_cast<uint16_t>(p.l3 + kHeader);
  p.ip_length = static_cast<uint16_t>(kBytes + inner_length);
  p.family = kOuter;
  p.protocol = static_cast<Protocol>(protocol);
  return at;
}

template <typename Tunnel>
uint8_t* put_in_front(Packet& p, const Tunnel& tunnel) {
  if (tunnel.mode == Mode::tunnel_ipip) return put_in_front<Mode::tunnel_ipip>(p, tunnel);
  if (tunnel.mode == Mode::tunnel_gre) return put_in_front<Mode::tunnel_gre>(p, tunnel);
  return put_in_front<Mode::tunnel_gue>(p, tunnel);
}

/// Of all bytes where the headers do not tell; nothing where some lie elsewhere.
std::optional<Change> sum_of(const Packet& p) {
  const std::optional<Change> sum = sum_by_headers(p);
  if (sum || p.head_length < p.l3 + uint32_t{p.ip_length}) return sum;
  return static_cast<Change>(add(0, p.head + p.l3, p.ip_length));
}

}  // namespace

void encapsulate(Packet& p, const Ipv4Tunnel& tunnel) { put_in_front(p, tunnel); }

void encapsulate(Packet& p, const Ipv6Tunnel& tunnel) {
  const Family inner = p.family;
  const std::optional<Change> sum =
      tunnel.mode == Mode::tunnel_gue ? sum_of(p) : std::optional<Change>();
  uint8_t* at = put_in_front(p, tunnel);
  if (!sum) return;
  const auto length = static_cast<uint32_t>(p.ip_length - sizeof(Ipv6));
  reinterpret_cast<Udp*>(at + sizeof(Ipv6))
      ->checksum.set_raw(udp_checksum(tunnel, number_of(inner), *sum, length));
}

}  // namespace nezu::forward
