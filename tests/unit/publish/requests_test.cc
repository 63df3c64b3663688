// Requests to a data plane, and what it answers.
#include <atomic>
#include <thread>

#include "tests/unit/publish/publisher.h"

namespace nezu::publish {
namespace {

TEST_F(RegionPublisherTest, RequestsWithoutADataPlaneSaySo) {
  const auto answer =
      publisher_->ask(tables::RequestKind::list_flows, {}, 10, std::chrono::milliseconds(50),
                      [](const tables::FlowRecord&) { return true; });
  EXPECT_EQ(answer.answer, Answer::unavailable);
}

/// Answers one request as a data plane would, with whatever replies it is told to give.
class FakeDataPlane {
 public:
  FakeDataPlane(const tables::Region& region, std::vector<tables::Reply> replies)
      : reader_(tables::Reader::attach(region, "housekeeper")) {
    region.header().dataplane_pid.store(static_cast<uint64_t>(getpid()));
    thread_ = std::thread([&region, this, replies = std::move(replies)] {
      tables::Request request;
      while (!stops_ && !region.requests().pop(request)) std::this_thread::yield();
      for (tables::Reply reply : replies) {
        reply.sequence += request.sequence;
        region.replies().push(reply);
      }
    });
  }
  ~FakeDataPlane() {
    stops_ = true;
    thread_.join();
  }

 private:
  std::unique_ptr<tables::Reader> reader_;
  std::atomic<bool> stops_{false};
  std::thread thread_;
};

tables::Reply reply(tables::ReplyKind kind, uint64_t matched, int64_t older = 0) {
  tables::Reply made;
  made.sequence = static_cast<uint64_t>(-older);
  made.kind = kind;
  made.matched = matched;
  made.flow.seconds_left = static_cast<uint32_t>(matched);
  return made;
}

TEST_F(RegionPublisherTest, FlowsComeByTheRequestRingAndStaleRepliesAreDropped) {
  using tables::ReplyKind;
  FakeDataPlane there(
      *region_, {reply(ReplyKind::flow, 9, 1), reply(ReplyKind::done, 9, 1),
                 reply(ReplyKind::flow, 1), reply(ReplyKind::flow, 2), reply(ReplyKind::done, 5)});
  std::vector<uint32_t> found;
  const auto answer =
      publisher_->ask(tables::RequestKind::list_flows, {}, 2, std::chrono::seconds(10),
                      [&found](const tables::FlowRecord& flow) {
                        found.push_back(flow.seconds_left);
                        return true;
                      });
  EXPECT_EQ(answer.answer, Answer::complete);
  EXPECT_EQ(answer.matched, 5u);
  EXPECT_EQ(found, (std::vector<uint32_t>{1, 2}));
}

TEST_F(RegionPublisherTest, ADataPlaneThatDoesNotAnswerInTimeIsLateAnOlderOneRefuses) {
  {
    FakeDataPlane there(*region_, {});
    EXPECT_EQ(
        publisher_->ask(tables::RequestKind::end_flows, {}, std::chrono::milliseconds(20)).answer,
        Answer::late);
  }
  FakeDataPlane there(*region_, {reply(tables::ReplyKind::unsupported, 0)});
  EXPECT_EQ(publisher_->ask(tables::RequestKind::end_flows, {}, std::chrono::seconds(10)).answer,
            Answer::refused);
}

}  // namespace
}  // namespace nezu::publish
