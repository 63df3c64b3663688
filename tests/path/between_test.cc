// Applications between the families that other tests do not have: what is announced crosses too.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/path/ftp_session.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Verdict;
using tables::Mode;

std::string text_of(const Frame& frame) {
  const auto bytes = frame.bytes();
  return {bytes.begin() + (bytes[12] == 8 ? 42 : 62), bytes.end()};
}
bool says(const Fate& fate, const std::string& what) {
  return fate.verdict == Verdict::forward && text_of(fate.frame).find(what) != std::string::npos;
}
uint16_t media_in(const Fate& fate) {
  const std::string text = text_of(fate.frame);
  return static_cast<uint16_t>(std::stoi(text.substr(text.find("m=audio ") + 8)));
}

/// The other way round stands in sip_test.cc.
TEST(Sip, ClientsOfIpv4WithServersOfIpv6) {
  for (const uint16_t workers : {1, 2}) {
    Lab lab(workers);
    const auto last = static_cast<uint16_t>(workers - 1);
    auto spec = read_service(tables::Application::sip, 5060, 5060, Mode::fullnat, false, true);
    spec.protocol = net::Protocol::udp;
    lab.world().put(spec);
    const std::string text =
        "INVITE sip:bob@203.0.113.10 SIP/2.0\r\nVia: SIP/2.0/UDP 198.18.0.7:5060\r\n"
        "Call-ID: four\r\nContact: <sip:198.18.0.7:5060>\r\nContent-Type: application/sdp\r\n\r\n"
        "v=0\r\no=- 1 1 IN IP4 198.18.0.7\r\nc=IN IP4 198.18.0.7\r\nm=audio 4000 RTP/AVP 0\r\n";
    const Fate invite = lab.send(eth() / ipv4(kClient, kVip) / udp(5060, 5060) / text);
    ASSERT_EQ(invite.verdict, Verdict::forward) << to_string(invite.reason);
    EXPECT_TRUE(says(invite, "INVITE sip:bob@[fd00:1::5] SIP/2.0\r\nVia: SIP/2.0/UDP [fd00::1]:"));
    EXPECT_TRUE(says(invite, "o=- 1 1 IN IP6 fd00::1\r\nc=IN IP6 fd00::1\r\n"));
    const Ends seen = ends_of(invite.frame);
    const std::string answer =
        "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP [fd00::1]\r\nCall-ID: four\r\n"
        "Contact: <sip:[fd00:1::5]>\r\nContent-Type: application/sdp\r\n\r\n"
        "v=0\r\no=- 1 1 IN IP6 fd00:1::5\r\nc=IN IP6 fd00:1::5\r\nm=audio 6000 RTP/AVP 0\r\n";
    const Fate ok = lab.send(
        eth() / ipv6("fd00:1::5", "fd00::1") / udp(5060, seen.source_port) / answer, last, 1);
    ASSERT_EQ(ok.verdict, Verdict::forward) << to_string(ok.reason);
    EXPECT_TRUE(says(ok, "Contact: <sip:203.0.113.10>"));
    EXPECT_TRUE(says(ok, "c=IN IP4 203.0.113.10\r\n"));
    EXPECT_EQ(media_in(ok), 6000);
    const Fate up = lab.send(eth() / ipv4(kClient, kVip) / udp(4000, 6000) / "voice", last);
    ASSERT_EQ(up.verdict, Verdict::forward) << to_string(up.reason);
    EXPECT_EQ(up.frame, eth().from(world::kBackMac).to("02:00:00:01:00:00") /
                            ipv6("fd00::1", "fd00:1::5").hops(63) / udp(media_in(invite), 6000) /
                            "voice");
    const Fate down = lab.send(
        eth() / ipv6("fd00:1::5", "fd00::1") / udp(6000, media_in(invite)) / "voice", 0, 1);
    ASSERT_EQ(down.verdict, Verdict::forward) << to_string(down.reason);
    EXPECT_EQ(net::to_string(ends_of(down.frame).source, ends_of(down.frame).source_port),
              "203.0.113.10:6000");
    EXPECT_EQ(net::to_string(ends_of(down.frame).destination, ends_of(down.frame).destination_port),
              "198.18.0.7:4000");
    EXPECT_EQ(lab.audit(), "");
  }
}

TEST(Tftp, BetweenTheFamilies) {
  for (const bool client6 : {false, true}) {
    SCOPED_TRACE(client6 ? "clients of IPv6" : "clients of IPv4");
    Lab lab(3);
    auto spec = read_service(tables::Application::tftp, 69, 69, Mode::fullnat, client6, !client6);
    spec.protocol = net::Protocol::udp;
    lab.world().put(spec);
    const auto up = [&](uint16_t port, uint16_t to, std::string_view text, uint32_t worker) {
      return lab.send(client6 ? Frame(eth() / ipv6(kClient6, kVip6) / udp(port, to) / text)
                              : Frame(eth() / ipv4(kClient, kVip) / udp(port, to) / text),
                      static_cast<uint16_t>(worker % 3));
    };
    for (uint16_t i = 0; i < 6; ++i) {
      const auto port = static_cast<uint16_t>(40000 + i), back = static_cast<uint16_t>(33333 + i);
      const Fate ask = up(port, 69, std::string_view("\0\1file", 6), i);
      ASSERT_EQ(ask.verdict, Verdict::forward) << to_string(ask.reason);
      const Ends seen = ends_of(ask.frame);
      EXPECT_EQ(net::to_string(seen.source), client6 ? "10.0.0.1" : "fd00::1");
      const Fate data = lab.send(
          client6
              ? Frame(eth() / ipv4("10.0.1.5", "10.0.0.1") / udp(back, seen.source_port) / "data")
              : Frame(eth() / ipv6("fd00:1::5", "fd00::1") / udp(back, seen.source_port) / "data"),
          static_cast<uint16_t>((i + 1) % 3), 1);
      ASSERT_EQ(data.verdict, Verdict::forward) << to_string(data.reason);
      const Ends told = ends_of(data.frame);
      EXPECT_EQ(net::to_string(told.source), client6 ? kVip6 : kVip);
      EXPECT_EQ(told.source_port, back);
      EXPECT_EQ(net::to_string(told.destination), client6 ? kClient6 : kClient);
      EXPECT_EQ(told.destination_port, port);
      EXPECT_EQ(text_of(data.frame), "data");
      const Fate more = up(port, back, "ack", i + 2u);
      ASSERT_EQ(more.verdict, Verdict::forward) << to_string(more.reason);
      EXPECT_EQ(ends_of(more.frame).destination_port, back);
      EXPECT_EQ(ends_of(more.frame).source_port, seen.source_port);
      EXPECT_EQ(text_of(more.frame), "ack");
    }
    EXPECT_EQ(lab.audit(), "");
    lab.advance(1000);
    EXPECT_EQ(lab.flow_count(), 0u);
  }
}

/// Mode `nat`: IPv6 servers see the client below a prefix, and so in what they are told.
TEST(Ftp, ClientsOfIpv4BelowAPrefix) {
  for (const uint16_t workers : {1, 3}) {
    Lab lab(workers);
    auto spec = ftp(Mode::nat, false, true);
    const auto prefix = net::parse_prefix("2001:db8:64::/96");
    std::copy_n(prefix->address.bytes.begin(), spec.client_prefix.bytes.size(),
                spec.client_prefix.bytes.begin());
    spec.client_prefix.length = 96;
    tables::Settings settings;
    settings.client_prefixes[0] = spec.client_prefix;
    lab.world().settings(settings);
    lab.world().put(spec);
    FtpSession session(lab, spec);
    ASSERT_TRUE(session.is_open());
    EXPECT_EQ(session.ask("PASV\r\n"), "EPSV\r\n");
    EXPECT_EQ(session.reply("229 Extended (|||40000|)\r\n").substr(0, 4), "227 ");
    const Fate data = session.syn(40000, static_cast<uint16_t>(workers - 1));
    ASSERT_EQ(data.verdict, Verdict::forward) << to_string(data.reason);
    EXPECT_EQ(net::to_string(ends_of(data.frame).source), "2001:db8:64::c612:7");
    EXPECT_EQ(net::to_string(ends_of(data.frame).destination), "fd00:1::5");
    EXPECT_EQ(ends_of(data.frame).destination_port, 40000);
    EXPECT_EQ(session.ask("PORT 198,18,0,7,156,64\r\n"), "EPRT |2|2001:db8:64::c612:7|40000|\r\n");
    for (uint16_t worker = 0; worker < workers; ++worker) {
      EXPECT_EQ(session.server_reaches("2001:db8:64::c612:7", 40000,
                                       static_cast<uint16_t>(3000 + worker), worker),
                "198.18.0.7:40000 from 203.0.113.10:" + std::to_string(3000 + worker));
    }
    EXPECT_EQ(lab.audit(), "");
  }
}

}  // namespace
}  // namespace nezu::lab
