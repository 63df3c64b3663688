#include "bench/generator/frame.h"

#include <cstddef>
#include <cstring>

#include "bench/generator/rate.h"
#include "dataplane/net/headers.h"

namespace nezu::generator {

using namespace net;

namespace {

constexpr uint8_t kHops = 64;

uint8_t* put_ipv4(uint8_t* at, const Tuple& flow) {
  Ipv4 ip{};
  ip.version_length = 0x45;
  ip.fragment = Ipv4::kDontFragment;
  ip.ttl = kHops;
  ip.protocol = static_cast<uint8_t>(Protocol::udp);
  ip.source = flow.source.v4_host();
  ip.destination = flow.destination.v4_host();
  std::memcpy(at, &ip, sizeof ip);
  return at + sizeof ip;
}

uint8_t* put_ipv6(uint8_t* at, const Tuple& flow) {
  Ipv6 ip{};
  ip.version_class_label = 6u << 28;
  ip.next = static_cast<uint8_t>(Protocol::udp);
  ip.hop_limit = kHops;
  ip.source = flow.source.bytes;
  ip.destination = flow.destination.bytes;
  std::memcpy(at, &ip, sizeof ip);
  return at + sizeof ip;
}

}  // namespace

Headers make_headers(const Tuple& flow, const Link& link) {
  Headers headers;
  headers.is_v4 = flow.source.is_v4();
  uint8_t* at = headers.bytes.data();
  const uint16_t type = headers.is_v4 ? kEtherIpv4 : kEtherIpv6;
  const Ethernet ethernet{link.destination, link.source, Big16(link.vlan == 0 ? type : kEtherVlan)};
  std::memcpy(at, &ethernet, sizeof ethernet);
  at += sizeof ethernet;
  if (link.vlan != 0) {
    const Vlan tag{Big16(link.vlan), Big16(type)};
    std::memcpy(at, &tag, sizeof tag);
    at += sizeof tag;
  }
  headers.l3 = static_cast<uint8_t>(at - headers.bytes.data());
  const uint8_t* ip = at;
  at = headers.is_v4 ? put_ipv4(at, flow) : put_ipv6(at, flow);
  headers.l4 = static_cast<uint8_t>(at - headers.bytes.data());
  const Udp udp{Big16(flow.source_port), Big16(flow.destination_port), Big16(0), Big16(0)};
  std::memcpy(at, &udp, sizeof udp);
  headers.length = static_cast<uint8_t>(headers.l4 + sizeof udp);
  if (headers.is_v4) headers.ip_sum = add(0, ip, sizeof(Ipv4));
  const size_t addresses = headers.is_v4 ? offsetof(Ipv4, source) : offsetof(Ipv6, source);
  headers.udp_sum = pseudo_header(ip + addresses, headers.is_v4 ? 8 : 32,
                                  static_cast<uint8_t>(Protocol::udp), 0) +
                    add(0, at, sizeof udp);
  return headers;
}

uint32_t least_size(const Headers& headers) { return headers.length + kStampBytes + kFcsBytes; }

Body make_body(const Headers& headers, uint32_t size) {
  Body body;
  body.frame = size - kFcsBytes;
  body.payload = static_cast<uint16_t>(body.frame - headers.length);
  body.filler = add(0, filler().data(), body.payload - kStampBytes);
  return body;
}

void write_frame(uint8_t* to, const Headers& headers, const Body& body, const Stamp& stamp) {
  std::memcpy(to, headers.bytes.data(), headers.length);
  uint8_t* payload = to + headers.length;
  write_stamp(payload, stamp);
  std::memcpy(payload + kStampBytes, filler().data(), body.payload - kStampBytes);
  const auto udp_length = static_cast<uint16_t>(body.payload + sizeof(Udp));
  if (headers.is_v4) {
    Ipv4& ip = *reinterpret_cast<Ipv4*>(to + headers.l3);
    ip.total_length = static_cast<uint16_t>(udp_length + sizeof(Ipv4));
    ip.checksum.set_raw(checksum_of(headers.ip_sum + ip.total_length.raw()));
  } else {
    reinterpret_cast<Ipv6*>(to + headers.l3)->payload_length = udp_length;
  }
  Udp& udp = *reinterpret_cast<Udp*>(to + headers.l4);
  udp.length = udp_length;
  const Sum sum =
      headers.udp_sum + 2 * Sum{udp.length.raw()} + add(0, payload, kStampBytes) + body.filler;
  udp.checksum.set_raw(udp_form(checksum_of(sum)));
}

}  // namespace nezu::generator
