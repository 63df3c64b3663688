// Weights by response time, and shares put together from what servers say and show.
#include "controlplane/health/weights.h"

#include <gtest/gtest.h>

#include "controlplane/health/response_weights.h"

namespace nezu::health {
namespace {

using compile::ShareSource;
using std::chrono::microseconds;

tables::ServerIdentity web(uint32_t last) {
  return {net::Address::v4(0x0a000100 + last), net::Instance::standard, 80, net::Protocol::tcp, {}};
}

class Response : public testing::Test {
 protected:
  /// Server n answers in the n-th time, so many times each.
  void answer(std::vector<int> milliseconds, uint32_t times = ResponseWeights::kEnough) {
    for (uint32_t i = 0; i < times; ++i) {
      for (uint32_t server = 0; server < milliseconds.size(); ++server) {
        weights_.answered(web(server), microseconds(1000 * milliseconds[server]));
      }
      moves_ += weights_.settle().size();
    }
  }
  std::vector<int> percents(uint32_t servers) const {
    std::vector<int> all;
    for (uint32_t server = 0; server < servers; ++server) {
      all.push_back(weights_.percent(web(server)));
    }
    return all;
  }
  using All = std::vector<int>;

  ResponseWeights weights_{10};
  size_t moves_ = 0;
};

TEST_F(Response, inverse_to_the_time_of_the_fastest) {
  answer({10, 20, 40});
  EXPECT_EQ(percents(3), (All{100, 50, 25}));
  answer({10, 10, 400}, 40);
  EXPECT_EQ(percents(3), (All{100, 100, 10}));
}

TEST_F(Response, equally_slow_is_equal) {
  answer({300, 300, 300}, 20);
  EXPECT_EQ(percents(3), (All{100, 100, 100}));
  EXPECT_EQ(moves_, 0u);
}

TEST_F(Response, five_milliseconds_and_less_are_the_same) {
  for (int i = 0; i < 20; ++i) {
    weights_.answered(web(0), microseconds(80));
    weights_.answered(web(1), microseconds(4900));
    EXPECT_TRUE(weights_.settle().empty());
  }
}

TEST_F(Response, nobody_gets_less_than_the_floor) {
  answer({10, 5000});
  EXPECT_EQ(percents(2), (All{100, 10}));
  weights_.set_floor(30);
  answer({10, 5000}, 1);
  EXPECT_EQ(percents(2), (All{100, 30}));
}

TEST_F(Response, small_differences_move_nothing) {
  for (int i = 0; i < 50; ++i) {
    answer({100, i % 2 == 0 ? 85 : 115, i % 3 == 0 ? 90 : 110}, 1);
  }
  EXPECT_EQ(moves_, 0u);
}

TEST_F(Response, what_swings_about_a_weight_does_not_move_it_again_and_again) {
  answer({10, 20});
  const size_t before = moves_;
  for (int i = 0; i < 50; ++i) {
    answer({10, i % 2 == 0 ? 19 : 22}, 1);
  }
  EXPECT_EQ(moves_, before);
}

TEST_F(Response, a_server_that_is_fast_again_is_equal_in_the_end) {
  answer({10, 80});
  EXPECT_LT(weights_.percent(web(1)), 20);
  answer({10, 10}, 60);
  EXPECT_EQ(percents(2), (All{100, 100}));
}

TEST_F(Response, one_slow_answer_among_many_is_overlooked) {
  answer({1, 1}, 10);
  answer({1, 900}, 1);
  answer({1, 1}, 10);
  EXPECT_EQ(moves_, 0u);
}

TEST_F(Response, what_was_adopted_stays_until_all_are_measured_anew) {
  weights_.adopt(web(1), 20);
  answer({10, 50}, ResponseWeights::kEnough - 1);
  EXPECT_EQ(percents(2), (All{100, 20}));
  EXPECT_EQ(moves_, 0u);
  answer({10, 50}, 1);
  EXPECT_EQ(moves_, 0u) << "it is as it was";
  // Of two that have begun the one that is ahead decides nothing yet.
  ResponseWeights anew(10);
  anew.adopt(web(1), 20);
  anew.answered(web(0), microseconds(10000));
  for (int i = 0; i < 10; ++i) {
    anew.answered(web(1), microseconds(50000));
    EXPECT_TRUE(anew.settle().empty());
  }
  EXPECT_EQ(anew.percent(web(1)), 20);
}

TEST_F(Response, the_time_of_a_failed_server_counts_no_more) {
  answer({10, 40, 40});
  EXPECT_EQ(percents(3), (All{100, 25, 25}));
  weights_.lost(web(0));
  EXPECT_EQ(weights_.smoothed(web(0)), microseconds(0));
  answer({}, 1);
  weights_.settle();
  EXPECT_EQ(percents(3), (All{100, 100, 100})) << "the fastest of those that are left";
  for (int i = 0; i < 3; ++i) {
    weights_.answered(web(0), microseconds(10000));
    weights_.settle();
  }
  EXPECT_EQ(percents(3), (All{100, 100, 100})) << "it has just come back";
  weights_.answered(web(0), microseconds(10000));
  weights_.settle();
  EXPECT_EQ(percents(3), (All{100, 25, 25}));
}

// --- put together -----------------------------------------------------------------------------

class Together : public testing::Test {
 protected:
  Together() {
    weights_.configure("web", Weights::Wanted{ShareSource::agent, 10, {web(1), web(2)}});
    weights_.configure("fast", Weights::Wanted{ShareSource::response_time, 10, {web(1), web(2)}});
  }
  compile::Shares say(const char* line, const char* pool = "web", uint32_t server = 1) {
    return weights_.hear({{pool, web(server), read_agent_line(line)}});
  }
  compile::Shares take(int milliseconds, uint32_t server) {
    return weights_.hear({{"fast", web(server), microseconds(1000 * milliseconds)}});
  }
  Weights weights_;
};

TEST_F(Together, only_what_is_different_is_told) {
  EXPECT_EQ(say("50% up").at("web").at(web(1)).percent, 50);
  EXPECT_TRUE(say("50% up").empty());
  EXPECT_TRUE(say("50%").empty());
  EXPECT_TRUE(say("100%", "web", 2).empty()) << "it has the whole already";
  EXPECT_EQ(say("drain").at("web").at(web(1)).percent, 50);
  EXPECT_TRUE(weights_.view("web", web(1))->share.drains);
}

TEST_F(Together, who_is_nobodys_member_says_nothing) {
  EXPECT_TRUE(say("50%", "web", 9).empty());
  EXPECT_TRUE(say("50%", "gone").empty());
  EXPECT_TRUE(say("50%", "fast").empty()) << "that pool has no agents";
  EXPECT_EQ(weights_.view("gone", web(1)), std::nullopt);
  EXPECT_EQ(weights_.view("web", web(9)), std::nullopt);
}

TEST_F(Together, times_become_shares) {
  for (uint32_t i = 0; i < ResponseWeights::kEnough; ++i) {
    take(10, 1);
    const auto changed = take(20, 2);
    EXPECT_EQ(changed.empty(), i + 1 < ResponseWeights::kEnough);
  }
  EXPECT_EQ(weights_.view("fast", web(2))->share.percent, 50);
  EXPECT_EQ(weights_.view("fast", web(2))->response, microseconds(20000));
  const auto alone = weights_.hear({{"fast", web(1), Heard::Failed{}}});
  EXPECT_EQ(alone.at("fast").at(web(2)).percent, 100) << "it is the fastest that is left";
}

TEST_F(Together, a_change_of_the_pool_keeps_what_is_said_and_forgets_who_left) {
  say("50%");
  say("30%", "web", 2);
  weights_.configure("web", Weights::Wanted{ShareSource::agent, 10, {web(1), web(3)}});
  EXPECT_EQ(weights_.view("web", web(1))->share.percent, 50);
  EXPECT_EQ(weights_.view("web", web(3))->share.percent, 100);
  weights_.configure("web", Weights::Wanted{ShareSource::agent, 10, {web(1), web(2)}});
  EXPECT_EQ(weights_.view("web", web(2))->share.percent, 100) << "it comes anew";
  weights_.configure("web", Weights::Wanted{ShareSource::response_time, 10, {web(1)}});
  EXPECT_EQ(weights_.view("web", web(1))->share.percent, 100) << "that was the agent's word";
  weights_.configure("web", std::nullopt);
  EXPECT_EQ(weights_.view("web", web(1)), std::nullopt);
}

TEST_F(Together, a_restart_goes_on_from_what_was_published) {
  say("50% maxconn:7 drain");
  Weights next;
  next.adopt(weights_.shares());
  next.configure("web", Weights::Wanted{ShareSource::agent, 10, {web(1), web(2)}});
  EXPECT_EQ(next.view("web", web(1))->share, weights_.view("web", web(1))->share);
  EXPECT_TRUE(next.hear({{"web", web(1), read_agent_line("50%")}}).empty());
  // Weights of another kind are no beginning.
  Weights other;
  other.adopt(weights_.shares());
  other.configure("web", Weights::Wanted{ShareSource::response_time, 10, {web(1), web(2)}});
  EXPECT_EQ(other.view("web", web(1))->share.percent, 100);
}

}  // namespace
}  // namespace nezu::health
