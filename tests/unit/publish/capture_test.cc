// A capture on a region in memory, with the workers played: leases, order of time, what is told.
#include "controlplane/publish/capture.h"

#include <gtest/gtest.h>

namespace nezu::publish {
namespace {

class CaptureTest : public testing::Test {
 protected:
  CaptureTest() {
    tables::Sizes sizes;
    sizes.services = sizes.pools = sizes.servers = sizes.addresses = 16;
    sizes.workers = 2;
    sizes.heap_bytes = 1 << 20;
    region_ = tables::Region::in_memory(sizes).region;
    order_.points = 3;
    order_.rate = 7;
  }
  void begin() {
    is_busy_ = true;
    capture_ = std::make_unique<RegionCapture>(*region_, order_, is_busy_);
  }
  tables::CaptureLease& lease() { return region_->header().capture; }
  void copy(uint32_t worker, uint64_t number, uint64_t when, uint8_t byte) {
    tables::CapturedHead head;
    head.number = number;
    head.when = when;
    head.captured = 1;
    ASSERT_TRUE(region_->captures_of(worker).push(head, {&byte, 1}));
  }
  std::string take(bool is_last) {
    std::string bytes;
    capture_->take(is_last, [&](const CapturedPacket& packet) {
      bytes.append(packet.bytes.begin(), packet.bytes.end());
      EXPECT_GT(packet.when, uint64_t{1'700'000'000} * net::kNanosecondsPerSecond) << "since 1970";
    });
    return bytes;
  }

  std::unique_ptr<tables::Region> region_;
  tables::CaptureOrder order_;
  std::atomic<bool> is_busy_{false};
  std::unique_ptr<RegionCapture> capture_;
};

TEST_F(CaptureTest, WorkersFindItsOrderUntilItEnds) {
  begin();
  tables::CaptureOrder read;
  EXPECT_NE(lease().read(read), 0u);
  EXPECT_EQ(read.points, 3u);
  EXPECT_EQ(read.rate, 7u);
  EXPECT_GT(lease().until(), tables::boot_time().nanoseconds);
  capture_.reset();
  EXPECT_EQ(lease().number(), 0u);
  EXPECT_FALSE(is_busy_);
}

TEST_F(CaptureTest, EachCallRenewsTheLease) {
  begin();
  const uint64_t number = lease().number(), until = lease().until();
  take(false);
  EXPECT_GT(lease().until(), until);
  EXPECT_EQ(lease().number(), number);
  take(true);
  EXPECT_EQ(lease().number(), 0u);
}

TEST_F(CaptureTest, CopiesOfAllWorkersAreToldInTheOrderOfTime) {
  begin();
  const uint64_t number = lease().number();
  copy(0, number, 10, 'a');
  copy(0, number, 30, 'c');
  copy(1, number, 20, 'b');
  copy(1, number, 40, 'd');
  EXPECT_EQ(take(false), "abcd");
  EXPECT_EQ(take(false), "");
}

TEST_F(CaptureTest, YoungOnesWaitForThoseOfOtherWorkers) {
  begin();
  const uint64_t number = lease().number();
  const uint64_t soon = tables::boot_time().nanoseconds + 3600 * net::kNanosecondsPerSecond;
  copy(0, number, soon, 'b');
  EXPECT_EQ(take(false), "");
  copy(1, number, soon - 1, 'a');
  EXPECT_EQ(take(true), "ab") << "the last call tells all";
}

TEST_F(CaptureTest, NothingIsToldThatAnEarlierOneLeft) {
  begin();
  const uint64_t earlier = lease().number();
  copy(0, earlier, 10, 'x');
  capture_.reset();
  begin();
  copy(1, earlier, 20, 'y');  // a worker was still at it
  copy(1, lease().number(), 30, 'a');
  EXPECT_EQ(take(true), "a");
}

TEST_F(CaptureTest, CountsBeginWithIt) {
  region_->worker(0).captured.add(100);
  region_->worker(1).capture_passed_over.add(100);
  begin();
  region_->worker(0).captured.add(1);
  region_->worker(1).captured.add(2);
  region_->worker(0).capture_passed_over.add(5);
  region_->worker(1).capture_not_looked_at.add(6);
  EXPECT_EQ(capture_->counts().captured, 3u);
  EXPECT_EQ(capture_->counts().passed_over, 5u);
  EXPECT_EQ(capture_->counts().not_looked_at, 6u);
}

}  // namespace
}  // namespace nezu::publish
