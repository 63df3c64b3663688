// Nothing is freed that a reader may still use; everything is freed in the end.
#include "dataplane/route/published.h"

#include <gtest/gtest.h>

#include <thread>

namespace nezu::route {
namespace {

std::atomic<int> alive{0};

struct Object {
  explicit Object(uint64_t number) : first(number), second(~number) { ++alive; }
  ~Object() {
    first = second = 0;
    --alive;
  }
  uint64_t first, second;
};

TEST(Published, WaitsForEveryReader) {
  Published<Object> published(2, std::make_unique<Object>(1));
  EXPECT_EQ(published.read(0).first, 1u);
  published.publish(std::make_unique<Object>(2));
  const uint64_t mark = published.mark();
  EXPECT_EQ(published.read(0).first, 2u);
  EXPECT_EQ(published.reclaim(), 1u);
  EXPECT_FALSE(published.passed(mark));
  EXPECT_EQ(published.read(1).first, 2u);
  EXPECT_EQ(published.reclaim(), 0u);
  EXPECT_TRUE(published.passed(mark));
  published.publish(std::make_unique<Object>(3));
  published.leave(1);
  published.read(0);
  EXPECT_EQ(published.reclaim(), 0u);
}

TEST(Published, ReadersNeverSeeAFreedObject) {
  {
    Published<Object> published(2, std::make_unique<Object>(1));
    std::atomic<bool> stop{false};
    std::atomic<uint64_t> torn{0};
    const auto reader = [&](uint32_t number) {
      while (!stop.load(std::memory_order_relaxed)) {
        const Object& object = published.read(number);
        for (int i = 0; i < 20; ++i) {
          if (object.first != ~object.second) ++torn;
        }
      }
      published.leave(number);
    };
    std::thread one(reader, 0), two(reader, 1);
    for (uint64_t number = 2; number < 20000; ++number) {
      published.publish(std::make_unique<Object>(number));
      published.reclaim();
      if (number % 64 == 0) std::this_thread::yield();
    }
    stop = true;
    one.join();
    two.join();
    EXPECT_EQ(torn, 0u);
    EXPECT_EQ(published.reclaim(), 0u);
  }
  EXPECT_EQ(alive, 0);
}

}  // namespace
}  // namespace nezu::route
