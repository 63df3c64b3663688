// From a configuration's messages to checks.
#include "controlplane/health/from_config.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "controlplane/health/engine.h"

namespace nezu::health {
namespace {

std::vector<Check> checks(const std::string& text) {
  v1::Configuration configuration;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &configuration));
  std::vector<Check> all;
  for (const v1::Pool& pool : configuration.pools()) {
    const std::vector<Check> some = checks_of(pool);
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

TEST(FromConfig, one_check_for_each_server_of_each_pool_with_a_check) {
  const auto all = checks(R"(
    pools { name: "web" protocol: PROTOCOL_TCP
            check { tcp {} interval_ms: 500 timeout_ms: 400 rise: 2 fall: 3 jitter_percent: 5
                    hold_down_ms: 7000 }
            servers { address: "10.0.0.1" port: 80 }
            servers { address: "10.0.0.2" port: 80 state: ADMIN_STATE_DISABLED } }
    pools { name: "plain" servers { address: "10.0.0.3" port: 80 } })");
  ASSERT_EQ(all.size(), 2u);
  const Check& first = all[0];
  EXPECT_EQ(first.pool, "web");
  EXPECT_EQ(first.kind, Kind::tcp);
  EXPECT_EQ(net::to_string(first.address), "10.0.0.1");
  EXPECT_EQ(first.port, 80);
  EXPECT_EQ(first.server.protocol, net::Protocol::tcp);
  EXPECT_EQ(first.interval, Milliseconds{500});
  EXPECT_EQ(first.timeout, Milliseconds{400});
  EXPECT_EQ(first.rise, 2u);
  EXPECT_EQ(first.fall, 3u);
  EXPECT_EQ(first.jitter_percent, 5u);
  EXPECT_EQ(first.hold_down, Milliseconds{7000});
}

TEST(FromConfig, checks_of_a_network_instance_go_by_its_interface) {
  v1::Pool pool;
  pool.set_instance(10);
  pool.mutable_check()->mutable_tcp();
  v1::RealServer& server = *pool.add_servers();
  server.set_instance(10);
  server.set_address("10.0.0.1");
  server.set_port(80);
  const auto all = checks_of(pool, "red");
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].interface, "red");
  EXPECT_EQ(all[0].server.instance, net::Instance{10});
}

TEST(FromConfig, the_check_may_go_to_another_address_and_port) {
  const auto all = checks(R"(
    pools { name: "dns" protocol: PROTOCOL_UDP
            check { icmp {} address: "2001:db8::1" port: 8053 interval_ms: 500 timeout_ms: 400
                    rise: 1 fall: 1 }
            servers { address: "10.0.0.1" port: 53 } })");
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].kind, Kind::icmp);
  EXPECT_EQ(net::to_string(all[0].address), "2001:db8::1");
  EXPECT_EQ(all[0].port, 8053);
  EXPECT_EQ(net::to_string(all[0].server.address), "10.0.0.1");
  EXPECT_EQ(all[0].server.port, 53);
  EXPECT_EQ(all[0].server.protocol, net::Protocol::udp);
}

TEST(FromConfig, http) {
  const auto all = checks(R"(
    pools { name: "web"
            check { http { path: "/health" host: "shop.example" statuses: "200" statuses: "301-308"
                           body_regex: "ok" }
                    user_agent: "mine" interval_ms: 500 timeout_ms: 400 rise: 1 fall: 1 }
            servers { address: "10.0.0.1" port: 80 } })");
  ASSERT_EQ(all.size(), 1u);
  const Http& http = all[0].http;
  EXPECT_EQ(http.path, "/health");
  EXPECT_EQ(http.host, "shop.example");
  EXPECT_EQ(http.statuses, (std::vector<StatusRange>{{200, 200}, {301, 308}}));
  EXPECT_EQ(http.body_regex, "ok");
  EXPECT_EQ(http.user_agent, "mine");
  EXPECT_EQ(problem_of(all[0]), "");
}

TEST(FromConfig, agents_stand_beside_checks) {
  const auto all = checks(R"(
    pools { name: "web" protocol: PROTOCOL_TCP weights: WEIGHTS_AGENT
            check { tcp {} interval_ms: 500 timeout_ms: 400 rise: 2 fall: 3 address: "10.0.0.9" }
            agent { port: 9707 interval_ms: 2000 timeout_ms: 300 send: "who\n" }
            servers { address: "10.0.0.1" port: 80 } })");
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].kind, Kind::tcp);
  EXPECT_FALSE(all[0].is_weighed);
  const Check& agent = all[1];
  EXPECT_EQ(agent.kind, Kind::agent);
  EXPECT_EQ(net::to_string(agent.address), "10.0.0.1") << "not where the check goes";
  EXPECT_EQ(agent.port, 9707);
  EXPECT_EQ(agent.interval, Milliseconds{2000});
  EXPECT_EQ(agent.timeout, Milliseconds{300});
  EXPECT_EQ(agent.send, "who\n");
  EXPECT_EQ(agent.server, all[0].server);
  EXPECT_EQ(problem_of(agent), "");
}

TEST(FromConfig, an_agent_may_be_elsewhere) {
  const auto all = checks(R"(
    pools { name: "web" weights: WEIGHTS_AGENT agent { port: 9707 address: "10.9.0.1" }
            servers { address: "10.0.0.1" port: 80 }
            servers { address: "10.0.0.2" port: 80 check_address: "10.9.0.2" } })");
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(net::to_string(all[0].address), "10.9.0.1");
  EXPECT_EQ(net::to_string(all[1].address), "10.9.0.2");
}

TEST(FromConfig, whose_weights_follow_them) {
  v1::Pool pool;
  EXPECT_FALSE(weights_of(pool));
  v1::RealServer& server = *pool.add_servers();
  server.set_address("10.0.0.1");
  server.set_port(80);
  pool.set_weights(v1::WEIGHTS_RESPONSE_TIME);
  pool.mutable_check()->mutable_tcp();
  EXPECT_TRUE(checks_of(pool).at(0).is_weighed);
  EXPECT_EQ(weights_of(pool)->source, compile::ShareSource::response_time);
  EXPECT_EQ(weights_of(pool)->floor_percent, 10u);
  EXPECT_EQ(weights_of(pool)->servers.size(), 1u);
  pool.set_weight_floor_percent(40);
  EXPECT_EQ(weights_of(pool)->floor_percent, 40u);
  pool.set_weights(v1::WEIGHTS_AGENT);
  EXPECT_EQ(weights_of(pool)->source, compile::ShareSource::agent);
}

}  // namespace
}  // namespace nezu::health
