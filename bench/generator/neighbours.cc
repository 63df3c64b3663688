#include "bench/generator/neighbours.h"

#include <algorithm>
#include <cstring>

#include "dataplane/forward/reply.h"
#include "dataplane/link/announce.h"
#include "dataplane/link/answers.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/parse/parse.h"

namespace nezu::generator {

using namespace net;

namespace {

constexpr uint32_t kLeastFrame = 60;
constexpr MacAddress kBroadcast{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

/// Parsed on a copy of its own: the parser's contract is a frame that it may change.
struct Parsed {
  explicit Parsed(std::span<const uint8_t> frame) : bytes(frame.begin(), frame.end()) {
    const auto length = static_cast<uint32_t>(bytes.size());
    packet.arrive(bytes.data(), nullptr, length, length, length, 0);
    parse::parse(packet);
  }
  std::vector<uint8_t> bytes;
  Packet packet;
};

std::optional<Address> destination_of(const Packet& packet) {
  return packet.family == Family::ipv4 ? Address::v4_raw(packet.tuple4.destination)
                                       : Address::v6(packet.tuple6.destination.data());
}

void append(std::vector<uint8_t>& frame, const void* bytes, size_t length) {
  const auto* from = static_cast<const uint8_t*>(bytes);
  frame.insert(frame.end(), from, from + length);
}

std::vector<uint8_t> begin_frame(const MacAddress& to, const MacAddress& from, uint16_t vlan,
                                 uint16_t type) {
  std::vector<uint8_t> frame;
  const Ethernet ethernet{to, from, Big16(vlan == 0 ? type : kEtherVlan)};
  append(frame, &ethernet, sizeof ethernet);
  if (vlan != 0) {
    const Vlan tag{Big16(vlan), Big16(type)};
    append(frame, &tag, sizeof tag);
  }
  return frame;
}

std::vector<uint8_t> arp_question(const Address& wanted, const Address& own, const MacAddress& mac,
                                  uint16_t vlan) {
  std::vector<uint8_t> frame = begin_frame(kBroadcast, mac, vlan, kEtherArp);
  const Arp arp{Big16(1), Big16(kEtherIpv4),      6, 4, Big16(1), mac, Big32(own.v4_host()),
                {},       Big32(wanted.v4_host())};
  append(frame, &arp, sizeof arp);
  return frame;
}

std::vector<uint8_t> solicitation(const Address& wanted, const Address& own, const MacAddress& mac,
                                  uint16_t vlan) {
  const Address group = link::solicited_node(wanted);
  MacAddress to{{0x33, 0x33}};
  std::memcpy(&to.bytes[2], &group.bytes[12], 4);
  std::vector<uint8_t> frame = begin_frame(to, mac, vlan, kEtherIpv6);
  constexpr uint16_t kBody = sizeof(Icmp) + 16 + 8;
  Ipv6 ip{};
  ip.version_class_label = 6u << 28;
  ip.payload_length = kBody;
  ip.next = static_cast<uint8_t>(Protocol::icmpv6);
  ip.hop_limit = 255;
  ip.source = own.bytes;
  ip.destination = group.bytes;
  std::array<uint8_t, kBody> body{};
  body[0] = icmpv6::kNeighbourSolicitation;
  std::memcpy(&body[sizeof(Icmp)], wanted.bytes.data(), 16);
  body[sizeof(Icmp) + 16] = 1;  // source link-layer address, in units of 8 bytes
  body[sizeof(Icmp) + 17] = 1;
  std::memcpy(&body[sizeof(Icmp) + 18], mac.bytes.data(), 6);
  store(&body[2], checksum_of(pseudo_header(&ip.source, 32, ip.next, kBody) +
                              add(0, body.data(), body.size())));
  append(frame, &ip, sizeof ip);
  append(frame, body.data(), body.size());
  return frame;
}

}  // namespace

uint32_t answer_neighbour(uint8_t* frame, uint32_t length, uint32_t room,
                          const std::vector<Range>& addresses, const MacAddress& mac,
                          const std::vector<Address>& mute) {
  Packet packet;
  packet.arrive(frame, nullptr, length, length, room, 0);
  parse::parse(packet);
  if (packet.verdict == Verdict::drop) return 0;
  const bool is_ping = packet.shape == Shape::transport && is_icmp(packet.protocol);
  const auto asked = is_ping ? destination_of(packet) : link::asked_address(packet);
  if (!asked || std::none_of(addresses.begin(), addresses.end(),
                             [&](const Range& range) { return range.contains(*asked); })) {
    return 0;
  }
  if (std::find(mute.begin(), mute.end(), *asked) != mute.end()) return 0;
  if (is_ping) return forward::reply_echo(packet) ? packet.length : 0;
  link::answer(packet, mac);
  return packet.verdict == Verdict::reply ? packet.length : 0;
}

std::optional<MacAddress> learn_neighbour(std::span<const uint8_t> frame, const Address& address) {
  const Parsed parsed(frame);
  if (parsed.packet.verdict == Verdict::drop) return std::nullopt;
  const auto claim = link::claim_of(parsed.packet);
  if (!claim || claim->address != address) return std::nullopt;
  return claim->mac;
}

std::vector<uint8_t> ask_neighbour(const Address& wanted, const Address& own, const MacAddress& mac,
                                   uint16_t vlan) {
  std::vector<uint8_t> frame =
      wanted.is_v4() ? arp_question(wanted, own, mac, vlan) : solicitation(wanted, own, mac, vlan);
  frame.resize(std::max<size_t>(frame.size(), kLeastFrame));
  return frame;
}

}  // namespace nezu::generator
