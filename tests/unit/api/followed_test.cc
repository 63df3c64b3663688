// Weights that follow the servers, by the API: an agent on loopback that says this and that.
#include "fixture.h"
#include "tests/unit/health/peers.h"

namespace nezu::api {
namespace {

using health::Listener;
using testing::HasSubstr;

class Followed : public Api {
 protected:
  /// A pool whose agents are at `port` of loopback, revision 1.
  void follow(uint16_t port) {
    v1::Configuration wanted;
    *wanted.add_pools() =
        from<v1::Pool>("{name: local, weights: agent, agent: {port: " + std::to_string(port) +
                       ", address: 127.0.0.1, interval_ms: 100}, "
                       "servers: [{address: 10.0.0.7, port: 1, weight: 4}]}");
    apply(wanted);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }
  v1::ServerStatus shown() {
    const auto list = call(*state, &StateStub::ListServerStatus,
                           from<v1::ListServerStatusRequest>("pool: local"));
    return list.servers_size() == 1 ? list.servers(0) : v1::ServerStatus();
  }
  template <typename Wished>
  bool wait(Wished wished) {
    for (int i = 0; i < 200; ++i) {
      const v1::ServerStatus now = shown();
      if (now.followed_size() == 1 && wished(now.followed(0))) {
        return true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    ADD_FAILURE() << shown().DebugString();
    return false;
  }
  int publications() {
    const std::lock_guard lock(publisher.mutex);
    return publisher.publications;
  }
  compile::Shares published_shares() {
    const std::lock_guard lock(publisher.mutex);
    return publisher.shown_shares;
  }
  const tables::ServerIdentity one_{
      net::Address::v4(0x0a000007), net::Instance::standard, 1, net::Protocol::tcp, {}};
};

TEST_F(Followed, WhatAnAgentSaysIsShownAndPublishedOnceAndIsNoRevision) {
  Listener agent(Listener::Manner::speak, "50%\n");
  follow(agent.port());
  const uint64_t revision = get().revision();
  ASSERT_TRUE(wait([](const auto& seen) { return seen.percent() == 50; }));
  EXPECT_EQ(shown().weight(), 4u);
  EXPECT_EQ(shown().followed(0).agent(), "50%");
  EXPECT_TRUE(shown().followed(0).has_heard());
  EXPECT_FALSE(shown().followed(0).is_stale());
  ASSERT_TRUE(
      wait([this](const auto&) { return published_shares()["local"][one_].percent == 50; }));
  const int before = publications();
  const auto asked = [this] {
    return call(
        *state, &StateStub::ExplainCheck,
        from<v1::ExplainCheckRequest>("{server: {address: 10.0.0.7, port: 1}, agent: true}"));
  };
  const uint64_t good = asked().good();
  ASSERT_TRUE(wait([&](const auto&) { return asked().good() >= good + 5; }));
  EXPECT_EQ(publications(), before) << "it said the same again";
  EXPECT_THAT(asked().text(), HasSubstr("said \"50%\""));

  agent.set_answer("drain maxconn:7\n");
  ASSERT_TRUE(wait([](const auto& seen) { return seen.drains(); }));
  EXPECT_EQ(shown().followed(0).percent(), 50u);
  EXPECT_EQ(shown().followed(0).max_flows(), 7u);
  EXPECT_EQ(get().revision(), revision);
  EXPECT_EQ(shown().admin_state(), v1::ADMIN_STATE_READY);

  agent.set_answer("down #disk\n");
  ASSERT_TRUE(wait([](const auto& seen) { return seen.is_down(); }));
  ASSERT_TRUE(wait([this](const auto&) { return shown().health() == v1::HEALTH_FAILED; }));
}

TEST_F(Followed, WhoWatchesIsToldOfSharesWhenTheyChange) {
  Listener agent(Listener::Manner::speak, "50%\n");
  follow(agent.port());
  ASSERT_TRUE(wait([](const auto& seen) { return seen.percent() == 50; }));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  v1::WatchRequest request;
  request.add_topics(v1::TOPIC_SERVERS);
  const auto stream = state->Watch(&context, request);
  std::vector<uint32_t> told;
  v1::WatchResponse response;
  while ((told.empty() || told.back() != 70) && stream->Read(&response)) {
    if (response.has_server() && response.server().followed_size() == 1) {
      told.push_back(response.server().followed(0).percent());
      EXPECT_FALSE(response.server().followed(0).has_heard());
    } else if (response.initial_complete()) {
      agent.set_answer("70%\n");
    }
  }
  context.TryCancel();
  stream->Finish();
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told.back(), 70u);
  EXPECT_LE(told.size(), 3u) << "not each time that it is asked";
}

TEST_F(Followed, ASilentAgentChangesNothingAndSaysSo) {
  const uint16_t port = health::free_port();
  auto agent = std::make_unique<Listener>(Listener::Manner::speak, "30% up\n", port);
  follow(port);
  ASSERT_TRUE(wait([](const auto& seen) { return seen.percent() == 30; }));
  agent.reset();
  ASSERT_TRUE(wait([](const auto& seen) { return seen.is_stale(); }));
  EXPECT_EQ(shown().followed(0).percent(), 30u);
  EXPECT_EQ(shown().followed(0).agent(), "30% up");
  EXPECT_EQ(shown().health(), v1::HEALTH_HEALTHY);
  EXPECT_EQ(published_shares()["local"][one_].percent, 30);
}

TEST_F(Followed, ARestartGoesOnWithWhatWasPublished) {
  const uint16_t port = health::free_port();
  follow(port);
  publisher.adopted_server_shares["local"][one_] = {
      compile::ShareSource::agent, 20, false, false, false, 9};
  restart();
  EXPECT_EQ(published_shares()["local"][one_].percent, 20);
  ASSERT_TRUE(wait([](const auto& seen) { return seen.is_stale(); }));
  EXPECT_EQ(shown().followed(0).percent(), 20u);
  EXPECT_FALSE(shown().followed(0).has_heard());
  // What it does not say stays also over a restart.
  const Listener agent(Listener::Manner::speak, "25%\n", port);
  ASSERT_TRUE(wait([](const auto& seen) { return seen.percent() == 25; }));
  EXPECT_EQ(shown().followed(0).max_flows(), 9u);
  ASSERT_TRUE(wait([](const auto& seen) { return !seen.is_stale(); }));
}

TEST_F(Followed, TheOperatorsWordsStayTheOperators) {
  const Listener agent(Listener::Manner::speak, "50%\n");
  follow(agent.port());
  ASSERT_TRUE(wait([](const auto& seen) { return seen.percent() == 50; }));
  call(*configuration, &ConfigurationStub::SetServerWeight,
       from<v1::SetServerWeightRequest>(
           "{pool: local, server: {address: 10.0.0.7, port: 1}, weight: 8}"));
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(shown().weight(), 8u);
  EXPECT_EQ(shown().followed(0).percent(), 50u);
  // Weights as configured: what agents said is forgotten.
  v1::Configuration plain = get().configuration();
  plain.mutable_pools(0)->clear_agent();
  plain.mutable_pools(0)->set_weights(v1::WEIGHTS_CONFIGURED);
  apply(plain);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(shown().followed_size(), 0);
  call(*state, &StateStub::ExplainCheck,
       from<v1::ExplainCheckRequest>("{server: {address: 10.0.0.7, port: 1}, agent: true}"));
  EXPECT_EQ(status.error_code(), StatusCode::NOT_FOUND);
}

}  // namespace
}  // namespace nezu::api
