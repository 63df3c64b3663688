// Persistence and limits against models of a few lines, over random lives.
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>
#include <set>

#include "dataplane/admit/meters.h"
#include "tests/path/frames.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Reason;
using net::Verdict;
using tables::ServerState;

class Dice {
 public:
  explicit Dice(uint32_t seed) : random_(seed) {}
  uint32_t below(uint32_t end) { return static_cast<uint32_t>(random_() % end); }
  bool one_in(uint32_t n) { return below(n) == 0; }

 private:
  std::mt19937 random_;
};

/// Two services of a mark, by other ports of the same servers.
struct Shop {
  static constexpr std::array<std::string_view, 4> kServers = {"10.0.1.5", "10.0.1.6", "10.0.1.7",
                                                               "10.0.1.8"};
  static constexpr uint32_t kTimeout = 60;
  std::array<ServerState, 4> states{};
  bool keeps_draining = false;

  void put(Lab& lab) const {
    for (const uint16_t port : {uint16_t{80}, uint16_t{443}}) {
      world::ServiceSpec spec = web();
      spec.port = port;
      spec.scheduler = tables::Scheduler::wlc;
      spec.servers.clear();
      for (size_t i = 0; i < kServers.size(); ++i) {
        spec.servers.push_back({kServers[i], static_cast<uint16_t>(8000 + port), 1, states[i]});
      }
      spec.persistence.timeout_s = kTimeout;
      spec.persistence.host_bits4 = 8;
      spec.persistence.host_bits6 = 64;
      spec.persistence.keeps_draining = keeps_draining ? 1 : 0;
      spec.persistence.scope = tables::scope_of_mark(7);
      lab.world().put(spec);
    }
  }
  /// May a known client's flow go there, may another's?
  bool keeps(const std::string& server) const {
    const ServerState state = state_of(server);
    return state == ServerState::ready ||
           (state == ServerState::draining && (keeps_draining || ready() == 0));
  }
  bool takes(const std::string& server) const {
    const ServerState state = state_of(server);
    return state == ServerState::ready || (state == ServerState::draining && ready() == 0);
  }
  uint32_t ready() const {
    return static_cast<uint32_t>(std::count(states.begin(), states.end(), ServerState::ready));
  }
  bool serves() const {
    return std::any_of(kServers.begin(), kServers.end(),
                       [this](std::string_view one) { return takes(std::string(one)); });
  }
  ServerState state_of(const std::string& server) const {
    const auto at = std::find(kServers.begin(), kServers.end(), server);
    return at == kServers.end() ? ServerState::disabled
                                : states[static_cast<size_t>(at - kServers.begin())];
  }
};

TEST(ClientsProperty, AClientStaysWhereItWasAsLongAsItMay) {
  for (uint32_t seed = 1; seed <= 30; ++seed) {
    Dice dice(seed);
    const auto workers = static_cast<uint16_t>(1 + dice.below(3));
    Lab lab(workers, {4096, 64, 64});
    Shop shop;
    shop.keeps_draining = dice.one_in(2);
    shop.put(lab);
    struct Known {
      std::string server;
      double until;
    };
    std::map<uint32_t, Known> model;  // by prefix: as many as fit into one set
    double now = 0;
    uint16_t port = 1024;
    for (uint32_t step = 0; step < 400; ++step) {
      const std::string where = "seed " + std::to_string(seed) + ", step " + std::to_string(step);
      switch (dice.below(8)) {
        case 0: {
          const double seconds = dice.one_in(6) ? Shop::kTimeout + 6 : dice.below(9);
          lab.advance(seconds);
          now += seconds;
          break;
        }
        case 1:
          shop.states[dice.below(4)] = std::array{ServerState::ready, ServerState::draining,
                                                  ServerState::failed}[dice.below(3)];
          shop.put(lab);
          break;
        default: {
          const uint32_t prefix = dice.below(6);
          const std::string from =
              "198.51." + std::to_string(100 + prefix) + "." + std::to_string(1 + dice.below(250));
          const Fate fate = lab.send(
              eth() / ipv4(from, "203.0.113.10") / tcp(++port, dice.one_in(2) ? 443 : 80).syn(),
              static_cast<uint16_t>(dice.below(workers)));
          if (!shop.serves()) {
            // Who is known at a draining server stays there even so, if that is wanted.
            ASSERT_TRUE(fate.reason == Reason::no_server || fate.verdict == Verdict::forward)
                << where << ": " << to_string(fate.reason);
            if (fate.verdict != Verdict::forward) break;
          }
          ASSERT_EQ(fate.verdict, Verdict::forward) << where << ": " << to_string(fate.reason);
          const std::string server = net::to_string(ends_of(fate.frame).destination);
          const auto known = model.find(prefix);
          const double left = known != model.end() ? known->second.until - now : -9;
          // Deadlines are kept in units of four seconds, none too early.
          if (left > 0.5 && shop.keeps(known->second.server)) {
            ASSERT_EQ(server, known->second.server) << where << ": it was known";
          } else if (left < -4.5 || !shop.keeps(known->second.server)) {
            ASSERT_TRUE(shop.takes(server)) << where << ": " << server << " takes nobody new";
          }
          model[prefix] = {server, now + Shop::kTimeout};
        }
      }
    }
    EXPECT_EQ(lab.audit(), "") << "seed " << seed;
    EXPECT_EQ(lab.count(&tables::WorkerLine::persistence_forgotten), 0u);
  }
}

/// What was let in, at `per_second` and with a second's worth at once: no window has more, and none
/// that was refused would have fit into all windows.
class Window {
 public:
  explicit Window(uint32_t per_second) : per_second_(per_second) {}
  void let_in(double at) { times_.push_back(at); }
  /// One more at `at`, with `slack` of rounding: would it be too many in a window that ends there?
  bool is_beyond(double at, double slack) const {
    if (per_second_ == 0) return false;
    double count = 1;
    for (auto time = times_.rbegin(); time != times_.rend(); ++time) {
      ++count;
      if (count > per_second_ * (at - *time) + per_second_ + slack) return true;
    }
    return false;
  }

 private:
  double per_second_;
  std::vector<double> times_;
};

TEST(ClientsProperty, LimitsLetInWhatFitsAndNoMore) {
  constexpr uint32_t kClients = 5;
  for (uint32_t seed = 1; seed <= 60; ++seed) {
    Dice dice(seed);
    const auto some = [&](uint32_t most) { return dice.one_in(3) ? 0 : 1 + dice.below(most); };
    tables::Service service;
    service.id = tables::ServiceId{3};
    service.limits.all = {some(40), some(30)};
    service.limits.client = {some(12), some(10)};
    service.limits.host_bits4 = 8;
    admit::Meters meters(8, 64, 2, seed);
    Window all(service.limits.all.per_second);
    std::vector<Window> each(kClients, Window(service.limits.client.per_second));
    std::array<std::vector<std::pair<net::Address, admit::Meters::Mark>>, kClients> open;
    uint64_t nanoseconds = 1'000'000'000'000;
    for (uint32_t step = 0; step < 600; ++step) {
      nanoseconds += dice.below(dice.one_in(20) ? 900'000'000 : 30'000'000);
      const double now = static_cast<double>(nanoseconds) * 1e-9;
      const uint32_t who = dice.below(kClients);
      const auto address = net::Address::v4(0xc6336400u + (who << 8) + dice.below(256));
      size_t flows = 0;
      for (const auto& one : open) flows += one.size();
      if (dice.one_in(3) && !open[who].empty()) {
        meters.ended(3, open[who].back().first, open[who].back().second);
        open[who].pop_back();
        continue;
      }
      const Reason reason = meters.admit(service, address, flows, 1, {nanoseconds}).reason;
      const auto& limits = service.limits;
      const bool many = limits.all.at_once != 0 && flows >= limits.all.at_once;
      const bool many_here =
          limits.client.at_once != 0 && open[who].size() >= limits.client.at_once;
      const std::string where = "seed " + std::to_string(seed) + ", step " + std::to_string(step) +
                                ", limits " + std::to_string(limits.all.per_second) + " " +
                                std::to_string(limits.client.per_second) + ": " +
                                std::string(to_string(reason));
      if (reason == Reason::none) {
        EXPECT_FALSE(many || many_here) << where;
        EXPECT_FALSE(all.is_beyond(now, 1e-3)) << where;
        EXPECT_FALSE(each[who].is_beyond(now, 1e-3)) << where;
        all.let_in(now);
        each[who].let_in(now);
        open[who].emplace_back(address, meters.opened(service, address, 1, {nanoseconds}));
      } else {
        const bool right = reason == Reason::limit_flows          ? many
                           : reason == Reason::client_limit_flows ? many_here
                           : reason == Reason::limit_flow_rate    ? all.is_beyond(now, -1e-3)
                                                                  : each[who].is_beyond(now, -1e-3);
        EXPECT_TRUE(right) << where;
      }
      if (testing::Test::HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace nezu::lab
