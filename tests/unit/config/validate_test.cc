#include "controlplane/config/validate.h"

#include <gmock/gmock.h>

#include "checked.h"
#include "controlplane/config/diff.h"

namespace nezu::config {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(Validate, AcceptsTheSample) { EXPECT_EQ(check(sample()).problems, ""); }

TEST(Validate, TellsAllProblemsAtOnce) {
  EXPECT_THAT(
      problems_with([](v1::Configuration& c) {
        c.mutable_services(0)->set_port(70000);
        c.mutable_services(0)->set_pool("wbe");
        c.mutable_services(1)->set_address("203.0.113.300");
        c.mutable_pools(1)->mutable_check()->set_rise(101);
        c.mutable_settings()->set_embryonic_percent(101);
      }),
      AllOf(HasSubstr("services[\"shop\"].port: 70000: The port must be from 1 to 65535."),
            HasSubstr("services[\"shop\"].pool: wbe: There is no such pool; did you mean web?"),
            HasSubstr("services[\"names\"].address: 203.0.113.300: This is no IPv4"),
            HasSubstr("pools[\"dns\"].check.rise: 101: The value must be from 1 to 100."),
            HasSubstr("settings.embryonic_percent: 101")));
}

TEST(Validate, RefusesWhatThisVersionCannotDo) {
  EXPECT_THAT(problems_with(
                  [](v1::Configuration& c) { c.mutable_services(0)->set_mode(v1::MODE_REDIRECT); }),
              HasSubstr("Mode redirect takes what is for other people's addresses: give a prefix"));
}

TEST(Validate, RefusesAddressesThatCannotBe) {
  for (const char* address :
       {"0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "ff02::1",
        "", "10.0.0.1:80", "10.0.0.1/33", "10.0.0.0/7", "2001::/15"}) {
    EXPECT_THAT(
        problems_with([&](v1::Configuration& c) { c.mutable_services(0)->set_address(address); }),
        HasSubstr("services[\"shop\"].address"))
        << address;
  }
}

TEST(Validate, RefusesNamesThatPathsCannotCarry) {
  for (const std::string& name : {std::string(), std::string("a b"), std::string("a\"b"),
                                  std::string("caf\xc3\xa9"), std::string(64, 'x')}) {
    EXPECT_THAT(problems_with([&](v1::Configuration& c) { c.mutable_pools(1)->set_name(name); }),
                HasSubstr("name"))
        << name;
  }
}

TEST(Validate, RefusesTwoServicesInOnePlace) {
  EXPECT_THAT(problems_with([](v1::Configuration& c) {
                v1::VirtualService& twin = *c.add_services();
                twin = c.services(0);
                twin.set_name("twin");
              }),
              AllOf(HasSubstr("Service twin has the same address"),
                    HasSubstr("Service shop has the same address")));
}

TEST(Validate, RefusesMixedProtocolsAndFamilies) {
  EXPECT_THAT(problems_with([](v1::Configuration& c) { c.mutable_services(0)->set_pool("dns"); }),
              HasSubstr("The service is tcp, but pool dns is udp"));
  EXPECT_THAT(problems_with(
                  [](v1::Configuration& c) { c.mutable_services(0)->set_address("2001:db8::10"); }),
              HasSubstr("The service is IPv6, but server 10.0.0.1 of pool web is IPv4"));
  EXPECT_THAT(problems_with([](v1::Configuration& c) {
                c.mutable_pools(0)->mutable_servers(0)->set_protocol(v1::PROTOCOL_UDP);
              }),
              HasSubstr("A server's protocol is its pool's"));
}

TEST(Validate, RouteTranslatesNothing) {
  const auto routed = [](v1::Configuration& c) {
    c.mutable_services(0)->set_mode(v1::MODE_ROUTE);
    for (v1::RealServer& server : *c.mutable_pools(0)->mutable_servers()) server.set_port(80);
  };
  EXPECT_EQ(problems_with(routed), "");
  EXPECT_THAT(
      problems_with([](v1::Configuration& c) { c.mutable_services(0)->set_mode(v1::MODE_ROUTE); }),
      HasSubstr("services[\"shop\"].pool: web: Mode route changes no port: server 10.0.0.1 of pool "
                "web has port 8080, the service 80; give them the same one."));
  EXPECT_THAT(problems_with([&](v1::Configuration& c) {
                routed(c);
                c.mutable_services(0)->set_snat_set("out");
              }),
              HasSubstr("services[\"shop\"].snat_set: out: No source address is translated"));
  EXPECT_THAT(problems_with([&](v1::Configuration& c) {
                routed(c);
                c.mutable_pools(0)->mutable_servers(0)->set_address("2001:db8::1");
              }),
              HasSubstr("The service is IPv4, but server 2001:db8::1"));
}

TEST(Validate, OnlyGueHasAPort) {
  const auto tunnelled = [](v1::Configuration& c, v1::Mode mode, uint32_t port) {
    c.mutable_services(0)->set_mode(mode);
    c.mutable_services(0)->set_gue_port(port);
    for (v1::RealServer& server : *c.mutable_pools(0)->mutable_servers()) server.set_port(80);
  };
  const auto problems = [&](v1::Mode mode, uint32_t port) {
    return problems_with([&](v1::Configuration& c) { tunnelled(c, mode, port); });
  };
  EXPECT_EQ(problems(v1::MODE_TUNNEL_IPIP, 0), "");
  EXPECT_EQ(problems(v1::MODE_TUNNEL_GRE, 0), "");
  EXPECT_EQ(problems(v1::MODE_TUNNEL_GUE, 0), "");
  EXPECT_EQ(problems(v1::MODE_TUNNEL_GUE, 65535), "");
  EXPECT_THAT(problems(v1::MODE_TUNNEL_GUE, 65536), HasSubstr("gue_port: 65536: The port must be"));
  EXPECT_THAT(problems(v1::MODE_TUNNEL_GRE, 6080), HasSubstr("Only mode tunnel_gue has this port"));
  // A tunnel may be of the other family than what it carries.
  EXPECT_EQ(problems_with([&](v1::Configuration& c) {
              tunnelled(c, v1::MODE_TUNNEL_IPIP, 0);
              c.mutable_pools(0)->mutable_servers(0)->set_address("2001:db8::1");
            }),
            "");
}

TEST(Validate, OnlyTcpCanBeResetWhenIdle) {
  const auto problems = [](v1::Protocol protocol) {
    return problems_with([&](v1::Configuration& c) {
      c.mutable_services(0)->set_protocol(protocol);
      c.mutable_services(0)->set_reset_when_idle(true);
    });
  };
  EXPECT_EQ(problems(v1::PROTOCOL_TCP), "");
  EXPECT_THAT(problems(v1::PROTOCOL_UDP), HasSubstr("Only TCP connections can be reset"));
}

TEST(Validate, ChecksTheSegmentSize) {
  const auto problems = [](uint32_t size, int service, v1::Mode mode) {
    return problems_with([&](v1::Configuration& c) {
      c.mutable_services(service)->set_max_segment_size(size);
      c.mutable_services(service)->set_mode(mode);
      for (v1::RealServer& server : *c.mutable_pools(0)->mutable_servers()) {
        server.set_port(mode == v1::MODE_ROUTE ? 80 : 8080);
      }
    });
  };
  EXPECT_EQ(problems(1360, 0, v1::MODE_NAT), "");
  EXPECT_THAT(problems(87, 0, v1::MODE_NAT), HasSubstr("must be from 88 to 65495 bytes"));
  EXPECT_THAT(problems(1360, 1, v1::MODE_FULLNAT), HasSubstr("Only TCP has segments"));
  EXPECT_THAT(problems(1360, 0, v1::MODE_ROUTE), HasSubstr("passes the balancer by; set advmss"));
}

TEST(Validate, ChecksHowServersLearnTheClientsAddress) {
  const auto problems = [](int service, v1::Mode mode, v1::ClientAddress how) {
    return problems_with([&](v1::Configuration& c) {
      c.mutable_services(service)->set_mode(mode);
      c.mutable_services(service)->set_client_address(how);
    });
  };
  EXPECT_EQ(problems(1, v1::MODE_FULLNAT, v1::CLIENT_ADDRESS_PROXY_V2), "");
  EXPECT_THAT(problems(0, v1::MODE_NAT, v1::CLIENT_ADDRESS_PROXY_V2),
              HasSubstr("client_address: proxy_v2: Only in mode fullnat"));
  EXPECT_THAT(problems(1, v1::MODE_FULLNAT, v1::CLIENT_ADDRESS_TCP_OPTION),
              HasSubstr("client_address: tcp_option: Only TCP has options"));
  EXPECT_THAT(problems(1, v1::MODE_FULLNAT, static_cast<v1::ClientAddress>(9)),
              HasSubstr("client_address: 9: This number names no choice"));
}

TEST(Validate, APoolKeepsThePortOfItsRouteServices) {
  v1::Configuration c = sample();
  c.mutable_services(0)->set_mode(v1::MODE_ROUTE);
  for (v1::RealServer& server : *c.mutable_pools(0)->mutable_servers()) server.set_port(80);
  normalise(c);
  Model model;
  Problems problems;
  model.apply(edit_to(model, c, problems));
  // The pool alone changes; the service is not part of the edit.
  c.mutable_pools(0)->mutable_servers(1)->set_port(81);
  const store::Edit edit = edit_to(model, c, problems);
  ASSERT_EQ(edit.services_size(), 0);
  const store::Edit undo = model.apply(edit);
  EXPECT_THAT(text_of(problems_between(model, edit)), HasSubstr("has port 81, the service 80"));
  model.apply(undo);
  EXPECT_EQ(text_of(problems_between(model, undo)), "");
}

TEST(Validate, RefusesAddressesThatRunInCircles) {
  EXPECT_THAT(problems_with([](v1::Configuration& c) {
                c.mutable_pools(0)->mutable_servers(0)->set_address("203.0.113.10");
              }),
              HasSubstr("packets would run in circles"));
  EXPECT_THAT(problems_with([](v1::Configuration& c) {
                c.mutable_snat_sets(0)->add_addresses("203.0.113.0/28");
              }),
              HasSubstr("an address is either a VIP or a source address"));
}

/// The set is there; a service comes that has one of its addresses.
TEST(Validate, AServiceTakesNoSourceAddress) {
  v1::Configuration c = sample();
  Model model;
  Problems problems;
  model.apply(edit_to(model, c, problems));
  v1::VirtualService more = c.services(0);
  more.set_name("more");
  more.set_address("192.0.2.10");
  *c.add_services() = more;
  const store::Edit edit = edit_to(model, c, problems);
  ASSERT_EQ(edit.snat_sets_size(), 0);
  model.apply(edit);
  EXPECT_EQ(text_of(problems_between(model, edit)),
            "services[\"more\"].address: 192.0.2.10: The address is also in SNAT set out; an "
            "address is either a VIP or a source address.\n");
}

TEST(Validate, FullNatServesServersOfTheOtherFamily) {
  const auto across = [](v1::Configuration& c) {
    c.mutable_services(1)->set_address("2001:db8::10");
  };
  EXPECT_EQ(problems_with(across), "");
  // Servers of both families in one pool: a source address for each.
  EXPECT_EQ(problems_with([](v1::Configuration& c) {
              c.mutable_pools(1)->mutable_servers(0)->set_address("fd00:1::5");
              c.mutable_snat_sets(0)->add_addresses("fd00::1");
              v1::RealServer& other = *c.mutable_pools(1)->add_servers();
              other.set_address("10.0.0.9");
              other.set_port(53);
            }),
            "");
  EXPECT_THAT(problems_with([](v1::Configuration& c) {
                c.mutable_pools(1)->mutable_servers(0)->set_address("fd00:1::5");
              }),
              HasSubstr("SNAT set out has no IPv6 address, which the servers of the service need"));
}

TEST(Validate, NatKeepsTheClientsAddressAndSoItsFamily) {
  EXPECT_THAT(problems_with(
                  [](v1::Configuration& c) { c.mutable_services(0)->set_address("2001:db8::10"); }),
              HasSubstr("services[\"shop\"].pool: web: The service is IPv6, but server 10.0.0.1 of "
                        "pool web is IPv4, where the client's address cannot stand: use mode "
                        "fullnat"));
}

TEST(Validate, NatServesIpv6ServersWhereTheClientStandsInAPrefix) {
  const auto embedded = [](v1::Configuration& c, const char* prefix) {
    for (v1::RealServer& server : *c.mutable_pools(0)->mutable_servers()) {
      server.set_address("fd00:1::" + std::to_string(server.weight() + 1));
    }
    c.mutable_services(0)->set_client_prefix(prefix);
    c.mutable_settings()->add_client_prefixes("64:ff9b::/96");
    c.mutable_settings()->add_client_prefixes("2001:db8:100::/40");
  };
  const auto problems = [&](const char* prefix, auto more) {
    return problems_with([&](v1::Configuration& c) {
      embedded(c, prefix);
      more(c);
    });
  };
  const auto nothing = [](v1::Configuration&) {};
  EXPECT_EQ(problems("64:ff9b:0:0::/96", nothing), "");
  EXPECT_THAT(problems("2001:db8::/32", nothing),
              HasSubstr("services[\"shop\"].client_prefix: 2001:db8::/32: The prefix is not one of "
                        "settings.client_prefixes; add it there."));
  EXPECT_THAT(problems("2001:db8::/33", nothing), HasSubstr("32, 40, 48, 56, 64 or 96 bits"));
  EXPECT_THAT(problems("2001:db8:0:0:100::/96", nothing), HasSubstr("Bits 64 to 71"));
  EXPECT_THAT(problems("10.0.0.0/8", nothing), HasSubstr("This is no IPv6 prefix"));
  EXPECT_THAT(problems("64:ff9b::/96",
                       [](v1::Configuration& c) {
                         c.mutable_services(0)->set_mode(v1::MODE_FULLNAT);
                         c.mutable_services(0)->set_snat_set("out");
                       }),
              HasSubstr("A client prefix is for IPv4 clients of IPv6 servers in mode nat"));
  EXPECT_THAT(
      problems("64:ff9b::/96",
               [](v1::Configuration& c) { c.mutable_services(0)->set_address("2001:db8::10"); }),
      HasSubstr("A client prefix is for IPv4 clients of IPv6 servers in mode nat"));
  EXPECT_THAT(problems("64:ff9b::/96",
                       [](v1::Configuration& c) {
                         c.mutable_settings()->add_client_prefixes("2001:db8:140::/48");
                       }),
              HasSubstr("The prefix overlaps 2001:db8:100::/40"));
}

TEST(Validate, APoolThatGetsAServerOfTheOtherFamilyAsksItsUsers) {
  Model model;
  Problems none;
  v1::Configuration before = sample(), after = sample();
  model.apply(edit_to(model, before, none));
  v1::RealServer& other = *after.mutable_pools(1)->add_servers();
  other.set_address("fd00:1::5");
  other.set_port(53);
  normalise(after);
  const store::Edit edit = edit_to(model, after, none);
  ASSERT_EQ(edit.services_size(), 0);
  model.apply(edit);
  EXPECT_THAT(text_of(problems_between(model, edit)),
              HasSubstr("services[\"names\"].snat_set: out: SNAT set out has no IPv6 address"));
}

TEST(Validate, AsksForTheSourceAddressesOfFullNat) {
  EXPECT_THAT(problems_with([](v1::Configuration& c) { c.mutable_services(1)->clear_snat_set(); }),
              HasSubstr("A fullnat service needs source addresses"));
  EXPECT_THAT(problems_with([](v1::Configuration& c) { c.clear_snat_sets(); }),
              HasSubstr("There is no such SNAT set"));
  EXPECT_THAT(problems_with([](v1::Configuration& c) {
                c.mutable_snat_sets(0)->clear_addresses();
                c.mutable_snat_sets(0)->add_addresses("2001:db8::1");
              }),
              HasSubstr("has no IPv4 address"));
  // A nat service may name one, for clients in the subnet of their server; it must exist as well.
  EXPECT_EQ(problems_with([](v1::Configuration& c) { c.mutable_services(0)->set_snat_set("out"); }),
            "");
  EXPECT_THAT(
      problems_with([](v1::Configuration& c) { c.mutable_services(0)->set_snat_set("up"); }),
      HasSubstr("There is no such SNAT set"));
}

TEST(Validate, ChecksSnatSets) {
  EXPECT_THAT(problems_with([](v1::Configuration& c) {
                c.mutable_snat_sets(0)->add_addresses("192.0.2.9-192.0.2.1");
                c.mutable_snat_sets(0)->add_addresses("192.0.2.10");
                c.mutable_snat_sets(0)->add_addresses("198.18.0.0/15");
              }),
              AllOf(HasSubstr("This is no address, range or prefix"), HasSubstr("overlaps"),
                    HasSubstr("more than 4096 addresses")));
}

TEST(Validate, RefusesTheSameServerTwice) {
  EXPECT_THAT(problems_with([](v1::Configuration& c) {
                *c.mutable_pools(0)->add_servers() = c.pools(0).servers(0);
              }),
              HasSubstr("The pool has this server twice"));
}

TEST(Validate, RefusesToLeaveAServiceWithoutItsPool) {
  EXPECT_THAT(problems_with([](v1::Configuration& c) { c.mutable_pools()->DeleteSubrange(0, 1); }),
              HasSubstr("There is no such pool"));
  Model model;
  Problems problems;
  model.apply(edit_to(model, sample(), problems));
  store::Edit edit;
  edit.add_removed_pools("web");
  edit.add_removed_snat_sets("out");
  model.apply(edit);
  EXPECT_THAT(
      text_of(problems_between(model, edit)),
      AllOf(HasSubstr("Service shop uses the pool"), HasSubstr("Service names uses the SNAT")));
}

TEST(Validate, WarnsOfAWeakCheck) {
  v1::Configuration configuration = sample();
  EXPECT_EQ(check(configuration).warnings, "");
  configuration.mutable_pools(0)->mutable_check()->mutable_tcp();
  configuration.mutable_pools(1)->clear_check();
  EXPECT_THAT(check(configuration).warnings,
              AllOf(HasSubstr("Service shop looks like HTTP"), HasSubstr("no health check")));
  configuration.mutable_services(0)->set_port(9000);  // its servers listen on 8080
  EXPECT_THAT(check(configuration).warnings, HasSubstr("Service shop looks like HTTP"));
}

TEST(Validate, CountsTheWarningsThatItDoesNotTell) {
  v1::Configuration configuration;
  for (int i = 0; i < 80; ++i) {
    v1::VirtualService& service = *configuration.add_services();
    service.set_name("s" + std::to_string(i));
    service.set_address("203.0.113." + std::to_string(i + 1));
    service.set_port(443);
    service.set_pool("p" + std::to_string(i));
    configuration.add_pools()->set_name(service.pool());
  }
  const std::string warnings = check(configuration).warnings;
  EXPECT_EQ(std::count(warnings.begin(), warnings.end(), '\n'), 51);
  EXPECT_THAT(warnings, HasSubstr("Another 30 pools"));
}

}  // namespace
}  // namespace nezu::config
