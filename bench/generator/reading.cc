#include "bench/generator/reading.h"

#include <cstddef>
#include <cstring>

#include "dataplane/net/headers.h"

namespace nezu::generator {

using namespace net;

namespace {

/// Where the IP packet's transport begins and ends; false: not a whole packet.
struct Inside {
  uint8_t protocol = 0;
  uint32_t l4 = 0, end = 0;
  bool intact = true;  ///< the IPv4 header sums up
  bool is_fragment = false;
};

bool look_into_ipv4(std::span<const uint8_t> frame, uint32_t l3, Inside& out) {
  if (frame.size() < l3 + sizeof(Ipv4)) return false;
  const auto& ip = *reinterpret_cast<const Ipv4*>(&frame[l3]);
  const uint32_t header = ip.header_length();
  out.end = l3 + ip.total_length;
  out.l4 = l3 + header;
  out.protocol = ip.protocol;
  const bool fits =
      ip.version() == 4 && header >= sizeof(Ipv4) && out.l4 <= out.end && out.end <= frame.size();
  out.intact = fits && fold(add(0, &ip, header)) == 0xffff;
  out.is_fragment = (ip.fragment & (Ipv4::kOffset | Ipv4::kMoreFragments)) != 0;
  return fits;
}

bool look_into_ipv6(std::span<const uint8_t> frame, uint32_t l3, Inside& out) {
  if (frame.size() < l3 + sizeof(Ipv6)) return false;
  const auto& ip = *reinterpret_cast<const Ipv6*>(&frame[l3]);
  out.l4 = l3 + static_cast<uint32_t>(sizeof(Ipv6));
  out.end = out.l4 + ip.payload_length;
  out.protocol = ip.next;
  return ip.version() == 6 && out.end <= frame.size();
}

/// The transport's sum with its pseudo-header is all ones.
bool sums_up(std::span<const uint8_t> frame, const Inside& inside, uint32_t l3, bool is_v4) {
  const size_t addresses = l3 + (is_v4 ? offsetof(Ipv4, source) : offsetof(Ipv6, source));
  const uint32_t length = inside.end - inside.l4;
  return fold(pseudo_header(&frame[addresses], is_v4 ? 8 : 32, inside.protocol, length) +
              add(0, &frame[inside.l4], length)) == 0xffff;
}

Kind kind_of_udp(std::span<const uint8_t> frame, const Inside& inside, uint32_t l3, Reading& out) {
  const uint32_t length = inside.end - inside.l4;
  if (length < sizeof(Udp)) return Kind::corrupted;
  const auto& udp = *reinterpret_cast<const Udp*>(&frame[inside.l4]);
  if (udp.length != length) return Kind::corrupted;
  // IPv4 knows "no checksum"; we send none such, and no device may take it away.
  if (udp.checksum.raw() == 0 || !sums_up(frame, inside, l3, out.is_v4)) return Kind::corrupted;
  const uint8_t* payload = &frame[inside.l4] + sizeof(Udp);
  const uint32_t bytes = length - static_cast<uint32_t>(sizeof(Udp));
  if (bytes < kStampBytes || payload[0] != 'N' || payload[1] != 'z') return Kind::other;
  const uint32_t behind = bytes - kStampBytes;
  const bool same = read_stamp(payload, out.stamp) && behind <= kLongestFrame &&
                    std::memcmp(payload + kStampBytes, filler().data(), behind) == 0;
  return same ? Kind::stamped : Kind::corrupted;
}

}  // namespace

Reading read_frame(std::span<const uint8_t> frame) {
  Reading reading;
  if (frame.size() < sizeof(Ethernet) + sizeof(Vlan) || frame.size() > 0xffff) return reading;
  uint32_t l3 = sizeof(Ethernet);
  uint16_t type = reinterpret_cast<const Ethernet*>(frame.data())->type;
  if (type == kEtherVlan) {
    type = reinterpret_cast<const Vlan*>(&frame[l3])->type;
    l3 += sizeof(Vlan);
  }
  reading.l3 = static_cast<uint16_t>(l3);
  if (type == kEtherArp) {
    reading.kind = Kind::neighbour;
    return reading;
  }
  if (type != kEtherIpv4 && type != kEtherIpv6) return reading;
  reading.is_v4 = type == kEtherIpv4;
  Inside inside;
  const bool whole =
      reading.is_v4 ? look_into_ipv4(frame, l3, inside) : look_into_ipv6(frame, l3, inside);
  if (!whole || !inside.intact) {
    reading.kind = Kind::corrupted;
    return reading;
  }
  if (inside.is_fragment) return reading;
  reading.l4 = static_cast<uint16_t>(inside.l4);
  reading.end = static_cast<uint16_t>(inside.end);
  switch (static_cast<Protocol>(inside.protocol)) {
    case Protocol::udp:
      reading.kind = kind_of_udp(frame, inside, l3, reading);
      break;
    case Protocol::tcp:
      reading.kind =
          inside.end - inside.l4 >= sizeof(Tcp) && sums_up(frame, inside, l3, reading.is_v4)
              ? Kind::tcp
              : Kind::corrupted;
      break;
    case Protocol::icmp:
    case Protocol::icmpv6: {
      const uint8_t said = inside.end - inside.l4 >= sizeof(Icmp) ? frame[inside.l4] : 0;
      const bool is_ndp = !reading.is_v4 && said >= 133 && said <= 137;
      const bool is_ping = said == (reading.is_v4 ? icmp::kEchoRequest : icmpv6::kEchoRequest);
      reading.kind = is_ndp || is_ping ? Kind::neighbour : Kind::icmp;
      break;
    }
    default:
      break;
  }
  return reading;
}

Tuple tuple_of(std::span<const uint8_t> frame, const Reading& reading) {
  Tuple tuple;
  if (reading.is_v4) {
    const auto& ip = *reinterpret_cast<const Ipv4*>(&frame[reading.l3]);
    tuple.source = Address::v4(ip.source);
    tuple.destination = Address::v4(ip.destination);
  } else {
    const auto& ip = *reinterpret_cast<const Ipv6*>(&frame[reading.l3]);
    tuple.source = Address::v6(ip.source.data());
    tuple.destination = Address::v6(ip.destination.data());
  }
  const auto& ports = *reinterpret_cast<const Udp*>(&frame[reading.l4]);
  tuple.source_port = ports.source;
  tuple.destination_port = ports.destination;
  return tuple;
}

}  // namespace nezu::generator
