#include "dataplane/parse/transport.h"

#include "dataplane/net/headers.h"
#include "dataplane/parse/ip.h"
#include "dataplane/parse/tuple.h"

namespace nezu::parse {
namespace {

using namespace net;

void parse_tcp(Packet& p, uint32_t limit) {
  if (p.l4 + sizeof(Tcp) > limit) return p.drop(Reason::transport_truncated);
  const Tcp& tcp = *p.at<Tcp>(p.l4);
  const uint32_t header = tcp.header_length();
  if (header < sizeof(Tcp) || p.l4 + header > p.l3 + p.ip_length) {
    return p.drop(Reason::tcp_header_invalid);
  }
  if (p.l4 + header > limit) return p.drop(Reason::transport_truncated);
  if (tcp.source == 0 || tcp.destination == 0) return p.drop(Reason::port_zero);
  if (!tcp_flags_make_sense(tcp.flags)) return p.drop(Reason::tcp_flags_invalid);
  p.tcp_flags = tcp.flags;
  p.shape = Shape::transport;
  set_ports(p, tcp.source.raw(), tcp.destination.raw());
}

void parse_udp(Packet& p, uint32_t limit) {
  if (p.l4 + sizeof(Udp) > limit) return p.drop(Reason::transport_truncated);
  const Udp& udp = *p.at<Udp>(p.l4);
  // A first fragment announces the length of the whole. What follows a shorter datagram within the
  // packet are its options (RFC 9868).
  const bool too_long = p.l4 + udp.length > p.l3 + p.ip_length && !p.first_fragment;
  if (udp.length < sizeof(Udp) || too_long) return p.drop(Reason::udp_length_invalid);
  if (udp.source == 0 || udp.destination == 0) return p.drop(Reason::port_zero);
  p.shape = Shape::transport;
  set_ports(p, udp.source.raw(), udp.destination.raw());
}

/// RFC 9260 3.1.
void parse_sctp(Packet& p, uint32_t limit) {
  if (p.l4 + sizeof(Sctp) > limit) return p.drop(Reason::transport_truncated);
  const Sctp& sctp = *p.at<Sctp>(p.l4);
  if (sctp.source == 0 || sctp.destination == 0) return p.drop(Reason::port_zero);
  p.shape = Shape::transport;
  set_ports(p, sctp.source.raw(), sctp.destination.raw());
}

enum class IcmpKind : uint8_t { other, echo_request, echo_reply, error };

IcmpKind kind_of(Family family, uint8_t type) {
  if (family == Family::ipv4) {
    switch (type) {
      case icmp::kEchoRequest:
        return IcmpKind::echo_request;
      case icmp::kEchoReply:
        return IcmpKind::echo_reply;
      case icmp::kUnreachable:
      case icmp::kTimeExceeded:
      case icmp::kParameterProblem:
        return IcmpKind::error;
      default:
        return IcmpKind::other;
    }
  }
  switch (type) {
    case icmpv6::kEchoRequest:
      return IcmpKind::echo_request;
    case icmpv6::kEchoReply:
      return IcmpKind::echo_reply;
    case icmpv6::kUnreachable:
    case icmpv6::kTooBig:
    case icmpv6::kTimeExceeded:
    case icmpv6::kParameterProblem:
      return IcmpKind::error;
    default:
      return IcmpKind::other;
  }
}

/// Two raw ports: of TCP and UDP, or the identifier of an echo.
struct Ports {
  uint16_t source = 0;
  uint16_t destination = 0;
};
Ports echo_ports(IcmpKind kind, const Icmp& icmp) {
  const uint16_t id = icmp.echo.id.raw();
  return kind == IcmpKind::echo_request ? Ports{id, 0} : Ports{0, id};
}

/// What an ICMP error quotes: the beginning of a packet, at least as far as its ports.
struct Inner {
  bool valid = false;
  bool known = false;  ///< what a flow may be of: all but ICMP that is no echo
  Protocol protocol = Protocol::any;
  uint32_t l4 = 0;  ///< 0: a later fragment
  Ports ports;
};

/// RFC 792 and 1812 4.3.2.3, RFC 4443 2.4: header and at least 8 bytes behind it.
Inner parse_inner(const Packet& p, uint32_t limit) {
  Inner inner;
  uint32_t l4 = 0;
  bool later_fragment = false;
  if (p.family == Family::ipv4) {
    if (p.inner_l3 + sizeof(Ipv4) > limit) return inner;
    const Ipv4& ip = *p.at<Ipv4>(p.inner_l3);
    if (ip.version() != 4 || ip.header_length() < sizeof(Ipv4)) return inner;
    l4 = p.inner_l3 + ip.header_length();
    inner.protocol = static_cast<Protocol>(ip.protocol);
    later_fragment = (ip.fragment & Ipv4::kOffset) != 0;
  } else {
    if (p.inner_l3 + sizeof(Ipv6) > limit) return inner;
    const Ipv6& ip = *p.at<Ipv6>(p.inner_l3);
    if (ip.version() != 6) return inner;
    const Walk walk = walk_extensions(p.head, p.inner_l3 + sizeof(Ipv6), ip.next, limit);
    if (walk.reason != Reason::none) return inner;
    l4 = walk.end;
    inner.protocol = static_cast<Protocol>(walk.next);
    later_fragment = walk.fragment_offset != 0;
  }
  inner.valid = l4 + 8 <= limit;
  if (!inner.valid) return inner;
  const Protocol echo = p.family == Family::ipv4 ? Protocol::icmp : Protocol::icmpv6;
  inner.known = inner.protocol == echo ? later_fragment : !is_icmp(inner.protocol);
  if (later_fragment) return inner;
  inner.l4 = l4;
  if (has_ports(inner.protocol)) {
    const auto both = load<uint32_t>(p.head + l4);
    inner.ports = {static_cast<uint16_t>(both), static_cast<uint16_t>(both >> 16)};
  } else if (inner.protocol == echo) {
    const Icmp& icmp = *p.at<Icmp>(l4);
    const IcmpKind kind = kind_of(p.family, icmp.type);
    inner.known = kind == IcmpKind::echo_request || kind == IcmpKind::echo_reply;
    if (inner.known) inner.ports = echo_ports(kind, icmp);
  }
  return inner;
}

void parse_icmp_error(Packet& p, uint32_t limit, Instance instance) {
  p.inner_l3 = static_cast<uint16_t>(p.l4 + sizeof(Icmp));
  const Inner inner = parse_inner(p, limit);
  if (!inner.valid) return p.drop(Reason::icmp_inner_invalid);
  if (!inner.known) {
    // About what is no flow: whoever owns the address will know.
    p.inner_l3 = 0;
    p.shape = Shape::control;
    return;
  }
  p.inner_l4 = static_cast<uint16_t>(inner.l4);
  p.shape = Shape::icmp_error;
  const uint32_t ports = inner.ports.source | uint32_t{inner.ports.destination} << 16;
  const uint64_t end = tuple_end(ports, instance, static_cast<uint8_t>(inner.protocol));
  const uint8_t* ip = p.head + p.inner_l3;
  if (p.family == Family::ipv4) {
    set_tuple4(p, load<uint64_t>(ip + offsetof(Ipv4, source)), end);
  } else {
    set_tuple6(p, ip + offsetof(Ipv6, source), end);
  }
}

void parse_icmp(Packet& p, uint32_t limit, Instance instance) {
  if (p.l4 + sizeof(Icmp) > limit) return p.drop(Reason::transport_truncated);
  const Icmp& icmp = *p.at<Icmp>(p.l4);
  const IcmpKind kind = kind_of(p.family, icmp.type);
  switch (kind) {
    case IcmpKind::echo_request:
    case IcmpKind::echo_reply: {
      p.shape = Shape::transport;
      const Ports ports = echo_ports(kind, icmp);
      set_ports(p, ports.source, ports.destination);
      break;
    }
    case IcmpKind::error:
      parse_icmp_error(p, limit, instance);
      break;
    case IcmpKind::other:  // NDP, MLD, router discovery, timestamps, redirects
      p.shape = Shape::control;
      break;
  }
}

}  // namespace

void parse_transport(Packet& p, uint32_t limit, Instance instance) {
  const Protocol icmp = p.family == Family::ipv4 ? Protocol::icmp : Protocol::icmpv6;
  if (p.protocol == Protocol::tcp) {
    parse_tcp(p, limit);
  } else if (p.protocol == Protocol::udp) {
    parse_udp(p, limit);
  } else if (p.protocol == icmp) {
    parse_icmp(p, limit, instance);
  } else if (p.protocol == Protocol::sctp) {
    parse_sctp(p, limit);
  } else {  // that of the other family is nobody's
    p.shape = is_icmp(p.protocol) ? Shape::control : Shape::transport;
  }
}

}  // namespace nezu::parse
