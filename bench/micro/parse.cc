// Parsing for each kind of packet, and by hand on plain structs for the common kind.
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>

#include "bench/micro/cases.h"
#include "bench/micro/packets.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/parse/parse.h"
#include "dataplane/parse/transport.h"

namespace nezu::bench {
namespace {

using namespace dsl;
using net::Packet;

bool is_usual(uint32_t address) {
  const uint32_t octet = address & 0xff;
  return octet != 0 && octet != 127 && octet != 169 && octet < 224;
}

/// The same checks and results as the parser's for plain IPv4, in the order that comes to mind.
[[gnu::noinline]] bool hand(Packet& p) {
  if (p.head_length < 54) return false;
  const auto* ip = reinterpret_cast<const iphdr*>(p.head + 14);
  uint16_t type;
  __builtin_memcpy(&type, p.head + 12, 2);
  if (type != net::swap16(0x0800) || ip->version != 4 || ip->ihl != 5) return false;
  if ((ip->frag_off & net::swap16(0xbfff)) != 0) return false;
  const uint32_t total = net::swap16(ip->tot_len);
  if (total > p.length - 14) return false;
  uint64_t sum = 0;
  for (size_t i = 0; i < 20; i += 4) sum += net::load<uint32_t>(p.head + 14 + i);
  if (net::fold(sum) != 0xffff) return false;
  if (!is_usual(ip->saddr) || !is_usual(ip->daddr)) return false;
  const auto* udp = reinterpret_cast<const udphdr*>(p.head + 34);
  if (udp->source == 0 || udp->dest == 0) return false;
  uint8_t flags = 0;
  if (ip->protocol == IPPROTO_TCP) {
    const auto* tcp = reinterpret_cast<const tcphdr*>(udp);
    if (tcp->doff < 5 || 20u + tcp->doff * 4u > total || 34u + tcp->doff * 4u > p.head_length)
      return false;
    flags = p.head[34 + 13];
    if (!parse::tcp_flags_make_sense(flags)) return false;
  } else if (ip->protocol == IPPROTO_UDP) {
    if (net::swap16(udp->len) < 8 || 20u + net::swap16(udp->len) > total) return false;
  } else {
    return false;
  }
  p.l3 = 14;
  p.l4 = 34;
  p.inner_l3 = p.inner_l4 = 0;
  p.ip_length = static_cast<uint16_t>(total);
  p.shape = net::Shape::transport;
  p.family = net::Family::ipv4;
  p.protocol = static_cast<net::Protocol>(ip->protocol);
  p.tcp_flags = flags;
  p.verdict = net::Verdict::undecided;
  p.reason = net::Reason::none;
  p.egress = p.owner = 0;
  p.sum_l4 = p.first_fragment = false;
  p.fragment_header = 0;
  p.flow = net::kNoFlow;
  p.tuple4.source = ip->saddr;
  p.tuple4.destination = ip->daddr;
  p.tuple4.source_port = udp->source;
  p.tuple4.destination_port = udp->dest;
  p.tuple4.instance = net::Instance::standard;
  p.tuple4.protocol = p.protocol;
  p.tuple4.lane = 0;
  return true;
}

[[gnu::noinline]] void ours(Packet& p) { parse::parse(p, net::Instance::standard); }

template <Frame (*kMake)(uint32_t)>
Packets& packets() {
  static Packets made(kMake);
  return made;
}
template <auto kFunction, Frame (*kMake)(uint32_t)>
void one(uint64_t rounds) {
  packets<kMake>().each(rounds, [](Packet& p) {
    kFunction(p);
    keep(p.l4);
  });
}
/// As the worker calls it: burst by burst.
template <Frame (*kMake)(uint32_t)>
void bursts(uint64_t rounds) {
  net::Burst& burst = packets<kMake>().burst();
  for (; rounds > Packets::kCount; rounds -= Packets::kCount) {
    parse::parse(burst);
    keep(burst.packets[0].l4);
  }
}

uint16_t port(uint32_t i) { return static_cast<uint16_t>(40000 + i); }
const char *kA = "192.0.2.7", *kB = "203.0.113.10", *kA6 = "2001:db8::7", *kB6 = "2001:db8:1::10";

Frame udp4(uint32_t i) { return eth() / ipv4(kA, kB) / udp(port(i), 80) / fill(18); }
Frame tcp4(uint32_t i) { return eth() / ipv4(kA, kB) / tcp(port(i), 80).ack(1) / fill(6); }
Frame mixed4(uint32_t i) { return i % 2 == 0 ? udp4(i) : tcp4(i); }
Frame tagged4(uint32_t i) { return eth() / vlan(5) / ipv4(kA, kB) / udp(port(i), 80) / fill(18); }
Frame options4(uint32_t i) {
  return eth() / ipv4(kA, kB).options(Bytes(8, 1)) / udp(port(i), 80) / fill(18);
}
Frame tcp6(uint32_t i) { return eth() / ipv6(kA6, kB6) / tcp(port(i), 80).ack(1); }
Frame extension6(uint32_t i) {
  return eth() / ipv6(kA6, kB6) / hop_by_hop() / destination_options() / udp(port(i), 80);
}
Frame error4(uint32_t i) {
  return eth() / ipv4(kA, kB) / port_unreachable() / ipv4(kB, kA) / udp(80, port(i));
}

constexpr Case kCases[] = {
    {"parse_udp4", "hand", "", one<hand, udp4>},
    {"parse_udp4", "parse", "hand", one<ours, udp4>},
    {"parse_udp4", "burst", "", bursts<udp4>},
    {"parse_tcp4", "hand", "", one<hand, tcp4>},
    {"parse_tcp4", "parse", "hand", one<ours, tcp4>},
    {"parse_tcp4", "burst", "", bursts<tcp4>},
    {"parse_mixed4", "burst", "", bursts<mixed4>},
    {"parse_vlan4", "burst", "", bursts<tagged4>},
    {"parse_options4", "burst", "", bursts<options4>},
    {"parse_tcp6", "burst", "", bursts<tcp6>},
    {"parse_extensions6", "burst", "", bursts<extension6>},
    {"parse_icmp_error4", "burst", "", bursts<error4>},
};

}  // namespace

std::span<const Case> parse_cases() { return kCases; }

}  // namespace nezu::bench
