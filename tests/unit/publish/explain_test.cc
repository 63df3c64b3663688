// An explanation on a region in memory, with the data plane played: answers, silence, nonsense.
#include "controlplane/publish/explain.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <thread>

#include "dataplane/tables/reader.h"

namespace nezu::publish {
namespace {

using std::chrono::milliseconds;

class ExplainTest : public testing::Test {
 protected:
  ExplainTest() { frame_.fill(7); }
  static tables::Sizes sizes() {
    tables::Sizes sizes;
    sizes.services = sizes.pools = sizes.servers = sizes.addresses = 16;
    sizes.workers = 1;
    sizes.heap_bytes = 1 << 20;
    return sizes;
  }
  ~ExplainTest() override { stop(); }
  void stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  /// A data plane that answers each order by `answer`; false: not at all.
  void run(std::function<bool(const tables::ExplainOrder&, tables::Explanation&)> answer) {
    stop();
    stop_ = false;
    reader_ = tables::Reader::attach(*region_, "housekeeper");
    region_->header().dataplane_pid = static_cast<uint64_t>(getpid());
    thread_ = std::thread([this, answer = std::move(answer)] {
      tables::Header& header = region_->header();
      tables::ExplainOrder order;
      for (uint64_t last = 0; !stop_;) {
        const uint64_t number = header.explain.read(order);
        if (number == 0 || number == last) {
          std::this_thread::yield();
          continue;
        }
        last = number;
        tables::Explanation told;
        if (answer(order, told)) header.explanation.write(number, told);
      }
    });
  }
  ExplainAnswer ask(milliseconds timeout) { return explain_.ask(3, frame_, timeout); }

  std::unique_ptr<tables::Region> region_ = tables::Region::in_memory(sizes()).region;
  std::unique_ptr<tables::Reader> reader_;
  Explain explain_{*region_};
  std::array<uint8_t, 60> frame_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

TEST_F(ExplainTest, WithoutDataPlaneThereIsNone) {
  EXPECT_EQ(ask(milliseconds(100)).answer, Answer::unavailable);
  EXPECT_EQ(region_->header().explain.number(), 0u);
}

TEST_F(ExplainTest, TheAnswerIsThatOfItsOrder) {
  run([](const tables::ExplainOrder& order, tables::Explanation& told) {
    told.pass_count = 1;
    told.egress = order.port;
    told.length = order.length;
    told.frame[0] = order.frame[0];
    return tables::is_sound(order) && order.until > tables::boot_time().nanoseconds;
  });
  for (int again = 0; again < 3; ++again) {
    const ExplainAnswer answer = ask(milliseconds(20'000));
    ASSERT_EQ(answer.answer, Answer::complete);
    EXPECT_EQ(answer.explanation.egress, 3u);
    EXPECT_EQ(answer.explanation.length, 60u);
    EXPECT_EQ(answer.explanation.frame[0], 7u);
  }
}

TEST_F(ExplainTest, SilenceEndsWithTheTime) {
  run([](const tables::ExplainOrder&, tables::Explanation&) { return false; });
  EXPECT_EQ(ask(milliseconds(100)).answer, Answer::late);
}

TEST_F(ExplainTest, NonsenseIsRefused) {
  run([](const tables::ExplainOrder&, tables::Explanation& told) {
    told.pass_count = 200;
    return true;
  });
  EXPECT_EQ(ask(milliseconds(20'000)).answer, Answer::refused);
}

TEST_F(ExplainTest, AnAnswerThatWasThereBeforeIsNobodys) {
  tables::Explanation old;
  old.pass_count = 1;
  region_->header().explanation.write(tables::boot_time().nanoseconds, old);
  run([](const tables::ExplainOrder&, tables::Explanation&) { return false; });
  EXPECT_EQ(ask(milliseconds(100)).answer, Answer::late);
}

}  // namespace
}  // namespace nezu::publish
