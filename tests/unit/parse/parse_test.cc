// What the parser says about packets that pass.
#include "dataplane/parse/parse.h"

#include <gtest/gtest.h>

#include "dataplane/net/headers.h"
#include "tests/dsl/dsl.h"

namespace nezu::parse {
namespace {

using namespace dsl;
using net::Packet;
using net::Protocol;
using net::Reason;
using net::Shape;
using net::Verdict;

const char *kA = "192.0.2.7", *kB = "203.0.113.10", *kA6 = "2001:db8::7", *kB6 = "2001:db8:1::10";

/// A tuple as text; "-" where the packet was dropped.
std::string tuple_text(const Packet& p) {
  if (p.verdict != Verdict::undecided) return std::string(net::to_string(p.reason));
  if (p.family == net::Family::ipv4) {
    const net::Tuple4& t = p.tuple4;
    return std::string(net::to_string(t.protocol)) + ' ' +
           to_string(net::Address::v4_raw(t.source), net::swap16(t.source_port)) + " > " +
           to_string(net::Address::v4_raw(t.destination), net::swap16(t.destination_port));
  }
  const net::Tuple6& t = p.tuple6;
  return std::string(net::to_string(t.protocol)) + ' ' +
         to_string(net::Address::v6(&t.source), net::swap16(t.source_port)) + " > " +
         to_string(net::Address::v6(&t.destination), net::swap16(t.destination_port));
}

Packet parsed(Frame frame) {
  parse(frame.packet());
  Packet result = frame.packet();
  result.head = nullptr;  // the frame is gone
  return result;
}

TEST(Parse, PlainTcp) {
  const Packet p = parsed(eth() / ipv4(kA, kB) / tcp(40000, 80).syn() / "hello");
  EXPECT_EQ(p.shape, Shape::transport);
  EXPECT_EQ(tuple_text(p), "tcp 192.0.2.7:40000 > 203.0.113.10:80");
  EXPECT_EQ(p.l3, 14);
  EXPECT_EQ(p.l4, 34);
  EXPECT_EQ(p.ip_length, 45);
  EXPECT_EQ(p.tcp_flags, net::kTcpSyn);
  EXPECT_EQ(p.vlan, 0);
  EXPECT_EQ(p.flow, net::kNoFlow);
}

TEST(Parse, PaddingIsNotPartOfThePacket) {
  const Packet p = parsed(Frame(eth() / ipv4(kA, kB) / udp(5, 53) / "x").padded(60));
  EXPECT_EQ(tuple_text(p), "udp 192.0.2.7:5 > 203.0.113.10:53");
  EXPECT_EQ(p.ip_length, 29);
  EXPECT_EQ(p.length, 60u);
}

TEST(Parse, TheInstanceIsPartOfTheTuple) {
  Frame frame = eth() / ipv4(kA, kB) / udp(5, 53) / fill(20);
  parse(frame.packet(), net::Instance{3});
  EXPECT_EQ(frame.packet().tuple4.instance, net::Instance{3});
  Frame six = eth() / ipv6(kA6, kB6) / udp(5, 53) / fill(20);
  parse(six.packet(), net::Instance{3});
  EXPECT_EQ(six.packet().tuple6.instance, net::Instance{3});
}

TEST(Parse, PortAndVlanTellTheInstance) {
  net::Spaces spaces;
  spaces.set(1, 0, net::Instance{7});
  spaces.set(0, 5, net::Instance{3});
  spaces.set(0, 4094, net::Instance::standard);
  const auto instance = [&](Frame frame, uint16_t port) {
    Packet& p = frame.packet();
    p.arrive(p.head, nullptr, p.head_length, p.length, p.room, port);
    parse(p, spaces);
    EXPECT_EQ(p.verdict, Verdict::undecided);
    const auto fast = net::instance_of(p);
    parse_generally(p, spaces);
    EXPECT_EQ(net::instance_of(p), fast);
    return static_cast<int>(fast);
  };
  const auto each = [&](const Frame& untagged, const Frame& five, const Frame& last) {
    EXPECT_EQ(instance(untagged, 0), 0);
    EXPECT_EQ(instance(untagged, 1), 7);
    EXPECT_EQ(instance(untagged, 31), 0) << "a port that nobody has set";
    EXPECT_EQ(instance(five, 0), 3);
    EXPECT_EQ(instance(last, 0), 0);
  };
  each(eth() / ipv4(kA, kB) / udp(5, 53), eth() / vlan(5) / ipv4(kA, kB) / udp(5, 53),
       eth() / vlan(4094) / ipv4(kA, kB) / udp(5, 53));
  each(eth() / ipv6(kA6, kB6) / udp(5, 53), eth() / vlan(5) / ipv6(kA6, kB6) / udp(5, 53),
       eth() / vlan(4094) / ipv6(kA6, kB6) / udp(5, 53));
  each(eth() / arp_request(kA, kB), eth() / vlan(5) / arp_request(kA, kB),
       eth() / vlan(4094) / arp_request(kA, kB));
  // The inner packet's too, and of a priority only the untagged one's.
  EXPECT_EQ(
      instance(eth() / vlan(5) / ipv4(kA, kB) / port_unreachable() / ipv4(kB, kA) / udp(53, 5), 0),
      3);
  EXPECT_EQ(instance(eth() / vlan(0).priority(3) / ipv4(kA, kB) / udp(5, 53), 1), 7);
}

TEST(Parse, OneVlanTag) {
  const Packet p = parsed(eth() / vlan(5).priority(3) / ipv4(kA, kB) / tcp(5, 80).ack(1));
  EXPECT_EQ(p.vlan, 5);
  EXPECT_EQ(p.l3, 18);
  EXPECT_EQ(tuple_text(p), "tcp 192.0.2.7:5 > 203.0.113.10:80");
}

TEST(Parse, VlanZeroIsAPriorityOnly) {
  EXPECT_EQ(parsed(eth() / vlan(0).priority(7) / ipv4(kA, kB) / udp(5, 53)).vlan, 0);
}

TEST(Parse, AStrippedTagIsKeptAndASecondOneRefused) {
  Frame frame = eth() / ipv4(kA, kB) / udp(5, 53) / fill(20);
  frame.packet().vlan = 7;
  parse(frame.packet());
  EXPECT_EQ(frame.packet().vlan, 7);
  Frame tagged = eth() / vlan(5) / ipv4(kA, kB) / udp(5, 53) / fill(20);
  tagged.packet().vlan = 7;
  parse(tagged.packet());
  EXPECT_EQ(tagged.packet().reason, Reason::vlan_stacked);
}

TEST(Parse, MayBeRepeated) {
  Frame frame = eth() / vlan(5) / ipv4(kA, kB) / udp(5, 53) / fill(20);
  parse(frame.packet());
  parse(frame.packet());
  EXPECT_EQ(frame.packet().verdict, Verdict::undecided);
  EXPECT_EQ(frame.packet().vlan, 5);
}

TEST(Parse, Ipv4Options) {
  const Packet p = parsed(eth() / ipv4(kA, kB).options(Bytes(40, 1)) / tcp(5, 80).ack(1) / "x");
  EXPECT_EQ(p.l4, 14 + 60);
  EXPECT_EQ(tuple_text(p), "tcp 192.0.2.7:5 > 203.0.113.10:80");
}

TEST(Parse, TcpOptions) {
  const Packet p = parsed(eth() / ipv4(kA, kB) / tcp(5, 80).syn().options(Bytes(40, 1)));
  EXPECT_EQ(p.shape, Shape::transport);
}

TEST(Parse, PlainIpv6) {
  const Packet p = parsed(eth() / ipv6(kA6, kB6) / tcp(40000, 80).syn());
  EXPECT_EQ(tuple_text(p), "tcp [2001:db8::7]:40000 > [2001:db8:1::10]:80");
  EXPECT_EQ(p.l4, 54);
  EXPECT_EQ(p.ip_length, 60);
  EXPECT_EQ(p.fragment_header, 0);
}

TEST(Parse, EightExtensionHeaders) {
  const Packet p =
      parsed(eth() / ipv6(kA6, kB6) / hop_by_hop() / destination_options() / routing(0, 0) /
             authentication() / destination_options() / destination_options() /
             destination_options() / destination_options() / udp(5, 53));
  EXPECT_EQ(tuple_text(p), "udp [2001:db8::7]:5 > [2001:db8:1::10]:53");
  EXPECT_EQ(p.l4, 14 + 40 + 8 + 8 + 24 + 24 + 4 * 8);
}

TEST(Parse, EchoAndItsReplyMirrorEachOther) {
  const Packet request = parsed(eth() / ipv4(kA, kB) / echo_request(7, 1));
  const Packet reply = parsed(eth() / ipv4(kB, kA) / echo_reply(7, 1));
  EXPECT_EQ(tuple_text(request), "icmp 192.0.2.7:7 > 203.0.113.10:0");
  EXPECT_EQ(request.tuple4.mirrored(), reply.tuple4);
  const Packet request6 = parsed(eth() / ipv6(kA6, kB6) / echo_request6(7, 1));
  const Packet reply6 = parsed(eth() / ipv6(kB6, kA6) / echo_reply6(7, 1));
  EXPECT_EQ(request6.shape, Shape::transport);
  EXPECT_EQ(request6.tuple6.mirrored(), reply6.tuple6);
}

TEST(Parse, IcmpErrorTellsTheInnerTuple) {
  const Packet p = parsed(eth() / ipv4("198.51.100.1", kB) / port_unreachable().quoting(28) /
                          ipv4(kB, kA) / tcp(80, 40000).ack(1) / "data");
  EXPECT_EQ(p.shape, Shape::icmp_error);
  EXPECT_EQ(p.protocol, Protocol::icmp);
  EXPECT_EQ(tuple_text(p), "tcp 203.0.113.10:80 > 192.0.2.7:40000");
  EXPECT_EQ(p.inner_l3, 42);
  EXPECT_EQ(p.inner_l4, 62);
}

TEST(Parse, IcmpErrorAboutOptionsAndExtensions) {
  const Packet p = parsed(eth() / ipv4("198.51.100.1", kB) / time_exceeded() /
                          ipv4(kB, kA).options(Bytes(8, 1)) / udp(53, 5));
  EXPECT_EQ(tuple_text(p), "udp 203.0.113.10:53 > 192.0.2.7:5");
  const Packet p6 = parsed(eth() / ipv6("2001:db8:9::1", kB6) / packet_too_big(1280) /
                           ipv6(kB6, kA6) / destination_options() / udp(53, 5));
  EXPECT_EQ(p6.shape, Shape::icmp_error);
  EXPECT_EQ(tuple_text(p6), "udp [2001:db8:1::10]:53 > [2001:db8::7]:5");
  EXPECT_EQ(p6.inner_l4, 14 + 40 + 8 + 40 + 8);
}

TEST(Parse, IcmpErrorAboutALaterFragmentHasNoPorts) {
  const Packet p = parsed(eth() / ipv4("198.51.100.1", kB) / time_exceeded() /
                          ipv4(kB, kA).fragment(64, false).protocol(17) / fill(8));
  EXPECT_EQ(p.shape, Shape::icmp_error);
  EXPECT_EQ(tuple_text(p), "udp 203.0.113.10:0 > 192.0.2.7:0");
  EXPECT_EQ(p.inner_l4, 0);
}

TEST(Parse, IcmpErrorAboutAnEcho) {
  const Packet p = parsed(eth() / ipv4("198.51.100.1", kA) / time_exceeded() / ipv4(kA, kB) /
                          echo_request(7, 1));
  EXPECT_EQ(p.shape, Shape::icmp_error);
  EXPECT_EQ(tuple_text(p), "icmp 192.0.2.7:7 > 203.0.113.10:0");
}

TEST(Parse, IcmpErrorAboutAProtocolWithoutPorts) {
  const Packet p = parsed(eth() / ipv4("198.51.100.1", kB) / port_unreachable() /
                          ipv4(kB, kA).protocol(47) / fill(20));
  EXPECT_EQ(p.shape, Shape::icmp_error);
  EXPECT_EQ(tuple_text(p), "gre 203.0.113.10:0 > 192.0.2.7:0");
}

TEST(Parse, Fragments) {
  const Packet first =
      parsed(eth() / ipv4(kA, kB).id(9).fragment(0, true) / udp(5, 53).length(99) / fill(16));
  EXPECT_EQ(first.shape, Shape::transport);
  EXPECT_TRUE(first.first_fragment);
  EXPECT_EQ(tuple_text(first), "udp 192.0.2.7:5 > 203.0.113.10:53");
  const Packet later =
      parsed(eth() / ipv4(kA, kB).id(9).fragment(24, false).protocol(17) / fill(33));
  EXPECT_EQ(later.shape, Shape::fragment);
  EXPECT_FALSE(later.first_fragment);
  EXPECT_EQ(later.l4, 34);
  EXPECT_EQ(tuple_text(later), "udp 192.0.2.7:0 > 203.0.113.10:0");
}

TEST(Parse, FragmentsOfIpv6) {
  const Packet first =
      parsed(eth() / ipv6(kA6, kB6) / fragment(0, true, 9) / tcp(5, 80).ack(1) / fill(4));
  EXPECT_EQ(first.shape, Shape::transport);
  EXPECT_TRUE(first.first_fragment);
  EXPECT_EQ(first.fragment_header, 54);
  EXPECT_EQ(first.l4, 62);
  const Packet later = parsed(eth() / ipv6(kA6, kB6) / fragment(24, false, 9).next(6) / fill(33));
  EXPECT_EQ(later.shape, Shape::fragment);
  EXPECT_EQ(later.fragment_header, 54);
  EXPECT_EQ(tuple_text(later), "tcp [2001:db8::7]:0 > [2001:db8:1::10]:0");
  const Packet atomic = parsed(eth() / ipv6(kA6, kB6) / fragment(0, false, 9) / udp(5, 53));
  EXPECT_EQ(atomic.shape, Shape::transport);  // RFC 6946
  EXPECT_FALSE(atomic.first_fragment);
}

TEST(Parse, JumboAndSegments) {
  // 9,000 bytes of which the first segment holds the headers.
  const Packet p = parsed(Frame(eth() / ipv4(kA, kB) / tcp(5, 80).ack(1) / fill(8946)).split(54));
  EXPECT_EQ(tuple_text(p), "tcp 192.0.2.7:5 > 203.0.113.10:80");
  EXPECT_EQ(p.ip_length, 8986);
  EXPECT_EQ(p.head_length, 54u);
  const Packet p6 = parsed(Frame(eth() / ipv6(kA6, kB6) / udp(5, 53) / fill(8000)).split(62));
  EXPECT_EQ(tuple_text(p6), "udp [2001:db8::7]:5 > [2001:db8:1::10]:53");
}

TEST(Parse, UdpOptionsBehindTheDatagramPass) {
  EXPECT_EQ(parsed(eth() / ipv4(kA, kB) / udp(5, 53).length(12) / fill(30)).shape,
            Shape::transport);
}

TEST(Parse, ProtocolsByAddressAlone) {
  const Packet gre = parsed(eth() / ipv4(kA, kB).protocol(47) / fill(1));
  EXPECT_EQ(gre.shape, Shape::transport);
  EXPECT_EQ(tuple_text(gre), "gre 192.0.2.7:0 > 203.0.113.10:0");
  EXPECT_EQ(parsed(eth() / ipv6(kA6, kB6).next(59)).shape, Shape::transport);
}

TEST(Parse, Sctp) {
  const auto sctp = [](size_t length) {
    return parsed(eth() / ipv4(kA, kB) / raw(Bytes(length, 1), 132));
  };
  EXPECT_EQ(sctp(12).shape, Shape::transport);
  EXPECT_EQ(tuple_text(sctp(12)), "sctp 192.0.2.7:257 > 203.0.113.10:257");
  EXPECT_EQ(sctp(11).reason, Reason::transport_truncated);
  EXPECT_EQ(parsed(eth() / ipv4(kA, kB) / raw(Bytes(12, 0), 132)).reason, Reason::port_zero);
}

TEST(Parse, ControlTraffic) {
  const std::pair<const char*, Frame> controls[] = {
      {"multicast", eth() / ipv4(kA, "224.0.0.5").protocol(89) / fill(30)},
      {"broadcast", eth() / ipv4(kA, "255.255.255.255") / udp(68, 67) / fill(30)},
      {"DHCP", eth() / ipv4("0.0.0.0", "255.255.255.255") / udp(68, 67) / fill(30)},
      {"link-local", eth() / ipv4("169.254.1.1", kB) / udp(5, 53) / fill(30)},
      {"timestamp", eth() / ipv4(kA, kB) / icmp(13) / fill(12)},
      {"redirect", eth() / ipv4(kA, kB) / icmp(5, 1) / ipv4(kB, kA) / udp(53, 5)},
      {"ICMPv6 over IPv4", eth() / ipv4(kA, kB).protocol(58) / fill(30)},
      {"solicitation", eth() / ipv6("fe80::1", "ff02::1:ff00:10") / icmpv6(135) / fill(16)},
      {"unicast solicitation", eth() / ipv6(kA6, kB6) / icmpv6(135) / fill(16)},
      {"duplicate address detection",
       eth() / ipv6("::", "ff02::1:ff00:10") / icmpv6(135) / fill(16)},
      {"MLD", eth() / ipv6("fe80::1", "ff02::16") / hop_by_hop({5, 2, 0, 0, 1, 0}) / icmpv6(143) /
                  fill(20)},
      {"to link-local", eth() / ipv6(kA6, "fe80::1") / tcp(5, 179).syn()},
  };
  for (auto [what, frame] : controls) {
    parse(frame.packet());
    EXPECT_EQ(frame.packet().verdict, Verdict::undecided)
        << what << ' ' << net::to_string(frame.packet().reason);
    EXPECT_EQ(frame.packet().shape, Shape::control) << what;
  }
}

TEST(Parse, OtherThanIp) {
  const Packet arp = parsed(eth() / arp_request(kA, kB));
  EXPECT_EQ(arp.shape, Shape::other);
  EXPECT_EQ(arp.l3, 14);
  const Packet tagged = parsed(eth() / vlan(5) / arp_request(kA, kB));
  EXPECT_EQ(tagged.l3, 18);
  EXPECT_EQ(tagged.vlan, 5);
  EXPECT_EQ(parsed(eth().type(0x88cc) / fill(30)).shape, Shape::other);  // LLDP
  EXPECT_EQ(parsed(eth().type(38) / fill(38)).shape, Shape::other);      // 802.3 length: STP
}

TEST(Parse, ABurstKeepsNothingOfTheOneBefore) {
  Frame malformed = eth() / ipv4(kA, kB).checksum(1) / udp(5, 53) / fill(20);
  Frame error = eth() / ipv4("198.51.100.1", kB) / port_unreachable() / ipv4(kB, kA) / udp(53, 5);
  Frame plain = eth() / ipv4(kA, kB) / udp(5, 53) / fill(20);
  net::Burst burst;
  burst.count = net::kBurstCapacity;
  for (net::Packet& p : burst.all()) p = malformed.packet();
  parse(burst);
  for (const net::Packet& p : burst.all()) EXPECT_EQ(p.reason, Reason::ipv4_checksum);
  for (net::Packet& p : burst.all()) p.arrive(&error[0], nullptr, 70, 70, 70, 0);
  parse(burst);
  for (const net::Packet& p : burst.all()) EXPECT_EQ(p.shape, Shape::icmp_error);
  for (net::Packet& p : burst.all()) p.arrive(&plain[0], nullptr, 62, 62, 62, 0);
  parse(burst);
  for (const net::Packet& p : burst.all()) {
    EXPECT_EQ(p.verdict, Verdict::undecided);
    EXPECT_EQ(p.reason, Reason::none);
    EXPECT_EQ(p.inner_l4, 0);
    EXPECT_EQ(tuple_text(p), "udp 192.0.2.7:5 > 203.0.113.10:53");
  }
}

TEST(Parse, FlagsThatStacksSend) {
  for (const auto& segment :
       {tcp(5, 80).syn(), tcp(5, 80).syn().ack(1), tcp(5, 80).ack(1), tcp(5, 80).psh().ack(1),
        tcp(5, 80).fin().ack(1), tcp(5, 80).fin().psh().ack(1), tcp(5, 80).rst(),
        tcp(5, 80).rst().ack(1), tcp(5, 80).urg().ack(1), tcp(5, 80).flags(0xc2)}) {
    EXPECT_EQ(parsed(eth() / ipv4(kA, kB) / segment).shape, Shape::transport);
  }
}

}  // namespace
}  // namespace nezu::parse
