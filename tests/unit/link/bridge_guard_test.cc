// Boxes between segments, in virtual time: who bridges, and how long there is a loop.
#include "dataplane/link/bridge_guard.h"

#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <vector>

#include "dataplane/link/hello.h"

namespace nezu::link {
namespace {

using State = BridgeGuard::State;

constexpr uint64_t kMs = 1'000'000, kHold = 1000 * kMs, kStep = 5 * kMs;

net::MacAddress mac(uint8_t last) { return {{0x02, 0, 0, 0, 0, last}}; }

/// Segments by number; a frame reaches everybody on its segment within a step, and others through
/// boxes that are open at that moment.
class Net {
 public:
  struct Box {
    BridgeGuard guard;
    std::array<int, 2> segments;
    bool runs = true;
    bool links = true;
    bool is_open(net::Instant now) const { return now < guard.open_until(); }
  };

  size_t add(uint8_t priority, uint8_t last, int clients, int servers) {
    boxes_.push_back({BridgeGuard({priority, mac(last)}, kHold), {clients, servers}});
    return boxes_.size() - 1;
  }
  /// Somebody else's bridge, which floods everything.
  void connect(int a, int b) { wires_.push_back({a, b}); }
  void disconnect() { wires_.clear(); }
  Box& operator[](size_t number) { return boxes_[number]; }

  void advance(uint64_t ms) {
    for (uint64_t passed = 0; passed < ms * kMs; passed += kStep) {
      now_ = net::after(now_, kStep);
      for (Box& box : boxes_) {
        if (!box.runs) continue;
        box.guard.set_links(box.links, now_);
        if (!box.guard.tick(now_) || !box.links) continue;
        for (size_t side = 0; side < 2; ++side) {
          flood({box.guard.id(), static_cast<BridgeSide>(side), box.guard.listens()}, &box,
                box.segments[side]);
        }
      }
      loop_ms_ += has_loop() ? kStep / kMs : 0;
    }
  }
  State state(size_t number) const { return boxes_[number].guard.state(); }
  std::vector<size_t> open() const {
    std::vector<size_t> all;
    for (size_t i = 0; i < boxes_.size(); ++i) {
      if (boxes_[i].is_open(now_)) all.push_back(i);
    }
    return all;
  }
  /// Milliseconds in which frames could go round.
  uint64_t loop_ms() const { return loop_ms_; }

 private:
  struct At {
    const Box* from;
    int segment;
  };
  void flood(const Hello& hello, const Box* from, int segment) {
    std::deque<At> ways{{from, segment}};
    for (int copies = 0; !ways.empty() && copies < 64; ++copies) {
      const At at = ways.front();
      ways.pop_front();
      for (Box& box : boxes_) {
        if (&box == at.from || !box.runs || !box.links) continue;
        for (size_t side = 0; side < 2; ++side) {
          if (box.segments[side] != at.segment) continue;
          const bool passes = box.is_open(now_);
          box.guard.hear(hello, static_cast<BridgeSide>(side), now_);
          if (passes) ways.push_back({&box, box.segments[1 - side]});
        }
      }
      // A wire of somebody else reaches its other end, the sender's other port included.
      for (const auto& [a, b] : wires_) {
        if (at.segment != a && at.segment != b) continue;
        const int to = at.segment == a ? b : a;
        if (at.from != nullptr) ways.push_back({nullptr, to});
      }
    }
  }
  /// Open boxes and wires as edges between segments: is there a cycle?
  bool has_loop() const {
    std::array<int, 16> root{};
    for (int i = 0; i < 16; ++i) root[static_cast<size_t>(i)] = i;
    const auto find = [&root](int i) {
      while (root[static_cast<size_t>(i)] != i) i = root[static_cast<size_t>(i)];
      return i;
    };
    bool loop = false;
    const auto join = [&](int a, int b) {
      a = find(a), b = find(b);
      loop = loop || a == b;
      root[static_cast<size_t>(a)] = b;
    };
    for (const Box& box : boxes_) {
      if (box.is_open(now_)) join(box.segments[0], box.segments[1]);
    }
    for (const auto& [a, b] : wires_) join(a, b);
    return loop;
  }

  std::deque<Box> boxes_;
  std::vector<std::pair<int, int>> wires_;
  net::Instant now_{1'000'000 * kMs};
  uint64_t loop_ms_ = 0;
};

TEST(BridgeGuard, OneAloneListensClaimsAndBridges) {
  Net net;
  const size_t box = net.add(100, 1, 0, 1);
  net.advance(900);
  EXPECT_EQ(net.state(box), State::listening);
  EXPECT_TRUE(net.open().empty());
  net.advance(200);
  EXPECT_EQ(net.state(box), State::claiming);
  net.advance(500);
  EXPECT_EQ(net.state(box), State::bridging);
  net.advance(20'000);
  EXPECT_EQ(net.open(), std::vector<size_t>{box});
}

TEST(BridgeGuard, OfTwoInParallelTheBetterBridges) {
  Net net;
  const size_t worse = net.add(100, 2, 0, 1), better = net.add(100, 1, 0, 1);
  net.advance(5000);
  EXPECT_EQ(net.open(), std::vector<size_t>{better});
  EXPECT_EQ(net.state(worse), State::standing_by);
  EXPECT_EQ(net[worse].guard.better(), mac(1));
  EXPECT_EQ(net.loop_ms(), 0u);
}

TEST(BridgeGuard, PriorityGoesBeforeTheMac) {
  Net net;
  net.add(100, 1, 0, 1);
  const size_t better = net.add(101, 2, 0, 1);
  net.advance(5000);
  EXPECT_EQ(net.open(), std::vector<size_t>{better});
}

TEST(BridgeGuard, TheOtherTakesOverWithinTheHoldTime) {
  Net net;
  const size_t better = net.add(200, 1, 0, 1), worse = net.add(100, 2, 0, 1);
  net.advance(5000);
  net[better].runs = false;  // its lease is all that is left of it
  net.advance(1100);
  EXPECT_EQ(net.open(), std::vector<size_t>{worse});
  EXPECT_EQ(net.loop_ms(), 0u);
}

TEST(BridgeGuard, OneSilentSideIsEnough) {
  Net net;
  const size_t better = net.add(200, 1, 0, 1), worse = net.add(100, 2, 0, 1);
  net.advance(5000);
  net[better].segments[1] = 7;  // its cable to the servers' switch is out
  net.advance(1100);
  EXPECT_EQ(net.state(worse), State::bridging);
  EXPECT_EQ(net.loop_ms(), 0u);
}

TEST(BridgeGuard, ABetterOneThatComesTakesOverWithoutALoop) {
  Net net;
  const size_t worse = net.add(100, 2, 0, 1);
  net.advance(5000);
  const size_t better = net.add(200, 1, 0, 1);
  net.advance(5000);
  EXPECT_EQ(net.open(), std::vector<size_t>{better});
  EXPECT_EQ(net.state(worse), State::standing_by);
  EXPECT_EQ(net.loop_ms(), 0u);
}

TEST(BridgeGuard, WhoeverWasStoppedDoesNotGoOnAsIfNothingHadBeen) {
  Net net;
  const size_t better = net.add(200, 1, 0, 1), worse = net.add(100, 2, 0, 1);
  net.advance(5000);
  net[better].runs = false;
  net.advance(3000);
  EXPECT_EQ(net.open(), std::vector<size_t>{worse});
  net[better].runs = true;
  net.advance(kStep / kMs);
  EXPECT_EQ(net.state(better), State::claiming);
  net.advance(3000);
  EXPECT_EQ(net.open(), std::vector<size_t>{better});
  EXPECT_EQ(net.loop_ms(), 0u);
}

TEST(BridgeGuard, BoxesInSeriesAllBridge) {
  Net net;
  const size_t a = net.add(200, 1, 0, 1), b = net.add(100, 2, 1, 2);
  net.advance(5000);
  EXPECT_EQ(net.open(), (std::vector<size_t>{a, b}));
}

TEST(BridgeGuard, TwoInSeriesBesideOneThatIsWorse) {
  Net net;
  net.add(200, 1, 0, 1);
  net.add(150, 2, 1, 2);
  const size_t beside = net.add(100, 3, 0, 2);
  net.advance(6000);
  EXPECT_EQ(net.open(), (std::vector<size_t>{0, 1}));
  EXPECT_EQ(net.state(beside), State::standing_by);
}

TEST(BridgeGuard, TwoInSeriesBesideOneThatIsBetter) {
  Net net;
  net.add(50, 1, 0, 1);
  net.add(60, 2, 1, 2);
  const size_t beside = net.add(100, 3, 0, 2);
  net.advance(8000);
  EXPECT_EQ(net.state(beside), State::bridging);
  EXPECT_EQ(net.open().size(), 2u);  // and one of the others: no loop, nobody cut off
}

TEST(BridgeGuard, OfManyInParallelOneBridgesWhateverEnds) {
  Net net;
  for (uint8_t i = 0; i < 6; ++i) net.add(static_cast<uint8_t>(100 + i), i, 0, 1);
  net.advance(5000);
  for (size_t best = 6; best-- > 0;) {
    EXPECT_EQ(net.open(), std::vector<size_t>{best});
    net[best].runs = false;
    net.advance(1500);
  }
  EXPECT_EQ(net.loop_ms(), 0u);
}

TEST(BridgeGuard, NetworksThatGrowTogetherLoseTheirLoopSoon) {
  Net net;
  const size_t better = net.add(200, 1, 0, 1), worse = net.add(100, 2, 2, 3);
  net.advance(5000);
  EXPECT_EQ(net.open().size(), 2u);
  net[worse].segments = {0, 1};  // cables
  net.advance(4000);
  EXPECT_EQ(net.open(), std::vector<size_t>{better});
  EXPECT_LE(net.loop_ms(), 2 * 200u);
}

TEST(BridgeGuard, ALoopThatSomebodyElseClosesStopsItUntilThatIsGone) {
  Net net;
  const size_t box = net.add(100, 1, 0, 1);
  net.advance(5000);
  net.connect(0, 1);
  net.advance(250);
  EXPECT_EQ(net.state(box), State::claiming);  // stopped at once, not yet sure
  EXPECT_LE(net.loop_ms(), 205u);
  net.advance(1500);
  EXPECT_EQ(net.state(box), State::loop);
  net.advance(5000);
  EXPECT_EQ(net.state(box), State::loop);
  EXPECT_LE(net.loop_ms(), 205u);
  net.disconnect();
  net.advance(3000);
  EXPECT_EQ(net.state(box), State::bridging);
}

TEST(BridgeGuard, WithoutALinkItIsDown) {
  Net net;
  const size_t box = net.add(100, 1, 0, 1);
  net.advance(5000);
  net[box].links = false;
  net.advance(10);
  EXPECT_EQ(net.state(box), State::down);
  EXPECT_TRUE(net.open().empty());
  net[box].links = true;
  net.advance(900);
  EXPECT_EQ(net.state(box), State::listening);
  net.advance(1000);
  EXPECT_EQ(net.state(box), State::bridging);
}

TEST(Hello, ComesBackAsItWasWritten) {
  for (const BridgeSide side : {BridgeSide::clients, BridgeSide::servers}) {
    for (const bool listens : {false, true}) {
      const Hello hello{{7, mac(9)}, side, listens};
      HelloFrame frame = write_hello(hello);
      EXPECT_TRUE(is_hello(frame));
      EXPECT_EQ(read_hello(frame), hello);
      std::vector<uint8_t> tagged(frame.begin(), frame.end());
      tagged.insert(tagged.begin() + 12, {0x81, 0, 0xa0, 5});
      EXPECT_EQ(read_hello(tagged), hello);
      frame[18] = 2;  // a version to come
      EXPECT_TRUE(is_hello(frame));
      EXPECT_EQ(read_hello(frame), std::nullopt);
    }
  }
}

TEST(Hello, OtherFramesAreNone) {
  const HelloFrame frame = write_hello({{7, mac(9)}, BridgeSide::clients, false});
  for (size_t length = 0; length < 32; ++length) {
    EXPECT_EQ(read_hello(std::span(frame).first(length)), std::nullopt);
  }
  for (const size_t at : {0, 5, 12, 13}) {
    HelloFrame other = frame;
    other[at] ^= 0x40;
    EXPECT_FALSE(is_hello(other));
  }
  HelloFrame other = frame;
  other[14] = 'x';
  EXPECT_EQ(read_hello(other), std::nullopt);
}

}  // namespace
}  // namespace nezu::link
