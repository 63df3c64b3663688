// What must hold for any bytes that the parser is given; shared by the fuzz targets and the
// property tests. Each check answers an empty text, or what is wrong.
#pragma once

#include <algorithm>
#include <span>
#include <string>

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/net/packet.h"
#include "dataplane/parse/parse.h"

namespace nezu::fuzz {

/// Makes the IPv4 header at the front of a frame sum up, so that chance need not hit upon its sum
/// before anything behind it is reached.
inline void repair_ipv4_sum(std::span<uint8_t> frame) {
  using namespace net;
  size_t at = sizeof(Ethernet);
  if (frame.size() < at + sizeof(Vlan)) return;
  uint16_t type = reinterpret_cast<const Ethernet*>(frame.data())->type;
  if (type == kEtherVlan) {
    type = reinterpret_cast<const Vlan*>(frame.data() + at)->type;
    at += sizeof(Vlan);
  }
  if (type != kEtherIpv4 || frame.size() < at + sizeof(Ipv4)) return;
  auto& ip = *reinterpret_cast<Ipv4*>(frame.data() + at);
  if (ip.header_length() < sizeof(Ipv4) || frame.size() < at + ip.header_length()) return;
  ip.checksum = 0;
  ip.checksum.set_raw(checksum_of(add(0, &ip, ip.header_length())));
}

/// Offsets of a packet that passed: its headers lie within its contiguous bytes.
inline std::string check_bounds(const net::Packet& p) {
  using namespace net;
  if (p.verdict == Verdict::drop) {
    const bool known = std::ranges::find(parse::kReasons, p.reason) != parse::kReasons.end();
    return known ? "" : "a reason that is not the parser's: " + std::string(to_string(p.reason));
  }
  if (p.verdict != Verdict::undecided || p.reason != Reason::none) return "a verdict";
  if (p.l3 > p.head_length) return "l3 out of bounds";
  if (p.shape == Shape::other) return "";
  const uint32_t header = p.family == Family::ipv4 ? sizeof(Ipv4) : sizeof(Ipv6);
  const uint32_t end = p.l3 + p.ip_length;
  const uint32_t limit = std::min(p.head_length, end);
  if (end > p.length) return "the IP packet ends behind the frame";
  if (p.l4 < p.l3 + header || p.l4 > limit) return "l4 out of bounds";
  if (p.fragment_header != 0 && p.fragment_header + sizeof(Ipv6Fragment) > p.l4) {
    return "the fragment header ends behind l4";
  }
  if (p.shape == Shape::icmp_error) {
    if (p.l4 + sizeof(Icmp) > limit) return "ICMP out of bounds";
    if (p.inner_l3 != p.l4 + sizeof(Icmp) || p.inner_l3 + header > limit)
      return "inner_l3 out of bounds";
    if (p.inner_l4 != 0 && (p.inner_l4 < p.inner_l3 + header || p.inner_l4 + 8u > limit)) {
      return "inner_l4 out of bounds";
    }
  }
  if (p.shape != Shape::transport) return "";
  uint32_t transport = 0;
  if (p.protocol == Protocol::tcp) {
    transport = sizeof(Tcp);
    if (p.l4 + transport <= limit) transport = p.at<Tcp>(p.l4)->header_length();
    if (transport < sizeof(Tcp)) return "a TCP header of impossible length";
  } else if (p.protocol == Protocol::udp) {
    transport = sizeof(Udp);
  } else if (p.protocol == (p.family == Family::ipv4 ? Protocol::icmp : Protocol::icmpv6)) {
    transport = sizeof(Icmp);
  } else if (p.protocol == Protocol::sctp) {
    transport = sizeof(Sctp);
  } else if (is_icmp(p.protocol)) {
    return "ICMP of the other family is no transport";
  } else if ((p.family == Family::ipv4 ? p.tuple4.source_port | p.tuple4.destination_port
                                       : p.tuple6.source_port | p.tuple6.destination_port) != 0) {
    return "ports of a protocol that has none";
  }
  return p.l4 + transport > limit ? "the transport header is out of bounds" : "";
}

/// Two ways of parsing the same bytes agree.
inline std::string compare(const net::Packet& a, const net::Packet& b) {
  if (a.verdict != b.verdict || a.reason != b.reason) {
    return "reasons differ: " + std::string(to_string(a.reason)) + " and " +
           std::string(to_string(b.reason));
  }
  if (a.verdict == net::Verdict::drop) return "";
  const bool same = a.l3 == b.l3 && a.l4 == b.l4 && a.inner_l3 == b.inner_l3 &&
                    a.inner_l4 == b.inner_l4 && a.ip_length == b.ip_length && a.vlan == b.vlan &&
                    a.shape == b.shape && a.family == b.family && a.protocol == b.protocol &&
                    a.tcp_flags == b.tcp_flags && a.first_fragment == b.first_fragment &&
                    a.fragment_header == b.fragment_header;
  if (!same) return "offsets or kinds differ";
  if (a.shape == net::Shape::other) return "";
  const bool tuples = a.family == net::Family::ipv4 ? a.tuple4 == b.tuple4 : a.tuple6 == b.tuple6;
  return tuples ? "" : "tuples differ";
}

/// Parses `bytes` as a frame, whose first `contiguous` bytes lie in its first segment, by both
/// ways.
template <typename Bytes>
std::string check_parse(Bytes& bytes, size_t contiguous) {
  const auto length = static_cast<uint32_t>(std::min<size_t>(bytes.size(), 0xffff));
  const auto head = static_cast<uint32_t>(std::min<size_t>(contiguous, length));
  net::Packet fast, general;
  fast.arrive(bytes.data(), nullptr, head, length, length, 0);
  general.arrive(bytes.data(), nullptr, head, length, length, 0);
  parse::parse(fast, net::Instance{3});
  parse::parse_generally(general, net::Instance{3});
  const std::string wrong = check_bounds(fast);
  return wrong.empty() ? compare(fast, general) : wrong;
}

}  // namespace nezu::fuzz
