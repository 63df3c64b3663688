// Edit and the rewrites made of it, beside the same work written by hand on plain structs, and
// beside a first version that stalls (a word read back after a byte of it was stored).
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>

#include <string>

#include "bench/micro/cases.h"
#include "bench/micro/packets.h"
#include "dataplane/forward/full_nat.h"
#include "dataplane/forward/nat.h"

namespace nezu::bench {
namespace {

using namespace dsl;
using forward::Translation4;
using forward::Translation6;
using net::Endpoint4;
using net::Endpoint6;
using net::Packet;

// Not inlined on either side, so that both are called alike.
[[gnu::noinline]] bool ours4(Packet& p, const Translation4& to) { return forward::full_nat(p, to); }
[[gnu::noinline]] bool ours4_nat(Packet& p, Endpoint4 to) { return forward::nat_to_server(p, to); }
[[gnu::noinline]] bool ours6(Packet& p, const Translation6& to) { return forward::full_nat(p, to); }
[[gnu::noinline]] bool ours6_nat(Packet& p, const Endpoint6& to) {
  return forward::nat_to_server(p, to);
}

uint16_t hand_fold(uint64_t sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum + (sum >> 16));
}
uint16_t hand_update(uint16_t check, uint64_t change) {
  return static_cast<uint16_t>(~hand_fold(static_cast<uint16_t>(~check) + change));
}
void hand_transport(Packet& p, uint64_t change) {
  if (p.protocol == net::Protocol::udp) {
    auto* udp = reinterpret_cast<udphdr*>(p.head + p.l4);
    if (udp->check == 0) return;
    udp->check = hand_update(udp->check, change);
    if (udp->check == 0) udp->check = 0xffff;
  } else {
    auto* tcp = reinterpret_cast<tcphdr*>(p.head + p.l4);
    tcp->check = hand_update(tcp->check, change);
  }
}
bool is_plain(const Packet& p) {
  return p.shape == net::Shape::transport &&
         (p.protocol == net::Protocol::udp || p.protocol == net::Protocol::tcp);
}

[[gnu::noinline]] bool hand4(Packet& p, const Translation4& to) {
  auto* ip = reinterpret_cast<iphdr*>(p.head + p.l3);
  if (ip->ttl <= 1) return p.drop(net::Reason::ttl_exceeded), false;
  uint64_t change = uint64_t{~ip->saddr} + to.source.address;
  change += uint64_t{~ip->daddr} + to.destination.address;
  ip->saddr = to.source.address;
  ip->daddr = to.destination.address;
  --ip->ttl;
  ip->check = hand_update(ip->check, change + 0xfffe);
  if (!is_plain(p)) return true;
  auto* ports = reinterpret_cast<udphdr*>(p.head + p.l4);
  change += static_cast<uint16_t>(~ports->source) + uint64_t{to.source.port};
  change += static_cast<uint16_t>(~ports->dest) + uint64_t{to.destination.port};
  ports->source = to.source.port;
  ports->dest = to.destination.port;
  hand_transport(p, change);
  return true;
}
[[gnu::noinline]] bool hand4_nat(Packet& p, Endpoint4 to) {
  auto* ip = reinterpret_cast<iphdr*>(p.head + p.l3);
  if (ip->ttl <= 1) return p.drop(net::Reason::ttl_exceeded), false;
  uint64_t change = uint64_t{~ip->daddr} + to.address;
  ip->daddr = to.address;
  --ip->ttl;
  ip->check = hand_update(ip->check, change + 0xfffe);
  if (!is_plain(p)) return true;
  auto* ports = reinterpret_cast<udphdr*>(p.head + p.l4);
  change += static_cast<uint16_t>(~ports->dest) + uint64_t{to.port};
  ports->dest = to.port;
  hand_transport(p, change);
  return true;
}

uint64_t hand_address6(uint32_t* words, const std::array<uint8_t, 16>& to) {
  uint64_t change = 0;
  for (int i = 0; i < 4; ++i) {
    uint32_t word;
    __builtin_memcpy(&word, &to[static_cast<size_t>(4 * i)], 4);
    change += uint64_t{~words[i]} + word;
    words[i] = word;
  }
  return change;
}
[[gnu::noinline]] bool hand6(Packet& p, const Translation6& to) {
  auto* ip = reinterpret_cast<ip6_hdr*>(p.head + p.l3);
  if (ip->ip6_hlim <= 1) return p.drop(net::Reason::ttl_exceeded), false;
  uint64_t change = hand_address6(ip->ip6_src.s6_addr32, to.source.address);
  change += hand_address6(ip->ip6_dst.s6_addr32, to.destination.address);
  --ip->ip6_hlim;
  if (!is_plain(p)) return true;
  auto* ports = reinterpret_cast<udphdr*>(p.head + p.l4);
  change += static_cast<uint16_t>(~ports->source) + uint64_t{to.source.port};
  change += static_cast<uint16_t>(~ports->dest) + uint64_t{to.destination.port};
  ports->source = to.source.port;
  ports->dest = to.destination.port;
  hand_transport(p, change);
  return true;
}
[[gnu::noinline]] bool hand6_nat(Packet& p, const Endpoint6& to) {
  auto* ip = reinterpret_cast<ip6_hdr*>(p.head + p.l3);
  if (ip->ip6_hlim <= 1) return p.drop(net::Reason::ttl_exceeded), false;
  uint64_t change = hand_address6(ip->ip6_dst.s6_addr32, to.address);
  --ip->ip6_hlim;
  if (!is_plain(p)) return true;
  auto* ports = reinterpret_cast<udphdr*>(p.head + p.l4);
  change += static_cast<uint16_t>(~ports->dest) + uint64_t{to.port};
  ports->dest = to.port;
  hand_transport(p, change);
  return true;
}

/// Field by field, each with its sums at once, the TTL last by RFC 1141 on its word: that word is
/// read right after one of its bytes was stored.
[[gnu::noinline]] bool stalling4(Packet& p, const Translation4& to) {
  auto* ip = reinterpret_cast<iphdr*>(p.head + p.l3);
  if (ip->ttl <= 1) return p.drop(net::Reason::ttl_exceeded), false;
  const auto set = [&](uint32_t& field, uint32_t value) {
    const uint64_t change = uint64_t{~field} + value;
    field = value;
    ip->check = hand_update(ip->check, change);
    hand_transport(p, change);
  };
  set(ip->saddr, to.source.address);
  set(ip->daddr, to.destination.address);
  auto* ports = reinterpret_cast<udphdr*>(p.head + p.l4);
  const uint64_t change = static_cast<uint16_t>(~ports->source) + uint64_t{to.source.port} +
                          static_cast<uint16_t>(~ports->dest) + uint64_t{to.destination.port};
  ports->source = to.source.port;
  ports->dest = to.destination.port;
  hand_transport(p, change);
  const auto* word = reinterpret_cast<volatile uint16_t*>(&ip->ttl);
  const uint16_t before = *word;
  *const_cast<volatile uint8_t*>(&ip->ttl) = static_cast<uint8_t>(before - 1);
  ip->check = hand_update(ip->check, static_cast<uint16_t>(~before) + uint64_t{*word});
  return true;
}

Packets& tcp4() {
  static Packets packets([](uint32_t i) -> Frame {
    return eth() / ipv4("192.0.2.7", "203.0.113.10").ttl(255) /
           tcp(static_cast<uint16_t>(40000 + i), 80).ack(1) / fill(6);
  });
  return packets;
}
Packets& udp4() {
  static Packets packets([](uint32_t i) -> Frame {
    return eth() / ipv4("192.0.2.7", "203.0.113.10").ttl(255) /
           udp(static_cast<uint16_t>(40000 + i), 80) / fill(18);
  });
  return packets;
}
Packets& tcp6() {
  static Packets packets([](uint32_t i) -> Frame {
    return eth() / ipv6("2001:db8::7", "2001:db8:1::10").hops(255) /
           tcp(static_cast<uint16_t>(40000 + i), 80).ack(1);
  });
  return packets;
}

/// Two translations in turn, so that something changes each time.
constexpr Translation4 kTo4[2] = {{{0x0100000a, 5001}, {0x0501000a, 8080}},
                                  {{0x0200000a, 6001}, {0x0601000a, 8081}}};
constexpr Translation6 kTo6[2] = {{{{0xfd, 1, 2}, 5001}, {{0xfd, 9, 8, 7}, 8080}},
                                  {{{0xfd, 3, 4}, 6001}, {{0xfd, 6, 5, 4}, 8081}}};

template <auto kFunction, auto kPackets, auto& kTo>
void full(uint64_t rounds) {
  uint32_t turn = 0;
  kPackets().each(rounds, [&](Packet& p) {
    bool passed = kFunction(p, kTo[turn++ >> 5 & 1]);
    keep(passed);
  });
}
template <auto kFunction, auto kPackets, auto& kTo>
void half(uint64_t rounds) {
  uint32_t turn = 0;
  kPackets().each(rounds, [&](Packet& p) {
    bool passed = kFunction(p, kTo[turn++ >> 5 & 1].destination);
    keep(passed);
  });
}

constexpr Case kCases[] = {
    {"full_nat_tcp4", "hand", "", full<hand4, tcp4, kTo4>},
    {"full_nat_tcp4", "edit", "hand", full<ours4, tcp4, kTo4>},
    {"full_nat_tcp4", "stalling", "", full<stalling4, tcp4, kTo4>},
    {"full_nat_udp4", "hand", "", full<hand4, udp4, kTo4>},
    {"full_nat_udp4", "edit", "hand", full<ours4, udp4, kTo4>},
    {"nat_tcp4", "hand", "", half<hand4_nat, tcp4, kTo4>},
    {"nat_tcp4", "edit", "hand", half<ours4_nat, tcp4, kTo4>},
    {"nat_udp4", "hand", "", half<hand4_nat, udp4, kTo4>},
    {"nat_udp4", "edit", "hand", half<ours4_nat, udp4, kTo4>},
    {"full_nat_tcp6", "hand", "", full<hand6, tcp6, kTo6>},
    {"full_nat_tcp6", "edit", "hand", full<ours6, tcp6, kTo6>},
    {"nat_tcp6", "hand", "", half<hand6_nat, tcp6, kTo6>},
    {"nat_tcp6", "edit", "hand", half<ours6_nat, tcp6, kTo6>},
};

}  // namespace

std::span<const Case> edit_cases() { return kCases; }

}  // namespace nezu::bench
