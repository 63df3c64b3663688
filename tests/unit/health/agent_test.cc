// Agents beside checks: real ones on loopback, that speak, fall silent, and say nonsense.
#include <gtest/gtest.h>

#include "tests/unit/health/peers.h"
#include "tests/unit/health/recorder.h"

namespace nezu::health {
namespace {

using std::chrono::milliseconds;

Check agent_at(uint16_t port, uint16_t server = 80) {
  Check agent = check_of(Kind::agent, port);
  agent.server = server_at(server);
  agent.pool = "web";
  return agent;
}

class Agents : public testing::Test {
 protected:
  Agents() {
    Engine::Callbacks callbacks = recorder_.callbacks();
    callbacks.heard = [this](const std::vector<Heard>& news) {
      const std::lock_guard lock(mutex_);
      heard_.insert(heard_.end(), news.begin(), news.end());
    };
    engine_ = std::make_unique<Engine>(Engine::Options{.user_agent = "x", .seed = 7}, callbacks);
  }
  ~Agents() override { engine_.reset(); }

  CheckReport report(uint16_t server = 80) {
    for (const CheckReport& one : engine_->explain(server_at(server))) {
      if (one.check.kind == Kind::agent) {
        return one;
      }
    }
    return {};
  }
  /// The report when `count` more questions have ended.
  CheckReport after(uint64_t count) {
    const auto asked = [this] {
      const CheckReport now = report();
      return now.successes + now.failures;
    };
    const uint64_t before = asked();
    EXPECT_TRUE(eventually([&] { return asked() >= before + count; }));
    return report();
  }
  /// The last words that were passed on.
  std::optional<AgentWords> words() {
    const std::lock_guard lock(mutex_);
    return heard_.empty() ? std::nullopt : std::optional(std::get<AgentWords>(heard_.back().what));
  }
  size_t count_heard() {
    const std::lock_guard lock(mutex_);
    return heard_.size();
  }

  Recorder recorder_;
  std::mutex mutex_;
  std::vector<Heard> heard_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(Agents, what_it_says_is_passed_on) {
  const Listener agent(Listener::Manner::speak, "75% up maxconn:30\n");
  engine_->configure({agent_at(agent.port())});
  const CheckReport seen = after(1);
  EXPECT_TRUE(seen.last_succeeded);
  EXPECT_EQ(seen.line, "75% up maxconn:30");
  EXPECT_TRUE(seen.last_result.starts_with("said \"75% up maxconn:30\" in ")) << seen.last_result;
  EXPECT_FALSE(seen.is_silent);
  ASSERT_TRUE(eventually([&] { return words().has_value(); }));
  EXPECT_EQ(words()->percent, 75);
  EXPECT_EQ(words()->max_flows, 30u);
  EXPECT_TRUE(recorder_.wait(server_at(80), Health::up));
}

TEST_F(Agents, a_line_may_end_with_the_connection_or_leave_it_open) {
  const Listener closes(Listener::Manner::speak, "20%");
  engine_->configure({agent_at(closes.port())});
  EXPECT_EQ(after(1).line, "20%");
  const Listener stays(Listener::Manner::stay, "30%\r\nmore");
  engine_->configure({agent_at(stays.port())});
  EXPECT_TRUE(eventually([&] { return report().line == "30%"; }));
}

TEST_F(Agents, it_is_told_what_it_wants_to_hear) {
  const Listener agent(Listener::Manner::answer, "10%\n");
  Check check = agent_at(agent.port());
  check.send = "who\r\n\r\n";
  engine_->configure({check});
  EXPECT_EQ(after(1).line, "10%");
  EXPECT_EQ(agent.last_request(), "who\r\n\r\n");
}

TEST_F(Agents, what_is_no_answer_is_told_and_changes_nothing) {
  const auto seen = [this](Listener::Manner manner, const std::string& text) {
    const Listener agent(manner, text);
    Check check = agent_at(agent.port());
    check.timeout = milliseconds{150};
    engine_->configure({check});
    EXPECT_TRUE(eventually([&] { return report().failures > 0; }));
    const std::string result = report().last_result;
    engine_->configure({});
    EXPECT_TRUE(eventually([&] { return engine_->status().checks == 0; }));
    return result;
  };
  EXPECT_EQ(seen(Listener::Manner::speak, ""), "it said nothing");
  EXPECT_EQ(seen(Listener::Manner::speak, "\n"), "it said nothing");
  EXPECT_EQ(seen(Listener::Manner::speak, "HTTP/1.0 200 OK\r\n"),
            "it said \"HTTP/1.0 200 OK\", of which \"HTTP/1.0\" is no word of an agent");
  EXPECT_EQ(seen(Listener::Manner::speak, std::string(2000, '5')),
            "its line has more than 1024 bytes");
  EXPECT_EQ(seen(Listener::Manner::stay, "50%"), "no whole line within 150 ms");
  EXPECT_EQ(seen(Listener::Manner::silent, ""), "no whole line within 150 ms");
  EXPECT_EQ(count_heard(), 0u);
  EXPECT_TRUE(recorder_.changes().empty());
}

TEST_F(Agents, a_silent_one_takes_no_server_down_and_is_stale) {
  const Listener web(Listener::Manner::accept);
  Check check = check_of(Kind::tcp, web.port());
  check.server = server_at(80);
  check.pool = "web";
  engine_->configure({check, agent_at(free_port())});
  ASSERT_TRUE(recorder_.wait(server_at(80), Health::up)) << "it is not waited for";
  ASSERT_TRUE(eventually([&] { return report().is_silent; }));
  EXPECT_EQ(report().last_result, "connection refused");
  EXPECT_EQ(engine_->status().silent_agents, 1u);
  EXPECT_EQ(engine_->health(server_at(80)), Health::up);
  EXPECT_EQ(count_heard(), 0u);
  engine_->configure({check});
  EXPECT_TRUE(eventually([&] { return engine_->status().silent_agents == 0; }));
}

TEST_F(Agents, down_is_its_own_word_and_up_takes_it_back) {
  const Listener web(Listener::Manner::accept);
  Check check = check_of(Kind::tcp, web.port());
  check.server = server_at(80);
  check.pool = "web";
  const uint16_t port = free_port();
  auto agent = std::make_unique<Listener>(Listener::Manner::speak, "down #disk\n", port);
  engine_->configure({check, agent_at(port)});
  ASSERT_TRUE(recorder_.wait(server_at(80), Health::down));
  EXPECT_EQ(recorder_.changes().back().text, "its agent said \"down #disk\"");
  EXPECT_FALSE(engine_->awaits_return(server_at(80)));
  agent->set_answer("100% ready\n");
  EXPECT_TRUE(eventually([&] { return report().line == "100% ready"; }));
  after(2);
  EXPECT_EQ(engine_->health(server_at(80)), Health::down) << "that was not taken back";
  agent.reset();
  ASSERT_TRUE(eventually([&] { return report().is_silent; }));
  EXPECT_EQ(engine_->health(server_at(80)), Health::down) << "nor by silence";
  agent = std::make_unique<Listener>(Listener::Manner::speak, "up\n", port);
  ASSERT_TRUE(recorder_.wait(server_at(80), Health::up));
}

TEST_F(Agents, up_is_no_more_than_the_checks_say) {
  Check check = check_of(Kind::tcp, free_port());
  check.server = server_at(80);
  check.pool = "web";
  const Listener agent(Listener::Manner::speak, "up 100%\n");
  engine_->configure({check, agent_at(agent.port())});
  ASSERT_TRUE(recorder_.wait(server_at(80), Health::down));
  after(3);
  EXPECT_EQ(engine_->health(server_at(80)), Health::down);
}

TEST_F(Agents, a_check_that_is_removed_leaves_its_verdict_to_nobody) {
  Check check = check_of(Kind::tcp, free_port());
  check.server = server_at(80);
  check.pool = "web";
  const Listener agent(Listener::Manner::speak, "50%\n");
  engine_->configure({check, agent_at(agent.port())});
  ASSERT_TRUE(recorder_.wait(server_at(80), Health::down));
  engine_->configure({agent_at(agent.port())});
  ASSERT_TRUE(recorder_.wait(server_at(80), Health::unknown));
}

TEST_F(Agents, a_restart_remembers_who_had_said_down) {
  compile::Shares shares;
  shares["web"][server_at(80)].is_down = true;
  engine_->adopt(shares);
  const Listener web(Listener::Manner::accept);
  const auto pool = [&](uint16_t server, uint16_t agent) {
    Check check = check_of(Kind::tcp, web.port());
    check.server = server_at(server);
    check.pool = "web";
    return std::vector<Check>{check, agent_at(agent, server)};
  };
  auto checks = pool(80, free_port());
  const auto others = pool(81, free_port());
  checks.insert(checks.end(), others.begin(), others.end());
  engine_->configure(checks, {{server_at(80), false}, {server_at(81), false}});
  // Server 81 was down by its check alone, which finds it good again.
  ASSERT_TRUE(recorder_.wait(server_at(81), Health::up));
  ASSERT_TRUE(eventually([&] { return report(80).is_silent; }));
  EXPECT_EQ(engine_->health(server_at(80)), Health::down);
}

TEST_F(Agents, the_time_of_good_checks_is_told_where_it_is_wanted) {
  const uint16_t port = free_port();
  auto web = std::make_unique<Listener>(Listener::Manner::accept, "", port);
  Check weighed = check_of(Kind::tcp, port);
  weighed.pool = "web";
  weighed.is_weighed = true;
  Check plain = weighed;
  plain.pool = "plain";
  plain.is_weighed = false;
  engine_->configure({weighed, plain});
  ASSERT_TRUE(eventually([&] { return count_heard() >= 3; }));
  web.reset();
  ASSERT_TRUE(recorder_.wait(server_at(port), Health::down));
  ASSERT_TRUE(eventually([&] {
    const std::lock_guard lock(mutex_);
    return std::holds_alternative<Heard::Failed>(heard_.back().what);
  }));
  const std::lock_guard lock(mutex_);
  for (const Heard& one : heard_) {
    EXPECT_EQ(one.pool, "web");
    EXPECT_FALSE(std::holds_alternative<AgentWords>(one.what));
  }
}

TEST_F(Agents, a_frozen_engine_passes_nothing_on) {
  const Listener agent(Listener::Manner::speak, "down\n");
  engine_->freeze("nothing gets through");
  engine_->configure({agent_at(agent.port())});
  EXPECT_TRUE(eventually([&] { return report().last_result.starts_with("said \"down\""); }));
  after(2);
  EXPECT_EQ(report().line, "");
  EXPECT_EQ(count_heard(), 0u);
  EXPECT_TRUE(recorder_.changes().empty());
  engine_->thaw();
  ASSERT_TRUE(recorder_.wait(server_at(80), Health::down));
}

}  // namespace
}  // namespace nezu::health
