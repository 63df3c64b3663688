#include "dataplane/forward/icmp_error.h"

#include <algorithm>
#include <cstring>

#include "dataplane/net/checksum.h"
#include "dataplane/net/crc32c.h"

namespace nezu::forward {
namespace {

using namespace net;

/// Replaces bytes; answers how the sum over them changes.
Change replace16(uint8_t* at, uint16_t to) {
  const auto from = load<uint16_t>(at);
  store(at, to);
  return change16(from, to);
}
Change replace32(uint8_t* at, uint32_t to) {
  const auto from = load<uint32_t>(at);
  store(at, to);
  return change32(from, to);
}
Change replace(uint8_t* at, const std::array<uint8_t, 16>& to) {
  Change sum = 0;
  for (size_t i = 0; i < to.size(); i += 4) sum += replace32(at + i, load<uint32_t>(&to[i]));
  return sum;
}

/// SCTP's sum covers no address; `length`: of the whole packet of which a part is quoted.
Change translate_inner_sctp(Packet& p, uint32_t ports, uint32_t length) {
  uint8_t* l4 = p.head + p.inner_l4;
  const uint32_t delta = load<uint32_t>(l4) ^ ports;
  const uint32_t end = std::min<uint32_t>(p.head_length, p.l3 + p.ip_length);
  uint8_t* sum = l4 + offsetof(Sctp, checksum);
  Change change = replace32(l4, ports);
  if (p.inner_l4 + sizeof(Sctp) <= end && length >= sizeof(Sctp) && length <= 0xffff) {
    change += replace32(sum, load<uint32_t>(sum) ^ crc32c_change(delta, length - 4));
  }
  return change;
}

uint32_t inner_payload(const Packet& p) {
  const uint32_t headers = p.inner_l4 - p.inner_l3;
  return p.family == Family::ipv4
             ? p.at<Ipv4>(p.inner_l3)->total_length - headers
             : p.at<Ipv6>(p.inner_l3)->payload_length + uint32_t{sizeof(Ipv6)} - headers;
}

/// The inner transport header: ports, and the checksum as far as it is quoted. `addresses`: how the
/// inner pseudo-header changed. Answers how the sum over the quoted bytes changes.
Change translate_inner_transport(Packet& p, Protocol inner, uint16_t source, uint16_t destination,
                                 Change addresses) {
  uint8_t* l4 = p.head + p.inner_l4;
  Change change = replace16(l4, source) + replace16(l4 + 2, destination);
  const Change summed = change + addresses;
  if (inner == Protocol::udp) {
    uint8_t* at = l4 + offsetof(Udp, checksum);
    change += replace16(at, updated_udp(load<uint16_t>(at), summed));
  } else {
    const uint32_t end = std::min<uint32_t>(p.head_length, p.l3 + p.ip_length);
    uint8_t* at = l4 + offsetof(Tcp, checksum);
    if (p.inner_l4 + offsetof(Tcp, checksum) + 2 > end)
      return change;  // RFC 792's eight bytes only
    change += replace16(at, updated(load<uint16_t>(at), summed));
  }
  return change;
}

/// The same of a quoted ping: its identifier is the port of the side that asked.
Change translate_inner_echo(Packet& p, Protocol inner, uint16_t source, uint16_t destination,
                            Change addresses) {
  uint8_t* l4 = p.head + p.inner_l4;
  const bool asks = *l4 == icmp::kEchoRequest || *l4 == icmpv6::kEchoRequest;
  Change change = replace16(l4 + offsetof(Icmp, echo), asks ? source : destination);
  const Change summed = inner == Protocol::icmpv6 ? change + addresses : change;
  uint8_t* at = l4 + offsetof(Icmp, checksum);
  change += replace16(at, updated(load<uint16_t>(at), summed));
  return change;
}

Change translate_inner(Packet& p, Protocol inner, uint16_t source, uint16_t destination,
                       Change addresses) {
  if (inner == Protocol::sctp) {
    return translate_inner_sctp(p, source | uint32_t{destination} << 16, inner_payload(p));
  }
  if (has_ports(inner)) return translate_inner_transport(p, inner, source, destination, addresses);
  return is_icmp(inner) ? translate_inner_echo(p, inner, source, destination, addresses) : Change{};
}

template <typename Edit>
bool can_translate(Packet& p) {
  if (p.inner_l4 == 0) {
    p.drop(Reason::icmp_unmatched);
    return false;
  }
  return may_hop<Edit>(p);
}

void update_icmp_sum(Packet& p, Change change) {
  uint8_t* at = p.head + p.l4 + offsetof(Icmp, checksum);
  store(at, updated(load<uint16_t>(at), change));
}

}  // namespace

bool icmp_error(Packet& p, const Translation4& to) {
  const Protocol protocol = p.tuple4.protocol;
  if (!can_translate<Edit4>(p)) return false;
  uint8_t* inner = p.head + p.inner_l3;
  const bool source_changes =
      load<uint32_t>(inner + offsetof(Ipv4, destination)) != to.source.address;

  const Change addresses = replace32(inner + offsetof(Ipv4, source), to.destination.address) +
                           replace32(inner + offsetof(Ipv4, destination), to.source.address);
  uint8_t* header_sum = inner + offsetof(Ipv4, checksum);
  Change change = addresses + replace16(header_sum, updated(load<uint16_t>(header_sum), addresses));
  change += translate_inner(p, protocol, to.destination.port, to.source.port, addresses);
  update_icmp_sum(p, change);

  Edit4 edit{p, Touch::addresses};
  edit.destination(to.destination);
  if (source_changes) edit.source(to.source);
  edit.hop();
  return true;
}

bool icmp_error(Packet& p, const Translation6& to) {
  const Protocol protocol = p.tuple6.protocol;
  if (!can_translate<Edit6>(p)) return false;
  uint8_t* inner = p.head + p.inner_l3;
  uint8_t* outer = p.head + p.l3;
  const bool source_changes = std::memcmp(inner + offsetof(Ipv6, destination),
                                          to.source.address.data(), to.source.address.size()) != 0;

  const Change addresses = replace(inner + offsetof(Ipv6, source), to.destination.address) +
                           replace(inner + offsetof(Ipv6, destination), to.source.address);
  Change change =
      addresses + translate_inner(p, protocol, to.destination.port, to.source.port, addresses);
  // ICMPv6 sums its own pseudo-header too (RFC 4443 2.3).
  change += replace(outer + offsetof(Ipv6, destination), to.destination.address);
  if (source_changes) change += replace(outer + offsetof(Ipv6, source), to.source.address);
  update_icmp_sum(p, change);
  --p.at<Ipv6>(p.l3)->hop_limit;
  return true;
}

}  // namespace nezu::forward
