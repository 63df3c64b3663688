// Requests in by the region, answers of two workers out, with the workers played by the test.
#include "dataplane/clerk.h"

#include <gtest/gtest.h>

namespace nezu::dataplane {
namespace {

using tables::ReplyKind;
using tables::RequestKind;

class ClerkTest : public testing::Test {
 protected:
  ClerkTest()
      : region_(tables::Region::in_memory({}).region),
        keeper_({}, net::Instant{1}),
        clerk_(*region_, {&desks_[0], &desks_[1]}, keeper_, persistence_) {}

  void ask(uint64_t sequence, RequestKind kind, uint32_t limit = 0, uint64_t deadline = 0) {
    tables::Request request;
    request.sequence = sequence;
    request.kind = kind;
    request.limit = limit;
    request.deadline = deadline;
    ASSERT_TRUE(region_->requests().push(request));
  }
  bool worker_got(size_t worker, uint64_t sequence) {
    tables::Request request;
    return desks_[worker].requests.pop(request) && request.sequence == sequence;
  }
  bool worker_says(size_t worker, uint64_t sequence, ReplyKind kind, uint64_t matched = 0) {
    tables::Reply reply;
    reply.sequence = sequence;
    reply.kind = kind;
    reply.matched = matched;
    const bool pushed = desks_[worker].replies.push(reply);
    desks_[worker].replies.publish();
    return pushed;
  }
  std::vector<tables::Reply> replies() {
    std::vector<tables::Reply> all;
    tables::Reply reply;
    while (region_->replies().pop(reply)) all.push_back(reply);
    return all;
  }
  void turn(uint64_t now = 10) { clerk_.turn({}, net::Instant{now}); }

  std::unique_ptr<tables::Region> region_;
  path::Desk desks_[2];
  RouteKeeper keeper_;
  static constexpr uint32_t kClients = 64;
  std::vector<std::byte> memory_ = std::vector<std::byte>(steer::Persistence::bytes(kClients));
  steer::Persistence persistence_{memory_, kClients, 1};
  Clerk clerk_;
};

TEST_F(ClerkTest, EveryWorkerIsAskedAndOneDoneIsTold) {
  ask(7, RequestKind::list_flows);
  turn();
  EXPECT_TRUE(worker_got(0, 7));
  EXPECT_TRUE(worker_got(1, 7));
  worker_says(0, 7, ReplyKind::flow);
  worker_says(0, 7, ReplyKind::done, 1);
  turn();
  EXPECT_EQ(replies().size(), 1u) << "not done before both are";
  worker_says(1, 7, ReplyKind::flow);
  worker_says(1, 7, ReplyKind::flow);
  worker_says(1, 7, ReplyKind::done, 2);
  turn();
  const auto all = replies();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all.back().kind, ReplyKind::done);
  EXPECT_EQ(all.back().matched, 3u);
}

TEST_F(ClerkTest, TheLimitHoldsForAllWorkersTogether) {
  ask(7, RequestKind::list_flows, 2);
  turn();
  for (int i = 0; i < 5; ++i) {
    worker_says(0, 7, ReplyKind::flow);
    worker_says(1, 7, ReplyKind::flow);
  }
  worker_says(0, 7, ReplyKind::done, 5);
  worker_says(1, 7, ReplyKind::done, 5);
  turn();
  const auto all = replies();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all.back().matched, 10u);
}

TEST_F(ClerkTest, NobodyReadsNobodyIsBlocked) {
  ask(7, RequestKind::list_flows, 0, 100);
  turn(10);
  // The region's ring takes 4,096; the rest waits at the worker.
  uint32_t said = 0;
  for (int i = 0; i < 40; ++i) {
    while (worker_says(0, 7, ReplyKind::flow)) ++said;
    turn(20);
  }
  EXPECT_LT(said, 4096u + 1100u);
  EXPECT_FALSE(worker_says(0, 7, ReplyKind::flow));
  // The asker is dead; after the deadline all that is left is thrown away.
  for (int i = 0; i < 40; ++i) turn(200);
  EXPECT_TRUE(worker_says(0, 7, ReplyKind::done));
  EXPECT_TRUE(worker_says(1, 7, ReplyKind::done));
  turn(200);
  replies();
  ask(8, RequestKind::list_flows);
  turn(210);
  worker_says(0, 8, ReplyKind::done);
  worker_says(1, 8, ReplyKind::done);
  turn(210);
  EXPECT_EQ(replies().size(), 1u);
}

TEST_F(ClerkTest, WhatIsUnknownIsSaidToBe) {
  tables::Request request;
  request.sequence = 1;
  request.version = 9;
  ASSERT_TRUE(region_->requests().push(request));
  ask(2, static_cast<RequestKind>(99));
  turn();
  turn();
  const auto all = replies();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].kind, ReplyKind::unsupported);
  EXPECT_EQ(all[1].kind, ReplyKind::unsupported);
}

TEST_F(ClerkTest, RoutesAndNeighboursAreListed) {
  ask(1, RequestKind::list_routes);
  ask(2, RequestKind::list_neighbours);
  turn();
  turn();
  turn();
  const auto all = replies();
  ASSERT_GE(all.size(), 2u);
  EXPECT_EQ(all.back().kind, ReplyKind::done);
  EXPECT_EQ(all.back().sequence, 2u);
}

}  // namespace
}  // namespace nezu::dataplane
