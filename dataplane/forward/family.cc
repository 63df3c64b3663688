#include "dataplane/forward/family.h"

#include <cstring>

#include "dataplane/forward/family_header.h"
#include "dataplane/net/checksum.h"

namespace nezu::forward {

using namespace net;

bool has_source_route(const uint8_t* options, uint32_t length) {
  constexpr uint8_t kEnd = 0, kNone = 1, kLoose = 131, kStrict = 137;
  for (uint32_t at = 0; at < length && options[at] != kEnd;) {
    if (options[at] == kNone) {
      ++at;
      continue;
    }
    if (at + 2 > length || options[at + 1] < 2 || at + options[at + 1] > length) return false;
    const uint8_t size = options[at + 1];
    const bool route = options[at] == kLoose || options[at] == kStrict;
    // RFC 791 3.1: as long as the pointer is not behind the list, there is somewhere left to go.
    if (route && size >= 3 && options[at + 2] <= size) return true;
    at += size;
  }
  return false;
}

namespace {

/// The offset of the first extension header `wanted` in front of `l4`; 0: none. All lie in bounds.
uint32_t find_extension(const uint8_t* head, uint32_t at, uint8_t next, uint32_t l4,
                        uint8_t wanted) {
  while (at < l4) {
    if (next == wanted) return at;
    const auto& header = *reinterpret_cast<const Ipv6Extension*>(head + at);
    uint32_t length = (header.length + 1u) * 8;
    if (next == kNextFragment) length = sizeof(Ipv6Fragment);
    if (next == kNextAuthentication) length = (header.length + 2u) * 4;
    next = header.next;
    at += length;
  }
  return 0;
}

}  // namespace

bool has_authentication(const uint8_t* head, uint32_t at, uint8_t next, uint32_t l4) {
  return find_extension(head, at, next, l4, kNextAuthentication) != 0;
}
uint32_t quoted_fragment(const uint8_t* head, uint32_t at, uint8_t next, uint32_t l4) {
  return find_extension(head, at, next, l4, kNextFragment);
}

namespace {

bool end(Packet& p, Reason reason) {
  p.drop(reason);
  return false;
}

uint32_t payload_of(const Packet& p) { return p.l3 + p.ip_length - p.l4; }
bool is_ported(Protocol protocol) { return protocol == Protocol::tcp || protocol == Protocol::udp; }

/// An IPv4 packet that is longer might not be an IPv6 packet any more.
constexpr uint32_t kLongestThatMayGrow = 0xffff - kFamilyMostGrowth;

/// Everything but whole TCP and UDP without options: whether it has a counterpart.
bool can_be_ipv6(Packet& p, const Ipv4& ip) {
  if (p.ip_length > kLongestThatMayGrow) return end(p, Reason::family_untranslatable);
  if (has_source_route(p.head + p.l3 + sizeof(Ipv4), p.l4 - p.l3 - uint32_t{sizeof(Ipv4)})) {
    return end(p, Reason::ipv4_source_route);
  }
  const bool fragment = (ip.fragment & (Ipv4::kMoreFragments | Ipv4::kOffset)) != 0;
  // RFC 7915 4.2: the sum of ICMPv6 is over all fragments.
  if (!is_ported(p.protocol) && (fragment || p.protocol != Protocol::icmp)) {
    return end(p, Reason::family_untranslatable);
  }
  if (p.protocol == Protocol::udp && p.first_fragment && p.at<Udp>(p.l4)->checksum == 0) {
    return end(p, Reason::udp_checksum_missing);
  }
  return true;
}

/// RFC 7915 4.5: a datagram of which all is there. Where it is not contiguous device/ sums up.
bool sum_up_udp(Packet& p, const Translation6& to) {
  Udp& udp = *p.at<Udp>(p.l4);
  const uint32_t length = udp.length;
  if (p.l4 + length > p.head_length) {
    if (length != payload_of(p)) return end(p, Reason::udp_checksum_missing);
    store(p.head + p.l4, to.source.port | uint32_t{to.destination.port} << 16);
    p.sum_l4 = true;
    return true;
  }
  const Sum pseudo = sum_of(to) + swap32(length) + swap16(static_cast<uint16_t>(Protocol::udp));
  Udp header = udp;
  header.source.set_raw(to.source.port);
  header.destination.set_raw(to.destination.port);
  const Sum sum =
      add(add(pseudo, &header, sizeof header), p.head + p.l4 + sizeof(Udp), length - sizeof(Udp));
  udp.checksum.set_raw(udp_form(checksum_of(sum)));
  store(p.head + p.l4, to.source.port | uint32_t{to.destination.port} << 16);
  return true;
}

/// Ports and checksum; `pseudo`: the change of the pseudo-header.
void translate_ports(Packet& p, uint32_t ports, Change pseudo) {
  uint8_t* l4 = p.head + p.l4;
  const Change change = change32(load<uint32_t>(l4), ports) + pseudo;
  store(l4, ports);
  const bool udp = p.protocol == Protocol::udp;
  uint8_t* at = l4 + (udp ? offsetof(Udp, checksum) : offsetof(Tcp, checksum));
  const uint16_t sum = updated(load<uint16_t>(at), change);
  store(at, udp ? udp_form(sum) : sum);
}

/// An echo's type and identifier; `pseudo`: ICMPv6 has a pseudo-header, ICMP none.
void translate_echo(Packet& p, uint8_t type, uint16_t id, Change pseudo) {
  Icmp& icmp = *p.at<Icmp>(p.l4);
  const uint16_t old = icmp.echo.id.raw();
  const Change change = change16(icmp.type, type) + change16(old, id) + pseudo;
  icmp.type = type;
  icmp.echo.id.set_raw(id);
  icmp.checksum.set_raw(updated(icmp.checksum.raw(), change));
}

Change icmpv6_pseudo(const Translation6& to, uint32_t length) {
  return static_cast<Change>(sum_of(to) + swap32(length) +
                             swap16(static_cast<uint16_t>(Protocol::icmpv6)));
}

bool transport_to_ipv6(Packet& p, const Translation6& to) {
  if (p.shape != Shape::transport) return true;  // a later fragment
  if (!is_ported(p.protocol)) {
    const bool request = p.at<Icmp>(p.l4)->type == icmp::kEchoRequest;
    translate_echo(p, request ? icmpv6::kEchoRequest : icmpv6::kEchoReply,
                   request ? to.source.port : to.destination.port,
                   icmpv6_pseudo(to, payload_of(p)));
    return true;
  }
  if (p.protocol == Protocol::udp && p.at<Udp>(p.l4)->checksum == 0) [[unlikely]] {
    return sum_up_udp(p, to);
  }
  const Sum before = add(0, p.head + p.l3 + offsetof(Ipv4, source), 8);
  const auto pseudo = static_cast<Change>(sum_of(to) - before);
  translate_ports(p, to.source.port | uint32_t{to.destination.port} << 16, pseudo);
  return true;
}

/// The IP header in front of `l4` becomes `size` bytes long; what is in front of it moves.
void resize(Packet& p, uint32_t size, uint16_t type, Family family) {
  const auto shift = static_cast<int32_t>(p.l4 - p.l3) - static_cast<int32_t>(size);
  uint8_t* to = p.head + shift;
  if (p.l3 == sizeof(Ethernet)) [[likely]] {
    const auto first = load<uint64_t>(p.head), last = load<uint64_t>(p.head + 6);
    store(to, first);
    store(to + 6, (last & 0xffff'ffff'ffff) | uint64_t{swap16(type)} << 48);
  } else {
    std::memmove(to, p.head, p.l3);
    store(to + p.l3 - 2, swap16(type));
  }
  p.head = to;
  const auto less = static_cast<uint32_t>(shift);
  // Padding of a short frame is not wanted behind a longer one.
  const bool whole = p.head_length == p.length;
  p.ip_length = static_cast<uint16_t>(p.ip_length - less);
  p.length -= less;
  p.head_length -= less;
  p.room -= less;
  if (whole) p.length = p.head_length = p.l3 + p.ip_length;
  p.l4 = static_cast<uint16_t>(p.l3 + size);
  p.family = family;
}

}  // namespace

bool to_ipv6(Packet& p, const Translation6& to) {
  if (!may_hop<Edit4>(p)) return false;
  const Ipv4& ip = *p.at<Ipv4>(p.l3);
  const bool is_fragment = (ip.fragment & (Ipv4::kMoreFragments | Ipv4::kOffset)) != 0;
  if (is_fragment || p.l4 - p.l3 != sizeof(Ipv4) || !is_ported(p.protocol) ||
      p.ip_length > kLongestThatMayGrow) [[unlikely]] {
    if (!can_be_ipv6(p, ip)) return false;
  }
  if (!transport_to_ipv6(p, to)) return false;
  if (p.protocol == Protocol::icmp) p.protocol = Protocol::icmpv6;
  const uint32_t payload = payload_of(p);
  Ipv6Header header{ip.service, static_cast<uint8_t>(ip.ttl - 1), static_cast<uint8_t>(p.protocol),
                    static_cast<uint16_t>(payload)};
  if (is_fragment) [[unlikely]] {
    const Ipv6Fragment fragment = fragment_header(ip, header.next);
    resize(p, sizeof(Ipv6) + sizeof(Ipv6Fragment), kEtherIpv6, Family::ipv6);
    p.fragment_header = static_cast<uint16_t>(p.l3 + sizeof(Ipv6));
    *p.at<Ipv6Fragment>(p.fragment_header) = fragment;
    header.next = kNextFragment;
    header.payload = static_cast<uint16_t>(payload + sizeof(Ipv6Fragment));
  } else {
    resize(p, sizeof(Ipv6), kEtherIpv6, Family::ipv6);
  }
  write(*p.at<Ipv6>(p.l3), header, to.source.address, to.destination.address);
  return true;
}

namespace {

/// Everything but whole TCP and UDP without extension headers.
bool can_be_ipv4(Packet& p, const Ipv6& ip) {
  if (has_authentication(p.head, p.l3 + sizeof(Ipv6), ip.next, p.l4)) {
    return end(p, Reason::family_untranslatable);
  }
  bool fragment = false;
  if (p.fragment_header != 0) {
    const Ipv6Fragment& header = *p.at<Ipv6Fragment>(p.fragment_header);
    fragment = (header.offset_more & (Ipv6Fragment::kOffset | Ipv6Fragment::kMore)) != 0;
    // RFC 7915 5.1.1: nothing but the payload behind it.
    if (header.next != static_cast<uint8_t>(p.protocol)) {
      return end(p, Reason::family_untranslatable);
    }
  }
  const bool echo = p.protocol == Protocol::icmpv6 && !fragment;
  return is_ported(p.protocol) || echo || end(p, Reason::family_untranslatable);
}

void transport_to_ipv4(Packet& p, const Translation4& to) {
  if (p.shape != Shape::transport) return;
  const Sum before = add(0, p.head + p.l3 + offsetof(Ipv6, source), 32);
  if (!is_ported(p.protocol)) {
    const bool request = p.at<Icmp>(p.l4)->type == icmpv6::kEchoRequest;
    const Sum pseudo =
        before + swap32(payload_of(p)) + swap16(static_cast<uint16_t>(Protocol::icmpv6));
    translate_echo(p, request ? icmp::kEchoRequest : icmp::kEchoReply,
                   request ? to.source.port : to.destination.port, -static_cast<Change>(pseudo));
    return;
  }
  const Sum after = Sum{to.source.address} + to.destination.address;
  translate_ports(p, to.source.port | uint32_t{to.destination.port} << 16,
                  static_cast<Change>(after) - static_cast<Change>(before));
}

}  // namespace

bool to_ipv4(Packet& p, const Translation4& to, uint16_t id) {
  if (!may_hop<Edit6>(p)) return false;
  const Ipv6& ip = *p.at<Ipv6>(p.l3);
  if (p.l4 - p.l3 != sizeof(Ipv6) || !is_ported(p.protocol)) [[unlikely]] {
    if (!can_be_ipv4(p, ip)) return false;
  }
  if (p.protocol == Protocol::udp && p.shape == Shape::transport && p.at<Udp>(p.l4)->checksum == 0)
      [[unlikely]] {
    return end(p, Reason::udp_checksum_missing);
  }
  transport_to_ipv4(p, to);
  if (p.protocol == Protocol::icmpv6) p.protocol = Protocol::icmp;
  Ipv4Header header{static_cast<uint8_t>(ip.version_class_label >> 20),
                    static_cast<uint8_t>(ip.hop_limit - 1),
                    static_cast<uint8_t>(p.protocol),
                    static_cast<uint16_t>(payload_of(p) + sizeof(Ipv4)),
                    id,
                    0};
  if (p.fragment_header != 0) [[unlikely]] {
    fragment_of(*p.at<Ipv6Fragment>(p.fragment_header), header);
    p.fragment_header = 0;
  } else if (header.total > kNoFragmentsUpTo) {
    header.fragment = Ipv4::kDontFragment;
  }
  resize(p, sizeof(Ipv4), kEtherIpv4, Family::ipv4);
  write(*p.at<Ipv4>(p.l3), header, to.source.address, to.destination.address);
  return true;
}

int32_t family_growth(const Packet& p) {
  const auto now = static_cast<int32_t>(p.l4 - p.l3);
  if (p.shape == Shape::icmp_error) {
    return p.family == Family::ipv4 ? static_cast<int32_t>(kFamilyMostGrowth + kFamilyGrowth)
                                    : -2 * static_cast<int32_t>(kFamilyGrowth);
  }
  if (p.family == Family::ipv6) return static_cast<int32_t>(sizeof(Ipv4)) - now;
  const uint16_t fragment = p.at<Ipv4>(p.l3)->fragment;
  const bool is_fragment = (fragment & (Ipv4::kMoreFragments | Ipv4::kOffset)) != 0;
  return static_cast<int32_t>(sizeof(Ipv6) + (is_fragment ? sizeof(Ipv6Fragment) : 0)) - now;
}

}  // namespace nezu::forward
