#include "dataplane/parse/parse.h"

#include <emmintrin.h>

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/parse/ip.h"
#include "dataplane/parse/transport.h"

namespace nezu::parse {
namespace {

using namespace net;

/// How many packets ahead of the one in hand their first bytes are asked for.
constexpr uint32_t kAhead = 6;

void clear(Packet& p) {
  p.l3 = p.l4 = p.inner_l3 = p.inner_l4 = p.ip_length = 0;
  p.shape = Shape::other;
  p.family = Family::ipv4;
  p.protocol = Protocol::any;
  p.tcp_flags = 0;
  p.verdict = Verdict::undecided;
  p.reason = Reason::none;
  p.egress = p.owner = 0;
  p.sum_l4 = p.first_fragment = false;
  p.fragment_header = 0;
  p.flow = kNoFlow;
}

/// First octets of addresses that need a closer look: 0, 127, 169 (link-local), multicast and
/// above.
constexpr auto kUnusualOctet = [] {
  std::array<uint8_t, 256> unusual{};
  unusual[0] = unusual[127] = unusual[169] = 1;
  for (size_t octet = 224; octet < 256; ++octet) unusual[octet] = 1;
  return unusual;
}();

constexpr uint32_t kPlainIp = sizeof(Ethernet), kPlainTransport = kPlainIp + sizeof(Ipv4);

/// Nearly every packet: untagged IPv4 without options, whole, TCP or UDP, nothing wrong with it.
/// Anything else answers false and has changed nothing that the general way does not set again.
bool parse_plain(Packet& p, Instance instance) {
  if (p.head_length < kPlainTransport + sizeof(Tcp)) return false;
  const uint8_t* ip = p.head + kPlainIp;
  const uint8_t* l4 = p.head + kPlainTransport;
  // Type, version with header length, and the fragment field without "don't fragment".
  const bool plain = load<uint16_t>(p.head + offsetof(Ethernet, type)) == swap16(kEtherIpv4) &&
                     ip[0] == 0x45 &&
                     (load<uint16_t>(ip + offsetof(Ipv4, fragment)) & swap16(0xbfff)) == 0;
  if (!plain || !ipv4_header_sums_up(ip)) return false;
  const uint32_t ip_length = swap16(load<uint16_t>(ip + offsetof(Ipv4, total_length)));
  const auto addresses = load<uint64_t>(ip + offsetof(Ipv4, source));
  const auto ports = load<uint32_t>(l4);
  if (ip_length > p.length - kPlainIp ||
      (kUnusualOctet[addresses & 0xff] | kUnusualOctet[addresses >> 32 & 0xff]) != 0 ||
      (ports & 0xffff) == 0 || ports >> 16 == 0) {
    return false;
  }
  const uint8_t protocol = ip[offsetof(Ipv4, protocol)];
  uint8_t flags = 0;
  if (protocol == static_cast<uint8_t>(Protocol::tcp)) {
    const uint32_t offset = (l4[offsetof(Tcp, offset)] >> 4) * 4u;
    flags = l4[offsetof(Tcp, flags)];
    if (offset < sizeof(Tcp) || offset > ip_length - sizeof(Ipv4) ||
        ip_length < sizeof(Ipv4) + sizeof(Tcp) || kPlainTransport + offset > p.head_length ||
        !tcp_flags_make_sense(flags)) {
      return false;
    }
  } else if (protocol == static_cast<uint8_t>(Protocol::udp)) {
    const uint32_t length = swap16(load<uint16_t>(l4 + offsetof(Udp, length)));
    if (length < sizeof(Udp) || length + sizeof(Ipv4) > ip_length) return false;
  } else {
    return false;
  }
  clear(p);
  p.l3 = kPlainIp;
  p.l4 = kPlainTransport;
  p.ip_length = static_cast<uint16_t>(ip_length);
  p.shape = Shape::transport;
  p.protocol = static_cast<Protocol>(protocol);
  p.tcp_flags = flags;
  // One store of 16 bytes, as the hash reads it back at that width.
  const uint64_t rest = ports | static_cast<uint64_t>(instance) << 32 | uint64_t{protocol} << 48;
  _mm_store_si128(reinterpret_cast<__m128i*>(&p.tuple4),
                  _mm_set_epi64x(static_cast<int64_t>(rest), static_cast<int64_t>(addresses)));
  return true;
}

}  // namespace

void parse_generally(Packet& p, Instance instance) {
  clear(p);
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
  p.l3 = static_cast<uint16_t>(at);
  if (type == kEtherIpv4) return parse_ipv4(p, instance);
  if (type == kEtherIpv6) return parse_ipv6(p, instance);
  p.tuple6 = {};  // nothing of the frame before stays behind
}

void parse(Packet& packet, Instance instance) {
  if (!parse_plain(packet, instance)) [[unlikely]] {
    parse_generally(packet, instance);
  }
}

void parse(Burst& burst, Instance instance) {
  for (uint32_t i = 0; i < kAhead && i < burst.count; ++i) {
    __builtin_prefetch(burst.packets[i].head);
  }
  for (uint32_t i = 0; i < burst.count; ++i) {
    if (i + kAhead < burst.count) __builtin_prefetch(burst.packets[i + kAhead].head);
    parse(burst.packets[i], instance);
  }
}

}  // namespace nezu::parse
