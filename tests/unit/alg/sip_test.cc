#include "dataplane/alg/sip.h"

#include <gtest/gtest.h>

#include <string>

namespace nezu::alg {
namespace {

using State = SipMessage::State;

net::Address address(std::string_view text) { return *net::parse_address(text); }

/// As a client's messages go to its server in `fullnat`.
SipNames names(const char* client = "192.0.2.7", const char* vip = "203.0.113.10",
               const char* server = "10.0.1.5", const char* seen = "10.0.0.1") {
  return {{{{address(vip), address(server), 5060, 5070},
            {address(client), address(seen), 40000, 2048}}},
          address(client),
          address(seen)};
}

std::string invite(std::string_view body, std::string_view headers = "") {
  return "INVITE sip:bob@203.0.113.10 SIP/2.0\r\n"
         "Via: SIP/2.0/UDP 192.0.2.7:40000;branch=z9hG4bK1;rport\r\n"
         "From: <sip:alice@192.0.2.7:40000>;tag=1\r\n"
         "To: <sip:bob@203.0.113.10>\r\n"
         "Call-ID: 1@192.0.2.7\r\n"
         "CSeq: 1 INVITE\r\n"
         "Contact: <sip:alice@192.0.2.7:40000>\r\n" +
         std::string(headers) +
         "Content-Type: application/sdp\r\n"
         "Content-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}
constexpr std::string_view kSdp =
    "v=0\r\no=alice 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n"
    "m=audio 4000 RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\n";

std::string written(std::string_view text, SipMessage& message, const SipNames& how) {
  std::string room(kMostSipText, '\0');
  room.resize(write_sip(text, message, how, {room.data(), room.size()}));
  return room;
}
std::string written(std::string_view text, const SipNames& how = names()) {
  SipMessage message = read_sip(text);
  EXPECT_EQ(message.state, State::good) << text;
  return written(text, message, how);
}
/// The line that begins so.
std::string line(const std::string& text, const std::string& begin) {
  const size_t at = text.find("\n" + begin);
  if (at == std::string::npos)
    return text.starts_with(begin) ? text.substr(0, text.find('\r')) : "";
  return text.substr(at + 1, text.find('\r', at) - at - 1);
}

TEST(Sip, ReadsWhatMatters) {
  const std::string text = invite(kSdp);
  const SipMessage message = read_sip(text);
  ASSERT_EQ(message.state, State::good);
  EXPECT_TRUE(message.is_request);
  EXPECT_FALSE(message.is_within_dialogue);
  EXPECT_EQ(message.call_id, "1@192.0.2.7");
  EXPECT_EQ(text.substr(message.body, message.body_length), kSdp);
  ASSERT_EQ(message.media_count, 1u);
  EXPECT_EQ(message.media[0].address, address("192.0.2.7"));
  EXPECT_EQ(message.media[0].port, 4000);
  EXPECT_EQ(message.media[0].control_port, 4001);
}

TEST(Sip, CompactNamesFoldedLinesAndAnyCase) {
  const std::string text =
      "SIP/2.0 200 OK\r\nv: SIP/2.0/UDP 192.0.2.7:40000\r\nt: <sip:b@x>\r\n ;Tag=9\r\n"
      "i:\r\n abc\r\nl : 0\r\n\r\n";
  const SipMessage message = read_sip(text);
  ASSERT_EQ(message.state, State::good);
  EXPECT_FALSE(message.is_request);
  EXPECT_TRUE(message.is_within_dialogue);
  EXPECT_EQ(message.call_id, "abc");
  EXPECT_EQ(line(written(text), "v:"), "v: SIP/2.0/UDP 10.0.0.1:2048");
}

TEST(Sip, LineFeedsAloneWillDo) {
  EXPECT_EQ(read_sip("OPTIONS sip:x SIP/2.0\nCall-ID: a\n\n").state, State::good);
}

TEST(Sip, WhatIsNoMessageIsBroken) {
  const std::string good = invite(kSdp);
  for (size_t length = 0; length < good.size(); ++length) {
    EXPECT_EQ(read_sip(std::string_view(good).substr(0, length)).state, State::broken) << length;
  }
  for (const char* text :
       {"", "\r\n\r\n", "GET / HTTP/1.1\r\nCall-ID: a\r\n\r\n",
        "SIP/2.0 20 OK\r\nCall-ID: a\r\n\r\n", "SIP/2.0 2000 OK\r\nCall-ID: a\r\n\r\n",
        " sip:x SIP/2.0\r\nCall-ID: a\r\n\r\n", "INVITE SIP/2.0\r\nCall-ID: a\r\n\r\n",
        "INVITE sip:x SIP/2.0\r\n\r\n",                              // no Call-ID
        "INVITE sip:x SIP/2.0\r\nCall-ID: \r\n\r\n",                 // empty
        "INVITE sip:x SIP/2.0\r\nCall-ID: a\r\nCall-ID: b\r\n\r\n",  // two
        "INVITE sip:x SIP/2.0\r\nCall-ID: a\r\nno header\r\n\r\n",
        "INVITE sip:x SIP/2.0\r\nCall-ID: a\r\nl: 0\r\nContent-Length: 0\r\n\r\n",
        "INVITE sip:x SIP/2.0\r\nCall-ID: a\r\nContent-Length: -1\r\n\r\n",
        "INVITE sip:x SIP/2.0\r\nCall-ID: a\r\nContent-Length: 1x\r\n\r\nab",
        "INVITE sip:x SIP/2.0\r\nCall-ID: a\r\nContent-Length: 99999999999\r\n\r\nab",
        "INVITE sip:x SIP/2.0\r\nCall-ID: a\r\nContent-Length: 3\r\n\r\nab"}) {
    EXPECT_EQ(read_sip(text).state, State::broken) << text;
  }
}

TEST(Sip, TooLongIsSaid) {
  std::string body(kSdp);
  for (int i = 0; i < 8; ++i) body += "m=audio 4000 RTP/AVP 0\r\n";
  EXPECT_EQ(read_sip(invite(body)).state, State::too_long);
  EXPECT_EQ(read_sip(invite(std::string(kMostSipText, 'x'))).state, State::too_long);
  // It may grow no further.
  const std::string nearly = invite("", "X: " + std::string(kMostSipText - 420, 'x') + "\r\n");
  SipMessage message = read_sip(nearly);
  ASSERT_EQ(message.state, State::good);
  std::string room(nearly.size() - 40, '\0');
  EXPECT_EQ(write_sip(nearly, message, names(), {room.data(), room.size()}), 0u);
}

/// More than Content-Length says is not of the message; less is refused above.
TEST(Sip, WhatFollowsTheBodyIsCutOff) {
  const std::string text = "INVITE sip:x SIP/2.0\r\nCall-ID: a\r\nContent-Length: 2\r\n\r\nabcd";
  EXPECT_EQ(written(text), "INVITE sip:x SIP/2.0\r\nCall-ID: a\r\nContent-Length: 2\r\n\r\nab");
}

TEST(Sip, PlacesAreNamedAnew) {
  const std::string said =
      written(invite("",
                     "Record-Route: <sip:203.0.113.10;lr>\r\n"
                     "Route: \"203.0.113.10\" <sip:203.0.113.10:5060;lr>, <sip:198.51.100.1>\r\n"
                     "m: <sip:192.0.2.7@192.0.2.7:40000>, "
                     "<sip:alice@192.0.2.7:40001>,<sip:192.0.2.77:40000>\r\n"));
  EXPECT_EQ(line(said, "INVITE"), "INVITE sip:bob@10.0.1.5:5070 SIP/2.0");
  EXPECT_EQ(line(said, "Via"), "Via: SIP/2.0/UDP 10.0.0.1:2048;branch=z9hG4bK1;rport");
  EXPECT_EQ(line(said, "Contact"), "Contact: <sip:alice@10.0.0.1:2048>");
  EXPECT_EQ(line(said, "Record-Route"), "Record-Route: <sip:10.0.1.5:5070;lr>");
  EXPECT_EQ(line(said, "Route"),
            "Route: \"203.0.113.10\" <sip:10.0.1.5:5070;lr>, <sip:198.51.100.1>");
  // Another port is another place; names are left alone, as are those of who calls whom.
  EXPECT_EQ(line(said, "m:"),
            "m: <sip:192.0.2.7@10.0.0.1:2048>, <sip:alice@192.0.2.7:40001>,<sip:192.0.2.77:40000>");
  EXPECT_EQ(line(said, "From"), "From: <sip:alice@192.0.2.7:40000>;tag=1");
  EXPECT_EQ(line(said, "To"), "To: <sip:bob@203.0.113.10>");
  EXPECT_EQ(line(said, "Call-ID"), "Call-ID: 1@192.0.2.7");
}

TEST(Sip, TheDefaultPortIsLeftOutAgain) {
  SipNames how = names();
  how.swaps[0].to_port = 5060;
  const std::string said =
      written("OPTIONS sip:203.0.113.10;transport=udp SIP/2.0\r\nCall-ID: a\r\n\r\n", how);
  EXPECT_EQ(line(said, "OPTIONS"), "OPTIONS sip:10.0.1.5;transport=udp SIP/2.0");
}

/// RFC 3261 18.2.1, RFC 3581 4: as the server saw its client.
TEST(Sip, ReceivedAndRportComeBack) {
  SipNames back;
  back.swaps[0] = {address("10.0.1.5"), address("203.0.113.10"), 5070, 5060};
  back.swaps[1] = {address("10.0.0.1"), address("192.0.2.7"), 2048, 40000};
  const auto via = [&](const std::string& value) {
    const std::string said =
        written("SIP/2.0 200 OK\r\nVia:" + value + "\r\nCall-ID: a\r\n\r\n", back);
    return line(said, "Via:").substr(4);
  };
  EXPECT_EQ(via(" SIP/2.0/UDP 10.0.0.1:2048;branch=b"), " SIP/2.0/UDP 192.0.2.7:40000;branch=b");
  EXPECT_EQ(via(" SIP/2.0/UDP 172.16.0.1:5060;rport=2048;branch=b;received=10.0.0.1"),
            " SIP/2.0/UDP 172.16.0.1:5060;rport=40000;branch=b;received=192.0.2.7");
  EXPECT_EQ(via(" SIP/2.0/UDP 10.0.0.1:2048;rport=2048, SIP/2.0/UDP a.example;rport=2048"),
            " SIP/2.0/UDP 192.0.2.7:40000;rport=40000, SIP/2.0/UDP a.example;rport=2048");
  EXPECT_EQ(via(" SIP/2.0/UDP 10.0.0.1:2049;rport=2049"), " SIP/2.0/UDP 10.0.0.1:2049;rport=2049");
  EXPECT_EQ(via(" SIP/2.0/UDP x;rport;received="), " SIP/2.0/UDP x;rport;received=");
}

TEST(Sip, MediaAreWhereTheyAreTold) {
  const std::string text = invite(kSdp);
  SipMessage message = read_sip(text);
  message.media[0].told_port = 20000;
  message.media[0].told_control_port = 20001;
  const std::string said = written(text, message, names());
  const std::string body =
      "v=0\r\no=alice 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n"
      "m=audio 20000 RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\n";
  EXPECT_EQ(said.substr(said.find("\r\n\r\n") + 4), body);
  EXPECT_EQ(line(said, "Content-Length"), "Content-Length: " + std::to_string(body.size()));
  EXPECT_EQ(read_sip(said).state, State::good);
}

/// RFC 3605: where RTCP is not at the next port.
TEST(Sip, ControlPortsOfTheirOwn) {
  const std::string text = invite(std::string(kSdp) +
                                  "m=video 5000 RTP/AVP 31\r\nm=audio 6000 RTP/AVP 0\r\n"
                                  "a=rtcp:6009 IN IP4 192.0.2.7\r\n");
  SipMessage message = read_sip(text);
  ASSERT_EQ(message.media_count, 3u);
  EXPECT_EQ(message.media[2].control_port, 6009);
  for (uint16_t i = 0; i < 3; ++i) {
    message.media[i].told_port = static_cast<uint16_t>(20000 + 10 * i);
    message.media[i].told_control_port = static_cast<uint16_t>(30000 + i);
  }
  const std::string said = written(text, message, names());
  EXPECT_NE(said.find("m=audio 20000 RTP/AVP 0 8\r\na=rtcp:30000\r\na=rtpmap:0 PCMU/8000\r\n"
                      "m=video 20010 RTP/AVP 31\r\na=rtcp:30001\r\n"
                      "m=audio 20020 RTP/AVP 0\r\na=rtcp:30002 IN IP4 10.0.0.1\r\n"),
            std::string::npos)
      << said;
}

TEST(Sip, StreamsThatAreNotForUs) {
  const std::string text = invite(
      "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\nc=IN IP4 192.0.2.7\r\nm=audio 0 RTP/AVP 0\r\n"
      "m=message 9 TCP/MSRP *\r\nm=audio 7000 RTP/AVP 0\r\nc=IN IP4 198.51.100.9\r\n"
      "m=audio 7002/2 RTP/AVP 0\r\nc=IN IP4 224.2.1.1/127\r\nm=audio 99999 RTP/AVP 0\r\n"
      "c=IN IP6 192.0.2.7\r\n");
  const SipMessage message = read_sip(text);
  ASSERT_EQ(message.media_count, 5u);
  EXPECT_EQ(message.media[0].port, 0);
  EXPECT_EQ(message.media[1].port, 0);
  EXPECT_EQ(message.media[2].address, address("198.51.100.9"));
  EXPECT_EQ(message.media[3].address, address("224.2.1.1"));
  EXPECT_EQ(message.media[4].port, 0);
  const std::string said = written(text);
  EXPECT_NE(said.find("c=IN IP4 198.51.100.9\r\n"), std::string::npos);
  EXPECT_NE(said.find("c=IN IP4 224.2.1.1/127\r\n"), std::string::npos);
}

TEST(Sip, BetweenTheFamilies) {
  SipNames how = names("2001:db8:c::7", "2001:db8::10");
  const std::string text =
      "INVITE sip:bob@[2001:db8::10] SIP/2.0\r\n"
      "Via: SIP/2.0/UDP [2001:db8:c::7]:40000;received=2001:db8:c::7;rport=40000\r\n"
      "Call-ID: a\r\nContact: <sip:[2001:DB8:C:0::7]:40000>\r\nContent-Type: "
      "application/sdp\r\n\r\n"
      "o=- 1 1 IN IP6 2001:db8:c::7\r\nc=IN IP6 2001:db8:c::7\r\n";
  const std::string said = written(text, how);
  EXPECT_EQ(line(said, "INVITE"), "INVITE sip:bob@10.0.1.5:5070 SIP/2.0");
  EXPECT_EQ(line(said, "Via"), "Via: SIP/2.0/UDP 10.0.0.1:2048;received=10.0.0.1;rport=2048");
  EXPECT_EQ(line(said, "Contact"), "Contact: <sip:10.0.0.1:2048>");
  EXPECT_NE(said.find("o=- 1 1 IN IP4 10.0.0.1\r\nc=IN IP4 10.0.0.1\r\n"), std::string::npos);
  for (SipSwap& swap : how.swaps)
    std::swap(swap.from, swap.to), std::swap(swap.from_port, swap.to_port);
  std::swap(how.own, how.told);
  const std::string back = written(said, how);
  EXPECT_EQ(line(back, "INVITE"), "INVITE sip:bob@[2001:db8::10]:5060 SIP/2.0");
  EXPECT_EQ(line(back, "Contact"), "Contact: <sip:[2001:db8:c::7]:40000>");
}

TEST(Sip, KeepAlives) {
  for (const std::string_view text : {std::string_view("\r\n\r\n"), std::string_view("\r\n"),
                                      std::string_view("\0\0\0\0", 4), std::string_view("")}) {
    EXPECT_TRUE(is_keep_alive(text));
  }
  EXPECT_FALSE(is_keep_alive("\r\n\r\n\r\n"));
  EXPECT_FALSE(is_keep_alive("ping"));
}

}  // namespace
}  // namespace nezu::alg
