#include "dataplane/alg/rtsp.h"

#include <gtest/gtest.h>

#include <string>

namespace nezu::alg {
namespace {

using Kind = RtspPlace::Kind;

RtspTransports read(const std::string& value) {
  const std::string line = "Transport:" + value;
  return read_rtsp_transports(line, read_rtsp_header(line).value);
}
/// "client_port 5000 5001 pair", one line for each place.
std::string places(const std::string& value) {
  const RtspTransports all = read(value);
  std::string said;
  for (uint32_t i = 0; i < all.count; ++i) {
    const RtspPlace& one = all.places[i];
    said += std::to_string(one.transport);
    if (one.kind == Kind::client_port || one.kind == Kind::server_port) {
      said += one.kind == Kind::client_port ? " client " : " server ";
      said += std::to_string(one.first) + "-" + std::to_string(one.last);
      said += one.is_pair ? " said" : "";
    } else {
      said += one.kind == Kind::source ? " from " : " to ";
      said += one.is_literal ? net::to_string(one.address) : "a name";
    }
    said += "\n";
  }
  return said + (all.is_broken ? "broken" : "");
}

TEST(Rtsp, BeginsOfMessages) {
  EXPECT_TRUE(is_rtsp_start("SETUP rtsp://203.0.113.10/a b RTSP/1.0"));
  EXPECT_TRUE(is_rtsp_start("OPTIONS * RTSP/2.0"));
  EXPECT_TRUE(is_rtsp_start("RTSP/1.0 200 OK"));
  for (const char* other : {"GET /a HTTP/1.0", "", "RTSP", " RTSP/1.0", "hello", "SETUP RTSP"}) {
    EXPECT_FALSE(is_rtsp_start(other)) << other;
  }
}

TEST(Rtsp, HeadersThatMatter) {
  const RtspHeader length = read_rtsp_header("content-LENGTH : 460 ");
  EXPECT_EQ(length.kind, RtspHeader::Kind::length);
  EXPECT_EQ(length.length, 460u);
  EXPECT_FALSE(length.is_broken);
  for (const char* bad : {"Content-Length:", "Content-Length: -1", "Content-Length: 99999999",
                          "Content-Length: 4294967297", "Content-Length: 1 2"}) {
    EXPECT_TRUE(read_rtsp_header(bad).is_broken) << bad;
  }
  EXPECT_EQ(read_rtsp_header("Transport:x").kind, RtspHeader::Kind::transport);
  for (const char* other : {"Transports: x", "Content-Lengths: 1", "CSeq: 1", "", "Transport"}) {
    EXPECT_EQ(read_rtsp_header(other).kind, RtspHeader::Kind::other) << other;
  }
  for (const char* begun : {"", "t", "TRANSPORT", "Transport :", "Transport: RTP", "Content-L"}) {
    EXPECT_TRUE(may_be_rtsp_header(begun)) << begun;
  }
  for (const char* begun : {"Transports", "Content-Type", "Session", "Transport x"}) {
    EXPECT_FALSE(may_be_rtsp_header(begun)) << begun;
  }
}

TEST(Rtsp, Transports) {
  EXPECT_EQ(places("RTP/AVP;unicast;client_port=4588-4589"), "0 client 4588-4589 said\n");
  EXPECT_EQ(places(" RTP/AVP/UDP ; unicast ; Client_Port = 4588 "), "0 client 4588-4589\n");
  EXPECT_EQ(places("RTP/AVP;unicast;destination=192.0.2.7;source=10.0.1.5;client_port=4588-4589;"
                   "server_port=6256-6257;ssrc=1;mode=\"PLAY\""),
            "0 to 192.0.2.7\n0 from 10.0.1.5\n0 client 4588-4589 said\n0 server 6256-6257 said\n");
  EXPECT_EQ(places("RTP/AVP;source=\"fd00:1::5\";destination=[2001:db8::7];source=camera.example"),
            "0 from fd00:1::5\n0 to 2001:db8::7\n0 from a name\n");
  EXPECT_EQ(places("RTP/AVP;unicast;destination;client_port=65535"), "0 client 65535-65535\n");
}

TEST(Rtsp, ListsAndTransportsOfOthers) {
  EXPECT_EQ(places("RTP/AVP/TCP;unicast;interleaved=0-1"), "");
  EXPECT_EQ(places("RTP/AVP/TCP;client_port=1-2"), "");
  EXPECT_EQ(places("RTP/AVP;multicast;destination=224.2.0.1;client_port=3456-3457"), "");
  EXPECT_EQ(places("RTP/AVP;multicast;client_port=2-3,RTP/AVP;unicast;client_port=4588-4589,"
                   "RTP/AVP/TCP;interleaved=0-1,x-real-rdt/udp;client_port=6970;mode=\"a,b;c\""),
            "1 client 4588-4589 said\n3 client 6970-6971\n");
}

TEST(Rtsp, PortsOfNoSense) {
  for (const char* bad : {"", "0", "0-1", "-1", "5-0", "5-", "5-x", "65536", "5-65536", "+5", "5 6",
                          "99999999999", "5--6"}) {
    EXPECT_EQ(places(std::string("RTP/AVP;client_port=") + bad), "broken") << bad;
  }
  std::string many = "RTP/AVP";
  for (int i = 0; i < 30; ++i) many += ";client_port=5-6";
  EXPECT_TRUE(read(many).is_broken);
  EXPECT_EQ(read(many).count, RtspTransports::kMost);
  EXPECT_EQ(places("RTP/AVP;client_port=5-5"), "0 client 5-5 said\n");
  EXPECT_EQ(places("RTP/AVP;client_port=5-4"), "0 client 5-4 said\n");  // two ports all the same
  EXPECT_EQ(places(",;,;;=;\"RTP;client_port=1"), "");
}

TEST(Rtsp, ConnectionDataOfTheOtherFamily) {
  uint32_t begin = 0, end = 0;
  for (const char* address :
       {"0.0.0.0", "10.0.1.5", "10.0.11.5", "255.255.255.25", "255.255.255.255"}) {
    const std::string line = std::string("c=IN IP4 ") + address;
    ASSERT_TRUE(read_sdp_connection4(line, begin, end)) << line;
    std::array<char, 24> room;
    Writer to(room);
    write_sdp_unspecified6(to, end - begin);
    const std::string said = line.substr(0, begin) + std::string(to.view()) + line.substr(end);
    EXPECT_EQ(said.size(), line.size());
    EXPECT_EQ(said.substr(0, 9), "c=IN IP6 ");
    const auto read = net::parse_address(said.substr(9));
    ASSERT_TRUE(read.has_value()) << said;
    EXPECT_TRUE(!read->is_v4() && read->is_unspecified()) << said;
  }
  EXPECT_TRUE(read_sdp_connection4("c=IN IP4 10.0.1.5/127", begin, end));
  for (const char* other : {"c=IN IP6 ::", "c=IN IP4 224.2.17.12/127", "c=IN IP4 x", "c=IN IP4 ",
                            "o=IN IP4 10.0.1.5", "c=IN IP4 ::1"}) {
    EXPECT_FALSE(read_sdp_connection4(other, begin, end)) << other;
  }
  EXPECT_TRUE(may_be_sdp_connection4("c=I"));
  EXPECT_TRUE(may_be_sdp_connection4("c=IN IP4 10.0"));
  EXPECT_FALSE(may_be_sdp_connection4("a=rtpmap"));
}

}  // namespace
}  // namespace nezu::alg
