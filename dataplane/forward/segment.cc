#include "dataplane/forward/segment.h"

#include <cstring>

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"

namespace nezu::forward {
namespace {

using namespace net;

constexpr uint8_t kHops = 64;

/// Answers where IP begins.
uint8_t* write_link(uint8_t* frame, uint16_t vlan, uint16_t type) {
  auto& ethernet = *reinterpret_cast<Ethernet*>(frame);
  ethernet = {};
  ethernet.type = vlan != 0 ? kEtherVlan : type;
  if (vlan == 0) return frame + sizeof(Ethernet);
  auto& tag = *reinterpret_cast<Vlan*>(frame + sizeof(Ethernet));
  tag.control = vlan;
  tag.type = type;
  return frame + sizeof(Ethernet) + sizeof(Vlan);
}

uint32_t tcp_length(const Segment& segment) { return sizeof(Tcp) + (segment.timestamps ? 12 : 0); }

/// `pseudo`: the sum of what stands in front of it.
template <typename Tuple>
void write_tcp(uint8_t* at, const Tuple& way, const Segment& segment, Sum pseudo) {
  auto& tcp = *reinterpret_cast<Tcp*>(at);
  tcp = {};
  tcp.source.set_raw(way.source_port);
  tcp.destination.set_raw(way.destination_port);
  tcp.sequence = segment.sequence;
  tcp.acknowledgement = segment.acknowledgement;
  tcp.offset = static_cast<uint8_t>(tcp_length(segment) / 4 << 4);
  tcp.flags = segment.flags;
  tcp.window = segment.window;
  if (segment.timestamps) {
    TcpOptions options;
    options.add_timestamps(segment.timestamps->value, segment.timestamps->echo);
    std::memcpy(at + sizeof(Tcp), options.bytes().data(), options.bytes().size());
  }
  tcp.checksum.set_raw(checksum_of(add(pseudo, at, tcp_length(segment))));
}

}  // namespace

uint32_t write_segment(std::span<uint8_t, kLongestSegment> frame, const Tuple4& way,
                       const Segment& segment) {
  uint8_t* at = write_link(frame.data(), segment.vlan, kEtherIpv4);
  auto& ip = *reinterpret_cast<Ipv4*>(at);
  ip = {};
  ip.version_length = 0x45;
  ip.total_length = static_cast<uint16_t>(sizeof(Ipv4) + tcp_length(segment));
  ip.fragment = Ipv4::kDontFragment;  // and so no id (RFC 6864 4.1)
  ip.ttl = kHops;
  ip.protocol = static_cast<uint8_t>(Protocol::tcp);
  ip.source.set_raw(way.source);
  ip.destination.set_raw(way.destination);
  ip.checksum.set_raw(checksum_of(add(0, &ip, sizeof ip)));
  write_tcp(at + sizeof ip, way, segment,
            pseudo_header(at + offsetof(Ipv4, source), 8, ip.protocol, tcp_length(segment)));
  return static_cast<uint32_t>(at + sizeof ip + tcp_length(segment) - frame.data());
}

uint32_t write_segment(std::span<uint8_t, kLongestSegment> frame, const Tuple6& way,
                       const Segment& segment) {
  uint8_t* at = write_link(frame.data(), segment.vlan, kEtherIpv6);
  auto& ip = *reinterpret_cast<Ipv6*>(at);
  ip.version_class_label = 6u << 28;
  ip.payload_length = static_cast<uint16_t>(tcp_length(segment));
  ip.next = static_cast<uint8_t>(Protocol::tcp);
  ip.hop_limit = kHops;
  ip.source = way.source;
  ip.destination = way.destination;
  write_tcp(at + sizeof ip, way, segment,
            pseudo_header(at + offsetof(Ipv6, source), 32, ip.next, tcp_length(segment)));
  return static_cast<uint32_t>(at + sizeof ip + tcp_length(segment) - frame.data());
}

}  // namespace nezu::forward
