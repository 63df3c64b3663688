// The frames of a flow: its first one, SYNs with options, and those of a connection's life.
#include "bench/path/frames.h"

namespace nezu::bench {

void Rig::first_frame(uint32_t n, Template& out) const {
  out = {};
  const bool v4 = case_.family == Family::ipv4;
  const uint8_t flags = kTcpSyn;
  // Every client address has a thousand ports.
  const uint32_t client = n / 1000;
  const auto port = static_cast<uint16_t>(1024 + n % 1000 * 61);
  // Services are hit at random.
  const uint32_t service =
      options_.services == 1 ? 0 : static_cast<uint32_t>(net::mix64(n) % options_.services);
  const uint32_t vip = options_.services == 1 ? 0 : vip_of(service);
  const uint16_t to = options_.services == 1 ? kPort : port_of(service);
  if (v4) {
    Writer{out}.ipv4(0x64000001u + client, 0xcb00710au + vip, case_.protocol, port, to, flags);
  } else {
    Address source = *parse_address("2001:db8:c::");
    store(&source.bytes[12], swap32(client + 1));
    Writer{out}.ipv6(source, at(*parse_address("2001:db8::10"), vip), case_.protocol, port, to,
                     flags);
  }
}

void Rig::syn_frame(uint32_t n, bool options, Template& out) const {
  first_frame(n, out);
  if (!options) return;
  constexpr uint8_t kOptions[] = {2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7};
  uint8_t* at = out.bytes.data();
  const bool v4 = is_v4(out);
  const size_t l4 = v4 ? 34 : 54, end = l4 + sizeof(Tcp);
  constexpr uint16_t kLength = sizeof(Tcp) + sizeof kOptions;
  std::memcpy(at + end, kOptions, sizeof kOptions);
  reinterpret_cast<Tcp*>(at + l4)->offset = kLength / 4 << 4;
  store(at + (v4 ? 16 : 18), swap16(static_cast<uint16_t>(v4 ? kLength + sizeof(Ipv4) : kLength)));
  out.length = static_cast<uint16_t>(l4 + kLength);
  set_flags(out, kTcpSyn, 0, 0);
  refresh(out);
}

void Rig::life_frame(uint32_t step, const Template& first, const uint8_t* left,
                     Template& out) const {
  constexpr uint8_t kFlags[kLifePackets] = {kTcpSyn,
                                            kTcpSyn | kTcpAck,
                                            kTcpAck | kTcpPsh,
                                            kTcpAck | kTcpPsh,
                                            kTcpFin | kTcpAck,
                                            kTcpFin | kTcpAck,
                                            kTcpAck};
  constexpr bool kBack[kLifePackets] = {false, true, false, true, false, true, false};
  // The frames' padding of 6 bytes is IPv4 payload.
  const uint32_t data = case_.family == Family::ipv4 ? 6 : 0;
  const uint32_t sequence[kLifePackets] = {0, 0, 1, 1, 1 + data, 1 + data, 2 + 2 * data};
  const uint32_t acknowledged[kLifePackets] = {0,           1, 1, 1 + data, 1 + data, 2 + 2 * data,
                                               2 + 2 * data};
  out = first;
  if (kBack[step]) {
    out.port = 1;
    mirror(left, out);
    refresh(out);
  }
  set_flags(out, kFlags[step], sequence[step], acknowledged[step]);
}

}  // namespace nezu::bench
