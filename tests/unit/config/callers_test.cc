// Services for some clients, and datagrams one by one: what is refused.
#include <gmock/gmock.h>

#include "controlplane/config/names.h"
#include "spoilt.h"

namespace nezu::config {
namespace {

using testing::HasSubstr;
using testing::Not;

/// The sample's first service again, as `other`.
v1::VirtualService& twin(v1::Configuration& configuration) {
  v1::VirtualService copy = configuration.services(0);
  copy.set_name("other");
  return *configuration.add_services() = copy;
}

TEST(Callers, SeveralAtOnePlaceTakeDifferentOnes) {
  using C = v1::Configuration;
  using S = v1::VirtualService;
  EXPECT_EQ(problems_with_service([](C& c, S&) { twin(c).add_sources("198.51.100.0/24"); }), "");
  EXPECT_EQ(problems_with_service([](C& c, S&) { twin(c).add_interfaces("front.100"); }), "");
  EXPECT_EQ(problems_with_service([](C& c, S& s) {
              s.add_sources("198.51.100.0/24");
              twin(c).set_sources(0, "198.51.100.0/25");
            }),
            "")
      << "one within the other";
  EXPECT_EQ(problems_with_service([](C& c, S& s) {
              s.add_sources("198.51.100.0/24");
              s.add_interfaces("front");
              twin(c).set_interfaces(0, "back");
            }),
            "");
  EXPECT_THAT(problems_with_service([](C& c, S&) { twin(c); }),
              HasSubstr("has the same address, port and protocol; change one"));
  EXPECT_THAT(problems_with_service([](C& c, S& s) {
                s.add_sources("198.51.100.0/24");
                s.add_sources("192.0.2.7");
                twin(c).set_sources(0, "198.51.101.0/24");
              }),
              HasSubstr("takes 192.0.2.7/32 as well"));
  EXPECT_THAT(problems_with_service([](C& c, S& s) {
                s.add_interfaces("front");
                twin(c).add_interfaces("back");
              }),
              HasSubstr("takes everybody by interface front as well"));
  EXPECT_THAT(problems_with_service([](C& c, S& s) {
                s.add_sources("198.51.100.77/24");
                twin(c).set_sources(0, "198.51.100.0/24");
              }),
              HasSubstr("takes 198.51.100.0/24 as well"))
      << "host bits mean nothing";
}

TEST(Callers, APrefixOfAllIsEverybody) {
  using C = v1::Configuration;
  using S = v1::VirtualService;
  const auto two = [](std::vector<const char*> first, std::vector<const char*> second,
                      const char* interface = nullptr) {
    return problems_with_service([&](C& c, S&) {
      S& other = twin(c);
      S& one = *c.mutable_services(0);
      for (const char* source : first) one.add_sources(source);
      for (const char* source : second) other.add_sources(source);
      if (interface != nullptr) one.add_interfaces(interface), other.add_interfaces(interface);
    });
  };
  EXPECT_THAT(two({"0.0.0.0/0"}, {}), HasSubstr("has the same address, port and protocol; change"));
  EXPECT_THAT(two({"1.2.3.4/0"}, {"198.51.100.0/24", "0.0.0.0/0"}), HasSubstr("change one"));
  EXPECT_THAT(two({"0.0.0.0/0", "198.51.100.0/24"}, {}, "front"),
              HasSubstr("takes everybody by interface front as well"));
  EXPECT_EQ(two({"0.0.0.0/0"}, {"198.51.100.0/24"}), "");
  S service = sample().services(0);
  service.add_sources("0.0.0.0/0");
  normalise(service);
  EXPECT_FALSE(is_for_some(service));
  EXPECT_FALSE(is_open(service));
  EXPECT_EQ(service.sources(0), "0.0.0.0/0") << "as it was given";
  service.add_interfaces("front");
  EXPECT_TRUE(is_for_some(service));
}

TEST(Callers, ListsThatMeanNothing) {
  using C = v1::Configuration;
  using S = v1::VirtualService;
  EXPECT_THAT(problems_with_service([](C&, S& s) { s.add_sources("nowhere"); }),
              HasSubstr("sources[0]: nowhere: This is no network"));
  EXPECT_THAT(problems_with_service([](C&, S& s) { s.add_sources("2001:db8::/32"); }),
              HasSubstr("The service is IPv4, so no client of it is in this prefix"));
  EXPECT_THAT(problems_with_service([](C&, S& s) { s.add_interfaces("front.5000"); }),
              HasSubstr("a VLAN from 1 to 4094"));
  EXPECT_THAT(problems_with_service([](C&, S& s) {
                for (int i = 0; i < 257; ++i) {
                  s.add_sources("10.0." + std::to_string(i % 256) + "." + std::to_string(i / 256));
                }
              }),
              HasSubstr("more than 256 entries"));
}

TEST(Callers, AnApplicationIsForEverybody) {
  const auto with = [](auto change) {
    return problems_with_service([&](v1::Configuration&, v1::VirtualService& service) {
      service.set_application(v1::APPLICATION_FTP);
      change(service);
    });
  };
  EXPECT_EQ(with([](v1::VirtualService& s) { s.add_sources("0.0.0.0/0"); }), "");
  const std::string some = with([](v1::VirtualService& s) { s.add_sources("10.0.0.0/8"); });
  EXPECT_THAT(some, HasSubstr("application: ftp: An application's service is for everybody"));
  EXPECT_THAT(some, Not(HasSubstr("one of each"))) << "it has one address and port";
  EXPECT_THAT(with([](v1::VirtualService& s) { s.add_interfaces("front"); }),
              HasSubstr("leave sources and interfaces out"));
}

TEST(Callers, AnAddressHasFewPairsForAllItsServices) {
  // 4 services of 8 networks and 8 interfaces, and `more` of a fifth one.
  const auto with = [](int more, const char* address = "203.0.113.10") {
    return problems_with_service([&](v1::Configuration& c, v1::VirtualService&) {
      for (uint32_t i = 0; i < 5; ++i) {
        v1::VirtualService& one = twin(c);
        one.set_name("other" + std::to_string(i));
        one.set_port(1000 + i);
        one.add_sources("198.51.100.0/24");
        for (int j = 1; j < (i < 4 ? 8 : more); ++j) one.add_sources("10.0.0." + std::to_string(j));
        for (int j = 0; i < 4 && j < 8; ++j) one.add_interfaces("port" + std::to_string(j));
        if (i == 4 && more == 0) one.set_sources(0, "0.0.0.0/0");
        if (i == 4) one.set_address(address);
      }
    });
  };
  EXPECT_EQ(with(0), "") << "a service for everybody asks nobody";
  EXPECT_EQ(with(256, "203.0.113.11"), "") << "another address";
  const std::string problems = with(1);
  EXPECT_THAT(problems, HasSubstr("other0\"].sources: 257: The services of 203.0.113.10 would make "
                                  "257 pairs of sources and interfaces together"));
  EXPECT_THAT(problems, HasSubstr("there are access lists"));
  EXPECT_EQ(std::count(problems.begin(), problems.end(), '\n'), 1) << "once for an address";
}

/// The first service and its pool, by datagrams.
void one_by_one(v1::Configuration& c, v1::VirtualService& s) {
  s.set_protocol(v1::PROTOCOL_UDP);
  s.set_one_packet(true);
  s.clear_syn_cookies();
  c.mutable_pools(0)->set_scheduler(v1::SCHEDULER_RR);
  c.mutable_pools(0)->set_protocol(v1::PROTOCOL_UDP);
  c.mutable_pools(0)->clear_check();
  for (v1::RealServer& server : *c.mutable_pools(0)->mutable_servers()) {
    server.set_protocol(v1::PROTOCOL_UDP);
  }
}

TEST(Callers, DatagramsOneByOne) {
  using C = v1::Configuration;
  using S = v1::VirtualService;
  const auto udp = one_by_one;
  EXPECT_EQ(problems_with_service(udp), "");
  EXPECT_THAT(problems_with_service([](C&, S& s) { s.set_one_packet(true); }),
              HasSubstr("one_packet: true: Only datagrams of UDP"));
  EXPECT_THAT(problems_with_service([&](C& c, S& s) {
                udp(c, s);
                s.set_application(v1::APPLICATION_SIP);
              }),
              HasSubstr("go where their conversation goes"));
  EXPECT_THAT(problems_with_service([&](C& c, S& s) {
                udp(c, s);
                s.mutable_persistence()->set_timeout_s(60);
              }),
              HasSubstr("Persistence keeps all datagrams of a client"));
}

TEST(Callers, DatagramsGoRoundBySomeSchedulersOnly) {
  const auto with = [](v1::Scheduler scheduler) {
    return problems_with_service([&](v1::Configuration& c, v1::VirtualService& s) {
      one_by_one(c, s);
      c.mutable_pools(0)->set_scheduler(scheduler);
    });
  };
  for (const v1::Scheduler good :
       {v1::SCHEDULER_RR, v1::SCHEDULER_WRR, v1::SCHEDULER_RANDOM, v1::SCHEDULER_TWOS}) {
    EXPECT_EQ(with(good), "") << good;
  }
  for (const v1::Scheduler bad :
       {v1::SCHEDULER_UNSPECIFIED, v1::SCHEDULER_LC, v1::SCHEDULER_WLC, v1::SCHEDULER_SED,
        v1::SCHEDULER_NQ, v1::SCHEDULER_FO, v1::SCHEDULER_OVF, v1::SCHEDULER_LBLC,
        v1::SCHEDULER_LBLCR, v1::SCHEDULER_SH, v1::SCHEDULER_MH, v1::SCHEDULER_DH}) {
    EXPECT_THAT(with(bad), HasSubstr("give the pool rr, wrr, random or twos")) << bad;
  }
  EXPECT_THAT(with(v1::SCHEDULER_UNSPECIFIED),
              HasSubstr("services[\"shop\"].one_packet: true: Pool web has scheduler wlc"));
}

TEST(Callers, APoolKeepsASchedulerForItsDatagrams) {
  v1::Configuration c = sample();
  one_by_one(c, *c.mutable_services(0));
  normalise(c);
  Model model;
  Problems problems;
  model.apply(edit_to(model, c, problems));
  ASSERT_EQ(text_of(problems), "");
  store::Edit edit;
  *edit.add_pools() = c.pools(0);
  edit.mutable_pools(0)->set_scheduler(v1::SCHEDULER_LC);
  model.apply(edit);
  EXPECT_THAT(text_of(problems_between(model, edit)),
              HasSubstr("services[\"shop\"].one_packet: true: Pool web has scheduler lc"));
}

}  // namespace
}  // namespace nezu::config
