// What is said about clients that stay on a server, about marks and limits.
#include <gmock/gmock.h>

#include "checked.h"

namespace nezu::config {
namespace {

using testing::HasSubstr;

std::string problems(void (*set)(v1::VirtualService&)) {
  return problems_with([set](v1::Configuration& c) { set(*c.mutable_services(0)); });
}

TEST(ValidatePersistence, DefaultsAreFilledIn) {
  v1::VirtualService service;
  service.mutable_persistence();
  normalise(service);
  EXPECT_EQ(service.persistence().timeout_s(), 300u);
  EXPECT_EQ(service.persistence().ipv4_prefix_length(), 32u);
  EXPECT_EQ(service.persistence().ipv6_prefix_length(), 128u);
  EXPECT_EQ(service.persistence().when_draining(), v1::WHEN_DRAINING_CHOOSE_AGAIN);
  EXPECT_EQ(problems([](v1::VirtualService& s) { s.mutable_persistence(); }), "");
}

TEST(ValidatePersistence, Ranges) {
  EXPECT_THAT(
      problems([](v1::VirtualService& s) { s.mutable_persistence()->set_timeout_s(86401); }),
      HasSubstr("persistence.timeout_s: 86401"));
  EXPECT_THAT(
      problems([](v1::VirtualService& s) { s.mutable_persistence()->set_ipv4_prefix_length(33); }),
      HasSubstr("persistence.ipv4_prefix_length: 33"));
  EXPECT_THAT(
      problems([](v1::VirtualService& s) { s.mutable_persistence()->set_ipv6_prefix_length(129); }),
      HasSubstr("persistence.ipv6_prefix_length: 129"));
  EXPECT_THAT(problems([](v1::VirtualService& s) {
                s.mutable_persistence();
                s.set_mark(65536);
              }),
              HasSubstr("mark: 65536"));
}

TEST(ValidatePersistence, WithWhatItDoesNotGo) {
  EXPECT_THAT(problems([](v1::VirtualService& s) { s.set_mark(7); }),
              HasSubstr("A mark joins services whose clients stay on a server"));
  EXPECT_THAT(problems([](v1::VirtualService& s) {
                s.set_protocol(v1::PROTOCOL_UDP);
                s.set_application(v1::APPLICATION_SIP);
                s.mutable_persistence();
              }),
              HasSubstr("Messages of SIP follow their call"));
}

TEST(ValidatePersistence, ServicesOfAMarkHaveTheSame) {
  const auto with = [](uint32_t timeout, uint32_t mark) {
    return problems_with([=](v1::Configuration& c) {
      c.mutable_services(0)->set_mark(7);
      c.mutable_services(0)->mutable_persistence()->set_timeout_s(60);
      v1::VirtualService other = c.services(0);
      other.set_name("other");
      other.set_port(c.services(0).port() + 1);
      other.set_mark(mark);
      other.mutable_persistence()->set_timeout_s(timeout);
      *c.add_services() = other;
    });
  };
  EXPECT_EQ(with(60, 7), "");
  EXPECT_EQ(with(61, 8), "");
  EXPECT_THAT(with(61, 7), HasSubstr("has the same mark (7) and other persistence"));
}

TEST(ValidateLimits, RangesAndDefaults) {
  v1::VirtualService service;
  service.mutable_limits();
  normalise(service);
  EXPECT_EQ(service.limits().client_ipv4_prefix_length(), 32u);
  EXPECT_EQ(service.limits().client_ipv6_prefix_length(), 64u);
  EXPECT_EQ(problems([](v1::VirtualService& s) {
              s.mutable_limits()->mutable_all()->set_per_second(100'000'000);
              s.mutable_limits()->mutable_client()->set_at_once(4'000'000'000);
            }),
            "");
  EXPECT_THAT(problems([](v1::VirtualService& s) {
                s.mutable_limits()->mutable_client()->set_per_second(100'000'001);
              }),
              HasSubstr("limits.client.per_second: 100000001"));
  EXPECT_THAT(problems([](v1::VirtualService& s) {
                s.mutable_limits()->set_client_ipv6_prefix_length(129);
              }),
              HasSubstr("limits.client_ipv6_prefix_length: 129"));
}

TEST(ValidateLimits, OfTraffic) {
  const auto with = [](uint32_t packets, uint64_t bits) {
    return problems_with([=](v1::Configuration& c) {
      v1::Limit& limit = *c.mutable_services(0)->mutable_limits()->mutable_client();
      limit.set_packets_per_second(packets);
      limit.set_bits_per_second(bits);
    });
  };
  EXPECT_EQ(with(0, 0), "");
  EXPECT_EQ(with(100, 100'000'000'000), "");
  EXPECT_THAT(with(99, 0), HasSubstr("limits.client.packets_per_second: 99"));
  EXPECT_THAT(with(0, 999'999), HasSubstr("limits.client.bits_per_second: 999999"));
  EXPECT_THAT(with(0, 100'000'000'001), HasSubstr("limits.client.bits_per_second"));
}

TEST(ValidateSynCookies, WhereTheyArePossible) {
  v1::VirtualService service;
  service.mutable_syn_cookies();
  normalise(service);
  EXPECT_TRUE(service.syn_cookies().timestamps());
  const auto with = [](auto spoil) {
    return problems_with([&](v1::Configuration& c) {
      v1::VirtualService& s = *c.mutable_services(0);
      s.set_protocol(v1::PROTOCOL_TCP);
      s.set_mode(v1::MODE_NAT);
      s.clear_snat_set();
      s.mutable_syn_cookies();
      spoil(s);
    });
  };
  EXPECT_EQ(with([](v1::VirtualService&) {}), "");
  EXPECT_THAT(with([](v1::VirtualService& s) {
                s.mutable_syn_cookies()->set_above_per_second(100'000'001);
              }),
              HasSubstr("syn_cookies.above_per_second: 100000001"));
  EXPECT_THAT(with([](v1::VirtualService& s) { s.set_protocol(v1::PROTOCOL_UDP); }),
              HasSubstr("Only TCP has SYNs"));
  EXPECT_THAT(with([](v1::VirtualService& s) { s.set_mode(v1::MODE_ROUTE); }),
              HasSubstr("Servers answer past the balancer"));
  EXPECT_THAT(with([](v1::VirtualService& s) { s.set_application(v1::APPLICATION_FTP); }),
              HasSubstr("Connections whose lines are read"));
  EXPECT_THAT(
      with([](v1::VirtualService& s) { s.set_client_address(v1::CLIENT_ADDRESS_TCP_OPTION); }),
      HasSubstr("exclude each other"));
}

/// A client alone leads an FTP data connection on a declared port to its server.
TEST(ValidatePersistence, DeclaredPassivePortsMayRestOnIt) {
  const auto with = [](bool persistent) {
    return problems_with([=](v1::Configuration& c) {
      v1::VirtualService& service = *c.mutable_services(0);
      service.set_application(v1::APPLICATION_FTP);
      service.set_passive_ports("10000-10999");
      for (v1::Pool& pool : *c.mutable_pools()) {
        pool.set_scheduler(v1::SCHEDULER_WLC);
        pool.set_hash_with_port(false);
        pool.set_ring_size(0);
        pool.set_seed(0);
      }
      if (persistent) {
        service.mutable_persistence();
      }
    });
  };
  EXPECT_THAT(with(false), HasSubstr("give the service persistence, or leave them out"));
  EXPECT_EQ(with(true), "");
}

}  // namespace
}  // namespace nezu::config
