// Services of more than one address, port or protocol, and mode `redirect`: what is refused.
#include <gmock/gmock.h>

#include "controlplane/config/names.h"
#include "spoilt.h"

namespace nezu::config {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(OpenServices, ServicesOfManyPortsAndProtocols) {
  const auto with = [](auto change) {
    return problems_with([&](v1::Configuration& c) { change(c, *c.mutable_services(0)); });
  };
  const auto portless = [](v1::Configuration& c) {
    for (v1::RealServer& server : *c.mutable_pools(0)->mutable_servers()) server.set_port(0);
    c.mutable_pools(0)->clear_check();
  };
  EXPECT_EQ(with([&](v1::Configuration& c, v1::VirtualService& service) {
              portless(c);
              service.set_address("203.0.113.0/24");
              service.set_last_port(90);
            }),
            "");
  EXPECT_THAT(with([](v1::Configuration&, v1::VirtualService& s) { s.set_last_port(90); }),
              HasSubstr("has port 8080; leave it out there"));
  EXPECT_THAT(with([](v1::Configuration&, v1::VirtualService& s) { s.set_last_port(70); }),
              HasSubstr("last_port: 70: The value must be from 80 to 65535"));
  EXPECT_THAT(with([](v1::Configuration&, v1::VirtualService& s) { s.set_port(0); }),
              HasSubstr("port 1 and last_port 65535 for every port"));
  const auto any = [&](v1::Configuration& c, v1::VirtualService& service) {
    portless(c);
    service.set_protocol(v1::PROTOCOL_ANY);
    service.set_port(0);
    c.mutable_pools(0)->set_protocol(v1::PROTOCOL_ANY);
    for (v1::RealServer& server : *c.mutable_pools(0)->mutable_servers()) {
      server.set_protocol(v1::PROTOCOL_ANY);
    }
  };
  EXPECT_EQ(with(any), "");
  EXPECT_THAT(with([&](v1::Configuration& c, v1::VirtualService& service) {
                any(c, service);
                service.set_port(80);
              }),
              HasSubstr("for an address alone; leave the port out"));
  EXPECT_THAT(with([&](v1::Configuration& c, v1::VirtualService& service) {
                any(c, service);
                c.mutable_pools(0)->mutable_servers(0)->set_address("2001:db8::1");
              }),
              HasSubstr("Only TCP and UDP are translated between IPv4 and IPv6"));
}

TEST(OpenServices, WhatIsNotCombined) {
  const auto with = [](auto change) {
    return problems_with([&](v1::Configuration& c) { change(c, *c.mutable_services(0)); });
  };
  const auto speak = [](v1::Configuration& c, v1::Protocol protocol) {
    c.mutable_services(0)->set_protocol(protocol);
    c.mutable_pools(0)->set_protocol(protocol);
    for (v1::RealServer& server : *c.mutable_pools(0)->mutable_servers()) {
      server.set_protocol(protocol);
      if (!has_ports(protocol)) server.set_port(0);
    }
    c.mutable_pools(0)->clear_check();
    if (!has_ports(protocol)) c.mutable_services(0)->set_port(0);
  };
  EXPECT_THAT(with([](v1::Configuration&, v1::VirtualService& s) {
                s.set_address("203.0.113.0/24");
                s.set_application(v1::APPLICATION_FTP);
              }),
              HasSubstr("told apart from other flows at one address and port alone"));
  EXPECT_THAT(with([&](v1::Configuration& c, v1::VirtualService& s) {
                speak(c, v1::PROTOCOL_SCTP);
                s.set_client_address(v1::CLIENT_ADDRESS_PROXY_V2);
              }),
              HasSubstr("The PROXY protocol is for TCP and UDP"));
  EXPECT_THAT(with([&](v1::Configuration& c, v1::VirtualService& s) {
                speak(c, v1::PROTOCOL_GRE);
                s.set_mode(v1::MODE_NAT);
                s.set_snat_set("out");
              }),
              HasSubstr("use fullnat for all clients, or leave the SNAT set out"));
  EXPECT_THAT(with([&](v1::Configuration& c, v1::VirtualService& s) {
                speak(c, v1::PROTOCOL_GRE);
                s.set_mode(v1::MODE_NAT);
                s.clear_snat_set();
                v1::Pool& pool = *c.add_pools();
                pool = c.pools(0);
                pool.set_name("esp");
                pool.set_protocol(v1::PROTOCOL_ESP);
                for (v1::RealServer& server : *pool.mutable_servers()) {
                  server.set_protocol(v1::PROTOCOL_ESP);
                }
                v1::VirtualService& other = *c.add_services();
                other = c.services(0);
                other.set_name("esp");
                other.set_protocol(v1::PROTOCOL_ESP);
                other.set_pool("esp");
                other.set_mode(v1::MODE_FULLNAT);
                other.set_snat_set("out");
              }),
              HasSubstr("at one address such services are all in fullnat, or none is"));
}

TEST(OpenServices, RangesOfOneAddressLieApartOrInEachOther) {
  const auto with = [](uint32_t first, uint32_t last, const char* vip = "203.0.113.10") {
    return problems_with([&](v1::Configuration& c) {
      for (v1::RealServer& server : *c.mutable_pools(0)->mutable_servers()) server.set_port(0);
      c.mutable_pools(0)->clear_check();
      c.mutable_services(0)->set_port(8000);
      c.mutable_services(0)->set_last_port(8999);
      v1::VirtualService other = c.services(0);
      other.set_name("other");
      other.set_address(vip);
      other.set_port(first);
      other.set_last_port(last);
      *c.add_services() = other;
    });
  };
  EXPECT_EQ(with(9000, 9999), "") << "apart";
  EXPECT_EQ(with(1, 7999), "");
  EXPECT_EQ(with(8100, 8199), "") << "in it";
  EXPECT_EQ(with(1, 65535), "") << "around it";
  EXPECT_EQ(with(8000, 8500), "");
  EXPECT_EQ(with(8500, 9500, "203.0.113.11"), "") << "at another address";
  for (const auto& [first, last] : {std::pair{8999u, 9500u}, std::pair{7000u, 8000u}}) {
    EXPECT_THAT(with(first, last), HasSubstr("last_port: " + std::to_string(last) +
                                             ": The range crosses that of service shop (8000 to "
                                             "8999), so that none is the narrower"));
  }
}

TEST(OpenServices, Redirect) {
  const auto with = [](auto change) {
    return problems_with([&](v1::Configuration& c) {
      v1::VirtualService& service = *c.mutable_services(0);
      service.set_mode(v1::MODE_REDIRECT);
      service.set_address("0.0.0.0/0");
      service.set_without_server(v1::WITHOUT_SERVER_PASS);
      for (v1::RealServer& server : *c.mutable_pools(0)->mutable_servers()) server.set_port(80);
      change(service);
    });
  };
  EXPECT_EQ(with([](v1::VirtualService&) {}), "");
  EXPECT_THAT(with([](v1::VirtualService& s) { s.set_mode(v1::MODE_ROUTE); }),
              AllOf(HasSubstr("at least 8 bits"), HasSubstr("somewhere to pass to")));
  EXPECT_THAT(problems_with(
                  [](v1::Configuration& c) { c.mutable_services(0)->set_return_to_sender(true); }),
              HasSubstr("Only mode redirect sends answers back"));
  EXPECT_THAT(with([](v1::VirtualService& s) { s.set_max_segment_size(1300); }),
              HasSubstr("max_segment_size"));
  EXPECT_THAT(with([](v1::VirtualService& s) { s.set_address("::/0"); }),
              AllOf(HasSubstr("The service is IPv6, but server 10.0.0.1 of pool web is IPv4, and "
                              "mode redirect translates nothing: use a pool of the service's "
                              "family."),
                    Not(HasSubstr("fullnat"))));
}

}  // namespace
}  // namespace nezu::config
