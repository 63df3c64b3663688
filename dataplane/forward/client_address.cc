#include "dataplane/forward/client_address.h"

#include <cstring>

#include "dataplane/forward/gap.h"

namespace nezu::forward {
namespace {

constexpr std::array<uint8_t, 12> kSignature = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                                0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
constexpr uint8_t kVersionAndCommand = 0x21;
constexpr uint8_t kOverIpv4 = 0x10, kOverIpv6 = 0x20, kStream = 1, kDatagram = 2;
constexpr uint8_t kOption = 254;
constexpr uint32_t kMostTcpHeader = 60;

}  // namespace

Caller Caller::of(const net::Tuple4& t) {
  Caller caller;
  caller.protocol = t.protocol;
  net::store(caller.client.data(), t.source);
  net::store(caller.service.data(), t.destination);
  caller.client_port = t.source_port;
  caller.service_port = t.destination_port;
  return caller;
}

Caller Caller::of(const net::Tuple6& t) {
  return {net::Family::ipv6, t.protocol,    t.source,
          t.destination,     t.source_port, t.destination_port};
}

bool put_option(net::Packet& packet, const Caller& caller, uint32_t mtu) {
  const uint32_t bytes = option_bytes(caller.family);
  const uint32_t header = packet.at<net::Tcp>(packet.l4)->header_length();
  if (header + bytes > kMostTcpHeader || packet.ip_length + bytes > mtu) return false;
  const uint32_t before = transport_length(packet);
  uint8_t* option = open_gap(packet, packet.l4 + sizeof(net::Tcp), bytes);
  option[0] = kOption;
  option[1] = static_cast<uint8_t>(bytes);
  net::store(option + 2, caller.client_port);
  std::memcpy(option + 4, caller.client.data(), caller.address_bytes());

  auto& tcp = *packet.at<net::Tcp>(packet.l4);
  uint8_t* word = packet.head + packet.l4 + offsetof(net::Tcp, offset);  // and flags
  const auto from = net::load<uint16_t>(word);
  tcp.offset = static_cast<uint8_t>(tcp.offset + (bytes / 4 << 4));
  const net::Change change = change_of_length(before, before + bytes) +
                             net::change16(from, net::load<uint16_t>(word)) +
                             static_cast<net::Change>(net::add(0, option, bytes));
  tcp.checksum.set_raw(net::updated(tcp.checksum.raw(), change));
  return true;
}

uint32_t write_proxy_header(const Caller& caller, uint8_t* to) {
  const uint32_t size = caller.address_bytes();
  const bool v4 = caller.family == net::Family::ipv4;
  std::memcpy(to, kSignature.data(), kSignature.size());
  to[12] = kVersionAndCommand;
  to[13] = static_cast<uint8_t>((v4 ? kOverIpv4 : kOverIpv6) |
                                (caller.protocol == net::Protocol::tcp ? kStream : kDatagram));
  net::store(to + 14, net::swap16(static_cast<uint16_t>(2 * size + 4)));
  std::memcpy(to + 16, caller.client.data(), size);
  std::memcpy(to + 16 + size, caller.service.data(), size);
  net::store(to + 16 + 2 * size, caller.client_port);
  net::store(to + 18 + 2 * size, caller.service_port);
  return proxy_bytes(caller.family);
}

void put_in_front(net::Packet& packet, const Caller& caller) {
  const uint32_t bytes = proxy_bytes(caller.family);
  uint8_t* gap = open_gap(packet, packet.l4 + sizeof(net::Udp), bytes);
  write_proxy_header(caller, gap);
  auto& udp = *packet.at<net::Udp>(packet.l4);
  const uint16_t from = udp.length.raw();
  udp.length = static_cast<uint16_t>(udp.length + bytes);
  // It stands in the pseudo-header as well.
  const net::Change change =
      2 * net::change16(from, udp.length.raw()) + static_cast<net::Change>(net::add(0, gap, bytes));
  udp.checksum.set_raw(net::updated_udp(udp.checksum.raw(), change));
}

void put_before_stream(net::Packet& packet, const Caller& caller, uint32_t mtu) {
  const uint32_t bytes = proxy_bytes(caller.family);
  auto* tcp = packet.at<net::Tcp>(packet.l4);
  const bool alone = packet.ip_length + bytes > mtu;
  if (alone) {
    cut_payload(packet);
    tcp->flags = static_cast<uint8_t>(tcp->flags & ~(net::kTcpFin | net::kTcpUrg));
    sum_tcp(packet);
  }
  const uint32_t before = transport_length(packet);
  uint8_t* gap = open_gap(packet, packet.l4 + tcp->header_length(), bytes);
  write_proxy_header(caller, gap);
  tcp = packet.at<net::Tcp>(packet.l4);
  const net::Change change =
      change_of_length(before, before + bytes) + static_cast<net::Change>(net::add(0, gap, bytes));
  tcp->checksum.set_raw(net::updated(tcp->checksum.raw(), change));
}

void lower_told_mtu(net::Packet& packet, uint32_t bytes) {
  auto& error = *packet.at<net::Icmp>(packet.l4);
  const bool v4 = packet.family == net::Family::ipv4;
  if (v4 ? error.type != net::icmp::kUnreachable || error.code != net::icmp::kCodeTooBig
         : error.type != net::icmpv6::kTooBig) {
    return;
  }
  const uint32_t from = error.rest.raw(), told = net::swap32(from) & 0xffff;
  if (told <= bytes) return;  // 0: of before RFC 1191
  error.rest = net::swap32(from) - bytes;
  error.checksum.set_raw(net::updated(error.checksum.raw(), net::change32(from, error.rest.raw())));
}

}  // namespace nezu::forward
