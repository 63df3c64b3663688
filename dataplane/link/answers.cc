#include "dataplane/link/answers.h"

#include <cstring>

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"

namespace nezu::link {
namespace {

using namespace net;

constexpr uint16_t kRequest = 1, kReply = 2;
constexpr uint8_t kSourceLinkAddress = 1, kTargetLinkAddress = 2;
constexpr uint32_t kSolicited = 0x4000'0000u, kOverride = 0x2000'0000u;

/// Neighbour solicitation and advertisement: an ICMP header, whose `rest` holds flags, a target,
/// options.
struct Neighbour {
  Icmp icmp;
  std::array<uint8_t, 16> target;
};
struct LinkOption {
  uint8_t type;
  uint8_t length;  ///< in units of 8 bytes
  MacAddress mac;
};
static_assert(sizeof(Neighbour) == 24 && sizeof(LinkOption) == 8);

constexpr std::array<uint8_t, 16> kAllNodes{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
constexpr MacAddress kAllNodesMac{{0x33, 0x33, 0, 0, 0, 1}};

bool is_arp(const Packet& packet) {
  if (packet.shape != Shape::other || packet.l3 + sizeof(Arp) > packet.head_length) return false;
  if (*packet.at<Big16>(packet.l3 - 2u) != kEtherArp) return false;
  const Arp& arp = *packet.at<Arp>(packet.l3);
  return arp.hardware == 1 && arp.protocol == kEtherIpv4 && arp.hardware_length == 6 &&
         arp.protocol_length == 4;
}
bool is_arp_request(const Packet& packet) {
  return is_arp(packet) && packet.at<Arp>(packet.l3)->operation == kRequest;
}

Sum sum_of(const Packet& packet, uint32_t length) {
  const Ipv6& ip = *packet.at<Ipv6>(packet.l3);
  return pseudo_header(ip.source.data(), 32, static_cast<uint8_t>(Protocol::icmpv6), length) +
         add(0, packet.head + packet.l4, length);
}

bool is_solicited_node(const std::array<uint8_t, 16>& address) {
  constexpr std::array<uint8_t, 13> kPrefix{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};
  return std::memcmp(address.data(), kPrefix.data(), kPrefix.size()) == 0;
}

/// Options: none of length 0, and no link address from a host that has no address yet.
bool options_make_sense(const uint8_t* at, uint32_t length, bool unspecified) {
  while (length >= 8) {
    const uint32_t size = at[1] * 8u;
    if (size == 0 || size > length) return false;
    if (unspecified && at[0] == kSourceLinkAddress) return false;
    at += size;
    length -= size;
  }
  return length == 0;
}

/// RFC 4861 7.1.2, as far as it tells lies from claims.
bool is_advertisement(const Packet& packet) {
  if (packet.shape != Shape::control || packet.family != Family::ipv6 ||
      packet.protocol != Protocol::icmpv6) {
    return false;
  }
  const uint32_t end = packet.l3 + packet.ip_length;
  if (packet.l4 + sizeof(Neighbour) > end || end > packet.head_length) return false;
  const auto& told = *packet.at<Neighbour>(packet.l4);
  const uint32_t length = end - packet.l4;
  return told.icmp.type == icmpv6::kNeighbourAdvertisement && told.icmp.code == 0 &&
         packet.at<Ipv6>(packet.l3)->hop_limit == 255 &&
         options_make_sense(packet.head + packet.l4 + sizeof(Neighbour), length - sizeof(Neighbour),
                            false) &&
         fold(sum_of(packet, length)) == 0xffff;
}

bool is_solicitation(const Packet& packet) {
  if (packet.shape != Shape::control || packet.family != Family::ipv6 ||
      packet.protocol != Protocol::icmpv6) {
    return false;
  }
  const uint32_t end = packet.l3 + packet.ip_length;
  if (packet.l4 + sizeof(Neighbour) > end || end > packet.head_length) return false;
  const Ipv6& ip = *packet.at<Ipv6>(packet.l3);
  const auto& asked = *packet.at<Neighbour>(packet.l4);
  if (asked.icmp.type != icmpv6::kNeighbourSolicitation || asked.icmp.code != 0 ||
      ip.hop_limit != 255 || asked.target[0] == 0xff) {
    return false;
  }
  const bool unspecified = ip.source == std::array<uint8_t, 16>{};
  if (unspecified && !is_solicited_node(ip.destination)) return false;
  const uint32_t length = end - packet.l4;
  return options_make_sense(packet.head + packet.l4 + sizeof(Neighbour), length - sizeof(Neighbour),
                            unspecified) &&
         fold(sum_of(packet, length)) == 0xffff;
}

void answer_arp(Packet& packet, const MacAddress& mac) {
  Arp& arp = *packet.at<Arp>(packet.l3);
  const uint32_t asked = arp.target.raw();
  arp.operation = kReply;
  arp.target_mac = arp.sender_mac;
  arp.target.set_raw(arp.sender.raw());
  arp.sender_mac = mac;
  arp.sender.set_raw(asked);
  packet.at<Ethernet>(0)->destination = arp.target_mac;
}

/// RFC 4861 7.2.4. What was asked without a source address is answered to all nodes.
void answer_solicitation(Packet& packet, const MacAddress& mac) {
  constexpr uint32_t kLength = sizeof(Neighbour) + sizeof(LinkOption);
  // Extension headers of the question are not repeated.
  packet.l4 = static_cast<uint16_t>(packet.l3 + sizeof(Ipv6));
  if (packet.l4 + kLength > packet.room) return packet.drop(Reason::buffer_missing);
  Ipv6& ip = *packet.at<Ipv6>(packet.l3);
  Ethernet& ethernet = *packet.at<Ethernet>(0);
  const bool unspecified = ip.source == std::array<uint8_t, 16>{};
  const std::array<uint8_t, 16> target = packet.at<Neighbour>(packet.l4)->target;
  ip.version_class_label = 6u << 28;
  ip.destination = unspecified ? kAllNodes : ip.source;
  ethernet.destination = unspecified ? kAllNodesMac : ethernet.source;
  ip.source = target;
  ip.payload_length = kLength;
  ip.next = static_cast<uint8_t>(Protocol::icmpv6);
  ip.hop_limit = 255;
  auto& told = *packet.at<Neighbour>(packet.l4);
  told.icmp.type = icmpv6::kNeighbourAdvertisement;
  told.icmp.code = 0;
  told.icmp.checksum = 0;
  told.icmp.rest = kOverride | (unspecified ? 0 : kSolicited);
  told.target = target;
  *packet.at<LinkOption>(packet.l4 + sizeof(Neighbour)) = {kTargetLinkAddress, 1, mac};
  told.icmp.checksum.set_raw(checksum_of(sum_of(packet, kLength)));
  packet.ip_length = static_cast<uint16_t>(sizeof(Ipv6) + kLength);
  packet.head_length = packet.length = packet.l3 + packet.ip_length;
}

}  // namespace

std::optional<Address> asked_address(const Packet& packet) {
  if (is_arp_request(packet)) return Address::v4_raw(packet.at<Arp>(packet.l3)->target.raw());
  if (is_solicitation(packet)) return Address::v6(&packet.at<Neighbour>(packet.l4)->target);
  return std::nullopt;
}

std::optional<Claim> claim_of(const Packet& packet) {
  const MacAddress from = packet.at<Ethernet>(0)->source;
  if (is_arp(packet)) {
    const Arp& arp = *packet.at<Arp>(packet.l3);
    return Claim{Address::v4_raw(arp.sender.raw()), arp.sender_mac};
  }
  if (is_advertisement(packet)) {
    return Claim{Address::v6(&packet.at<Neighbour>(packet.l4)->target), from};
  }
  return std::nullopt;
}

void answer(Packet& packet, const MacAddress& mac) {
  packet.verdict = Verdict::reply;
  if (packet.shape == Shape::other) {
    answer_arp(packet, mac);
  } else {
    answer_solicitation(packet, mac);
  }
  packet.at<Ethernet>(0)->source = mac;
}

}  // namespace nezu::link
