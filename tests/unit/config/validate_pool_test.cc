// What is said about pools: schedulers, servers, checks.
#include <gmock/gmock.h>

#include "checked.h"

namespace nezu::config {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(Validate, RefusesOrdersThatContradictThemselves) {
  EXPECT_THAT(
      problems_with([](v1::Configuration& c) {
        c.mutable_pools(0)->set_scheduler(v1::SCHEDULER_FO);
        c.mutable_pools(0)->set_slow_start_s(3601);
        c.mutable_pools(0)->set_panic_percent(101);
        c.mutable_pools(0)->set_load_bound_percent(100);
        c.mutable_pools(0)->mutable_servers(0)->set_resume_flows(5);
        c.mutable_pools(0)->mutable_servers(1)->set_max_flows(5);
        c.mutable_pools(0)->mutable_servers(1)->set_resume_flows(6);
      }),
      AllOf(HasSubstr("slow_start_s: 3601: The value must be from 0 to 3600 s."),
            HasSubstr("Schedulers fo and ovf go by the order of weights"),
            HasSubstr("panic_percent: 101"), HasSubstr("load_bound_percent: 100: The value"),
            HasSubstr("Only hashes (sh, mh, dh) give a server more than its share"),
            HasSubstr("Without max_flows the server is never full"),
            HasSubstr("New flows begin again below max_flows")));
}

TEST(Validate, HashesNeedAScheduler) {
  const auto problems = [](v1::Scheduler scheduler, auto change) {
    return problems_with([&](v1::Configuration& c) {
      c.mutable_pools(0)->set_scheduler(scheduler);
      change(*c.mutable_pools(0));
    });
  };
  const auto with_port = [](v1::Pool& pool) { pool.set_hash_with_port(true); };
  const auto destination = [](v1::Pool& pool) { pool.set_hash_destination(true); };
  const auto size = [](v1::Pool& pool) { pool.set_ring_size(4099); };
  const auto seed = [](v1::Pool& pool) { pool.set_seed(7); };
  for (const v1::Scheduler one : {v1::SCHEDULER_SH, v1::SCHEDULER_MH, v1::SCHEDULER_DH}) {
    EXPECT_EQ(problems(one, with_port), "");
    EXPECT_EQ(problems(one, destination), "");
  }
  EXPECT_EQ(problems(v1::SCHEDULER_MH, size), "");
  EXPECT_EQ(problems(v1::SCHEDULER_MH, seed), "");
  for (const v1::Scheduler one :
       {v1::SCHEDULER_RR, v1::SCHEDULER_WRR, v1::SCHEDULER_LC, v1::SCHEDULER_WLC, v1::SCHEDULER_SED,
        v1::SCHEDULER_NQ, v1::SCHEDULER_FO, v1::SCHEDULER_OVF, v1::SCHEDULER_TWOS,
        v1::SCHEDULER_RANDOM, v1::SCHEDULER_LBLC, v1::SCHEDULER_LBLCR}) {
    EXPECT_EQ(problems(one, with_port),
              "pools[\"web\"].hash_with_port: true: Only schedulers sh, mh and dh hash; give the "
              "pool one of them, or leave it out.\n");
    EXPECT_EQ(
        problems(one, destination),
        "pools[\"web\"].hash_destination: true: Only schedulers sh and mh hash, and dh always "
        "by destination; give the pool one of them, or leave it out.\n");
  }
  for (const v1::Scheduler one : {v1::SCHEDULER_SH, v1::SCHEDULER_DH, v1::SCHEDULER_WLC}) {
    EXPECT_EQ(problems(one, size),
              "pools[\"web\"].ring_size: 4099: Only scheduler mh has a ring whose size can be "
              "chosen; use it, or leave this out.\n");
    EXPECT_EQ(problems(one, seed),
              "pools[\"web\"].seed: 7: Only scheduler mh takes a seed; use it, or leave this "
              "out.\n");
  }
}

TEST(Validate, APingHasNoProxyHeader) {
  EXPECT_THAT(problems_with([](v1::Configuration& c) {
                c.mutable_pools(0)->mutable_check()->mutable_icmp();
                c.mutable_pools(0)->mutable_check()->set_proxy_protocol(true);
              }),
              HasSubstr("check.proxy_protocol: true: A ping has no place"));
  EXPECT_EQ(problems_with([](v1::Configuration& c) {
              c.mutable_pools(0)->mutable_check()->mutable_tcp();
              c.mutable_pools(0)->mutable_check()->set_proxy_protocol(true);
            }),
            "");
}

TEST(Validate, KeepsOneStateForAServerInTwoPools) {
  const auto in_two_pools = [](v1::Configuration& c) {
    v1::Pool& other = *c.add_pools();
    other = c.pools(0);
    other.set_name("other");
  };
  EXPECT_EQ(problems_with(in_two_pools), "");
  EXPECT_THAT(problems_with([&](v1::Configuration& c) {
                in_two_pools(c);
                c.mutable_pools(2)->mutable_servers(0)->set_state(v1::ADMIN_STATE_DRAIN);
              }),
              HasSubstr("also in pool web in another state"));
}

TEST(Validate, ChecksHealthChecks) {
  EXPECT_THAT(problems_with([](v1::Configuration& c) {
                v1::HealthCheck& check = *c.mutable_pools(0)->mutable_check();
                check.set_timeout_ms(600);
                check.mutable_http()->set_path("health");
                check.mutable_http()->add_statuses("2xx");
                check.set_address("nowhere");
                c.mutable_pools(1)->mutable_check()->clear_kind();
              }),
              AllOf(HasSubstr("must not be longer than the interval of 500 ms"),
                    HasSubstr("must begin with '/'"), HasSubstr("statuses[1]: 2xx"),
                    HasSubstr("check.address: nowhere"),
                    HasSubstr("pools[\"dns\"].check: : The kind is missing")));
}

}  // namespace
}  // namespace nezu::config
