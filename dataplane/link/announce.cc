#include "dataplane/link/announce.h"

#include <algorithm>

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"

namespace nezu::link {
namespace {

using namespace net;

constexpr MacAddress kBroadcast{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
constexpr uint8_t kQuery = 130, kReportV2 = 143;
constexpr uint8_t kIsExclude = 2, kToExclude = 4;
constexpr size_t kMostGroups = 64;
/// Hop-by-hop with router alert "MLD" (RFC 2711), filled up to 8 bytes.
constexpr std::array<uint8_t, 8> kRouterAlert{
    static_cast<uint8_t>(Protocol::icmpv6), 0, 5, 2, 0, 0, 1, 0};

Address group(std::initializer_list<uint8_t> last) {
  Address address;
  address.bytes[0] = 0xff;
  address.bytes[1] = 0x02;
  std::copy(last.begin(), last.end(), address.bytes.end() - static_cast<ptrdiff_t>(last.size()));
  return address;
}

MacAddress mac_of_group(const Address& address) {
  return {{0x33, 0x33, address.bytes[12], address.bytes[13], address.bytes[14], address.bytes[15]}};
}

void put_bytes(Frame& frame, const void* bytes, size_t length) {
  const auto* from = static_cast<const uint8_t*>(bytes);
  frame.insert(frame.end(), from, from + length);
}

template <typename T>
void put(Frame& frame, const T& part) {
  put_bytes(frame, &part, sizeof part);
}

Frame ethernet(const MacAddress& to, const MacAddress& from, uint16_t type) {
  Frame frame;
  put(frame, Ethernet{to, from, Big16(type)});
  return frame;
}

/// `message` begins with an ICMP header whose checksum is filled in here.
Frame icmpv6_frame(const Address& from, const Address& to, const MacAddress& mac, uint8_t hops,
                   std::span<const uint8_t> extension, Frame message) {
  Frame frame = ethernet(mac_of_group(to), mac, kEtherIpv6);
  const auto length = static_cast<uint32_t>(message.size());
  const uint8_t next = extension.empty() ? static_cast<uint8_t>(Protocol::icmpv6) : kNextHopByHop;
  put(frame, Ipv6{Big32(6u << 28), Big16(static_cast<uint16_t>(extension.size() + length)), next,
                  hops, from.bytes, to.bytes});
  put_bytes(frame, extension.data(), extension.size());
  const Sum sum = pseudo_header(frame.data() + sizeof(Ethernet) + offsetof(Ipv6, source), 32,
                                static_cast<uint8_t>(Protocol::icmpv6), length);
  store(&message[offsetof(Icmp, checksum)], checksum_of(add(sum, message.data(), length)));
  put_bytes(frame, message.data(), message.size());
  return frame;
}

Frame message(uint8_t type, uint32_t rest) {
  return {type,
          0,
          0,
          0,
          static_cast<uint8_t>(rest >> 24),
          static_cast<uint8_t>(rest >> 16),
          static_cast<uint8_t>(rest >> 8),
          static_cast<uint8_t>(rest)};
}

}  // namespace

Frame announcement(const Address& address, const MacAddress& mac) {
  if (address.is_v4()) {
    Frame frame = ethernet(kBroadcast, mac, kEtherArp);
    put(frame, Arp{Big16(1), Big16(kEtherIpv4), 6, 4, Big16(1), mac, Big32(address.v4_host()),
                   MacAddress{}, Big32(address.v4_host())});
    return frame;
  }
  Frame advertisement = message(icmpv6::kNeighbourAdvertisement, 0x2000'0000u);
  put(advertisement, address.bytes);
  const uint8_t option[] = {2, 1};
  put(advertisement, option);
  put(advertisement, mac);
  return icmpv6_frame(address, group({1}), mac, 255, {}, std::move(advertisement));
}

Address solicited_node(const Address& address) {
  const auto& bytes = address.bytes;
  return group({1, 0xff, bytes[13], bytes[14], bytes[15]});
}

Frame membership_report(std::span<const Address> groups, const MacAddress& mac, bool joined) {
  const auto count = static_cast<uint32_t>(std::min(groups.size(), kMostGroups));
  Frame report = message(kReportV2, count);
  for (const Address& one : groups.first(count)) {
    const uint8_t record[] = {joined ? kToExclude : kIsExclude, 0, 0, 0};
    put(report, record);
    put(report, one.bytes);
  }
  return icmpv6_frame(link_local(mac), group({0x16}), mac, 1, kRouterAlert, std::move(report));
}

bool is_membership_query(std::span<const uint8_t> frame) {
  constexpr size_t kMessage = sizeof(Ethernet) + sizeof(Ipv6) + kRouterAlert.size();
  if (frame.size() < kMessage + sizeof(Icmp)) return false;
  const auto& header = *reinterpret_cast<const Ethernet*>(frame.data());
  const auto& ip = *reinterpret_cast<const Ipv6*>(frame.data() + sizeof(Ethernet));
  return header.type == kEtherIpv6 && ip.next == kNextHopByHop &&
         frame[sizeof(Ethernet) + sizeof(Ipv6)] == static_cast<uint8_t>(Protocol::icmpv6) &&
         frame[sizeof(Ethernet) + sizeof(Ipv6) + 1] == 0 && frame[kMessage] == kQuery;
}

Address link_local(const MacAddress& mac) {
  Address address;
  const auto& m = mac.bytes;
  address.bytes = {0xfe, 0x80, 0,    0,    0,    0,    0,   0, static_cast<uint8_t>(m[0] ^ 2),
                   m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]};
  return address;
}

}  // namespace nezu::link
