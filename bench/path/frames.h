// Within bench/path: frames written from scratch, and what becomes of them on their way.
#pragma once

#include <cstring>

#include "bench/path/rig.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"

namespace nezu::bench {

using namespace net;

inline constexpr uint16_t kPort = 80;

/// Where the n-th of many services is, below that address, and its server.
inline constexpr uint32_t kVips = 200, kHosts = 200;
inline uint32_t vip_of(uint32_t n) { return n % kVips; }
inline uint16_t port_of(uint32_t n) { return static_cast<uint16_t>(1000 + n / kVips); }
inline Address at(const Address& first, uint32_t n) {
  Address address = first;
  address.bytes[15] = static_cast<uint8_t>(address.bytes[15] + n);
  return address;
}

/// Whole frame from scratch: the transport header follows at once, payload is zeros.
struct Writer {
  Template& frame;
  uint8_t* at = frame.bytes.data();

  void ethernet(uint16_t type) {
    auto& header = *reinterpret_cast<Ethernet*>(at);
    header.destination = {{2, 0, 0, 0, 0, 0xf0}};
    header.source = {{2, 0, 0, 0, 0, 0xfe}};
    header.type = type;
  }
  void transport(uint8_t* l4, const void* addresses, size_t address_bytes, Protocol protocol,
                 uint16_t source, uint16_t destination, uint8_t flags, uint16_t length) const {
    if (protocol == Protocol::tcp) {
      auto& tcp = *reinterpret_cast<Tcp*>(l4);
      tcp.source = source;
      tcp.destination = destination;
      tcp.offset = 5 << 4;
      tcp.flags = flags;
      tcp.window = 65535;
      tcp.sequence = (flags & kTcpSyn) != 0 ? 0u : 1u;
      tcp.acknowledgement = (flags & kTcpAck) != 0 ? 1u : 0u;
    } else {
      auto& udp = *reinterpret_cast<Udp*>(l4);
      udp.source = source;
      udp.destination = destination;
      udp.length = length;
    }
    const Sum sum = pseudo_header(addresses, address_bytes, static_cast<uint8_t>(protocol), length);
    const uint16_t checksum = udp_form(checksum_of(add(sum, l4, length)));
    store(l4 + (protocol == Protocol::tcp ? offsetof(Tcp, checksum) : offsetof(Udp, checksum)),
          checksum);
  }
  void ipv4(uint32_t source, uint32_t destination, Protocol protocol, uint16_t source_port,
            uint16_t destination_port, uint8_t flags) {
    constexpr uint16_t kTransport = 26;  // 60 bytes in all
    ethernet(kEtherIpv4);
    auto& ip = *reinterpret_cast<Ipv4*>(at + sizeof(Ethernet));
    ip.version_length = 0x45;
    ip.total_length = sizeof(Ipv4) + kTransport;
    ip.ttl = 64;
    ip.protocol = static_cast<uint8_t>(protocol);
    ip.source = source;
    ip.destination = destination;
    ip.checksum.set_raw(checksum_of(add(0, &ip, sizeof ip)));
    transport(at + 34, &ip.source, 8, protocol, source_port, destination_port, flags, kTransport);
    frame.length = 60;
  }
  void ipv6(const Address& source, const Address& destination, Protocol protocol,
            uint16_t source_port, uint16_t destination_port, uint8_t flags) {
    const uint16_t length = protocol == Protocol::tcp ? 20 : 8;
    ethernet(kEtherIpv6);
    auto& ip = *reinterpret_cast<Ipv6*>(at + sizeof(Ethernet));
    ip.version_class_label = 6u << 28;
    ip.payload_length = length;
    ip.next = static_cast<uint8_t>(protocol);
    ip.hop_limit = 64;
    ip.source = source.bytes;
    ip.destination = destination.bytes;
    transport(at + 54, &ip.source, 32, protocol, source_port, destination_port, flags, length);
    frame.length = static_cast<uint16_t>(54 + length);
  }
};

inline bool is_v4(const Template& frame) {
  return load<uint16_t>(frame.bytes.data() + 12) == swap16(kEtherIpv4);
}

/// As its next sender would send it: a full hop count, and IPv4's sum from scratch.
inline void refresh(Template& frame) {
  uint8_t* at = frame.bytes.data();
  if (!is_v4(frame)) {
    reinterpret_cast<Ipv6*>(at + sizeof(Ethernet))->hop_limit = 64;
    return;
  }
  auto& ip = *reinterpret_cast<Ipv4*>(at + sizeof(Ethernet));
  ip.ttl = 64;
  ip.checksum = 0;
  ip.checksum.set_raw(checksum_of(add(0, &ip, sizeof ip)));
}

/// The answer to a frame as it left for the server: ends swapped, sums kept (they do not change).
inline void mirror(const uint8_t* left, Template& out) {
  std::memcpy(out.bytes.data(), left, out.length);
  uint8_t* at = out.bytes.data();
  const bool v4 = is_v4(out);
  const size_t addresses = v4 ? 26 : 22, size = v4 ? 4 : 16, ports = v4 ? 34 : 54;
  uint8_t source[16];
  std::memcpy(source, at + addresses, size);
  std::memcpy(at + addresses, at + addresses + size, size);
  std::memcpy(at + addresses + size, source, size);
  const auto port = load<uint16_t>(at + ports);
  store(at + ports, load<uint16_t>(at + ports + 2));
  store(at + ports + 2, port);
}

/// Other TCP flags, with the sum from scratch.
inline void set_flags(Template& frame, uint8_t flags, uint32_t sequence, uint32_t acknowledgement) {
  uint8_t* at = frame.bytes.data();
  const bool v4 = is_v4(frame);
  const size_t l4 = v4 ? 34 : 54;
  auto& tcp = *reinterpret_cast<Tcp*>(at + l4);
  tcp.flags = flags;
  tcp.sequence = sequence;
  tcp.acknowledgement = acknowledgement;
  tcp.checksum = 0;
  const auto said = swap16(load<uint16_t>(at + (v4 ? 16 : 18)));
  const auto length = static_cast<uint16_t>(v4 ? said - sizeof(Ipv4) : said);
  const Sum sum = pseudo_header(at + (v4 ? 26 : 22), v4 ? 8 : 32, 6, length);
  tcp.checksum.set_raw(checksum_of(add(sum, at + l4, length)));
}

}  // namespace nezu::bench
