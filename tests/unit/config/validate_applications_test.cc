// What is said about services whose messages are read.
#include <gmock/gmock.h>

#include "checked.h"
#include "controlplane/config/diff.h"

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

constexpr v1::Mode kOneWay[] = {v1::MODE_ROUTE, v1::MODE_TUNNEL_IPIP, v1::MODE_TUNNEL_GRE,
                                v1::MODE_TUNNEL_GUE, v1::MODE_REDIRECT};

/// An FTP service, and what is wrong with it after a change.
template <typename Change>
std::string ftp_problems(Change change) {
  return problems_with([&](v1::Configuration& c) {
    v1::VirtualService& service = *c.mutable_services(0);
    service.set_application(v1::APPLICATION_FTP);
    service.set_port(21);
    change(c, service);
  });
}

TEST(ValidateFtp, OverTcpInNatAndFullNatAlone) {
  EXPECT_EQ(ftp_problems([](v1::Configuration&, v1::VirtualService&) {}), "");
  for (const v1::Mode mode : kOneWay) {
    EXPECT_THAT(
        ftp_problems([&](v1::Configuration&, v1::VirtualService& s) { s.set_mode(mode); }),
        HasSubstr("application: ftp: In this mode the servers' answers pass the balancer by; use "
                  "nat or fullnat, or leave it out."));
  }
  EXPECT_THAT(ftp_problems([](v1::Configuration&, v1::VirtualService& s) {
                s.set_protocol(v1::PROTOCOL_UDP);
              }),
              HasSubstr("application: ftp: FTP is spoken over TCP; set protocol: tcp."));
}

TEST(ValidateTftp, OverUdpInNatAndFullNatAlone) {
  const auto problems = [](auto change) {
    return problems_with([&](v1::Configuration& c) {
      v1::VirtualService& service = *c.mutable_services(1);
      service.set_application(v1::APPLICATION_TFTP);
      change(service);
    });
  };
  EXPECT_EQ(problems([](v1::VirtualService&) {}), "");
  for (const v1::Mode mode : kOneWay) {
    EXPECT_THAT(
        problems([&](v1::VirtualService& s) { s.set_mode(mode); }),
        HasSubstr("application: tftp: In this mode the servers' answers pass the balancer"));
  }
  EXPECT_THAT(problems([](v1::VirtualService& s) { s.set_protocol(v1::PROTOCOL_TCP); }),
              HasSubstr("application: tftp: TFTP is read over UDP alone; set protocol: udp."));
  EXPECT_THAT(
      problems([](v1::VirtualService& s) { s.set_address("203.0.113.0/24"); }),
      HasSubstr("application: tftp: What it announces is told apart from other flows at one "
                "address and port alone"));
}

TEST(ValidatePassivePorts, LeadToAClientsServerByItsAddress) {
  const auto problems = [](v1::Scheduler scheduler, auto change) {
    return ftp_problems([&](v1::Configuration& c, v1::VirtualService& service) {
      service.set_passive_ports("10000-10999");
      c.mutable_pools(0)->set_scheduler(scheduler);
      change(*c.mutable_pools(0));
    });
  };
  const auto nothing = [](v1::Pool&) {};
  EXPECT_EQ(problems(v1::SCHEDULER_SH, nothing), "");
  EXPECT_EQ(problems(v1::SCHEDULER_MH, nothing), "");
  const auto sentence = HasSubstr(
      "services[\"shop\"].passive_ports: 10000-10999: Passive ports lead to a client's server by "
      "the client's address alone: give pool web scheduler sh or mh without hash_with_port");
  EXPECT_THAT(problems(v1::SCHEDULER_WLC, nothing), sentence);
  EXPECT_THAT(problems(v1::SCHEDULER_DH, nothing), sentence);
  EXPECT_THAT(problems(v1::SCHEDULER_MH, [](v1::Pool& pool) { pool.set_hash_with_port(true); }),
              sentence);
  EXPECT_THAT(problems(v1::SCHEDULER_MH, [](v1::Pool& pool) { pool.set_load_bound_percent(120); }),
              sentence);
}

/// Also when only the pool is changed.
TEST(ValidatePassivePorts, KeepTheirPoolsScheduler) {
  v1::Configuration c = sample();
  c.mutable_services(0)->set_application(v1::APPLICATION_FTP);
  c.mutable_services(0)->set_port(21);
  c.mutable_services(0)->set_passive_ports("10000-10999");
  normalise(c);
  Model model;
  Problems problems;
  model.apply(edit_to(model, c, problems));
  for (v1::Pool& pool : *c.mutable_pools()) {
    if (pool.name() == "web") pool.set_scheduler(v1::SCHEDULER_RR);
  }
  const store::Edit edit = edit_to(model, c, problems);
  ASSERT_EQ(edit.services_size(), 0);
  model.apply(edit);
  EXPECT_THAT(text_of(problems_between(model, edit)),
              HasSubstr("services[\"shop\"].passive_ports: 10000-10999: Passive ports lead"));
}

TEST(ValidatePassivePorts, AreARangeOfTheirOwn) {
  const auto problems = [](const char* ports, uint32_t own = 21) {
    return ftp_problems([&](v1::Configuration&, v1::VirtualService& service) {
      service.set_port(own);
      service.set_passive_ports(ports);
    });
  };
  EXPECT_EQ(problems("1024-65535"), "");
  EXPECT_EQ(problems("10000"), "") << "one port is a range";
  for (const char* bad : {"1023-2000", "10999-10000", "10000-70000", "10000-", "-10999", "ports"}) {
    EXPECT_THAT(problems(bad), HasSubstr("This is no range of ports from 1024 to 65535")) << bad;
  }
  for (const uint32_t own : {10000u, 10500u, 10999u}) {
    EXPECT_THAT(problems("10000-10999", own), HasSubstr("The service's own port is among them"));
  }
  EXPECT_EQ(problems("10000-10999", 11000), "");
}

TEST(ValidatePassivePorts, OfOneServiceAtAnAddress) {
  const auto two = [](const char* other) {
    return ftp_problems([&](v1::Configuration& c, v1::VirtualService& service) {
      service.set_passive_ports("10000-10999");
      v1::VirtualService twin = service;
      twin.set_name("twin");
      twin.set_port(2121);
      twin.set_address(other);
      twin.set_passive_ports("20000-20999");
      *c.add_services() = twin;
    });
  };
  EXPECT_EQ(two("203.0.113.11"), "");
  EXPECT_THAT(two("203.0.113.10"),
              HasSubstr("Service shop has passive ports at the same address; only one may."));
}

TEST(ValidateClientAddress, WhereServersSeeItByThemselves) {
  for (const v1::Mode mode : kOneWay) {
    EXPECT_THAT(problems_with([&](v1::Configuration& c) {
                  c.mutable_services(1)->set_mode(mode);
                  c.mutable_services(1)->set_client_address(v1::CLIENT_ADDRESS_PROXY_V2);
                }),
                HasSubstr("services[\"names\"].client_address: proxy_v2: Only in mode fullnat do "
                          "servers not see the client's address by themselves; leave it out."));
  }
}

TEST(ValidateClientAddress, NotWhereMessagesAreRead) {
  const auto problems = [](v1::Application application, v1::Protocol protocol) {
    return problems_with([&](v1::Configuration& c) {
      v1::VirtualService& service = *c.mutable_services(1);
      service.set_application(application);
      service.set_protocol(protocol);
      service.set_client_address(v1::CLIENT_ADDRESS_PROXY_V2);
      c.mutable_pools(1)->set_protocol(protocol);
      for (v1::RealServer& server : *c.mutable_pools(1)->mutable_servers()) {
        server.set_protocol(protocol);
      }
    });
  };
  EXPECT_EQ(problems(v1::APPLICATION_NONE, v1::PROTOCOL_UDP), "");
  EXPECT_THAT(problems(v1::APPLICATION_FTP, v1::PROTOCOL_TCP),
              HasSubstr("client_address: proxy_v2: It cannot be combined with application ftp"));
  EXPECT_THAT(problems(v1::APPLICATION_SIP, v1::PROTOCOL_UDP),
              HasSubstr("client_address: proxy_v2: It cannot be combined with application sip"));
  EXPECT_THAT(problems(v1::APPLICATION_TFTP, v1::PROTOCOL_UDP),
              HasSubstr("client_address: proxy_v2: It cannot be combined with application tftp"));
}

}  // namespace
}  // namespace nezu::config
