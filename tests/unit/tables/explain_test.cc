// The letters by which explanations are asked for and answered, and what is refused in them.
#include "dataplane/tables/explain.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "dataplane/tables/letter.h"

namespace nezu::tables {
namespace {

struct Pair {
  std::array<uint64_t, 64> words{};
};

TEST(Letter, IsReadAsItWasWritten) {
  Letter<Pair> letter;
  Pair read;
  EXPECT_EQ(letter.number(), 0u);
  EXPECT_EQ(letter.read(read), 0u);
  Pair written;
  written.words.fill(5);
  letter.write(7, written);
  EXPECT_EQ(letter.number(), 7u);
  EXPECT_EQ(letter.read(read), 7u);
  EXPECT_EQ(read.words, written.words);
}

TEST(Letter, IsNeverReadHalfWritten) {
  Letter<Pair> letter;
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    Pair value;
    for (uint64_t number = 1; !stop.load(std::memory_order_relaxed); ++number) {
      value.words.fill(number);
      letter.write(number, value);
    }
  });
  Pair read;
  for (int whole = 0; whole < 2000;) {
    const uint64_t number = letter.read(read);
    if (number == 0) continue;
    ++whole;
    for (const uint64_t word : read.words) ASSERT_EQ(word, number);
  }
  stop = true;
  writer.join();
}

TEST(Explain, OrdersOfALengthThatNoFrameHasAreUnsound) {
  ExplainOrder order;
  for (const uint32_t length : {0u, kLeastExplained - 1, kMostExplained + 1, 0xffffffffu}) {
    order.length = length;
    EXPECT_FALSE(is_sound(order)) << length;
  }
  for (const uint32_t length : {kLeastExplained, kMostExplained}) {
    order.length = length;
    EXPECT_TRUE(is_sound(order)) << length;
  }
}

TEST(Explain, AnswersWithNumbersThatDoNotExistAreUnsound) {
  Explanation good;
  good.pass_count = 1;
  ASSERT_TRUE(is_sound(good));
  const auto is_refused = [&good](auto spoil) {
    Explanation bad = good;
    spoil(bad);
    return !is_sound(bad);
  };
  EXPECT_TRUE(is_refused([](Explanation& e) { e.pass_count = 0; }));
  EXPECT_TRUE(is_refused([](Explanation& e) { e.pass_count = kMostExplainedPasses + 1; }));
  EXPECT_TRUE(is_refused([](Explanation& e) { e.length = kMostExplainedAfter + 1; }));
  EXPECT_TRUE(is_refused([](Explanation& e) { e.fault = ExplainFault{200}; }));
  EXPECT_TRUE(is_refused([](Explanation& e) { e.whose = Whose{200}; }));
  EXPECT_TRUE(is_refused([](Explanation& e) { e.origin = FlowOrigin{200}; }));
  EXPECT_TRUE(is_refused([](Explanation& e) { e.mode = Mode{200}; }));
  EXPECT_TRUE(is_refused([](Explanation& e) { e.flow.state = Timeout{200}; }));
  EXPECT_TRUE(is_refused([](Explanation& e) { e.packet.shape = net::Shape{200}; }));
  EXPECT_TRUE(is_refused([](Explanation& e) { e.packet.family = net::Family{5}; }));
  EXPECT_TRUE(is_refused([](Explanation& e) { e.passes[0].decided = ExplainStage{200}; }));
  EXPECT_TRUE(is_refused([](Explanation& e) { e.passes[0].verdict = net::Verdict{200}; }));
  EXPECT_TRUE(is_refused([](Explanation& e) { e.passes[0].reason = net::Reason{127}; }));
  EXPECT_FALSE(is_refused([](Explanation& e) { e.passes[1].reason = net::Reason{127}; }))
      << "of what is not there";
}

}  // namespace
}  // namespace nezu::tables
