#include "dataplane/parse/parse.h"

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/parse/ip.h"
#include "dataplane/parse/transport.h"
#include "dataplane/parse/tuple.h"

namespace nezu::parse {
namespace {

using namespace net;

/// How many packets ahead of the one in hand their first bytes are asked for.
constexpr uint32_t kAhead = 6;

// What the parser sets of a Packet lies side by side, so that it is written in four stores.
static_assert(offsetof(Packet, l4) == offsetof(Packet, l3) + 2 &&
              offsetof(Packet, inner_l4) == offsetof(Packet, l3) + 6 &&
              offsetof(Packet, ip_length) == offsetof(Packet, l3) + 8 &&
              offsetof(Packet, shape) == offsetof(Packet, ip_length) + 4 &&
              offsetof(Packet, family) == offsetof(Packet, ip_length) + 5 &&
              offsetof(Packet, protocol) == offsetof(Packet, ip_length) + 6 &&
              offsetof(Packet, tcp_flags) == offsetof(Packet, ip_length) + 7 &&
              offsetof(Packet, first_fragment) == offsetof(Packet, ip_length) + 8 &&
              offsetof(Packet, owner) == offsetof(Packet, first_fragment) + 6);
static_assert(static_cast<int>(Verdict::undecided) == 0 && static_cast<int>(Reason::none) == 0 &&
              static_cast<int>(Shape::other) == 0);

/// Offsets and kinds of a packet with no inner one and no fragment header; all decisions open.
void set_found(Packet& p, uint32_t l3, uint32_t l4, uint32_t ip_length, Shape shape, Family family,
               uint8_t protocol, uint8_t tcp_flags) {
  auto* at = reinterpret_cast<uint8_t*>(&p);
  store<uint64_t>(at + offsetof(Packet, l3), l3 | l4 << 16);
  store<uint64_t>(at + offsetof(Packet, ip_length), ip_length | static_cast<uint64_t>(shape) << 32 |
                                                        static_cast<uint64_t>(family) << 40 |
                                                        uint64_t{protocol} << 48 |
                                                        uint64_t{tcp_flags} << 56);
  store<uint64_t>(at + offsetof(Packet, first_fragment), 0);
  p.flow = kNoFlow;
}

/// First octets of addresses that need a closer look. IPv4: 0, 127, 169 (link-local), multicast and
/// above. IPv6: all but global unicast (2000::/3) and unique local (fc00::/7).
constexpr auto kUnusual4 = [] {
  std::array<uint8_t, 256> unusual{};
  unusual[0] = unusual[127] = unusual[169] = 1;
  for (size_t octet = 224; octet < 256; ++octet) unusual[octet] = 1;
  return unusual;
}();
constexpr bool is_unusual6(uint8_t octet) { return octet >> 5 != 1 && octet >> 1 != 0xfc >> 1; }

/// What a plain transport header says; false: let the general way find out what is wrong.
struct PlainTransport {
  uint32_t ports;
  uint8_t flags = 0;
};
inline bool parse_plain_transport(const Packet& p, uint32_t at, uint32_t length, uint8_t protocol,
                                  PlainTransport& found) {
  const uint8_t* l4 = p.head + at;
  found.ports = load<uint32_t>(l4);
  if ((found.ports & 0xffff) == 0 || found.ports >> 16 == 0) return false;
  if (protocol == static_cast<uint8_t>(Protocol::tcp)) {
    const uint32_t header = (l4[offsetof(Tcp, offset)] >> 4) * 4u;
    found.flags = l4[offsetof(Tcp, flags)];
    return header >= sizeof(Tcp) && header <= length && at + header <= p.head_length &&
           tcp_flags_make_sense(found.flags);
  }
  const uint32_t datagram = swap16(load<uint16_t>(l4 + offsetof(Udp, length)));
  return protocol == static_cast<uint8_t>(Protocol::udp) && datagram >= sizeof(Udp) &&
         datagram <= length;
}

/// IPv4 without options, whole, TCP or UDP, nothing wrong with it.
template <uint32_t l3>
inline bool parse_plain4(Packet& p, Instance instance) {
  constexpr uint32_t l4 = l3 + sizeof(Ipv4);
  const uint8_t* ip = p.head + l3;
  const uint32_t length = swap16(load<uint16_t>(ip + offsetof(Ipv4, total_length)));
  const auto addresses = load<uint64_t>(ip + offsetof(Ipv4, source));
  const uint8_t protocol = ip[offsetof(Ipv4, protocol)];
  PlainTransport transport;
  const uint32_t unusual = (ip[0] ^ 0x45u) |
                           (load<uint16_t>(ip + offsetof(Ipv4, fragment)) & swap16(0xbfff)) |
                           kUnusual4[addresses & 0xff] | kUnusual4[addresses >> 32 & 0xff];
  if (unusual != 0 || length < sizeof(Ipv4) || length > p.length - l3 || !ipv4_header_sums_up(ip) ||
      !parse_plain_transport(p, l4, length - sizeof(Ipv4), protocol, transport)) {
    return false;
  }
  set_found(p, l3, l4, length, Shape::transport, Family::ipv4, protocol, transport.flags);
  set_tuple4(p, addresses, tuple_end(transport.ports, instance, protocol));
  return true;
}

/// The same for IPv6 without extension headers.
template <uint32_t l3>
inline bool parse_plain6(Packet& p, Instance instance) {
  constexpr uint32_t l4 = l3 + sizeof(Ipv6);
  const uint8_t* ip = p.head + l3;
  if (p.head_length < l4 + sizeof(Udp)) return false;
  const uint32_t payload = swap16(load<uint16_t>(ip + offsetof(Ipv6, payload_length)));
  const uint8_t protocol = ip[offsetof(Ipv6, next)];
  if (protocol != static_cast<uint8_t>(Protocol::udp) && p.head_length < l4 + sizeof(Tcp)) {
    return false;
  }
  PlainTransport transport;
  if (ip[0] >> 4 != 6 || payload > 0xffff - sizeof(Ipv6) || payload > p.length - l4 ||
      is_unusual6(ip[offsetof(Ipv6, source)]) || is_unusual6(ip[offsetof(Ipv6, destination)]) ||
      !parse_plain_transport(p, l4, payload, protocol, transport)) {
    return false;
  }
  set_found(p, l3, l4, payload + sizeof(Ipv6), Shape::transport, Family::ipv6, protocol,
            transport.flags);
  set_tuple6(p, ip + offsetof(Ipv6, source), tuple_end(transport.ports, instance, protocol));
  return true;
}

constexpr uint32_t kUntagged = sizeof(Ethernet), kTagged = kUntagged + sizeof(Vlan);
constexpr uint32_t kLeast = sizeof(Ipv4) + sizeof(Tcp);

/// IPv6, or either with a tag.
template <typename Where>
bool parse_plain_other(Packet& p, const Where& spaces) {
  if (p.head_length < kUntagged + kLeast) return false;
  const uint16_t type = p.at<Ethernet>(0)->type;
  if (type == kEtherIpv6) return parse_plain6<kUntagged>(p, spaces.untagged(p.port));
  if (type != kEtherVlan || p.head_length < kTagged + kLeast) return false;
  const Vlan& tag = *p.at<Vlan>(kUntagged);
  const uint16_t id = tag.id();
  if (id == 0 || (p.vlan != 0 && p.vlan != id)) return false;
  const Instance instance = spaces.tagged(p.port, id);
  if (instance == Instance::unknown) return false;
  p.vlan = id;
  if (tag.type == kEtherIpv4) return parse_plain4<kTagged>(p, instance);
  return tag.type == kEtherIpv6 && parse_plain6<kTagged>(p, instance);
}

template <typename Where>
inline bool parse_most_common(Packet& p, const Where& spaces) {
  return p.head_length >= kUntagged + kLeast &&
         load<uint16_t>(p.head + offsetof(Ethernet, type)) == swap16(kEtherIpv4) &&
         parse_plain4<kUntagged>(p, spaces.untagged(p.port));
}

template <typename Where>
void parse_any(Packet& p, const Where& spaces) {
  set_found(p, 0, 0, 0, Shape::other, Family::ipv4, 0, 0);
  if (p.head_length < sizeof(Ethernet)) return p.drop(Reason::ethernet_truncated);
  uint32_t at = sizeof(Ethernet);
  uint16_t type = p.at<Ethernet>(0)->type;
  if (type == kEtherVlan) {
    if (p.head_length < at + sizeof(Vlan)) return p.drop(Reason::ethernet_truncated);
    const Vlan& tag = *p.at<Vlan>(at);
    at += sizeof(Vlan);
    type = tag.type;
    // Id 0 carries a priority only. A port that takes tags off has said which; a frame that is
    // parsed again has its own tag's id there.
    if (tag.id() != 0) {
      if (p.vlan != 0 && p.vlan != tag.id()) return p.drop(Reason::vlan_stacked);
      p.vlan = tag.id();
    }
    if (type == kEtherVlan) return p.drop(Reason::vlan_stacked);
  }
  if (type == kEtherServiceVlan) return p.drop(Reason::vlan_stacked);
  const Instance instance = p.vlan == 0 ? spaces.untagged(p.port) : spaces.tagged(p.port, p.vlan);
  // Else it would cross from a network that is not ours into one that is.
  if (instance == Instance::unknown) return p.drop(Reason::vlan_unknown);
  p.l3 = static_cast<uint16_t>(at);
  if (type == kEtherIpv4) return parse_ipv4(p, instance);
  if (type == kEtherIpv6) return parse_ipv6(p, instance);
  p.tuple6 = {};  // nothing of the frame before stays behind
  p.tuple4.instance = instance;
}

/// All other kinds: apart, so that the way of that one stays short. False: not a plain one.
template <typename Where>
[[gnu::noinline]] bool parse_other(Packet& p, const Where& spaces) {
  if (parse_plain_other(p, spaces)) return true;
  parse_any(p, spaces);
  return false;
}

// A way that answers false has changed nothing that the next one does not set again.
template <typename Where>
void parse_one(Packet& p, const Where& spaces) {
  if (!parse_most_common(p, spaces)) parse_other(p, spaces);
}

template <typename Where>
void parse_burst(Burst& burst, uint32_t from, uint32_t to, const Where& spaces) {
  if (from == 0) {
    burst.plain = true;
    burst.tcp_flags = 0;
    for (uint32_t i = 0; i < kAhead && i < burst.count; ++i) {
      __builtin_prefetch(burst.packets[i].head);
    }
  }
  uint8_t flags = 0;
  for (uint32_t i = from; i < to; ++i) {
    if (i + kAhead < burst.count) __builtin_prefetch(burst.packets[i + kAhead].head);
    Packet& packet = burst.packets[i];
    if (!parse_most_common(packet, spaces) && !parse_other(packet, spaces)) {
      burst.plain = false;
    }
    flags |= packet.tcp_flags;
  }
  burst.tcp_flags |= flags;
}

}  // namespace

void parse(Packet& p, Instance instance) { parse_one(p, OneSpace{instance}); }
void parse(Packet& p, const Spaces& spaces) { parse_one(p, spaces); }
void parse_generally(Packet& p, Instance instance) { parse_any(p, OneSpace{instance}); }
void parse_generally(Packet& p, const Spaces& spaces) { parse_any(p, spaces); }
void parse(Burst& burst, Instance instance) {
  parse_burst(burst, 0, burst.count, OneSpace{instance});
}
void parse(Burst& burst, uint32_t from, uint32_t to, const Spaces& spaces) {
  parse_burst(burst, from, to, spaces);
}

}  // namespace nezu::parse
