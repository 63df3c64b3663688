#include "dataplane/forward/reply.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <utility>

#include "dataplane/forward/tcp_options.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/crc32c.h"
#include "dataplane/net/headers.h"

namespace nezu::forward {
namespace {

using namespace net;

constexpr uint8_t kTtl = 64;
/// Precedence "internetwork control", as RFC 1812 4.3.2.5 asks of errors.
constexpr uint8_t kErrorService = 0xc0;
/// An error's whole IP packet: RFC 1812 4.3.2.3, RFC 4443 2.4 c.
constexpr uint32_t kLongestError4 = 576, kLongestError6 = 1280;

void swap_macs(Packet& p) {
  auto& ethernet = *p.at<Ethernet>(0);
  std::swap(ethernet.source, ethernet.destination);
}

bool is_v4(const Packet& p) { return p.family == Family::ipv4; }
uint32_t ip_header_size(const Packet& p) { return is_v4(p) ? sizeof(Ipv4) : sizeof(Ipv6); }

/// Both addresses of the packet's IP header.
struct Ends {
  Address source;
  Address destination;
};
Ends ends_of(const Packet& p) {
  if (is_v4(p)) {
    const Ipv4& ip = *p.at<Ipv4>(p.l3);
    return {Address::v4_raw(ip.source.raw()), Address::v4_raw(ip.destination.raw())};
  }
  const Ipv6& ip = *p.at<Ipv6>(p.l3);
  return {Address::v6(&ip.source), Address::v6(&ip.destination)};
}

/// A new IP header without options at `l3`; what it carries has been written behind it.
void write_ip(Packet& p, const Ends& ends, Protocol protocol, uint32_t payload, uint8_t service) {
  if (is_v4(p)) {
    Ipv4& ip = *p.at<Ipv4>(p.l3);
    ip = {};
    ip.version_length = 0x45;
    ip.service = service;
    ip.total_length = static_cast<uint16_t>(sizeof(Ipv4) + payload);
    ip.fragment = Ipv4::kDontFragment;  // and so no id (RFC 6864 4.1)
    ip.ttl = kTtl;
    ip.protocol = static_cast<uint8_t>(protocol);
    ip.checksum = 0;
    ip.source.set_raw(ends.source.v4_raw());
    ip.destination.set_raw(ends.destination.v4_raw());
    ip.checksum.set_raw(checksum_of(add(0, &ip, sizeof ip)));
  } else {
    Ipv6& ip = *p.at<Ipv6>(p.l3);
    ip.version_class_label = 6u << 28 | static_cast<uint32_t>(service) << 20;
    ip.payload_length = static_cast<uint16_t>(payload);
    ip.next = static_cast<uint8_t>(protocol);
    ip.hop_limit = kTtl;
    ip.source = ends.source.bytes;
    ip.destination = ends.destination.bytes;
  }
  p.l4 = static_cast<uint16_t>(p.l3 + ip_header_size(p));
  p.ip_length = static_cast<uint16_t>(ip_header_size(p) + payload);
  p.protocol = protocol;
  p.head_length = p.length = p.l3 + p.ip_length;
  p.fragment_header = 0;
  p.first_fragment = false;
}

/// The checksum over `length` bytes at `l4` and the pseudo-header in front of them.
uint16_t transport_sum(const Packet& p, uint32_t length) {
  const bool v4 = is_v4(p);
  const size_t at = p.l3 + (v4 ? offsetof(Ipv4, source) : offsetof(Ipv6, source));
  const Sum pseudo =
      pseudo_header(p.head + at, v4 ? 8 : 32, static_cast<uint8_t>(p.protocol), length);
  return checksum_of(add(pseudo, p.head + p.l4, length));
}

void answer(Packet& p) {
  swap_macs(p);
  p.verdict = Verdict::reply;
}

/// Type and code of an error in both families.
struct Error {
  uint8_t type4, code4, type6, code6;
};
constexpr Error kPortUnreachable{icmp::kUnreachable, icmp::kCodePort, icmpv6::kUnreachable,
                                 icmpv6::kCodePort};
constexpr Error kProtocolUnknown{icmp::kUnreachable, 2, icmpv6::kParameterProblem, 1};
constexpr Error kProhibited{icmp::kUnreachable, icmp::kCodeFiltered, icmpv6::kUnreachable, 1};
constexpr Error kTimeExceeded{icmp::kTimeExceeded, 0, icmpv6::kTimeExceeded, 0};
constexpr Error kSourceRouteFailed{icmp::kUnreachable, 5, icmpv6::kUnreachable, 0};
constexpr Error kTooBig{icmp::kUnreachable, icmp::kCodeTooBig, icmpv6::kTooBig, 0};

/// No error about a later fragment, or about an ICMP message that may be one (RFC 1812 4.3.2.7).
bool may_be_told(const Packet& p) {
  if (p.at<Ethernet>(0)->destination.is_multicast()) return false;
  const bool icmp = p.protocol == Protocol::icmp || p.protocol == Protocol::icmpv6;
  if (p.shape == Shape::transport) return true;
  const Address to = ends_of(p).destination;
  return p.shape == Shape::control && !icmp && !to.is_multicast() && !to.is_broadcast();
}

bool reply_error(Packet& p, const Address& source, const Error& error, uint32_t rest) {
  if (!may_be_told(p)) return false;
  const uint32_t headers = ip_header_size(p) + sizeof(Icmp);
  const uint32_t longest = is_v4(p) ? kLongestError4 : kLongestError6;
  const uint32_t room = std::max(p.room, p.head_length);
  uint32_t quoted = std::min<uint32_t>(p.ip_length, p.head_length - p.l3);
  quoted = std::min(quoted, longest - headers);
  // What is quoted must tell the flow: all headers and 8 bytes behind them.
  const uint32_t least = p.l4 - p.l3 + 8u;
  if (room < p.l3 + headers + least) return false;
  quoted = std::min(quoted, room - p.l3 - headers);
  if (quoted < least) return false;

  const Ends ends{source, ends_of(p).source};
  std::memmove(p.head + p.l3 + headers, p.head + p.l3, quoted);
  const uint32_t length = sizeof(Icmp) + quoted;
  write_ip(p, ends, is_v4(p) ? Protocol::icmp : Protocol::icmpv6, length, kErrorService);
  Icmp& icmp = *p.at<Icmp>(p.l4);
  icmp.type = is_v4(p) ? error.type4 : error.type6;
  icmp.code = is_v4(p) ? error.code4 : error.code6;
  icmp.checksum = 0;
  icmp.rest = rest;
  icmp.checksum.set_raw(is_v4(p) ? checksum_of(add(0, &icmp, length)) : transport_sum(p, length));
  answer(p);
  return true;
}

}  // namespace

namespace {

struct Answer {
  uint32_t sequence = 0, acknowledgement = 0;
  uint8_t flags = 0;
  uint16_t window = 0;
  std::span<const uint8_t> options;  ///< whole words
};

/// `from`: what is answered.
bool answer_segment(Packet& p, const Tcp& from, const Answer& says) {
  const auto length = static_cast<uint32_t>(sizeof(Tcp) + says.options.size());
  if (std::max(p.room, p.head_length) < p.l3 + ip_header_size(p) + length) return false;
  const Ends ends = ends_of(p);
  write_ip(p, {ends.destination, ends.source}, Protocol::tcp, length, 0);
  Tcp& tcp = *p.at<Tcp>(p.l4);
  tcp = {};
  tcp.source = from.destination;
  tcp.destination = from.source;
  tcp.sequence = says.sequence;
  tcp.acknowledgement = says.acknowledgement;
  tcp.offset = static_cast<uint8_t>(length / 4 << 4);
  tcp.flags = says.flags;
  tcp.window = says.window;
  tcp.checksum = 0;
  tcp.urgent = 0;
  std::ranges::copy(says.options, p.head + p.l4 + sizeof(Tcp));
  tcp.checksum.set_raw(transport_sum(p, length));
  p.tcp_flags = tcp.flags;
  answer(p);
  return true;
}

}  // namespace

bool reply_reset(Packet& p) {
  if (p.shape != Shape::transport || p.protocol != Protocol::tcp || p.first_fragment) return false;
  const Tcp from = *p.at<Tcp>(p.l4);
  if ((from.flags & kTcpRst) != 0 || p.at<Ethernet>(0)->destination.is_multicast()) return false;
  const uint32_t payload = p.ip_length - (p.l4 - p.l3) - from.header_length();
  const uint32_t occupied = payload + ((from.flags & kTcpSyn) != 0) + ((from.flags & kTcpFin) != 0);
  Answer reset;
  if ((from.flags & kTcpAck) != 0) {
    reset.sequence = from.acknowledgement;
    reset.flags = kTcpRst;
  } else {
    reset.acknowledgement = from.sequence + occupied;
    reset.flags = kTcpRst | kTcpAck;
  }
  return answer_segment(p, from, reset);
}

bool reply_acknowledgement(Packet& p, uint32_t acknowledgement) {
  constexpr uint16_t kWindow = 4096;
  if (p.shape != Shape::transport || p.protocol != Protocol::tcp || p.first_fragment) return false;
  const Tcp from = *p.at<Tcp>(p.l4);
  if ((from.flags & (kTcpRst | kTcpAck)) != kTcpAck) return false;
  // What it echoes is the other side's latest: RFC 7323 3.2.
  const auto theirs = timestamps_of(p);
  TcpOptions options;
  if (theirs) options.add_timestamps(theirs->echo, theirs->value);
  return answer_segment(p, from,
                        {from.acknowledgement, acknowledgement, kTcpAck, kWindow, options.bytes()});
}

bool reply_syn_ack(Packet& p, uint32_t sequence, const TcpOptions& options) {
  if (p.shape != Shape::transport || p.protocol != Protocol::tcp || p.first_fragment ||
      p.at<Ethernet>(0)->destination.is_multicast()) {
    return false;
  }
  const Tcp from = *p.at<Tcp>(p.l4);
  return answer_segment(p, from,
                        {sequence, from.sequence + 1, kTcpSyn | kTcpAck, 0, options.bytes()});
}

bool reply_abort(Packet& p) {
  if (p.shape != Shape::transport || p.protocol != Protocol::sctp || p.first_fragment) return false;
  constexpr uint32_t kLength = sizeof(Sctp) + sizeof(SctpChunk);
  const uint32_t end = std::min<uint32_t>(p.head_length, p.l3 + p.ip_length);
  const uint32_t room = std::max(p.room, p.head_length);
  // An INIT is 20 bytes long; nothing shorter than a chunk is worth an answer.
  if (p.l4 + kLength > end || p.at<Ethernet>(0)->destination.is_multicast() ||
      room < p.l3 + ip_header_size(p) + kLength) {
    return false;
  }
  const Sctp from = *p.at<Sctp>(p.l4);
  const uint8_t asked = p.at<SctpChunk>(p.l4 + sizeof(Sctp))->type;
  const bool initiates = asked == sctp::kInit;
  if (asked == sctp::kAbort || asked == sctp::kShutdownComplete ||
      (initiates && p.l4 + kLength + 4 > end)) {
    return false;
  }
  const uint32_t tag = initiates ? uint32_t{*p.at<Big32>(p.l4 + kLength)} : uint32_t{from.tag};
  const Ends ends = ends_of(p);
  write_ip(p, {ends.destination, ends.source}, Protocol::sctp, kLength, 0);
  Sctp& header = *p.at<Sctp>(p.l4);
  header.source = from.destination;
  header.destination = from.source;
  header.tag = tag;
  header.checksum = {};
  SctpChunk& abort = *p.at<SctpChunk>(p.l4 + sizeof(Sctp));
  abort.type = sctp::kAbort;
  abort.flags = initiates ? 0 : sctp::kReflected;
  abort.length = sizeof(SctpChunk);
  store(p.head + p.l4 + offsetof(Sctp, checksum), crc32c(p.head + p.l4, kLength));
  answer(p);
  return true;
}

bool reply_echo(Packet& p) {
  const uint8_t request = is_v4(p) ? icmp::kEchoRequest : icmpv6::kEchoRequest;
  const uint8_t reply = is_v4(p) ? icmp::kEchoReply : icmpv6::kEchoReply;
  const bool echo = p.protocol == (is_v4(p) ? Protocol::icmp : Protocol::icmpv6);
  if (p.shape != Shape::transport || !echo || p.first_fragment) return false;
  Icmp& icmp = *p.at<Icmp>(p.l4);
  if (icmp.type != request || p.at<Ethernet>(0)->destination.is_multicast()) return false;
  // Swapped addresses leave every sum as it was; the type and the TTL do not.
  icmp.checksum.set_raw(updated(icmp.checksum.raw(), change16(request, reply)));
  icmp.type = reply;
  if (is_v4(p)) {
    Ipv4& ip = *p.at<Ipv4>(p.l3);
    std::swap(ip.source, ip.destination);
    ip.checksum.set_raw(updated(ip.checksum.raw(), change16(ip.ttl, kTtl)));
    ip.ttl = kTtl;
  } else {
    Ipv6& ip = *p.at<Ipv6>(p.l3);
    std::swap(ip.source, ip.destination);
    ip.hop_limit = kTtl;
  }
  answer(p);
  return true;
}

bool reply_unreachable(Packet& p) {
  if (has_ports(p.protocol) || is_icmp(p.protocol)) {
    return reply_error(p, ends_of(p).destination, kPortUnreachable, 0);
  }
  // RFC 8200 4: the pointer is to the next header field, which extension headers would move.
  if (!is_v4(p) && p.l4 != p.l3 + sizeof(Ipv6)) return reply_prohibited(p);
  return reply_error(p, ends_of(p).destination, kProtocolUnknown,
                     is_v4(p) ? 0 : offsetof(Ipv6, next));
}

bool reply_prohibited(Packet& p) { return reply_error(p, ends_of(p).destination, kProhibited, 0); }

bool reply_time_exceeded(Packet& p, const Address& source) {
  return reply_error(p, source, kTimeExceeded, 0);
}

bool reply_source_route_failed(Packet& p, const Address& source) {
  return reply_error(p, source, kSourceRouteFailed, 0);
}

bool reply_too_big(Packet& p, const Address& source, uint16_t mtu) {
  return reply_error(p, source, kTooBig, mtu);
}

}  // namespace nezu::forward
