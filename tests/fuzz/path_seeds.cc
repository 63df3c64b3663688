// Writes the seeds of the targets `path` and `replay`: whole conversations, as frames that fit one
// another.
//
//   make_path_seeds CORPUS_DIRECTORY
#include <filesystem>
#include <iostream>

#include "tests/fuzz/path_seeds.h"

namespace {

using namespace nezu::dsl;
using namespace nezu::fuzz;

std::vector<Step> flood(uint32_t count, uint16_t port) {
  std::vector<Step> steps;
  for (uint32_t n = 0; n < count; ++n) {
    steps.push_back({kSame, eth() / kTo / tcp(static_cast<uint16_t>(1000 + n), port).syn()});
  }
  return steps;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: make_path_seeds CORPUS_DIRECTORY\n";
    return 1;
  }
  const std::filesystem::path corpus = std::filesystem::path(arguments[1]) / "path";
  write(corpus / "tcp4_life",
        {{0, eth() / kTo / tcp(40000, 80).syn().seq(1)},
         {kServers, eth() / kFrom / tcp(8080, 40000).syn().seq(9).ack(2)},
         {kOther, eth() / kTo / tcp(40000, 80).seq(2).ack(10)},
         {kSame | kOther, eth() / kTo / tcp(40000, 80).psh().seq(2).ack(10) / "GET /"},
         {kServers, eth() / kFrom / tcp(8080, 40000).fin().seq(10).ack(7)},
         {kLater, eth() / kTo / tcp(40000, 80).fin().seq(7).ack(11)},
         {kServers, eth() / kFrom / tcp(8080, 40000).seq(11).ack(8)},
         {kLater, eth() / kTo / tcp(40000, 80).syn().seq(99)}});
  write(corpus / "tcp6_reset", {{0, eth() / kTo6 / tcp(40000, 80).syn().seq(1)},
                                {kServers, eth() / kFrom6 / tcp(8080, 40000).rst().ack(2)},
                                {kLater, eth() / kTo6 / tcp(40000, 80).syn().seq(1)}});
  write(corpus / "udp4",
        {{0, eth() / kTo / udp(40000, 80) / "question"},
         {kServers, eth() / kFrom / udp(8080, 40000) / "answer"},
         {kServers | kOther, eth() / kFrom / port_unreachable() / ipv4("198.51.100.7", "10.0.1.5") /
                                 udp(40000, 8080) / "question"}});
  write(corpus / "fullnat",
        {{0, eth() / kTo / udp(40000, 443) / "x"},
         {kOther, eth() / kTo6 / udp(40000, 443) / "x"},
         {kServers, eth() / ipv4("10.0.1.5", "10.0.0.1") / udp(8080, 1024) / "x"},
         {kServers, eth() / ipv6("fd00:1::5", "fd00:1::a") / udp(8080, 30000) / "x"}});
  const Payload end = raw(Bytes(40, 7), 17);
  const Stack first = eth() / ipv4("198.51.100.7", "203.0.113.10").id(5).fragment(0, true) /
                      udp(40000, 80).length(88) / fill(40);
  const Stack later = eth() / ipv4("198.51.100.7", "203.0.113.10").id(5).fragment(48, false) / end;
  const Stack first6 = eth() / kTo6 / fragment(0, true, 5) / udp(40000, 443).length(88) / fill(40);
  const Stack later6 = eth() / kTo6 / fragment(48, false, 5) / end;
  write(corpus / "fragments", {{0, first},
                               {kSame, later},
                               {kOther, later},
                               {0, later6},
                               {kSame, first6},
                               {kOther, first6}});
  write(corpus / "fragments_early", {{0, later},
                                     {kOther, later6},
                                     {0, first},
                                     {kOther, first6},
                                     {kLater, later},
                                     {kLater, later}});
  write(corpus / "family",
        {{0, eth() / kTo / udp(40000, 4443).no_checksum() / "x"},
         {kOther, eth() / kTo6 / tcp(40000, 4443).syn()},
         {kServers, eth() / ipv4("10.0.1.5", "10.0.0.1") / tcp(8080, 30000).syn().ack(1)},
         {kServers, eth() / ipv6("fd00:1::5", "fd00:1::a") / udp(8080, 1024) / "x"},
         {kSame, eth() / ipv4("198.51.100.7", "203.0.113.10").options({131, 7, 4, 10, 0, 0, 1, 0}) /
                     udp(40000, 4443) / "x"}});
  write(corpus / "family_kept",
        {{0, eth() / kTo / udp(40000, 8443) / "question"},
         {kServers, eth() / ipv6("fd00:1::5", "2001:db8:64::c633:6407") / udp(8080, 40000) / "x"},
         {kServers | kOther,
          eth() / ipv6("fd00:9::1", "2001:db8:64::c633:6407") / packet_too_big(1300) /
              ipv6("2001:db8:64::c633:6407", "fd00:1::5") / udp(40000, 8080) / "question"},
         {kOther, eth() / ipv4("192.0.2.9", "203.0.113.10") / fragmentation_needed(1300) /
                      ipv4("203.0.113.10", "198.51.100.7") / udp(8443, 40000) / "x"}});
  // Modes in which only the client's half is seen; servers' routers complain to the VIP.
  for (const uint16_t port : {81, 82, 83, 84}) {
    const std::string name = "one_way_" + std::to_string(port);
    write(corpus / name,
          {{0, eth() / kTo / tcp(40000, port).syn().seq(1)},
           {kOther, eth() / kTo / tcp(40000, port).psh().seq(2).ack(10) / "GET /"},
           {0, eth() / kTo / fragmentation_needed(1400) /
                   ipv4("203.0.113.10", "198.51.100.7").dont_fragment() / tcp(port, 40000).seq(10)},
           {kLater, eth() / kTo / tcp(40000, port).fin().seq(7).ack(11)},
           {kSame, eth() / kTo / tcp(40000, port).rst().seq(8)},
           {kLater, eth() / kTo / tcp(40000, port).syn().seq(99)},
           {0, eth() / kTo6 / udp(40000, port) / "1"},
           {kOther, eth() / kTo6 / udp(40000, port) / "2"},
           {kSame, eth() / kTo6 / udp(40001, port) / fill(1400)},
           {0, eth() / kTo6 / packet_too_big(1300) / ipv6("2001:db8::10", "2001:db8:c::7") /
                   udp(port, 40000) / fill(40)}});
  }
  // From inside out. SNAT ports and identifiers of the answers: some shard's.
  const auto kOut = ipv4("10.0.2.5", "198.51.100.7");
  const auto kBack = ipv4("198.51.100.7", "203.0.113.1");
  const auto kOut6 = ipv6("fd00:2::5", "2001:db8:c::7");
  const auto kBack6 = ipv6("2001:db8:c::7", "2001:db8::1");
  std::vector<Step> masqueraded = {
      {kServers, eth() / kOut / tcp(40000, 80).syn().seq(1).options({2, 4, 5, 180})},
      {kServers | kOther, eth() / kOut / echo_request(77, 1) / "ping"},
      {kServers, eth() / kOut6 / echo_request6(77, 1) / "ping"},
      {kServers | kOther, eth() / kOut6 / udp(5353, 53) / "question"},
      {kServers, eth() / kOut / port_unreachable() / ipv4("198.51.100.7", "10.0.2.5") /
                     tcp(80, 40000).seq(1)},
      {kServers, eth() / ipv4("10.0.2.5", "198.51.100.7").id(4).fragment(0, true) /
                     udp(5353, 53).length(88) / fill(40)},
      {kServers | kOther, eth() / ipv4("10.0.2.5", "198.51.100.7").id(4).fragment(48, false) / end},
      {kServers, eth() / kOut / tcp(40001, 80).seq(5).ack(9)},
      {kServers, eth() / kOut / raw({1, 2, 3, 4}, 47)}};
  for (uint32_t shard = 0; shard < 256; shard += 3) {
    const auto port = static_cast<uint16_t>(1024 + shard * 252);
    masqueraded.push_back({kSame, eth() / kBack / tcp(80, port).syn().seq(9).ack(2)});
    masqueraded.push_back({kSame, eth() / kBack / echo_reply(port, 1) / "ping"});
    masqueraded.push_back({kSame | kOther, eth() / kBack6 / echo_reply6(port, 1) / "ping"});
    masqueraded.push_back(
        {kSame, eth() / kBack / time_exceeded() / ipv4("203.0.113.1", "198.51.100.7").ttl(1) /
                    echo_request(port, 1)});
    masqueraded.push_back({kSame, eth() / kBack6 / packet_too_big(1300) /
                                      ipv6("2001:db8::1", "2001:db8:c::7") / udp(port, 53)});
  }
  for (size_t from = 0; from < masqueraded.size(); from += 150) {
    const auto to = std::min(masqueraded.size(), from + 150);
    write(corpus / ("masquerade_" + std::to_string(from / 150)),
          {masqueraded.begin() + static_cast<ptrdiff_t>(from),
           masqueraded.begin() + static_cast<ptrdiff_t>(to)});
  }
  // An inside client of an FTP server outside, which comes to the port that it was told: some one.
  std::vector<Step> clients = {
      {kServers, eth() / kOut / tcp(40002, 21).syn().seq(1)},
      {kServers, eth() / kOut / tcp(40002, 21).seq(2).ack(10) / "PORT 10,0,2,5,200,1\r\n"},
      {kServers, eth() / kOut / tcp(40002, 21).seq(2).ack(10) / "EPRT |1|10.0.2.6|51201|\r\n"},
      {kServers, eth() / kOut / tcp(40002, 21).seq(23).ack(10) / "PORT 10,0"}};
  for (uint32_t port = 1024; port < 65536; port += 97) {
    clients.push_back({kSame, eth() / kBack / tcp(20, static_cast<uint16_t>(port)).syn().seq(9)});
  }
  write(corpus / "ftp_outward", clients);
  // The same conversation in a VLAN and beside it; tags that are nobody's, stacked, cut off.
  const Frame cut = eth() / vlan(7) / kTo / tcp(40000, 80).syn();
  write(corpus / "vlans",
        {{0, eth() / vlan(7) / kTo / tcp(40000, 80).syn().seq(1)},
         {kSame, eth() / kTo / tcp(40000, 80).syn().seq(1)},
         {kServers | kOther, eth() / vlan(7) / kFrom / tcp(8080, 40000).syn().seq(9).ack(2)},
         {kServers | kSame | kOther, eth() / kFrom / tcp(8080, 40000).syn().seq(9).ack(2)},
         {kOther, eth() / vlan(7) / kTo / udp(40000, 443) / "x"},
         {0, eth() / vlan(7) / kTo / tcp(40000, 443).syn()},
         {kServers, eth() / vlan(7) / ipv4("10.0.1.5", "10.0.0.1") / tcp(8080, 30000).syn().ack(1)},
         {kSame, eth() / vlan(8) / kTo / tcp(40000, 80).syn()},
         {kSame, eth() / vlan(0).priority(5) / kTo / tcp(40001, 80).syn()},
         {kSame, eth() / vlan(7) / vlan(7) / kTo / tcp(40002, 80).syn()},
         {kSame, cut.cut(16)},
         {kSame, eth() / vlan(7) / arp_request("192.0.2.254", "203.0.113.10")},
         {kOther, eth() / vlan(7) / kTo / echo_request(1, 1)}});
  // Servers that are told the client's address; the first port of each slice is one of 256.
  for (const uint16_t port : {85, 86}) {
    std::vector<Step> steps = {{0, eth() / kTo / tcp(40000, port).syn().seq(100)},
                               {kOther, eth() / kTo6 / tcp(40000, port).syn().seq(100)}};
    for (uint16_t shard = 0; shard < 256; ++shard) {
      const auto snat = static_cast<uint16_t>(1024 + shard);
      const auto back = tcp(8080, snat).syn().seq(500).ack(101).options({2, 4, 5, 180});
      steps.push_back({kServers | kSame, eth() / ipv4("10.0.1.5", "10.0.0.1") / back});
      steps.push_back({kServers | kSame, eth() / ipv6("fd00:1::5", "fd00:1::a") / back});
    }
    steps.push_back({0, eth() / kTo / tcp(40000, port).seq(101).ack(501)});
    steps.push_back({kOther, eth() / kTo6 / tcp(40000, port).seq(101).ack(501) / fill(1400)});
    steps.push_back({0, eth() / kTo / tcp(40000, port).fin().seq(101).ack(501) / "GET /"});
    write(corpus / ("told_" + std::to_string(port)), steps);
  }
  write(corpus / "told_udp", {{0, eth() / kTo / udp(40000, 86) / "x"},
                              {kOther, eth() / kTo6 / udp(40000, 86) / fill(1400)},
                              {0, eth() / kTo / udp(40000, 86) / fill(1460)},
                              {0, first},
                              {0, later}});
  // FTP in nat: what is announced either way, in pieces, and the connections; TFTP.
  const auto talk = [](uint32_t seq, uint32_t ack) {
    return tcp(40000, 87).psh().seq(seq).ack(ack);
  };
  const auto say = [](uint32_t seq, uint32_t ack) {
    return tcp(8080, 40000).psh().seq(seq).ack(ack);
  };
  write(corpus / "ftp_nat",
        {{0, eth() / kTo / tcp(40000, 87).syn().seq(100)},
         {kServers, eth() / kFrom / tcp(8080, 40000).syn().seq(500).ack(101)},
         {0, eth() / kTo / talk(101, 501)},
         {0, eth() / kTo / talk(101, 501) / "PASV\r\n"},
         {kServers, eth() / kFrom / say(501, 107) / "227 Passive (10,0,1,5,156,64).\r\n"},
         {kServers, eth() / kFrom / say(501, 107) / "227 Passive (10,0,1,5,156,64).\r\n"},
         {0, eth() / kTo / talk(107, 536)},
         {kOther, eth() / kTo / tcp(50000, 40000).syn().seq(1)},
         {0, eth() / kTo / talk(107, 536) / "PORT 198,51,"},
         {0, eth() / kTo / talk(119, 536) / "100,7,156,65\r\nLIST\r\n"},
         {0, eth() / kTo / talk(107, 536) / "PORT 198,51,100,7"},
         {kServers, eth() / kFrom / tcp(20, 40001).syn().seq(7)},
         {kOther, eth() / kTo / tcp(40001, 20).syn().seq(9).ack(8)},
         {kServers, eth() / kFrom / say(532, 139) / "229 Extended (|||40002|)\r\n234 x\r\n"},
         {kLater, eth() / kTo / tcp(40000, 87).fin().seq(139).ack(560)}});
  // RTSP in nat and in fullnat: a transport in pieces, its media, frames and a body.
  for (const uint16_t port : {91, 92}) {
    const auto ask = [port](uint32_t seq) { return tcp(40000, port).psh().seq(seq).ack(501); };
    const std::string said =
        "RTSP/1.0 200 OK\r\nTransport: RTP/AVP;source=10.0.1.5;server_port=6000-6001\r\n\r\n";
    const std::string frame("$\0\0\4abcd", 8);
    write(corpus / ("rtsp_" + std::to_string(port)),
          {{0, eth() / kTo / tcp(40000, port).syn().seq(100)},
           {kServers, eth() / kFrom / tcp(8080, 40000).syn().seq(500).ack(101)},
           {0, eth() / kTo / ask(101) / "SETUP x RTSP/1.0\r\nTransp"},
           {0, eth() / kTo / ask(119) / "Transp"},
           {0, eth() / kTo / ask(125) / "ort: RTP/AVP;client_port=4000-4001\r\n\r\n"},
           {kServers, eth() / kFrom / say(501, 163) / said},
           {kServers, eth() / kFrom / say(501, 163) / said.substr(0, 40)},
           {kOther, eth() / kTo / udp(4000, 6000) / "voice"},
           {kServers, eth() / kFrom / udp(6001, 4001) / "report"},
           {0, eth() / kTo / ask(163) / frame},
           {0, eth() / kTo / ask(171) / "A * RTSP/1.0\r\nContent-Length: 9\r\n\r\n123"},
           {0, eth() / kTo / ask(300) / "456789GET / HTTP/1.0\r\n"},
           {kLater, eth() / kTo / tcp(40000, port).fin().seq(163).ack(560)}});
  }
  write(corpus / "tftp", {{0, eth() / kTo / udp(40000, 87) / "read"},
                          {kServers | kOther, eth() / kFrom / udp(3333, 40000) / "data"},
                          {kOther, eth() / kTo / udp(40000, 3333) / "ack"}});
  const auto gre = [] { return raw({0, 0, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8}, 47); };
  write(corpus / "portless",
        {{0, eth() / ipv4("198.51.100.7", "203.0.113.11") / gre()},
         {kServers, eth() / ipv4("10.0.1.5", "10.0.0.1") / gre()},
         {kOther, eth() / ipv4("198.51.100.8", "203.0.113.11") / gre()},
         {0, eth() / ipv4("198.51.100.7", "203.0.113.200") / gre()},
         {kSame, eth() / ipv4("198.51.100.7", "203.0.113.200") / echo_request(1, 1)},
         {0, eth() / ipv4("192.0.2.9", "203.0.113.200") / time_exceeded() /
                 ipv4("203.0.113.200", "198.51.100.7") / gre()},
         {0, eth() / kTo / gre()},
         {kOther, eth() / ipv6("2001:db8:c::7", "2001:db8:7::1") / gre()}});
  // INIT, INIT ACK, COOKIE ECHO, DATA, ABORT: sums are for the receiver.
  const auto sctp = [](uint16_t from, uint16_t to, uint32_t tag, Bytes chunks) {
    Bytes bytes{static_cast<uint8_t>(from >> 8),
                static_cast<uint8_t>(from),
                static_cast<uint8_t>(to >> 8),
                static_cast<uint8_t>(to),
                0,
                0,
                0,
                static_cast<uint8_t>(tag),
                0,
                0,
                0,
                0};
    bytes.insert(bytes.end(), chunks.begin(), chunks.end());
    return raw(bytes, 132);
  };
  const Bytes init{1, 0, 0, 20, 0, 0, 0, 7, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1};
  Bytes init_ack = init;
  init_ack[0] = 2;
  init_ack[7] = 9;
  write(corpus / "sctp",
        {{0, eth() / kTo / sctp(5000, 2905, 0, init)},
         {kServers, eth() / ipv4("10.0.1.5", "10.0.0.1") / sctp(3905, 30000, 7, init_ack)},
         {kOther, eth() / kTo / sctp(5000, 2905, 9, {10, 0, 0, 8, 1, 2, 3, 4})},
         {0, eth() / kTo / sctp(5000, 2905, 9, {0, 3, 0, 5, 1, 0, 0, 0})},
         {0, eth() / kTo / sctp(5000, 2905, 9, {7, 0, 0, 8, 0, 0, 0, 0})},
         {0, eth() / kTo / sctp(5000, 2905, 9, {6, 0, 0, 4})},
         {0, eth() / kTo / sctp(5001, 2905, 9, {0, 3, 0, 0})},
         {0, eth() / kTo6 / sctp(5000, 2905, 0, init)}});
  // Associations by source NAT; ports of the answers: some shard's.
  std::vector<Step> outward = {{kServers, eth() / kOut / sctp(5000, 2905, 0, init)},
                               {kServers, eth() / kOut6 / sctp(5000, 2905, 0, init)},
                               {kServers, eth() / kOut / sctp(5001, 2905, 9, {0, 3, 0, 4})},
                               {kServers, eth() / kOut / gre()}};
  for (uint32_t shard = 0; shard < 256; shard += 3) {
    const auto port = static_cast<uint16_t>(1024 + shard * 252);
    outward.push_back({kSame, eth() / kBack / sctp(2905, port, 7, init_ack)});
    outward.push_back(
        {kSame, eth() / kBack / time_exceeded() / ipv4("203.0.113.1", "198.51.100.7").ttl(1) /
                    sctp(port, 2905, 0, init)});
  }
  outward.push_back({kServers, eth() / kOut / sctp(5000, 2905, 9, {6, 0, 0, 4})});
  write(corpus / "sctp_outward", outward);
  const auto out = [] { return ipv4("198.51.100.7", "93.184.216.34"); };
  const auto back = [] { return ipv4("93.184.216.34", "198.51.100.7"); };
  write(corpus / "redirect_vlan",
        {{0, eth() / vlan(7) / out() / tcp(40000, 80).syn().seq(1)},
         {kSame, eth() / out() / tcp(40000, 80).syn().seq(1)},
         {kServers, eth() / vlan(7) / back() / tcp(80, 40000).syn().seq(9).ack(2)},
         {kServers | kOther, eth() / back() / tcp(80, 40000).syn().seq(9).ack(2)},
         {kServers, eth() / vlan(7) / ipv4("93.1.2.3", "192.0.2.99") / udp(5, 6) / "x"},
         {kOther, eth() / vlan(7) / ipv4("192.0.2.99", "93.1.2.3") / udp(6, 5) / "y"},
         {0, eth() / ipv4("192.0.2.99", "93.1.2.3") / udp(6, 5) / "y"}});
  write(corpus / "redirect", {{0, eth() / out() / tcp(40000, 80).syn().seq(1)},
                              {kServers, eth() / back() / tcp(80, 40000).syn().seq(9).ack(2)},
                              {kServers | kOther, eth() / out() / tcp(40000, 80).seq(2).ack(10)},
                              {kOther, eth() / out() / tcp(40000, 80).seq(2).ack(10)},
                              {kServers, eth() / ipv4("93.1.2.3", "192.0.2.99") / udp(5, 6) / "x"},
                              {0, eth() / ipv4("192.0.2.99", "93.1.2.3") / udp(6, 5) / "y"},
                              {kServers, eth() / ipv4("10.0.1.5", "93.1.2.3") / tcp(5, 80).syn()},
                              {0, eth() / ipv4("192.0.2.9", "198.51.100.7") /
                                      fragmentation_needed(1300) / out() / tcp(40000, 80).seq(2)},
                              {kLater, eth() / out().ttl(1) / tcp(40000, 80).seq(3).ack(10)},
                              {0, eth() / ipv6("2001:db8:c::7", "2a00::1") / udp(5, 53) / "x"}});
  // A call with its media, told in nat and in fullnat, and what is no message.
  const std::string sdp =
      "v=0\r\nc=IN IP4 198.51.100.7\r\nm=audio 4000 RTP/AVP 0\r\na=rtcp:4009\r\n";
  const std::string invite =
      "INVITE sip:203.0.113.10:89 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7:40000;rport\r\n"
      "Call-ID: 1\r\nm: <sip:198.51.100.7:40000>\r\nc: application/sdp\r\nl: " +
      std::to_string(sdp.size()) + "\r\n\r\n" + sdp;
  const std::string ok =
      "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 198.51.100.7:40000;received=198.51.100.7;rport=40000\r\n"
      "To: b;tag=1\r\nCall-ID: 1\r\nm: <sip:10.0.1.5:8080>\r\nc: application/sdp\r\n\r\n"
      "c=IN IP4 10.0.1.5\r\nm=audio 6000 RTP/AVP 0\r\n";
  for (const uint16_t port : {89, 90}) {
    write(corpus / ("sip_" + std::to_string(port)),
          {{0, eth() / kTo / udp(40000, port) / invite},
           {kServers | kOther, eth() / kFrom / udp(8080, 40000) / ok},
           {kOther, eth() / kTo / udp(4000, 6000) / "voice"},
           {kServers, eth() / kFrom / udp(6000, 4000) / "voice"},
           {0, eth() / kTo / udp(40001, port) / invite},
           {0, eth() / kTo / udp(40000, port) / invite.substr(0, 90)},
           {0, eth() / kTo / udp(40000, port) / "\r\n\r\n"},
           {kServers, eth() / kFrom / udp(8080, 40000) / ok.substr(0, 50)},
           {kLater, eth() / kTo / udp(40000, port) / ok}});
  }
  write_bridge_seeds(corpus);
  write_cookie_seeds(corpus);
  write(corpus / "flood", flood(70, 80));
  write(corpus / "flood_fullnat", flood(70, 443));
  write(corpus / "ours",
        {{0, eth() / arp_request("192.0.2.254", "203.0.113.10")},
         {0, eth() / arp_reply("203.0.113.10", "192.0.2.254")},
         {kSame, eth() / kTo / echo_request(1, 1) / fill(32)},
         {kSame, eth() / kTo6 / echo_request6(1, 1)},
         {kSame, eth() / vlan(7) / kTo / tcp(5, 80).syn()},
         {kSame, eth() / kTo / tcp(5, 81).syn()},
         {kSame, eth() / ipv4("198.51.100.7", "203.0.113.10").ttl(1) / udp(5, 80) / "x"},
         {kSame, eth() / kTo / udp(6, 80).length(99) / fill(20)},
         {0, eth() / ipv4("10.0.1.5", "10.9.9.9") / udp(5, 6)}});
  return 0;
}
