#include "tests/fuzz/path_seeds.h"

namespace nezu::fuzz {

using namespace dsl;

/// Ports that are one network: what is balanced, what passes, what goes to all.
void write_bridge_seeds(const std::filesystem::path& corpus) {
  const Eth ours = eth().to("02:00:00:00:00:f0");
  const Eth here = eth().from("02:00:00:00:09:09").to("02:00:00:00:08:08");
  const Eth there = eth().from("02:00:00:00:08:08").to("02:00:00:00:09:09");
  const Eth all = eth().from("02:00:00:00:09:09").to("ff:ff:ff:ff:ff:ff");
  const auto beside = ipv4("10.0.1.9", "10.0.1.8");
  const auto back = ipv4("10.0.1.8", "10.0.1.9");
  write(corpus / "bridge_flow",
        {{kBridged, ours / kTo / tcp(40000, 80).syn().seq(1)},
         {kServers | kOther, there / kFrom / tcp(8080, 40000).syn().seq(9).ack(2)},
         {kSame, ours / kTo / tcp(40000, 80).psh().seq(2).ack(10) / "GET /"},
         {kServers, there / kFrom / port_unreachable() / ipv4("198.51.100.7", "10.0.1.5") /
                        tcp(40000, 8080).seq(2)},
         {0, ours / kTo6 / udp(40000, 443) / "x"},
         {kServers, there / kFrom6 / udp(8080, 40000) / "x"},
         {kLater, ours / ipv4("10.0.1.9", "203.0.113.10") / udp(7, 80) / "x"}});
  write(
      corpus / "bridge_across",
      {{kBridged, here / beside / tcp(1, 22).syn()},
       {kServers | kOther, there / back / udp(5, 6) / "x"},
       {kSame | kServers, there / Ipv4(back).ttl(1) / echo_request(7, 1)},
       {0, here / vlan(0).priority(5) / beside / udp(5, 6)},
       {kSame, here / vlan(7) / kTo / tcp(5, 80).syn()},
       {kSame, here / ipv6("fd00:1::9", "fd00:1::8").hops(1) / hop_by_hop() / udp(5, 6)},
       {kSame, here / beside / fill(1600)},
       {kSame, Eth(here).type(0x9000) / raw({1, 2, 3})},
       {0, here / ipv4("10.0.1.9", "10.0.1.8").id(3).fragment(48, false) / raw(Bytes(40), 17)},
       {kOther, here / ipv4("10.0.1.9", "10.0.1.8").id(3).fragment(0, true) / udp(5, 6).length(88) /
                    fill(40)},
       {kLater, here / ipv4("10.0.1.9", "10.0.1.8").id(4).fragment(48, false) / raw(Bytes(40), 17)},
       {kLater, here / ipv4("10.0.1.9", "10.0.1.8").ttl(0) / udp(5, 6)},
       {kLater, here / Ipv4(beside).checksum(1) / udp(5, 6)}});
  write(
      corpus / "bridge_all",
      {{kBridged, all / arp_request("10.0.1.9", "10.0.1.8")},
       {kSame, all / arp_request("10.0.1.9", "203.0.113.10")},
       {kServers, all / arp_reply("203.0.113.10", "10.0.1.9")},
       {kServers, all / arp_request("10.0.1.8", "10.0.1.1")},
       {kOther, eth().to("01:00:5e:00:00:05") / ipv4("10.0.1.9", "224.0.0.5").ttl(1) / raw({}, 89)},
       {kOther, eth().to("33:33:00:00:00:01") / ipv6("fe80::9", "ff02::1").hops(255) / icmpv6(136) /
                    raw(Bytes(16, 0x20), 58)},
       {0, eth().to("01:80:c2:00:00:00").type(0x0026) / raw(Bytes(38))},
       {kServers, eth().to("01:80:c2:00:00:02").type(0x8809) / raw(Bytes(46))},
       {0, Eth(all).type(0x88b5) / raw(Bytes(46, 1))}});
}

}  // namespace nezu::fuzz
