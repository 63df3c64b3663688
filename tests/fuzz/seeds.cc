// Writes the seed corpora of the packet fuzzers: one file for each kind of packet that the parser
// tells apart. Run after a change of the list:  make_seeds tests/fuzz/corpus
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "tests/dsl/dsl.h"

namespace {

using namespace nezu::dsl;

const char *kA = "192.0.2.7", *kB = "203.0.113.10", *kA6 = "2001:db8::7", *kB6 = "2001:db8:1::10";

std::vector<std::pair<std::string, Frame>> seeds() {
  return {
      {"tcp4", eth() / ipv4(kA, kB) / tcp(40000, 80).syn().seq(7)},
      {"tcp4_data",
       eth() / ipv4(kA, kB) / tcp(40000, 80).psh().ack(9).options(Bytes(12, 1)) / "GET / HTTP/1.1"},
      {"udp4", eth() / ipv4(kA, kB) / udp(40000, 53) / "hello"},
      {"udp4_no_sum", eth() / ipv4(kA, kB) / udp(40000, 53).no_checksum() / "hello"},
      {"udp4_padded", Frame(eth() / ipv4(kA, kB) / udp(40000, 53) / "x").padded(60)},
      {"options4", eth() / ipv4(kA, kB).options({7, 7, 4, 0, 0, 0, 0, 1}) / tcp(40000, 80).ack(1)},
      {"vlan", eth() / vlan(5).priority(3) / ipv4(kA, kB) / udp(40000, 53) / "hello"},
      {"vlan_stacked", eth() / vlan(5) / vlan(6) / ipv4(kA, kB) / udp(40000, 53)},
      {"first_fragment4",
       eth() / ipv4(kA, kB).id(7).fragment(0, true) / udp(40000, 53).length(99) / fill(16)},
      {"later_fragment4", eth() / ipv4(kA, kB).id(7).fragment(24, false).protocol(17) / fill(20)},
      {"echo4", eth() / ipv4(kA, kB) / echo_request(7, 1) / fill(32)},
      {"echo_reply4", eth() / ipv4(kA, kB) / echo_reply(7, 1) / fill(32)},
      {"unreachable4",
       eth() / ipv4(kA, kB) / port_unreachable() / ipv4(kB, kA) / udp(53, 40000) / "x"},
      {"unreachable4_8", eth() / ipv4(kA, kB) / port_unreachable().quoting(28) / ipv4(kB, kA) /
                             tcp(80, 40000).ack(1)},
      {"too_big4", eth() / ipv4(kA, kB) / fragmentation_needed(1400) /
                       ipv4(kB, kA).options(Bytes(4, 1)) / tcp(80, 4).ack(1)},
      {"exceeded4_fragment", eth() / ipv4(kA, kB) / time_exceeded() /
                                 ipv4(kB, kA).fragment(64, false).protocol(17) / fill(8)},
      {"exceeded4_echo",
       eth() / ipv4(kA, kB) / time_exceeded() / ipv4(kB, kA) / echo_request(1, 1)},
      {"multicast4", eth() / ipv4(kA, "224.0.0.5").protocol(89) / fill(30)},
      {"dhcp", eth() / ipv4("0.0.0.0", "255.255.255.255") / udp(68, 67) / fill(30)},
      {"arp", eth() / arp_request(kA, kB)},
      {"lldp", eth().type(0x88cc) / fill(30)},
      {"tcp6", eth() / ipv6(kA6, kB6) / tcp(40000, 80).syn()},
      {"udp6", eth() / vlan(5) / ipv6(kA6, kB6) / udp(40000, 53) / "hello"},
      {"extensions6", eth() / ipv6(kA6, kB6) / hop_by_hop() / destination_options() /
                          routing(0, 0) / authentication() / fragment(0, false, 9) /
                          tcp(40000, 80).ack(1)},
      {"routing6", eth() / ipv6(kA6, kB6) / routing(0, 1) / udp(40000, 53)},
      {"first_fragment6",
       eth() / ipv6(kA6, kB6) / fragment(0, true, 9) / udp(40000, 53).length(99) / fill(16)},
      {"later_fragment6", eth() / ipv6(kA6, kB6) / fragment(24, false, 9).next(17) / fill(20)},
      {"echo6", eth() / ipv6(kA6, kB6) / echo_request6(7, 1) / fill(32)},
      {"unreachable6",
       eth() / ipv6(kA6, kB6) / port_unreachable6() / ipv6(kB6, kA6) / udp(53, 40000) / "x"},
      {"too_big6", eth() / ipv6(kA6, kB6) / packet_too_big(1280) / ipv6(kB6, kA6) / hop_by_hop() /
                       tcp(80, 40000).ack(1)},
      {"solicitation", eth() / ipv6("fe80::1", "ff02::1:ff00:10") / icmpv6(135) / fill(16)},
      {"mld", eth() / ipv6("fe80::1", "ff02::16") / hop_by_hop({5, 2, 0, 0, 1, 0}) / icmpv6(143) /
                  fill(20)},
  };
}

void write(const std::filesystem::path& file, const Bytes& prefix, const Frame& frame) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream stream(file, std::ios::binary);
  stream.write(reinterpret_cast<const char*>(prefix.data()),
               static_cast<std::streamsize>(prefix.size()));
  stream.write(reinterpret_cast<const char*>(frame.bytes().data()),
               static_cast<std::streamsize>(frame.size()));
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: make_seeds CORPUS_DIRECTORY\n";
    return 1;
  }
  const std::filesystem::path corpus = arguments[1];
  // Two endpoints of 16 + 2 bytes, then 100 bytes of room.
  Bytes translation;
  for (uint8_t i = 0; i < 36; ++i) translation.push_back(static_cast<uint8_t>(10 + 7 * i));
  translation.push_back(100);
  for (const auto& [name, frame] : seeds()) {
    write(corpus / "parse" / name, {0xff}, frame);
    write(corpus / "forward" / name, translation, frame);
    write(corpus / "family" / name, translation, frame);
    write(corpus / "insertion" / name, translation, frame);
  }
  write(corpus / "insertion" / "tcp4_blocks", translation,
        eth() / ipv4(kA, kB) /
            tcp(40000, 80)
                .ack(0x18111020)
                .options({1, 5, 18, 0x18, 0x11, 0x10, 0x21, 0x18, 0x11, 0x10, 0x22, 0, 0, 0, 1, 0,
                          0, 0, 9}) /
            "GET /");
  write(corpus / "parse" / "tcp4_split", {54},
        eth() / ipv4(kA, kB) / tcp(40000, 80).ack(1) / fill(200));
  write(corpus / "parse" / "tcp6_split", {70},
        eth() / ipv6(kA6, kB6) / tcp(40000, 80).ack(1) / fill(200));
  // The quote of an error filled up, and an extension behind it (RFC 4884).
  const Frame quoted = eth() / ipv4(kB, kA) / udp(80, 40000) / "x";
  Bytes quote(quoted.bytes().begin() + 14, quoted.bytes().end());
  quote.resize(128);
  for (const uint8_t byte : {0x20, 0, 0xdf, 0xff, 0, 4, 1, 1}) quote.push_back(byte);
  write(corpus / "family" / "extended4", translation,
        eth() / ipv4(kA, kB) / icmp(11, 0).rest(32u << 16) / raw(quote));
  write(corpus / "family" / "source_route4", translation,
        eth() / ipv4(kA, kB).options({131, 7, 4, 10, 0, 0, 1, 0}) / tcp(40000, 80).syn());
  write(corpus / "family" / "atomic_fragment6", translation,
        eth() / ipv6(kA6, kB6) / fragment(0, false, 9) / echo_request6(7, 1) / fill(32));
  write(corpus / "family" / "large4_no_sum", translation,
        eth() / ipv4(kA, kB) / udp(40000, 53).no_checksum() / fill(900));
  return 0;
}
