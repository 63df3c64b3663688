// Replies of our own, made in the packet that asked for them.
#include "dataplane/forward/reply.h"

#include <gtest/gtest.h>

#include "dataplane/parse/parse.h"
#include "tests/dsl/dsl.h"

namespace nezu::forward {
namespace {

using namespace dsl;
using net::Verdict;

const char *kClient = "192.0.2.7", *kVip = "203.0.113.10", *kUs = "198.51.100.1";
const char *kClient6 = "2001:db8::7", *kVip6 = "2001:db8:1::10", *kUs6 = "2001:db8:9::1";

net::Packet& parsed(Frame& frame) {
  parse::parse(frame.packet());
  return frame.packet();
}
/// Ethernet of an answer.
Eth back() { return eth().from("02:00:00:00:00:02").to("02:00:00:00:00:01"); }
Ipv4 error4(const char* source, const char* destination) {
  return ipv4(source, destination).dont_fragment().tos(0xc0);
}

TEST(Reset, RefusesASyn) {
  Frame frame =
      eth() / ipv4(kClient, kVip).ttl(3) / tcp(40000, 80).syn().seq(7).options(Bytes(20, 1));
  EXPECT_TRUE(reply_reset(parsed(frame)));
  EXPECT_EQ(frame,
            back() / ipv4(kVip, kClient).dont_fragment() / tcp(80, 40000).rst().ack(8).window(0));
  EXPECT_EQ(frame.packet().verdict, Verdict::reply);
  EXPECT_EQ(frame.packet().head_length, frame.packet().length);
}

TEST(Reset, CountsWhatTheSegmentOccupies) {
  Frame frame = eth() / vlan(5) / ipv6(kClient6, kVip6) / hop_by_hop() /
                tcp(40000, 80).syn().seq(0xffffffff) / "hello";
  EXPECT_TRUE(reply_reset(parsed(frame)));
  EXPECT_EQ(frame,
            back() / vlan(5) / ipv6(kVip6, kClient6) / tcp(80, 40000).rst().ack(5).window(0));
}

TEST(Reset, TakesTheSequenceThatWasAcknowledged) {
  Frame frame = eth() / ipv4(kClient, kVip).options(Bytes(4, 1)) /
                tcp(40000, 80).fin().ack(99).seq(7) / "data";
  EXPECT_TRUE(reply_reset(parsed(frame)));
  EXPECT_EQ(frame,
            back() / ipv4(kVip, kClient).dont_fragment() / tcp(80, 40000).rst().seq(99).window(0));
}

TEST(Reset, NeverForAResetOrWhatIsNotTcp) {
  const Frame frames[] = {
      eth() / ipv4(kClient, kVip) / tcp(40000, 80).rst(),
      eth() / ipv4(kClient, kVip) / udp(40000, 80) / fill(20),
      eth() / ipv4(kClient, kVip).fragment(0, true) / tcp(40000, 80).syn() / fill(4),
      eth().to("ff:ff:ff:ff:ff:ff") / ipv4(kClient, kVip) / tcp(40000, 80).syn(),
  };
  for (Frame frame : frames) {
    const Frame before = frame;
    EXPECT_FALSE(reply_reset(parsed(frame)));
    EXPECT_EQ(frame, before);
    EXPECT_EQ(frame.packet().verdict, Verdict::undecided);
  }
}

TEST(Echo, BothFamilies) {
  Frame frame = eth() / ipv4(kClient, kVip).ttl(3).id(9) / echo_request(7, 1) / fill(57);
  EXPECT_TRUE(reply_echo(parsed(frame)));
  EXPECT_EQ(frame, back() / ipv4(kVip, kClient).id(9) / echo_reply(7, 1) / fill(57));
  Frame six = eth() / ipv6(kClient6, kVip6).hops(255) / echo_request6(7, 1) / fill(57);
  EXPECT_TRUE(reply_echo(parsed(six)));
  EXPECT_EQ(six, back() / ipv6(kVip6, kClient6) / echo_reply6(7, 1) / fill(57));
}

TEST(Echo, InSeveralSegments) {
  Frame frame = Frame(eth() / ipv4(kClient, kVip) / echo_request(7, 1) / fill(8000)).split(42);
  EXPECT_TRUE(reply_echo(parsed(frame)));
  EXPECT_EQ(frame, back() / ipv4(kVip, kClient) / echo_reply(7, 1) / fill(8000));
}

TEST(Echo, OnlyForRequests) {
  const Frame frames[] = {
      eth() / ipv4(kClient, kVip) / echo_reply(7, 1),
      eth() / ipv4(kClient, kVip) / tcp(8, 8).syn(),
      eth() / ipv6(kClient6, kVip6) / icmpv6(135) / fill(16),
      eth() / ipv4(kClient, kVip).fragment(0, true) / echo_request(7, 1) / fill(8),
  };
  for (Frame frame : frames) {
    const Frame before = frame;
    EXPECT_FALSE(reply_echo(parsed(frame)));
    EXPECT_EQ(frame, before);
  }
}

TEST(Unreachable, QuotesThePacket) {
  Frame frame = Frame(eth() / ipv4(kClient, kVip) / udp(40000, 80) / "hi").padded(60);
  EXPECT_TRUE(reply_unreachable(parsed(frame)));
  EXPECT_EQ(frame, back() / error4(kVip, kClient) / port_unreachable() / ipv4(kClient, kVip) /
                       udp(40000, 80) / "hi");
  Frame six = eth() / ipv6(kClient6, kVip6) / udp(40000, 80) / "hi";
  EXPECT_TRUE(reply_unreachable(parsed(six)));
  EXPECT_EQ(six, back() / ipv6(kVip6, kClient6).traffic_class(0xc0) / port_unreachable6() /
                     ipv6(kClient6, kVip6) / udp(40000, 80) / "hi");
}

TEST(Unreachable, QuotesNoMoreThanAllowed) {
  Frame frame = eth() / ipv4(kClient, kVip) / udp(40000, 80) / fill(1400);
  EXPECT_TRUE(reply_unreachable(parsed(frame)));
  EXPECT_EQ(frame, back() / error4(kVip, kClient) / port_unreachable().quoting(548) /
                       ipv4(kClient, kVip) / udp(40000, 80) / fill(1400));
  EXPECT_EQ(frame.size(), 14u + 576);
  Frame six = eth() / ipv6(kClient6, kVip6) / udp(40000, 80) / fill(1400);
  EXPECT_TRUE(reply_unreachable(parsed(six)));
  EXPECT_EQ(six.size(), 14u + 1280);
}

TEST(Unreachable, FitsTheRoomOfTheBuffer) {
  Frame frame = eth() / ipv4(kClient, kVip) / udp(40000, 80) / fill(200);
  frame.packet().room = 14 + 28 + 40;
  frame.packet().head_length = 14 + 60;
  EXPECT_TRUE(reply_unreachable(parsed(frame)));
  EXPECT_EQ(frame, back() / error4(kVip, kClient) / port_unreachable().quoting(40) /
                       ipv4(kClient, kVip) / udp(40000, 80) / fill(200));
  Frame none = eth() / ipv4(kClient, kVip) / udp(40000, 80) / "hi";
  none.packet().room = 14 + 28 + 27;
  const Frame before = none;
  EXPECT_FALSE(reply_unreachable(parsed(none)));
  EXPECT_EQ(none, before);
}

TEST(TimeExceeded, ComesFromUs) {
  Frame frame =
      eth() / vlan(5) / ipv4(kClient, kVip).ttl(1).options(Bytes(4, 1)) / echo_request(7, 1) / "x";
  EXPECT_TRUE(reply_time_exceeded(parsed(frame), *net::parse_address(kUs)));
  EXPECT_EQ(frame, back() / vlan(5) / error4(kUs, kClient) / time_exceeded() /
                       ipv4(kClient, kVip).ttl(1).options(Bytes(4, 1)) / echo_request(7, 1) / "x");
  Frame six = eth() / ipv6(kClient6, kVip6).hops(1) / tcp(40000, 80).syn();
  EXPECT_TRUE(reply_time_exceeded(parsed(six), *net::parse_address(kUs6)));
  EXPECT_EQ(six, back() / ipv6(kUs6, kClient6).traffic_class(0xc0) / time_exceeded6() /
                     ipv6(kClient6, kVip6).hops(1) / tcp(40000, 80).syn());
}

TEST(TooBig, TellsTheMtu) {
  Frame frame = eth() / ipv4(kClient, kVip).dont_fragment() / udp(40000, 80) / "hi";
  EXPECT_TRUE(reply_too_big(parsed(frame), *net::parse_address(kUs), 1400));
  EXPECT_EQ(frame, back() / error4(kUs, kClient) / fragmentation_needed(1400) /
                       ipv4(kClient, kVip).dont_fragment() / udp(40000, 80) / "hi");
  Frame six = eth() / ipv6(kClient6, kVip6) / udp(40000, 80) / "hi";
  EXPECT_TRUE(reply_too_big(parsed(six), *net::parse_address(kUs6), 1280));
  EXPECT_EQ(six, back() / ipv6(kUs6, kClient6).traffic_class(0xc0) / packet_too_big(1280) /
                     ipv6(kClient6, kVip6) / udp(40000, 80) / "hi");
}

TEST(Prohibited, BothFamilies) {
  Frame frame = eth() / ipv4(kClient, kVip) / udp(40000, 80) / "hi";
  EXPECT_TRUE(reply_prohibited(parsed(frame)));
  EXPECT_EQ(frame, back() / error4(kVip, kClient) / icmp(3, 13) / ipv4(kClient, kVip) /
                       udp(40000, 80) / "hi");
  Frame six = eth() / ipv6(kClient6, kVip6) / udp(40000, 80) / "hi";
  EXPECT_TRUE(reply_prohibited(parsed(six)));
  EXPECT_EQ(six, back() / ipv6(kVip6, kClient6).traffic_class(0xc0) / icmpv6(1, 1) /
                     ipv6(kClient6, kVip6) / udp(40000, 80) / "hi");
}

TEST(Errors, AreNeverAboutErrorsFragmentsOrWhatWentToMany) {
  const Frame frames[] = {
      eth() / ipv4(kClient, kVip) / port_unreachable() / ipv4(kVip, kClient) / udp(80, 40000),
      eth() / ipv4(kClient, kVip).fragment(64, false).protocol(17) / fill(30),
      eth() / ipv4(kClient, "224.0.0.5") / udp(40000, 80) / fill(20),
      eth().to("01:00:5e:00:00:05") / ipv4(kClient, kVip) / udp(40000, 80) / fill(20),
  };
  for (Frame frame : frames) {
    const Frame before = frame;
    EXPECT_FALSE(reply_unreachable(parsed(frame)));
    EXPECT_EQ(frame, before);
  }
}

/// A router tells whoever sends ESP or GRE, too; not about ICMP errors of others.
TEST(TooBig, AboutOtherProtocolsToo) {
  Frame esp = eth() / ipv4("198.51.100.7", "203.0.113.10") / raw(Bytes(64, 7), 50);
  EXPECT_TRUE(reply_too_big(parsed(esp), *net::parse_address(kUs), 1400));
  Frame error = eth() / ipv4("198.51.100.7", "203.0.113.10") / port_unreachable() /
                ipv4("203.0.113.10", "198.51.100.7") / raw(Bytes(64, 7), 50);
  EXPECT_FALSE(reply_too_big(parsed(error), *net::parse_address(kUs), 1400));
}

}  // namespace
}  // namespace nezu::forward
