// Every kind of probe against real peers: what a good one, a bad one and a silent one look like.
#include <gtest/gtest.h>
#include <sched.h>

#include <cstdlib>
#include <functional>
#include <thread>

#include "tests/unit/health/peers.h"
#include "tests/unit/health/recorder.h"

namespace nezu::health {
namespace {

class Probe : public testing::Test {
 protected:
  /// The first verdict and the report that goes with it.
  CheckReport first_report(Check check) {
    const auto server = check.server;
    engine_.configure({std::move(check)});
    EXPECT_TRUE(eventually([&] {
      const auto reports = engine_.explain(server);
      return !reports.empty() && reports[0].successes + reports[0].failures + reports[0].broken > 0;
    }));
    return engine_.explain(server).at(0);
  }

  Recorder recorder_;
  Engine engine_{{.user_agent = "nezu-health/test", .seed = 7}, recorder_.callbacks()};
};

TEST_F(Probe, tcp_accepted) {
  const Listener listener(Listener::Manner::accept);
  const auto report = first_report(check_of(Kind::tcp, listener.port()));
  EXPECT_EQ(report.health, Health::up);
  EXPECT_TRUE(report.last_result.starts_with("connected in ")) << report.last_result;
  EXPECT_TRUE(report.last_succeeded);
  EXPECT_GT(report.last_took.count(), 0);
}

TEST_F(Probe, tcp_begins_with_a_proxy_header) {
  const Listener listener(Listener::Manner::answer);
  Check check = check_of(Kind::tcp, listener.port());
  check.proxy_protocol = true;
  EXPECT_EQ(first_report(check).health, Health::up);
  const std::string header("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16);
  EXPECT_TRUE(eventually([&] { return listener.last_request() == header; }));
}

TEST_F(Probe, http_begins_with_a_proxy_header) {
  const Listener listener(Listener::Manner::answer, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  Check check = check_of(Kind::http, listener.port());
  check.proxy_protocol = true;
  EXPECT_EQ(first_report(check).health, Health::up);
  EXPECT_TRUE(listener.last_request().starts_with("PROXY TCP4 127.0.0.1 127.0.0.1 "));
  EXPECT_NE(listener.last_request().find("\r\nGET / HTTP/1.1\r\n"), std::string::npos);
}

TEST_F(Probe, tcp_accepted_over_ipv6) {
  const Listener listener(Listener::Manner::accept, "", 0, true);
  EXPECT_EQ(first_report(check_of(Kind::tcp, listener.port(), "::1")).health, Health::up);
}

TEST_F(Probe, tcp_refused) {
  const auto report = first_report(check_of(Kind::tcp, free_port()));
  EXPECT_EQ(report.health, Health::down);
  EXPECT_EQ(report.last_result, "connection refused");
}

TEST_F(Probe, tcp_without_any_answer) {
  const DeafPort deaf;
  Check check = check_of(Kind::tcp, deaf.port());
  check.timeout = Milliseconds{150};
  const auto report = first_report(check);
  EXPECT_EQ(report.last_result, "no answer to the connection attempt within 150 ms");
  EXPECT_GE(report.last_took, std::chrono::milliseconds{150});
}

TEST_F(Probe, ping_answered) {
  const auto report = first_report(check_of(Kind::icmp, 0));
  EXPECT_EQ(report.health, Health::up) << report.last_result;
  EXPECT_EQ(report.last_bytes, 64u);
  EXPECT_TRUE(report.last_result.starts_with("echo reply in ")) << report.last_result;
}

TEST_F(Probe, ping_answered_over_ipv6) {
  const auto report = first_report(check_of(Kind::icmp, 0, "::1"));
  EXPECT_EQ(report.health, Health::up) << report.last_result;
}

/// Runs `body` in a network namespace of its own; false when that needs more rights than we have.
bool in_own_namespace(const std::function<void()>& body) {
  bool possible = false;
  std::thread([&] {
    possible = ::unshare(CLONE_NEWNET) == 0;
    if (possible) {
      body();  // threads that it starts stay in its namespace
    }
  }).join();
  return possible;
}

TEST(ProbeAlone, ping_unanswered_and_ping_unroutable) {
  const bool possible = in_own_namespace([] {
    Recorder recorder;
    Engine engine({.seed = 7}, recorder.callbacks());
    Check silent = check_of(Kind::icmp, 1);
    silent.timeout = Milliseconds{150};
    const Check unroutable = check_of(Kind::icmp, 2, "192.0.2.1");
    // This namespace's own loopback, told not to answer pings.
    ASSERT_EQ(std::system("ip link set lo up && "
                          "echo 1 >/proc/sys/net/ipv4/icmp_echo_ignore_all"),
              0);
    engine.configure({silent, unroutable});
    ASSERT_TRUE(recorder.wait(silent.server, Health::down));
    ASSERT_TRUE(recorder.wait(unroutable.server, Health::down));
    EXPECT_EQ(engine.explain(silent.server)[0].last_result, "no echo reply within 150 ms");
    EXPECT_EQ(engine.explain(unroutable.server)[0].last_result, "network is unreachable");
  });
  if (!possible) {
    GTEST_FAIL() << "needs CAP_SYS_ADMIN";
  }
}

TEST_F(Probe, http_good) {
  const Nginx nginx;
  ASSERT_TRUE(nginx.is_running());
  const auto report = first_report(check_of(Kind::http, nginx.port()));
  EXPECT_EQ(report.health, Health::up);
  EXPECT_TRUE(report.last_result.starts_with("HTTP 200 in ")) << report.last_result;
  EXPECT_EQ(report.last_bytes, 12u);
}

TEST_F(Probe, http_wrong_status) {
  const Nginx nginx;
  ASSERT_TRUE(nginx.is_running());
  Check check = check_of(Kind::http, nginx.port());
  check.http.path = "/sad";
  const auto report = first_report(check);
  EXPECT_EQ(report.health, Health::down);
  EXPECT_EQ(report.last_result, "HTTP 503 is not an accepted status");
}

TEST_F(Probe, http_redirects_are_not_followed) {
  const Nginx nginx;
  ASSERT_TRUE(nginx.is_running());
  Check check = check_of(Kind::http, nginx.port());
  check.http.path = "/moved";
  EXPECT_EQ(first_report(check).last_result, "HTTP 302 is not an accepted status");
  check.server.port = 1;  // another server, the same page, another opinion of it
  check.http.statuses = {{200, 204}, {302, 302}};
  EXPECT_EQ(first_report(check).health, Health::up);
}

TEST_F(Probe, http_body) {
  const Nginx nginx;
  ASSERT_TRUE(nginx.is_running());
  Check check = check_of(Kind::http, nginx.port());
  check.http.body_regex = "is (well|fine)";
  EXPECT_EQ(first_report(check).health, Health::up);
  check.server.port = 1;
  check.http.body_regex = "^never$";
  EXPECT_EQ(first_report(check).last_result, "HTTP 200, but the body does not match \"^never$\"");
}

TEST_F(Probe, http_sends_user_agent_and_host) {
  const Nginx nginx;
  ASSERT_TRUE(nginx.is_running());
  Check check = check_of(Kind::http, nginx.port());
  check.http.path = "/agent";
  check.http.body_regex = "^nezu-health/test$";
  EXPECT_EQ(first_report(check).health, Health::up);
  check.server.port = 1;
  check.http.user_agent = "mine";
  check.http.body_regex = "^mine$";
  EXPECT_EQ(first_report(check).health, Health::up);
  check.server.port = 2;
  check.http.path = "/host";
  check.http.host = "shop.example";
  check.http.body_regex = "^shop.example$";
  EXPECT_EQ(first_report(check).health, Health::up);
}

TEST_F(Probe, http_refused) {
  const auto report = first_report(check_of(Kind::http, free_port()));
  EXPECT_EQ(report.health, Health::down);
  EXPECT_EQ(report.last_result, "connection refused");
}

TEST_F(Probe, http_never_answered) {
  const Listener silent(Listener::Manner::silent);
  Check check = check_of(Kind::http, silent.port());
  check.timeout = Milliseconds{150};
  EXPECT_EQ(first_report(check).last_result, "connected, but no HTTP answer within 150 ms");
}

TEST_F(Probe, http_body_slower_than_the_timeout) {
  const Listener trickle(Listener::Manner::trickle);
  Check check = check_of(Kind::http, trickle.port());
  check.timeout = Milliseconds{200};
  const auto report = first_report(check);
  EXPECT_EQ(report.last_result, "HTTP 200, but the body did not end within 200 ms");
  EXPECT_GT(report.last_bytes, 0u);
}

TEST_F(Probe, http_answers_that_are_none) {
  const Listener rude(Listener::Manner::answer, "220 mail ready\r\n");
  EXPECT_EQ(first_report(check_of(Kind::http, rude.port())).health, Health::down);
  const Listener mute(Listener::Manner::answer, "");
  EXPECT_EQ(first_report(check_of(Kind::http, mute.port())).health, Health::down);
  const Listener cut(Listener::Manner::answer,
                     "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort");
  EXPECT_EQ(first_report(check_of(Kind::http, cut.port())).health, Health::down);
}

TEST_F(Probe, http_huge_body_is_read_only_so_far) {
  const Listener huge(Listener::Manner::answer,
                      "HTTP/1.1 200 OK\r\n\r\nbegin" + std::string(2 << 20, 'x'));
  Check check = check_of(Kind::http, huge.port());
  check.timeout = Milliseconds{3000};
  check.http.body_regex = "begin";
  const auto report = first_report(check);
  EXPECT_EQ(report.health, Health::up) << report.last_result;
  EXPECT_LT(report.last_bytes, 1u << 20);
}

TEST(ProblemOf, says_what_cannot_run) {
  Check check = check_of(Kind::http, 80);
  EXPECT_EQ(problem_of(check), "");
  check.http.path = "index";
  EXPECT_EQ(problem_of(check), "the path \"index\" does not begin with \"/\"");
  check.http.path = "/a\r\nX: y";
  EXPECT_NE(problem_of(check), "");
  check.http.path = "/";
  check.http.body_regex = "(";
  EXPECT_NE(problem_of(check).find("regex"), std::string::npos);
  check = check_of(Kind::tcp, 0);
  EXPECT_EQ(problem_of(check), "a tcp check needs a port");
  EXPECT_EQ(problem_of(check_of(Kind::icmp, 0)), "");
}

}  // namespace
}  // namespace nezu::health
