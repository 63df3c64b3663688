// What is said about services whose messages are read.
#include <gmock/gmock.h>

#include "checked.h"

namespace nezu::config {
namespace {

using testing::HasSubstr;

TEST(ValidateSip, OverUdpInNatAndFullNatAlone) {
  const auto problems = [](v1::Protocol protocol, v1::Mode mode, uint32_t timeout) {
    return problems_with([&](v1::Configuration& c) {
      v1::VirtualService& service = *c.mutable_services(0);
      service.set_application(v1::APPLICATION_SIP);
      service.set_protocol(protocol);
      service.set_mode(mode);
      service.set_call_timeout_s(timeout);
    });
  };
  EXPECT_THAT(problems(v1::PROTOCOL_TCP, v1::MODE_NAT, 60),
              HasSubstr("SIP is read over UDP alone; set protocol: udp."));
  EXPECT_THAT(problems(v1::PROTOCOL_UDP, v1::MODE_ROUTE, 60),
              HasSubstr("In this mode the servers' answers pass the balancer by"));
  EXPECT_THAT(problems(v1::PROTOCOL_UDP, v1::MODE_NAT, 9), HasSubstr("call_timeout_s: 9"));
  EXPECT_THAT(
      problems_with([](v1::Configuration& c) { c.mutable_services(0)->set_call_timeout_s(60); }),
      HasSubstr("Only SIP has calls; set application: sip or leave it out."));
}

TEST(ValidateRtsp, OverTcpInNatAndFullNatAlone) {
  const auto problems = [](v1::Protocol protocol, v1::Mode mode, auto more) {
    return problems_with([&](v1::Configuration& c) {
      v1::VirtualService& service = *c.mutable_services(0);
      service.set_application(v1::APPLICATION_RTSP);
      service.set_protocol(protocol);
      service.set_mode(mode);
      more(service);
    });
  };
  const auto nothing = [](v1::VirtualService&) {};
  EXPECT_EQ(problems(v1::PROTOCOL_TCP, v1::MODE_NAT, nothing), "");
  EXPECT_THAT(problems(v1::PROTOCOL_UDP, v1::MODE_NAT, nothing),
              HasSubstr("RTSP is spoken over TCP; set protocol: tcp."));
  for (const v1::Mode mode : {v1::MODE_ROUTE, v1::MODE_TUNNEL_IPIP, v1::MODE_REDIRECT}) {
    EXPECT_THAT(problems(v1::PROTOCOL_TCP, mode, nothing),
                HasSubstr("In this mode the servers' answers pass the balancer by"));
  }
  EXPECT_THAT(problems(v1::PROTOCOL_TCP, v1::MODE_FULLNAT,
                       [](v1::VirtualService& service) {
                         service.set_client_address(v1::CLIENT_ADDRESS_PROXY_V2);
                       }),
              HasSubstr("It cannot be combined with application rtsp"));
  EXPECT_THAT(problems(v1::PROTOCOL_TCP, v1::MODE_NAT,
                       [](v1::VirtualService& service) { service.set_last_port(5000); }),
              HasSubstr("give the service one of each"));
  EXPECT_THAT(
      problems(v1::PROTOCOL_TCP, v1::MODE_NAT,
               [](v1::VirtualService& service) { service.set_passive_ports("10000-10999"); }),
      HasSubstr("Only FTP has passive ports"));
}

}  // namespace
}  // namespace nezu::config
