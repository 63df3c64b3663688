// What becomes of the flows of a server that fails.
#include <gtest/gtest.h>

#include "tests/path/frames.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Verdict;
using tables::FailedFlows;
using tables::ServerState;

constexpr const char* kFirst = "10.0.1.5";

/// Two servers, one connection at each.
class Failed : public testing::Test {
 protected:
  world::ServiceSpec spec(FailedFlows policy) {
    world::ServiceSpec spec = web();
    spec.servers = {{kFirst, 8080}, {"10.0.1.6", 8080}};
    spec.failed_flows = policy;
    return spec;
  }
  void open(world::ServiceSpec what) {
    spec_ = std::move(what);
    lab_.world().put(spec_);
    for (uint32_t n = 0; n < 2; ++n) {
      all_.emplace_back(lab_, client(n), 1000);
      ASSERT_TRUE(all_.back().open());
      ASSERT_TRUE(all_.back().works());
    }
    hit_ = is_at_first(all_[0]) ? 0 : 1;
    ASSERT_TRUE(is_at_first(hit()));
    ASSERT_FALSE(is_at_first(other()));
  }
  static bool is_at_first(const Conversation& one) {
    return one.server().destination == world::address(kFirst);
  }
  /// The connection at the server that will fail.
  Conversation& hit() { return all_[hit_]; }
  Conversation& other() { return all_[1 - hit_]; }
  void fail_the_first() {
    spec_.servers[0].state = ServerState::failed;
    lab_.world().put(spec_);
    lab_.advance(1);
  }

  Lab lab_{2};
  world::ServiceSpec spec_;
  std::vector<Conversation> all_;
  size_t hit_ = 0;
};

TEST_F(Failed, KeepLeavesThem) {
  open(spec(FailedFlows::keep));
  fail_the_first();
  EXPECT_TRUE(hit().works());
  EXPECT_TRUE(other().works());
  EXPECT_TRUE(lab_.said().empty());
}

TEST_F(Failed, ResetTellsBothEndsOfItsFlowsAlone) {
  open(spec(FailedFlows::reset));
  fail_the_first();
  const std::vector<Fate> said = lab_.said();
  ASSERT_EQ(said.size(), 2u);
  for (const Fate& fate : said) EXPECT_EQ(fate.verdict, Verdict::forward);
  EXPECT_EQ(lab_.count(&tables::WorkerLine::flows_ended), 1u);
  EXPECT_TRUE(other().works());
  // The client tries again by the same port, and gets the other server.
  EXPECT_TRUE(hit().open());
  EXPECT_FALSE(is_at_first(hit()));
  EXPECT_EQ(lab_.audit(), "");
}

TEST_F(Failed, DropEndsThemSilently) {
  open(spec(FailedFlows::drop));
  fail_the_first();
  EXPECT_TRUE(lab_.said().empty());
  EXPECT_EQ(lab_.flow_count(), 1u);
  EXPECT_TRUE(other().works());
  EXPECT_TRUE(hit().open());
  EXPECT_FALSE(is_at_first(hit()));
  EXPECT_EQ(lab_.audit(), "");
}

TEST_F(Failed, OnePanicIsNoFailure) {
  open(spec(FailedFlows::reset));
  spec_.panics = true;
  fail_the_first();
  EXPECT_TRUE(hit().works());
}

TEST_F(Failed, EachFailureIsDealtWithOnce) {
  open(spec(FailedFlows::drop));
  fail_the_first();
  spec_.servers[0].state = ServerState::ready;
  lab_.world().put(spec_);
  lab_.advance(1);
  std::vector<Conversation> more;
  for (uint32_t n = 10; n < 14; ++n) {
    more.emplace_back(lab_, client(n), 1000);
    ASSERT_TRUE(more.back().open());
  }
  EXPECT_EQ(lab_.flow_count(), 5u);
  fail_the_first();
  EXPECT_EQ(lab_.flow_count(), 3u);
  EXPECT_EQ(lab_.count(&tables::WorkerLine::flows_ended), 3u);
}

TEST_F(Failed, ManyAtOnceAreAllTold) {
  spec_ = spec(FailedFlows::reset);
  spec_.servers.resize(1);
  lab_.world().put(spec_);
  for (uint32_t n = 0; n < 300; ++n) {
    all_.emplace_back(lab_, client(n), 1000);
    ASSERT_TRUE(all_.back().open());
  }
  fail_the_first();
  lab_.advance(5);
  EXPECT_EQ(lab_.said().size(), 600u);
  EXPECT_EQ(lab_.audit(), "");
}

}  // namespace
}  // namespace nezu::lab
