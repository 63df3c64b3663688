#include "dataplane/capture/look.h"

#include "dataplane/net/headers.h"

namespace nezu::capture {
namespace {

using namespace net;

void set_ports(Headers& headers, const uint8_t* four_bytes) {
  headers.source_port = swap16(load<uint16_t>(four_bytes));
  headers.destination_port = swap16(load<uint16_t>(four_bytes + 2));
  headers.has_ports = true;
}

/// False: the frame ends before its IP header does.
bool set_addresses(const Packet& p, bool v4, Headers& headers) {
  if (p.l3 + (v4 ? sizeof(Ipv4) : sizeof(Ipv6)) > p.head_length) return false;
  if (v4) {
    const Ipv4& ip = *p.at<Ipv4>(p.l3);
    headers.source = Address::v4(ip.source);
    headers.destination = Address::v4(ip.destination);
    headers.protocol = static_cast<Protocol>(ip.protocol);
  } else {
    const Ipv6& ip = *p.at<Ipv6>(p.l3);
    headers.source = Address::v6(&ip.source);
    headers.destination = Address::v6(&ip.destination);
    headers.protocol = static_cast<Protocol>(ip.next);
  }
  headers.version = v4 ? 4 : 6;
  return true;
}

template <typename Tuple>
void set_quoted(const Tuple& tuple, bool with_ports, Headers& headers) {
  headers.protocol = tuple.protocol;
  if (!with_ports || !has_ports(tuple.protocol)) return;
  headers.source_port = swap16(tuple.source_port);
  headers.destination_port = swap16(tuple.destination_port);
  headers.has_ports = true;
}

void quote(const Packet& p, Headers& headers) {
  const bool with_ports = p.inner_l4 != 0;
  if (p.family == Family::ipv4) {
    headers.source = Address::v4_raw(p.tuple4.source);
    headers.destination = Address::v4_raw(p.tuple4.destination);
    headers.version = 4;
    set_quoted(p.tuple4, with_ports, headers);
  } else {
    headers.source = Address::v6(p.tuple6.source.data());
    headers.destination = Address::v6(p.tuple6.destination.data());
    headers.version = 6;
    set_quoted(p.tuple6, with_ports, headers);
  }
}

}  // namespace

Look look_at(const Packet& p, Instance instance) {
  Look look;
  look.instance = instance;
  look.interface = p.port;
  look.vlan = p.vlan;
  // The parser had no use for what lies behind, or the frame ends there.
  if (p.l3 < sizeof(Ethernet) || p.l3 > p.head_length) return look;
  const uint16_t type = swap16(load<uint16_t>(p.head + p.l3 - 2));
  look.is_arp = type == kEtherArp;
  if (type != kEtherIpv4 && type != kEtherIpv6) return look;
  if (!set_addresses(p, type == kEtherIpv4, look.outer)) return look;
  const bool is_refused = p.verdict == Verdict::drop;
  if (is_refused || p.shape == Shape::other) return look;
  look.outer.protocol = p.shape == Shape::icmp_error
                            ? (type == kEtherIpv4 ? Protocol::icmp : Protocol::icmpv6)
                            : p.protocol;
  look.tcp_flags = p.tcp_flags;
  if (p.shape == Shape::icmp_error) {
    quote(p, look.inner);
  } else if (has_ports(p.protocol) && p.shape == Shape::transport) {
    set_ports(look.outer, p.head + p.l4);
  } else if (has_ports(p.protocol) && p.knows_ports) {
    set_ports(look.outer, reinterpret_cast<const uint8_t*>(&p.ports));
  }
  return look;
}

}  // namespace nezu::capture
