#include "dataplane/net/text.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "dataplane/net/checksum.h"
#include "dataplane/net/crc32c.h"
#include "dataplane/net/headers.h"

namespace nezu::net {
namespace {

using Bytes = std::span<const uint8_t>;

/// The header at the front, or nothing when the bytes end before it does.
template <typename Header>
const Header* front(Bytes bytes) {
  return bytes.size() < sizeof(Header) ? nullptr : reinterpret_cast<const Header*>(bytes.data());
}

std::string hex(uint32_t value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  do {
    text.insert(text.begin(), kDigits[value & 15]);
    value >>= 4;
  } while (value != 0);
  return "0x" + text;
}

std::string number(uint64_t value) { return std::to_string(value); }

/// What surrounds a transport header: needed to check its sum.
struct Around {
  Bytes addresses;  ///< source and destination
  uint8_t protocol = 0;
  bool v6 = false;
  bool whole = true;  ///< neither a fragment nor cut off: sums can be checked
};

bool sums_up(const Around& around, Bytes transport, bool pseudo) {
  Sum sum = 0;
  if (pseudo) {
    sum = pseudo_header(around.addresses.data(), around.addresses.size(), around.protocol,
                        static_cast<uint32_t>(transport.size()));
  }
  return fold(add(sum, transport.data(), transport.size())) == 0xffff;
}

std::string payload(Bytes bytes) {
  return bytes.empty() ? "" : " / " + number(bytes.size()) + " bytes";
}

std::string flags_text(uint8_t flags) {
  constexpr std::string_view kNames[] = {"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"};
  std::string text;
  for (unsigned bit = 0; bit < 8; ++bit) {
    if ((flags >> bit & 1) != 0) (text += ' ') += kNames[bit];
  }
  return text;
}

std::string tcp_text(const Around& around, Bytes bytes) {
  const auto* tcp = front<Tcp>(bytes);
  if (tcp == nullptr) return " / tcp cut off";
  std::string text = " / tcp " + number(tcp->source) + " > " + number(tcp->destination) +
                     flags_text(tcp->flags) + " seq " + number(tcp->sequence);
  if (tcp->acknowledgement != 0) text += " ack " + number(tcp->acknowledgement);
  text += " win " + number(tcp->window);
  const uint32_t header = tcp->header_length();
  if (header < sizeof(Tcp) || header > bytes.size())
    return text + " header length " + number(header);
  if (header > sizeof(Tcp)) text += " options " + number(header - sizeof(Tcp)) + " bytes";
  if (around.whole && !sums_up(around, bytes, true)) text += " wrong sum " + hex(tcp->checksum);
  return text + payload(bytes.subspan(header));
}

std::string udp_text(const Around& around, Bytes bytes) {
  const auto* udp = front<Udp>(bytes);
  if (udp == nullptr) return " / udp cut off";
  std::string text = " / udp " + number(udp->source) + " > " + number(udp->destination);
  if (udp->length != bytes.size()) text += " length " + number(udp->length);
  if (udp->checksum == 0) {
    text += " no sum";
  } else if (around.whole && udp->length == bytes.size() && !sums_up(around, bytes, true)) {
    text += " wrong sum " + hex(udp->checksum);
  }
  return text + payload(bytes.subspan(sizeof(Udp)));
}

std::string sctp_text(const Around& around, Bytes bytes) {
  const auto* sctp = front<Sctp>(bytes);
  if (sctp == nullptr) return " / sctp cut off";
  std::string text = " / sctp " + number(sctp->source) + " > " + number(sctp->destination) +
                     " tag " + hex(sctp->tag);
  const Bytes chunks = bytes.subspan(sizeof(Sctp));
  if (const auto* chunk = front<SctpChunk>(chunks)) text += " chunk " + number(chunk->type);
  std::vector<uint8_t> zeroed(bytes.begin(), bytes.end());
  store<uint32_t>(&zeroed[offsetof(Sctp, checksum)], 0);
  const auto checksum = load<uint32_t>(sctp->checksum.data());
  const bool fits = crc32c(zeroed.data(), zeroed.size()) == checksum;
  if (around.whole && !fits) text += " wrong sum " + hex(checksum);
  return text + payload(chunks);
}

bool is_icmp_error(bool v6, uint8_t type) {
  if (v6) return type >= icmpv6::kUnreachable && type <= icmpv6::kParameterProblem;
  return type == icmp::kUnreachable || type == icmp::kTimeExceeded ||
         type == icmp::kParameterProblem;
}

std::string icmp_text(const Around& around, Bytes bytes) {
  const auto* icmp = front<Icmp>(bytes);
  const std::string name = around.v6 ? " / icmpv6" : " / icmp";
  if (icmp == nullptr) return name + " cut off";
  const bool request = icmp->type == (around.v6 ? icmpv6::kEchoRequest : icmp::kEchoRequest);
  const bool reply = icmp->type == (around.v6 ? icmpv6::kEchoReply : icmp::kEchoReply);
  std::string text = name;
  if (request || reply) {
    text += request ? " echo request" : " echo reply";
    text += " id " + number(icmp->echo.id) + " seq " + number(icmp->echo.sequence);
  } else {
    text += " type " + number(icmp->type) + " code " + number(icmp->code);
    if (icmp->rest != 0) text += " rest " + hex(icmp->rest);
  }
  if (around.whole && !sums_up(around, bytes, around.v6))
    text += " wrong sum " + hex(icmp->checksum);
  const Bytes rest = bytes.subspan(sizeof(Icmp));
  if (!is_icmp_error(around.v6, icmp->type)) return text + payload(rest);
  return text + " / about { " + describe_ip(rest) + " }";
}

std::string transport_text(const Around& around, Bytes bytes) {
  switch (static_cast<Protocol>(around.protocol)) {
    case Protocol::tcp:
      return tcp_text(around, bytes);
    case Protocol::udp:
      return udp_text(around, bytes);
    case Protocol::icmp:
      if (!around.v6) return icmp_text(around, bytes);
      break;
    case Protocol::icmpv6:
      if (around.v6) return icmp_text(around, bytes);
      break;
    case Protocol::sctp:
      return sctp_text(around, bytes);
    case Protocol::any:
    case Protocol::gre:
    case Protocol::esp:
      break;
  }
  return " / protocol " + number(around.protocol) + payload(bytes);
}

std::string v4_text(Bytes bytes) {
  const auto* ip = front<Ipv4>(bytes);
  if (ip == nullptr) return "ipv4 cut off";
  std::string text = "ipv4 " + to_string(Address::v4(ip->source)) + " > " +
                     to_string(Address::v4(ip->destination)) + " ttl " + number(ip->ttl);
  if (ip->service != 0) text += " tos " + hex(ip->service);
  if (ip->id != 0) text += " id " + number(ip->id);
  if ((ip->fragment & Ipv4::kDontFragment) != 0) text += " df";
  const uint32_t offset = (ip->fragment & Ipv4::kOffset) * 8u;
  const bool more = (ip->fragment & Ipv4::kMoreFragments) != 0;
  if (offset != 0 || more) text += " fragment at " + number(offset) + (more ? " more" : " last");
  const uint32_t header = ip->header_length();
  if (header < sizeof(Ipv4) || header > bytes.size())
    return text + " header length " + number(header);
  if (header > sizeof(Ipv4)) text += " options " + number(header - sizeof(Ipv4)) + " bytes";
  if (fold(add(0, bytes.data(), header)) != 0xffff) text += " wrong sum " + hex(ip->checksum);
  const uint32_t total = ip->total_length;
  if (total < header || total > bytes.size()) text += " length " + number(total);
  const Bytes rest =
      bytes.subspan(header, std::clamp<size_t>(total, header, bytes.size()) - header);
  const Around around{.addresses = bytes.subspan(offsetof(Ipv4, source), 8),
                      .protocol = ip->protocol,
                      .v6 = false,
                      .whole = offset == 0 && !more && total >= header && total <= bytes.size()};
  if (offset != 0) return text + " / protocol " + number(ip->protocol) + payload(rest);
  return text + transport_text(around, rest);
}

std::string v6_text(Bytes bytes) {
  const auto* ip = front<Ipv6>(bytes);
  if (ip == nullptr) return "ipv6 cut off";
  std::string text = "ipv6 " + to_string(Address::v6(&ip->source)) + " > " +
                     to_string(Address::v6(&ip->destination)) + " hops " + number(ip->hop_limit);
  const uint32_t label = ip->version_class_label;
  if ((label >> 20 & 0xff) != 0) text += " class " + hex(label >> 20 & 0xff);
  if ((label & 0xfffff) != 0) text += " label " + hex(label & 0xfffff);
  Bytes rest = bytes.subspan(sizeof(Ipv6));
  Around around{.addresses = bytes.subspan(offsetof(Ipv6, source), 32),
                .protocol = ip->next,
                .v6 = true,
                .whole = ip->payload_length <= rest.size()};
  if (!around.whole) text += " length " + number(ip->payload_length);
  rest = rest.first(std::min<size_t>(rest.size(), ip->payload_length));
  for (;;) {
    const uint8_t next = around.protocol;
    const auto* extension = front<Ipv6Extension>(rest);
    const bool follows = next == kNextHopByHop || next == kNextRouting || next == kNextFragment ||
                         next == kNextAuthentication || next == kNextDestination;
    if (!follows) break;
    if (extension == nullptr) return text + " / extension " + number(next) + " cut off";
    size_t length = (extension->length + 1u) * 8;
    if (next == kNextAuthentication) length = (extension->length + 2u) * 4;
    if (next == kNextFragment) {
      const auto& fragment = *front<Ipv6Fragment>(rest);
      const bool more = (fragment.offset_more & Ipv6Fragment::kMore) != 0;
      const uint16_t offset = fragment.offset_more & Ipv6Fragment::kOffset;
      length = sizeof(Ipv6Fragment);
      around.whole = around.whole && !more && offset == 0;
      text += " / fragment at " + number(offset) + (more ? " more" : " last") + " id " +
              number(fragment.id);
      if (offset != 0) {
        return text + " / protocol " + number(fragment.next) + payload(rest.subspan(length));
      }
    } else {
      text += " / extension " + number(next) + ' ' + number(length) + " bytes";
    }
    if (length > rest.size()) return text + " cut off";
    around.protocol = extension->next;
    rest = rest.subspan(length);
  }
  return text + transport_text(around, rest);
}

std::string arp_text(Bytes bytes) {
  const auto* arp = front<Arp>(bytes);
  if (arp == nullptr) return "arp cut off";
  const std::string sender = to_string(Address::v4(arp->sender));
  const std::string target = to_string(Address::v4(arp->target));
  if (arp->operation == 1) return "arp who has " + target + " tell " + sender;
  if (arp->operation == 2) return "arp " + sender + " is at " + to_string(arp->sender_mac);
  return "arp operation " + number(arp->operation);
}

}  // namespace

std::string describe_ip(Bytes packet) {
  if (packet.empty()) return "nothing";
  if (packet[0] >> 4 == 4) return v4_text(packet);
  if (packet[0] >> 4 == 6) return v6_text(packet);
  return "ip version " + number(packet[0] >> 4);
}

std::string describe(Bytes frame) {
  const auto* ethernet = front<Ethernet>(frame);
  if (ethernet == nullptr) return "eth cut off";
  std::string text =
      "eth " + to_string(ethernet->source) + " > " + to_string(ethernet->destination);
  uint16_t type = ethernet->type;
  Bytes rest = frame.subspan(sizeof(Ethernet));
  while (type == kEtherVlan || type == kEtherServiceVlan) {
    const auto* vlan = front<Vlan>(rest);
    if (vlan == nullptr) return text + " / vlan cut off";
    text += " / vlan " + number(vlan->id());
    type = vlan->type;
    rest = rest.subspan(sizeof(Vlan));
  }
  if (type == kEtherIpv4 || type == kEtherIpv6) return text + " / " + describe_ip(rest);
  if (type == kEtherArp) return text + " / " + arp_text(rest);
  return text + " / type " + hex(type) + payload(rest);
}

std::string hex_dump(Bytes bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i % 16 == 0) {
      if (i != 0) text += '\n';
      for (const unsigned shift : {12u, 8u, 4u, 0u}) text += kDigits[i >> shift & 15];
      text += ' ';
    }
    text += ' ';
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

}  // namespace nezu::net
