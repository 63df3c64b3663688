// Weights of pools that follow their servers, and what comes first.
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "controlplane/compile/compile.h"

namespace nezu::compile {
namespace {

tables::ServerIdentity web(uint32_t last) {
  return {net::Address::v4(0x0a000100 + last), net::Instance::standard, 80, net::Protocol::tcp, {}};
}

class SharesTest : public testing::Test {
 protected:
  SharesTest() {
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
        R"(name: "web" protocol: PROTOCOL_TCP scheduler: SCHEDULER_WLC weights: WEIGHTS_AGENT
           servers { address: "10.0.1.1" port: 80 weight: 2 }
           servers { address: "10.0.1.2" port: 80 weight: 2 }
           servers { address: "10.0.1.3" port: 80 weight: 4 })",
        &pool_));
  }
  Share& share(uint32_t server) { return conditions_.shares["web"][web(server)]; }
  void fail(uint32_t server) { conditions_.verdicts[web(server)] = false; }
  PoolImage image() const { return compile_pool(pool_, conditions_); }
  /// "2 2 4": weights; "-": it takes no new flow because of its state.
  std::string weights() const {
    std::string text;
    for (const MemberImage& member : image().members) {
      text += (text.empty() ? "" : " ") + (member.state == tables::ServerState::ready
                                               ? std::to_string(member.weight)
                                               : std::string("-"));
    }
    return text;
  }

  v1::Pool pool_;
  Conditions conditions_;
};

TEST_F(SharesTest, WithoutAWordWeightsAreAsConfigured) {
  EXPECT_EQ(weights(), "2 2 4");
  share(1).percent = 100;
  EXPECT_EQ(weights(), "2 2 4");
}

TEST_F(SharesTest, APercentageIsOfTheConfiguredWeight) {
  share(1).percent = 50;
  EXPECT_EQ(weights(), "1 2 4");
  share(2).percent = 75;
  EXPECT_EQ(weights(), "2 3 8");
  share(3).percent = 1;
  EXPECT_EQ(weights(), "50 75 2") << "little is not nothing";
  share(3).percent = 200;
  EXPECT_EQ(weights(), "2 3 16");
}

TEST_F(SharesTest, NothingOfAWeightIsNoNewFlow) {
  share(1).percent = 0;
  EXPECT_EQ(weights(), "0 1 2");
  EXPECT_EQ(image().ready_count, 2u);
  share(2).percent = share(3).percent = 0;
  EXPECT_EQ(weights(), "0 0 0");
}

TEST_F(SharesTest, ADrainingOneAndOneInMaintenanceTakeNoNewFlow) {
  share(1).drains = true;
  EXPECT_EQ(weights(), "0 2 4");
  EXPECT_EQ(image().members[0].state, tables::ServerState::ready) << "its clients may stay";
  share(2).in_maintenance = true;
  EXPECT_EQ(weights(), "0 - 4");
  EXPECT_EQ(image().members[1].state, tables::ServerState::disabled);
  EXPECT_EQ(image().ready_count, 1u);
}

TEST_F(SharesTest, TheOperatorComesFirst) {
  share(1).percent = share(2).percent = 50;
  pool_.mutable_servers(0)->set_weight(0);
  pool_.mutable_servers(1)->set_state(v1::ADMIN_STATE_DISABLED);
  EXPECT_EQ(weights(), "0 - 4");
}

TEST_F(SharesTest, ChecksComeBeforeShares) {
  share(1).percent = 100;
  fail(1);
  EXPECT_EQ(weights(), "- 2 4");
}

TEST_F(SharesTest, BackupsServeWhenEverybodyElseHasWithdrawn) {
  pool_.mutable_servers(2)->set_backup(true);
  EXPECT_EQ(weights(), "2 2 0");
  share(1).drains = true;
  share(2).percent = 0;
  EXPECT_EQ(image().ready_count, 1u);
  EXPECT_EQ(image().members[2].state, tables::ServerState::ready);
  EXPECT_NE(image().members[2].weight, 0u);
}

TEST_F(SharesTest, APanicBelievesAnAgentsOwnWord) {
  pool_.set_panic_percent(60);
  fail(1);
  fail(2);
  EXPECT_TRUE(image().panics);
  EXPECT_EQ(weights(), "2 2 4");
  share(1).is_down = true;
  EXPECT_TRUE(image().panics) << "one of the two that are wanted";
  EXPECT_EQ(weights(), "- 2 4");
  share(2).is_down = true;
  EXPECT_FALSE(image().panics) << "nobody is missed";
  EXPECT_EQ(weights(), "- - 4");
}

TEST_F(SharesTest, SlowStartComesOnTop) {
  pool_.set_slow_start_s(64);
  share(1).percent = 50;
  share(2).percent = 50;
  conditions_.ages[web(1)] = std::chrono::seconds(32);
  EXPECT_EQ(weights(), "32 64 256");
}

TEST_F(SharesTest, TheLargestNumbersFit) {
  pool_.set_slow_start_s(64);
  pool_.mutable_servers(0)->set_weight(65535);
  pool_.mutable_servers(1)->set_weight(65534);
  share(1).percent = share(2).percent = share(3).percent = 1000;
  conditions_.ages[web(2)] = std::chrono::seconds(63);
  const auto members = image().members;
  EXPECT_EQ(members[0].weight, 65535u * 64);
  EXPECT_EQ(members[1].weight, 65534u * 63);
}

TEST_F(SharesTest, AnAgentsLimitReplacesTheOperators) {
  pool_.mutable_servers(0)->set_max_flows(100);
  pool_.mutable_servers(0)->set_resume_flows(90);
  EXPECT_EQ(image().members[0].resume_flows, 90u);
  share(1).max_flows = 8;
  EXPECT_EQ(image().members[0].max_flows, 8u);
  EXPECT_EQ(image().members[0].resume_flows, 6u);
  share(1).max_flows = 0;
  EXPECT_EQ(image().members[0].max_flows, 0u) << "as many as it gets";
  share(1).max_flows.reset();
  EXPECT_EQ(image().members[0].max_flows, 100u);
}

TEST_F(SharesTest, AnotherSourcesWordCountsForNothing) {
  share(1).percent = 50;
  share(1).drains = true;
  for (const v1::Weights other : {v1::WEIGHTS_CONFIGURED, v1::WEIGHTS_RESPONSE_TIME}) {
    pool_.set_weights(other);
    EXPECT_EQ(weights(), "2 2 4");
    EXPECT_FALSE(image().members[0].share);
  }
  share(1).source = ShareSource::response_time;
  share(1).drains = false;
  EXPECT_EQ(weights(), "1 2 4");
}

}  // namespace
}  // namespace nezu::compile
