// The ring of copies and the lease of a capture, from both ends.
#include "dataplane/tables/capture.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <thread>
#include <vector>

namespace nezu::tables {
namespace {

std::vector<uint8_t> bytes_of(uint64_t number, size_t length) {
  std::vector<uint8_t> bytes(length);
  for (size_t i = 0; i < length; ++i) bytes[i] = static_cast<uint8_t>(number * 31 + i);
  return bytes;
}

CapturedHead head_of(uint64_t number, size_t length) {
  CapturedHead head;
  head.when = number;
  head.captured = static_cast<uint32_t>(length);
  return head;
}

TEST(CaptureRing, CopiesComeOutInOrderAcrossTheEnd) {
  const auto ring = std::make_unique<CaptureRing>();
  std::vector<uint8_t> room(kMostSnap);
  std::mt19937 random(7);
  std::vector<size_t> waiting;
  uint64_t pushed = 0, popped = 0;
  CapturedHead head;
  while (popped < 20'000) {
    const size_t length = 1 + random() % kMostSnap;
    if (random() % 3 != 0 && ring->push(head_of(pushed, length), bytes_of(pushed, length))) {
      waiting.push_back(length);
      ++pushed;
      continue;
    }
    if (!ring->pop(head, room)) {
      ASSERT_EQ(popped, pushed);
      continue;
    }
    ASSERT_EQ(head.when, popped);
    ASSERT_EQ(head.captured, waiting[popped]);
    const std::vector<uint8_t> expected = bytes_of(popped, head.captured);
    ASSERT_TRUE(std::equal(expected.begin(), expected.end(), room.begin())) << popped;
    ++popped;
  }
}

TEST(CaptureRing, AFullOneTakesNothingAndLosesNothing) {
  const auto ring = std::make_unique<CaptureRing>();
  std::vector<uint8_t> room(kMostSnap);
  const std::vector<uint8_t> bytes = bytes_of(1, 1000);  // 64 + 1024 bytes each
  uint32_t pushed = 0;
  while (ring->push(head_of(pushed, bytes.size()), bytes)) ++pushed;
  EXPECT_EQ(pushed, CaptureRing::kBytes / 1088);
  CapturedHead head;
  for (uint32_t i = 0; i < pushed; ++i) {
    ASSERT_TRUE(ring->pop(head, room));
    EXPECT_EQ(head.when, i);
  }
  EXPECT_FALSE(ring->pop(head, room));
  EXPECT_TRUE(ring->push(head_of(0, bytes.size()), bytes));
}

// The reader is the control plane: what another process wrote may be anything.
TEST(CaptureRing, WhatMakesNoSenseEmptiesIt) {
  const auto ring = std::make_unique<CaptureRing>();
  std::vector<uint8_t> room(kMostSnap);
  CapturedHead head = head_of(1, 100);
  head.captured = kMostSnap + 1;
  ASSERT_TRUE(ring->push(head, bytes_of(1, 100)));
  EXPECT_FALSE(ring->pop(head, room));
  EXPECT_FALSE(ring->pop(head, room));
  head.captured = 8000;  // more than was written
  ASSERT_TRUE(ring->push(head, bytes_of(1, 100)));
  EXPECT_FALSE(ring->pop(head, room));
  ASSERT_TRUE(ring->push(head_of(2, 100), bytes_of(2, 100)));
  ASSERT_TRUE(ring->pop(head, room));
  EXPECT_EQ(head.when, 2u);
}

TEST(CaptureRing, TwoThreads) {
  const auto ring = std::make_unique<CaptureRing>();
  constexpr uint64_t kCopies = 20'000;
  std::thread worker([&ring] {
    for (uint64_t i = 0; i < kCopies;) {
      const size_t length = 1 + i * 37 % 3000;
      if (ring->push(head_of(i, length), bytes_of(i, length))) {
        ++i;
      } else {
        std::this_thread::yield();
      }
    }
  });
  std::vector<uint8_t> room(kMostSnap);
  CapturedHead head;
  for (uint64_t i = 0; i < kCopies;) {
    if (!ring->pop(head, room)) {
      std::this_thread::yield();
      continue;
    }
    const std::vector<uint8_t> expected = bytes_of(i, 1 + i * 37 % 3000);
    ASSERT_EQ(head.when, i);
    ASSERT_TRUE(std::equal(expected.begin(), expected.end(), room.begin())) << i;
    ++i;
  }
  worker.join();
}

// All of an order is of one capture, whatever is given meanwhile.
TEST(CaptureLease, AnOrderIsReadWholeOrNotAtAll) {
  const auto lease = std::make_unique<CaptureLease>();
  std::atomic<bool> stop{false};
  uint32_t last = 0;
  std::thread control([&] {
    CaptureOrder order;
    for (uint32_t n = 1; !stop.load(); ++n) {
      order.points = order.snap = order.rate = order.looks = n;
      order.program.count = n;
      for (CaptureStep& step : order.program.steps) step.first = static_cast<uint16_t>(n);
      lease->give(n, order, n);
      last = n;
      std::this_thread::yield();
    }
  });
  CaptureOrder order;
  for (uint64_t read = 0; read < 10'000;) {
    const uint64_t number = lease->read(order);
    if (number == 0) continue;  // it is being given
    ++read;
    EXPECT_EQ(order.points, number);
    EXPECT_EQ(order.looks, number);
    EXPECT_EQ(order.program.count, number);
    EXPECT_EQ(order.program.steps[0].first, static_cast<uint16_t>(number));
    EXPECT_EQ(order.program.steps[kMostCaptureSteps - 1].first, static_cast<uint16_t>(number));
  }
  stop.store(true);
  control.join();
  ASSERT_EQ(lease->read(order), last);
  lease->end();
  EXPECT_EQ(lease->read(order), 0u);
}

}  // namespace
}  // namespace nezu::tables
