// Weights that follow the servers: what goes with what.
#include <gmock/gmock.h>

#include "checked.h"

namespace nezu::config {
namespace {

using testing::AllOf;
using testing::HasSubstr;

v1::Pool& wlc_pool(v1::Configuration& c) {
  c.mutable_pools(0)->set_scheduler(v1::SCHEDULER_WLC);
  return *c.mutable_pools(0);
}
v1::Pool& with_agent(v1::Configuration& c) {
  v1::Pool& pool = wlc_pool(c);
  pool.set_weights(v1::WEIGHTS_AGENT);
  pool.mutable_agent()->set_port(9707);
  return pool;
}

TEST(ValidateWeights, AgentsAndTimesAreGood) {
  EXPECT_EQ(problems_with([](v1::Configuration& c) { with_agent(c); }), "");
  EXPECT_EQ(problems_with([](v1::Configuration& c) {
              with_agent(c).clear_check();  // an agent needs no check beside it
              c.mutable_pools(0)->mutable_agent()->set_send("who\r\n");
            }),
            "");
  EXPECT_EQ(problems_with([](v1::Configuration& c) {
              wlc_pool(c).set_weights(v1::WEIGHTS_RESPONSE_TIME);
              c.mutable_pools(0)->set_weight_floor_percent(25);
            }),
            "");
}

TEST(ValidateWeights, AgentsHaveUsualTimes) {
  v1::Configuration c = sample();
  with_agent(c);
  normalise(c);
  EXPECT_EQ(c.pools(0).agent().interval_ms(), 2000u);
  EXPECT_EQ(c.pools(0).agent().timeout_ms(), 1000u);
  with_agent(c).mutable_agent()->set_interval_ms(500);
  c.mutable_pools(0)->mutable_agent()->set_timeout_ms(0);
  normalise(c);
  EXPECT_EQ(c.pools(0).agent().timeout_ms(), 500u);
}

TEST(ValidateWeights, AnAgentIsAskedOrLeftOut) {
  EXPECT_THAT(problems_with(
                  [](v1::Configuration& c) { with_agent(c).set_weights(v1::WEIGHTS_CONFIGURED); }),
              HasSubstr("pools[\"web\"].agent: 9707: Nobody would ask the agent; give weights: "
                        "agent, or leave it out."));
  EXPECT_THAT(problems_with([](v1::Configuration& c) { with_agent(c).clear_agent(); }),
              HasSubstr("pools[\"web\"].agent: : Weights come from an agent"));
  EXPECT_THAT(problems_with([](v1::Configuration& c) { with_agent(c).clear_weights(); }),
              HasSubstr("Nobody would ask the agent"));
}

TEST(ValidateWeights, AnAgentsPlaceAndTimes) {
  EXPECT_THAT(problems_with([](v1::Configuration& c) {
                v1::Agent& agent = *with_agent(c).mutable_agent();
                agent.set_port(0);
                agent.set_interval_ms(99);
                agent.set_timeout_ms(60001);
                agent.set_send(std::string(256, 'x'));
                agent.set_address("nonsense");
              }),
              AllOf(HasSubstr("agent.address: nonsense: This is no IPv4 or IPv6 address"),
                    HasSubstr("pools[\"web\"].agent.port: 0: The value must be from 1 to 65535"),
                    HasSubstr("agent.interval_ms: 99: The value must be from 100 to 3600000 ms."),
                    HasSubstr("agent.timeout_ms: 60001: The value must be from 10 to 60000 ms."),
                    HasSubstr("must not be longer than the interval of 99 ms"),
                    HasSubstr("agent.send: x"), HasSubstr("longer than 255 bytes")));
  EXPECT_THAT(
      problems_with([](v1::Configuration& c) { with_agent(c).mutable_agent()->set_port(65536); }),
      HasSubstr("agent.port: 65536: The value must be from 1 to 65535"));
}

TEST(ValidateWeights, TimesNeedACheckAndOnlyTheyHaveAFloor) {
  EXPECT_THAT(problems_with([](v1::Configuration& c) {
                wlc_pool(c).set_weights(v1::WEIGHTS_RESPONSE_TIME);
                c.mutable_pools(0)->clear_check();
              }),
              HasSubstr("pools[\"web\"].weights: response_time: The times are those of the answers "
                        "to checks, and the pool has none"));
  EXPECT_THAT(
      problems_with([](v1::Configuration& c) { with_agent(c).set_weight_floor_percent(5); }),
      HasSubstr("weight_floor_percent: 5: Only weights of response times have a floor"));
  EXPECT_THAT(problems_with([](v1::Configuration& c) {
                wlc_pool(c).set_weights(v1::WEIGHTS_RESPONSE_TIME);
                c.mutable_pools(0)->set_weight_floor_percent(101);
              }),
              HasSubstr("weight_floor_percent: 101: The value must be from 0 to 100 %."));
}

TEST(ValidateWeights, OnlySchedulersThatShareByWeight) {
  const auto problems = [](v1::Scheduler scheduler) {
    return problems_with(
        [scheduler](v1::Configuration& c) { with_agent(c).set_scheduler(scheduler); });
  };
  for (const v1::Scheduler one : {v1::SCHEDULER_WRR, v1::SCHEDULER_WLC, v1::SCHEDULER_SED,
                                  v1::SCHEDULER_NQ, v1::SCHEDULER_TWOS, v1::SCHEDULER_RANDOM}) {
    EXPECT_EQ(problems(one), "");
  }
  for (const v1::Scheduler one : {v1::SCHEDULER_RR, v1::SCHEDULER_LC}) {
    EXPECT_THAT(problems(one),
                HasSubstr("pools[\"web\"].weights: agent: This scheduler looks at no "
                          "weights; use wrr or wlc."));
  }
  for (const v1::Scheduler one : {v1::SCHEDULER_SH, v1::SCHEDULER_MH, v1::SCHEDULER_DH}) {
    EXPECT_THAT(problems(one), HasSubstr("would make the hash send clients elsewhere"));
  }
  for (const v1::Scheduler one : {v1::SCHEDULER_FO, v1::SCHEDULER_OVF}) {
    EXPECT_THAT(problems(one), HasSubstr("goes by the order of weights"));
  }
}

}  // namespace
}  // namespace nezu::config
