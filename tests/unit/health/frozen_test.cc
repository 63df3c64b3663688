// A check engine that is at fault itself: verdicts stay, the alarm says why, and it recovers.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <stdexcept>

#include "tests/unit/health/peers.h"
#include "tests/unit/health/recorder.h"

namespace nezu::health {
namespace {

using std::chrono::milliseconds;

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Leaves this process without a free descriptor for as long as it lives. UBSan then takes sound
/// exception objects for bad ones and says so: it looks at memory through a pipe of its own.
class NoDescriptors {
 public:
  NoDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit none = before_;
    none.rlim_cur = 3;  // all that are open stay open; no new one can be
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

class Frozen : public testing::TestWithParam<Kind> {};

TEST_P(Frozen, without_descriptors_nobody_fails) {
  Recorder recorder;
  Engine engine({.seed = 5}, recorder.callbacks());
  const Listener listener(Listener::Manner::answer, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  Check check = check_of(Kind::tcp, listener.port());
  engine.configure({check});
  ASSERT_TRUE(recorder.wait(check.server, Health::up));
  check.kind = GetParam();
  {
    const NoDescriptors none;
    engine.configure({check});
    ASSERT_TRUE(recorder.wait_alarm([](const std::string& reason) {
      return holds(reason, "some checks cannot run") && holds(reason, "oo many open files");
    }));
    ASSERT_TRUE(eventually([&] { return engine.explain(check.server).at(0).broken >= 5; }));
    EXPECT_TRUE(engine.status().frozen);
    EXPECT_EQ(engine.health(check.server), Health::up);
    EXPECT_EQ(engine.explain(check.server).at(0).failures, 0u);
  }
  EXPECT_TRUE(recorder.wait_alarm([](const std::string& reason) { return reason.empty(); }));
  EXPECT_FALSE(engine.status().frozen);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Frozen, testing::Values(Kind::tcp, Kind::http, Kind::icmp),
                         [](const auto& kind) { return std::string(to_string(kind.param)); });

TEST(FrozenEngine, that_cannot_even_start_says_so_and_starts_later) {
  Recorder recorder;
  const Listener listener(Listener::Manner::accept);
  const Check check = check_of(Kind::tcp, listener.port());
  std::unique_ptr<Engine> engine;
  {
    const NoDescriptors none;
    engine = std::make_unique<Engine>(Engine::Options{.seed = 5}, recorder.callbacks());
    engine->configure({check});
    ASSERT_TRUE(recorder.wait_alarm([](const std::string& reason) {
      return holds(reason, "the check thread failed") && holds(reason, "epoll_create1");
    }));
    EXPECT_TRUE(engine->status().frozen);
  }
  EXPECT_TRUE(recorder.wait(check.server, Health::up));
  EXPECT_FALSE(engine->status().frozen);
}

TEST(FrozenEngine, by_its_caller_counts_nothing) {
  Recorder recorder;
  Engine engine({.seed = 5}, recorder.callbacks());
  const Check check = check_of(Kind::tcp, free_port());
  engine.freeze("the data plane is not running");
  engine.configure({check}, {{check.server, true}});
  ASSERT_TRUE(eventually([&] {
    const auto reports = engine.explain(check.server);
    return !reports.empty() && reports[0].failures >= 6;
  }));
  EXPECT_EQ(engine.health(check.server), Health::up);
  EXPECT_EQ(engine.status().reason, "the data plane is not running");
  engine.thaw();
  EXPECT_TRUE(recorder.wait(check.server, Health::down));
  EXPECT_FALSE(engine.status().frozen);
}

TEST(FrozenEngine, when_thawed_probes_soon_whom_it_does_not_know) {
  Recorder recorder;
  Engine engine({.seed = 5}, recorder.callbacks());
  Check check = check_of(Kind::tcp, free_port());
  check.interval = milliseconds{3'600'000};
  engine.freeze("the data plane is not running");
  engine.configure({check});
  ASSERT_TRUE(eventually([&] {
    const auto reports = engine.explain(check.server);
    return !reports.empty() && reports[0].failures == 1;
  }));
  EXPECT_EQ(engine.health(check.server), Health::unknown);
  engine.thaw();
  EXPECT_TRUE(recorder.wait(check.server, Health::down));
}

TEST(FrozenEngine, that_gets_nothing_through_counts_no_failure) {
  Recorder recorder;
  std::atomic<bool> gets_through{false};
  Engine engine({.seed = 5, .gets_through = [&] { return gets_through.load(); }},
                recorder.callbacks());
  Check check = check_of(Kind::tcp, free_port());
  check.fall = 1;
  engine.configure({check}, {{check.server, true}});
  ASSERT_TRUE(eventually([&] {
    const auto reports = engine.explain(check.server);
    return !reports.empty() && reports[0].failures >= 6;
  }));
  EXPECT_EQ(engine.health(check.server), Health::up);
  gets_through = true;
  EXPECT_TRUE(recorder.wait(check.server, Health::down));
}

TEST(FrozenEngine, asks_only_when_a_killed_data_plane_can_be_seen_as_gone) {
  // The probe fails at once; a process takes its time to die.
  Recorder recorder;
  std::atomic<std::chrono::system_clock::time_point> asked{};
  Engine engine({.seed = 5,
                 .gets_through =
                     [&] {
                       asked = std::chrono::system_clock::now();
                       return true;
                     }},
                recorder.callbacks());
  Check check = check_of(Kind::tcp, free_port());
  check.fall = 1;
  check.interval = milliseconds{5000};
  engine.configure({check}, {{check.server, true}});
  ASSERT_TRUE(recorder.wait(check.server, Health::down));
  EXPECT_GE(asked.load() - engine.explain(check.server).at(0).last_probe, milliseconds{90});
}

TEST(FrozenEngine, whose_callback_throws_tells_the_change_again) {
  Recorder recorder;
  std::atomic<int> calls{0};
  auto callbacks = recorder.callbacks();
  const auto record = callbacks.changed;
  callbacks.changed = [&](const std::vector<Change>& changes) {
    if (calls++ == 0) {
      throw std::runtime_error("the disk is full");
    }
    record(changes);
  };
  Engine engine({.seed = 5}, callbacks);
  const Listener listener(Listener::Manner::accept);
  const Check check = check_of(Kind::tcp, listener.port());
  engine.configure({check});
  EXPECT_TRUE(recorder.wait_alarm(
      [](const std::string& reason) { return holds(reason, "the disk is full"); }));
  EXPECT_TRUE(recorder.wait(check.server, Health::up));
  EXPECT_TRUE(recorder.wait_alarm([](const std::string& reason) { return reason.empty(); }));
}

TEST(FrozenEngine, that_is_stuck_is_seen_from_outside) {
  Recorder recorder;
  std::atomic<bool> hold{true};
  auto callbacks = recorder.callbacks();
  callbacks.changed = [&](const std::vector<Change>&) {
    while (hold) {
      std::this_thread::sleep_for(milliseconds{5});
    }
  };
  Engine engine({.seed = 5, .stuck_after = milliseconds{100}}, callbacks);
  engine.configure({check_of(Kind::tcp, free_port())});
  EXPECT_TRUE(eventually([&] { return holds(engine.status().reason, "stuck"); }));
  hold = false;
  EXPECT_TRUE(eventually([&] { return !engine.status().frozen; }));
}

TEST(FrozenEngine, a_held_up_thread_blames_no_server) {
  // The callback takes longer than the timeout of a probe that was in flight meanwhile.
  Recorder recorder;
  auto callbacks = recorder.callbacks();
  const auto record = callbacks.changed;
  callbacks.changed = [&](const std::vector<Change>& changes) {
    record(changes);
    std::this_thread::sleep_for(milliseconds{900});
  };
  Engine engine({.seed = 5}, callbacks);
  const Listener listener(Listener::Manner::answer, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  std::vector<Check> checks;
  Engine::Adopted adopted;
  for (uint32_t i = 0; i < 20; ++i) {
    Check check = check_of(Kind::http, listener.port());
    check.server.address = net::Address::v4(0x7f030000u + i);
    check.timeout = milliseconds{500};
    check.fall = 1;
    adopted[check.server] = true;
    checks.push_back(check);
  }
  checks.push_back(check_of(Kind::tcp, free_port()));  // whose change holds the thread up
  engine.configure(checks, adopted);
  ASSERT_TRUE(recorder.wait(checks.back().server, Health::down));
  ASSERT_TRUE(eventually([&] { return engine.explain(checks[0].server).at(0).successes > 5; }));
  EXPECT_EQ(recorder.changes().size(), 1u);
}

}  // namespace
}  // namespace nezu::health
