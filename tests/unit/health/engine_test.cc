// The engine over time: servers that die and return, reconfiguration, adoption, many checks.
#include "controlplane/health/engine.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>

#include "tests/unit/health/peers.h"
#include "tests/unit/health/recorder.h"

namespace nezu::health {
namespace {

using std::chrono::milliseconds;

class EngineTest : public testing::Test {
 protected:
  CheckReport report_of(const tables::ServerIdentity& server) {
    const auto reports = engine_.explain(server);
    return reports.empty() ? CheckReport{} : reports[0];
  }
  /// So many more results of this server's check have come.
  bool results(const tables::ServerIdentity& server, uint64_t count) {
    const auto sum = [&] {
      const auto report = report_of(server);
      return report.successes + report.failures + report.broken;
    };
    const uint64_t before = sum();
    return eventually([&] { return sum() >= before + count; });
  }

  Recorder recorder_;
  Engine engine_{{.seed = 11}, recorder_.callbacks()};
};

TEST_F(EngineTest, a_killed_server_goes_and_returns) {
  Nginx nginx;
  ASSERT_TRUE(nginx.is_running());
  const auto server = server_at(nginx.port());
  engine_.configure({check_of(Kind::http, nginx.port())});
  ASSERT_TRUE(recorder_.wait(server, Health::up));
  nginx.stop();
  ASSERT_TRUE(recorder_.wait(server, Health::down));
  nginx.start();
  ASSERT_TRUE(recorder_.wait(server, Health::up));
  EXPECT_EQ(recorder_.changes().size(), 3u);
  EXPECT_EQ(recorder_.changes()[1].text, "connection refused");
}

TEST_F(EngineTest, adopted_verdicts_make_no_noise) {
  const Listener listener(Listener::Manner::accept);
  const auto up = check_of(Kind::tcp, listener.port());
  auto down = check_of(Kind::tcp, free_port());
  engine_.configure({up, down}, {{up.server, true}, {down.server, false}});
  ASSERT_TRUE(results(up.server, 4) && results(down.server, 4));
  EXPECT_TRUE(recorder_.changes().empty());
  EXPECT_EQ(engine_.health(up.server), Health::up);
  EXPECT_EQ(engine_.health(down.server), Health::down);
}

TEST_F(EngineTest, an_adopted_server_falls_by_its_own_count) {
  auto check = check_of(Kind::tcp, free_port());
  check.fall = 5;
  engine_.configure({check}, {{check.server, true}});
  ASSERT_TRUE(recorder_.wait(check.server, Health::down));
  EXPECT_GE(report_of(check.server).failures, 5u);
}

TEST_F(EngineTest, hold_down_delays_the_return) {
  uint16_t port = free_port();
  auto check = check_of(Kind::tcp, port);
  check.hold_down = milliseconds{500};
  engine_.configure({check});
  ASSERT_TRUE(recorder_.wait(check.server, Health::down));
  const Listener listener(Listener::Manner::accept, "", port);
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(eventually([&] { return report_of(check.server).recovering; }));
  ASSERT_TRUE(recorder_.wait(check.server, Health::up));
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds{500});
}

TEST_F(EngineTest, a_manual_return_needs_somebody_and_a_good_server) {
  const uint16_t port = free_port();
  auto check = check_of(Kind::tcp, port);
  check.manual_return = true;
  engine_.configure({check}, {{check.server, false}});
  ASSERT_TRUE(results(check.server, 3));
  engine_.let_return(check.server);  // it is bad
  ASSERT_TRUE(results(check.server, 3));
  EXPECT_EQ(engine_.health(check.server), Health::down);
  EXPECT_FALSE(engine_.awaits_return(check.server));

  auto listener = std::make_unique<Listener>(Listener::Manner::accept, "", port);
  ASSERT_TRUE(eventually([&] { return engine_.awaits_return(check.server); }));
  ASSERT_TRUE(results(check.server, 5));
  EXPECT_EQ(engine_.health(check.server), Health::down);

  // Another check that finds it bad: it would not return if it was let.
  auto other = check_of(Kind::tcp, free_port());
  other.server = check.server;
  other.pool = "other";
  engine_.configure({check, other}, {{check.server, false}});
  ASSERT_TRUE(eventually([&] { return !engine_.awaits_return(check.server); }));
  engine_.configure({check});
  ASSERT_TRUE(eventually([&] { return engine_.awaits_return(check.server); }));

  engine_.let_return(check.server);
  ASSERT_TRUE(recorder_.wait(check.server, Health::up));
  EXPECT_FALSE(engine_.awaits_return(check.server));
  listener.reset();
  ASSERT_TRUE(recorder_.wait(check.server, Health::down));
}

TEST_F(EngineTest, unchanged_checks_keep_their_counts) {
  const Listener listener(Listener::Manner::accept);
  const auto kept = check_of(Kind::tcp, listener.port());
  engine_.configure({kept});
  ASSERT_TRUE(results(kept.server, 3));
  const auto before = report_of(kept.server);
  engine_.configure({kept, check_of(Kind::icmp, 0)});
  ASSERT_TRUE(recorder_.wait(server_at(0), Health::up));
  EXPECT_GE(report_of(kept.server).successes, before.successes);
  EXPECT_EQ(report_of(kept.server).last_change, before.last_change);
}

TEST_F(EngineTest, a_changed_check_keeps_its_verdict_and_counts_anew) {
  const Listener listener(Listener::Manner::accept);
  auto check = check_of(Kind::tcp, listener.port());
  engine_.configure({check});
  ASSERT_TRUE(recorder_.wait(check.server, Health::up));
  check.port = free_port();  // now it probes a dead port, and only `fall` failures count
  check.fall = 4;
  engine_.configure({check});
  ASSERT_TRUE(recorder_.wait(check.server, Health::down));
  EXPECT_GE(report_of(check.server).failures, 4u);
}

TEST_F(EngineTest, a_removed_check_is_forgotten) {
  const auto dead = check_of(Kind::tcp, free_port());
  engine_.configure({dead});
  ASSERT_TRUE(recorder_.wait(dead.server, Health::down));
  engine_.configure({});
  ASSERT_TRUE(recorder_.wait(dead.server, Health::unknown));
  EXPECT_TRUE(engine_.explain(dead.server).empty());
  EXPECT_EQ(engine_.status().checks, 0u);
}

TEST_F(EngineTest, one_pools_checks_leave_those_of_others_alone) {
  const Listener listener(Listener::Manner::accept);
  auto kept = check_of(Kind::tcp, listener.port());
  kept.pool = "kept";
  auto moved = check_of(Kind::tcp, free_port());
  moved.pool = "moved";
  engine_.reconfigure({{"kept", {kept}}, {"moved", {moved}}});
  ASSERT_TRUE(recorder_.wait(moved.server, Health::down));
  ASSERT_TRUE(results(kept.server, 3));
  const auto before = report_of(kept.server);
  auto shared = kept;  // a second pool checks the same server
  shared.pool = "moved";
  engine_.reconfigure({{"moved", {shared}}});
  ASSERT_TRUE(recorder_.wait(moved.server, Health::unknown));
  EXPECT_EQ(engine_.explain(kept.server).size(), 2u);
  engine_.reconfigure({{"moved", {}}, {"never was", {}}});
  EXPECT_TRUE(eventually([&] { return engine_.status().checks == 1; }));
  EXPECT_GE(report_of(kept.server).successes, before.successes);
  EXPECT_EQ(engine_.health(kept.server), Health::up);
}

TEST_F(EngineTest, what_waits_for_one_pool_is_not_lost_for_another) {
  const Listener listener(Listener::Manner::accept);
  std::vector<Check> checks;
  for (uint32_t i = 0; i < 200; ++i) {
    Check check = check_of(Kind::tcp, listener.port());
    check.server.address = net::Address::v4(0x7f040000u + i);
    check.pool = "pool" + std::to_string(i);
    checks.push_back(check);
    engine_.reconfigure({{check.pool, {check}}});
  }
  for (const Check& check : checks) {
    EXPECT_TRUE(recorder_.wait(check.server, Health::up));
  }
}

TEST_F(EngineTest, many_lists_in_a_row_end_with_the_last) {
  const Listener listener(Listener::Manner::accept);
  const auto kept = check_of(Kind::tcp, listener.port());
  auto down = check_of(Kind::tcp, free_port());
  engine_.configure({down}, {{down.server, false}});
  for (int i = 0; i < 1000; ++i) {
    engine_.configure({kept, check_of(Kind::icmp, static_cast<uint16_t>(i))});
  }
  engine_.configure({kept, down});
  ASSERT_TRUE(recorder_.wait(kept.server, Health::up));
  EXPECT_TRUE(eventually(
      [&] { return engine_.status().checks == 2 && engine_.health(down.server) == Health::down; }));
}

TEST_F(EngineTest, a_server_is_up_when_all_its_checks_are) {
  const Listener listener(Listener::Manner::accept);
  auto good = check_of(Kind::tcp, listener.port());
  good.pool = "a";
  auto bad = good;
  bad.pool = "b";
  bad.port = free_port();
  engine_.configure({good, bad});
  ASSERT_TRUE(recorder_.wait(good.server, Health::down));
  EXPECT_EQ(engine_.explain(good.server).size(), 2u);
  engine_.configure({good});
  ASSERT_TRUE(recorder_.wait(good.server, Health::up));
}

TEST_F(EngineTest, one_thread_runs_thousands_of_checks) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  const Listener listener(Listener::Manner::accept);
  const uint16_t dead = free_port();
  constexpr int kCount = 4000;
  std::vector<Check> checks;
  for (int i = 0; i < kCount; ++i) {
    // Servers 127.1.x.y, all probed at the one listener, half of them at the dead port.
    Check check =
        check_of(i % 4 == 0 ? Kind::icmp : Kind::tcp, i % 2 == 0 ? listener.port() : dead);
    check.server.address = net::Address::v4(0x7f010000u + static_cast<uint32_t>(i));
    check.interval = milliseconds{5000};
    check.timeout = milliseconds{5000};  // on a busy machine the one listener may be slow
    checks.push_back(check);
  }
  engine_.configure(checks);
  EXPECT_TRUE(eventually([&] { return recorder_.changes().size() >= kCount; }));
  int up = 0;
  for (const Check& check : checks) {
    up += engine_.health(check.server) == Health::up ? 1 : 0;
  }
  EXPECT_EQ(up, kCount / 2);
  EXPECT_FALSE(engine_.status().frozen) << engine_.status().reason;
}

TEST(EngineLimits, more_checks_than_places_in_flight_wait_their_turn) {
  Recorder recorder;
  Engine engine({.seed = 3, .max_in_flight = 2}, recorder.callbacks());
  const Listener listener(Listener::Manner::accept);
  std::vector<Check> checks;
  for (uint32_t i = 0; i < 50; ++i) {
    Check check = check_of(Kind::tcp, listener.port());
    check.server.address = net::Address::v4(0x7f020000u + i);
    checks.push_back(check);
  }
  engine.configure(checks);
  for (const Check& check : checks) {
    EXPECT_TRUE(recorder.wait(check.server, Health::up));
  }
  EXPECT_LE(engine.status().in_flight, 2u);
  engine.configure({checks.front()});
  EXPECT_TRUE(eventually([&] { return engine.status().checks == 1; }));
}

}  // namespace
}  // namespace nezu::health
