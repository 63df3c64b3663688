// Both ends of connections against each other, over a wire that a test made up: segments are
// written as frames, read again, and may be lost, doubled or reset on their way.
#include "bench/generator/connections.h"

#include <gtest/gtest.h>

#include <functional>

#include "bench/generator/connection_methods.h"
#include "dataplane/net/hash.h"
#include "dataplane/net/packet.h"

namespace nezu::generator {
namespace {

constexpr double kHz = 1'000'000;  // microseconds

ConnectionOptions options() {
  ConnectionOptions options;
  options.clients = *net::parse_range("192.0.2.1-192.0.2.4");
  options.client_ports = {10000, 10099};
  options.targets = {*net::parse_address("198.51.100.1")};
  options.target_port = 80;
  options.hz = kHz;
  return options;
}

/// What becomes of a segment on its way: how often it arrives, and changed how.
using Fate = std::function<int(Way way, Segment& segment)>;

class Wire {
 public:
  explicit Wire(Fate fate = {}) : fate_(std::move(fate)) {}

  /// As Running.
  void run(Connections& connections, const std::function<bool(uint64_t)>& over) {
    while (!over(now_)) {
      now_ += 50;
      connections.turn(now_);
      for (const Way way : {Way::to_right, Way::to_left}) {
        Segment segment;
        while (connections.take(way, segment)) pass(connections, way, segment);
      }
      ASSERT_LT(now_, uint64_t{1000} * 1'000'000) << "it never ends";
    }
  }
  uint64_t now() const { return now_; }
  Running running() {
    return [this](Connections& connections, const std::function<bool(uint64_t)>& over) {
      run(connections, over);
    };
  }
  Clock clock() {
    return [this] { return now_; };
  }
  uint64_t passed = 0;

 private:
  void pass(Connections& connections, Way way, Segment segment) {
    const int times = fate_ ? fate_(way, segment) : 1;
    for (int i = 0; i < times; ++i) {
      uint8_t frame[2048];
      const uint32_t length = write_segment(frame, sizeof frame, segment, {});
      ASSERT_NE(length, 0u);
      const Reading reading = read_frame({frame, length});
      ASSERT_EQ(reading.kind, Kind::tcp);
      ++passed;
      connections.receive(read_segment({frame, length}, reading), now_);
    }
  }
  Fate fate_;
  uint64_t now_ = 1'000'000;
};

TEST(Segment, IsReadAsItWasWritten) {
  for (const auto& [from, to] :
       {std::pair{"192.0.2.1", "198.51.100.1"}, {"2001:db8::1", "2001:db8::2"}}) {
    for (const uint16_t payload : {0, 64, 1400}) {
      Segment segment;
      segment.flow = {*net::parse_address(from), *net::parse_address(to), 10000, 80};
      segment.sequence = 0xfffffff0;
      segment.acknowledgement = 7;
      segment.flags = net::kTcpAck;
      segment.payload = payload;
      segment.words = {12, 34, 56};
      uint8_t frame[2048];
      const uint32_t length = write_segment(frame, sizeof frame, segment, {});
      EXPECT_EQ(write_segment(frame, length - 1, segment, {}), 0u);
      const Reading reading = read_frame({frame, length});
      ASSERT_EQ(reading.kind, Kind::tcp);
      const SeenSegment seen = read_segment({frame, length}, reading);
      EXPECT_EQ(seen.segment.flow, segment.flow);
      EXPECT_EQ(seen.segment.sequence, segment.sequence);
      EXPECT_EQ(seen.segment.acknowledgement, 7u);
      EXPECT_EQ(seen.segment.payload, payload);
      EXPECT_EQ(seen.has_words, payload != 0);
      if (seen.has_words) {
        EXPECT_EQ(seen.segment.words.turn, 34u);
      }
    }
  }
}

TEST(Connections, LiveWholeLives) {
  Wire wire;
  const ConnectionAttempt attempt =
      try_connections(options(), 1000, 3, wire.running(), wire.clock());
  EXPECT_EQ(attempt.counts.attempted, 3000u);
  EXPECT_EQ(attempt.counts.established, 3000u);
  EXPECT_EQ(attempt.counts.completed, 3000u);
  EXPECT_EQ(attempt.counts.closed, 3000u);
  EXPECT_EQ(attempt.counts.accepted, 3000u);
  EXPECT_EQ(attempt.counts.served, 3000u);
  EXPECT_EQ(attempt.counts.failed + attempt.counts.resets + attempt.counts.retransmitted, 0u);
  EXPECT_TRUE(attempt.passed);
  EXPECT_EQ(wire.passed, 3000u * 7) << "SYN, SYN-ACK, question, answer, FIN, FIN-ACK, ACK";
}

TEST(Connections, LargeAnswersComeInSeveralSegments) {
  ConnectionOptions large = options();
  large.response = 10'000;
  Wire wire;
  const ConnectionAttempt attempt = try_connections(large, 100, 1, wire.running(), wire.clock());
  EXPECT_EQ(attempt.counts.completed, 100u);
  EXPECT_EQ(wire.passed, 100u * (6 + 8));
}

TEST(Connections, BearLossByRetransmission) {
  for (const uint32_t response : {100u, 6000u}) {
    ConnectionOptions lossy = options();
    lossy.response = response;
    lossy.retransmissions = 30;
    uint64_t state = 1;
    Wire wire([&](Way, Segment&) { return nezu::net::mix64(++state) % 10 == 0 ? 0 : 1; });
    const ConnectionAttempt attempt = try_connections(lossy, 100, 3, wire.running(), wire.clock());
    EXPECT_EQ(attempt.counts.completed, 300u);
    EXPECT_EQ(attempt.counts.closed, 300u);
    EXPECT_EQ(attempt.counts.failed, 0u);
    EXPECT_GT(attempt.counts.retransmitted, 0u);
  }
}

TEST(Connections, BearDuplicates) {
  Wire wire([](Way, Segment&) { return 2; });
  const ConnectionAttempt attempt =
      try_connections(options(), 100, 2, wire.running(), wire.clock());
  EXPECT_EQ(attempt.counts.completed, 200u);
  EXPECT_EQ(attempt.counts.failed, 0u);
}

TEST(Connections, ThatAreNotAnsweredFail) {
  Wire wire([](Way way, Segment&) { return way == Way::to_right ? 0 : 1; });
  const ConnectionAttempt attempt = try_connections(options(), 10, 1, wire.running(), wire.clock());
  EXPECT_EQ(attempt.counts.attempted, 10u);
  EXPECT_EQ(attempt.counts.failed, 10u);
  EXPECT_EQ(attempt.counts.retransmitted, 30u);
  EXPECT_FALSE(attempt.passed);
}

TEST(Connections, ThatAreResetAreCounted) {
  uint32_t number = 0;
  Wire wire([&](Way way, Segment& segment) {
    if (way == Way::to_left && segment.payload != 0 && ++number % 10 == 0) {
      segment.flags = net::kTcpRst;
      segment.payload = 0;
    }
    return 1;
  });
  const ConnectionAttempt attempt =
      try_connections(options(), 100, 1, wire.running(), wire.clock());
  EXPECT_EQ(attempt.counts.resets, 10u);
  EXPECT_EQ(attempt.counts.failed, 10u);
  EXPECT_EQ(attempt.counts.completed, 90u);
}

TEST(Connections, AnAnswerOfAnotherConnectionIsWrong) {
  Wire wire([](Way way, Segment& segment) {
    if (way == Way::to_left && segment.payload != 0) segment.words.connection ^= 1;
    return 1;
  });
  const ConnectionAttempt attempt = try_connections(options(), 10, 1, wire.running(), wire.clock());
  EXPECT_EQ(attempt.counts.failed, 10u);
}

TEST(ConnectionRate, IsTheDevices) {
  // A device that lets 500 SYNs a second pass, and loses the others until they are given up.
  uint64_t second = 0, count = 0;
  Wire* clock = nullptr;
  ConnectionOptions impatient = options();
  impatient.retransmissions = 0;
  Wire wire([&](Way, Segment& segment) {
    if ((segment.flags & net::kTcpSyn) == 0 || (segment.flags & net::kTcpAck) != 0) return 1;
    if (clock->now() / 100'000 != second) second = clock->now() / 100'000, count = 0;
    return ++count <= 50 ? 1 : 0;
  });
  clock = &wire;
  MethodOptions method;
  method.most = 1000;
  method.resolution = 0.02;
  method.short_seconds = 1;
  method.deciding_seconds = 5;
  const ConnectionRate found =
      find_connection_rate(impatient, method, wire.running(), wire.clock());
  EXPECT_NEAR(found.rate, 500, 25);
  EXPECT_EQ(found.limit, LimitedBy::device);
  EXPECT_EQ(found.sustained, 5);
}

TEST(Concurrent, AllAreHeldAndClosed) {
  Wire wire;
  const Concurrent found = hold_connections(options(), 400, 1000, 5, wire.running(), wire.clock());
  EXPECT_EQ(found.opened, 400u);
  EXPECT_EQ(found.held, 400u);
  EXPECT_EQ(found.broken, 0u);
  EXPECT_EQ(found.counts.closed, 400u);
  EXPECT_GE(found.counts.completed, 800u);
  EXPECT_FALSE(found.open.empty());
}

TEST(Concurrent, MoreThanThereArePortsIsSaid) {
  Wire wire;
  const Concurrent found = hold_connections(options(), 500, 1000, 1, wire.running(), wire.clock());
  EXPECT_EQ(found.opened, 400u);
  EXPECT_EQ(found.counts.skipped, 100u);
}

TEST(Concurrent, ConnectionsThatMoveToAnotherServerAreBroken) {
  uint64_t answers = 0;
  Wire wire([&](Way way, Segment& segment) {
    if (way == Way::to_left && segment.payload != 0 && ++answers > 100 && answers % 4 == 0) {
      segment.words.server += 1;
    }
    return 1;
  });
  const Concurrent found = hold_connections(options(), 100, 1000, 0, wire.running(), wire.clock());
  EXPECT_EQ(found.opened, 100u);
  EXPECT_EQ(found.broken, 25u);
  EXPECT_EQ(found.counts.moved, 25u);
}

/// Connections that are held, and what a device that balances over two servers makes of them.
TEST(Connections, AreHeldByServers) {
  ConnectionOptions some = options();
  some.targets = {*net::parse_address("198.51.100.1"), *net::parse_address("198.51.100.2")};
  Connections connections(some);
  Wire wire;
  connections.open(1000, 99, false, wire.now());
  wire.run(connections, [&](uint64_t) { return connections.settled(); });
  EXPECT_EQ(connections.held_by(some.targets[0]), 50u);
  EXPECT_EQ(connections.held_by(some.targets[1]), 49u);
  EXPECT_EQ(connections.held_by(*net::parse_address("198.51.100.3")), 0u);
  // One server is silent: those on it break, no other does.
  Wire half([&](Way way, Segment& segment) {
    return way == Way::to_right && segment.flow.destination == some.targets[1] ? 0 : 1;
  });
  connections.ask_all(1000, half.now());
  half.run(connections, [&](uint64_t) { return connections.settled(); });
  EXPECT_EQ(connections.held_by(some.targets[0]), 50u);
  EXPECT_EQ(connections.held_by(some.targets[1]), 0u);
  EXPECT_EQ(connections.held(), 50u);
  EXPECT_EQ(connections.counts().failed, 49u);
}

/// What a device's check says to the servers' end: SYN, ACK, RST.
void check_by(Connections& connections, const char* from) {
  SeenSegment seen;
  seen.segment.flow = {*net::parse_address(from), *net::parse_address("198.51.100.1"), 40000, 80};
  for (const uint8_t flags : {net::kTcpSyn, net::kTcpAck, net::kTcpRst}) {
    seen.segment.flags = flags;
    connections.receive(seen, 1);
  }
}

TEST(Connections, ChecksOfServersAreAnsweredAndTheirEndIsNoFault) {
  ConnectionOptions servers_only = options();
  servers_only.most = 0;
  servers_only.checker = *net::parse_address("198.51.100.254");
  Connections connections(servers_only);
  check_by(connections, "198.51.100.254");
  EXPECT_EQ(connections.counts().checks, 1u);
  EXPECT_EQ(connections.counts().accepted, 0u);
  EXPECT_EQ(connections.counts().resets, 0u);
  Segment answer;
  ASSERT_TRUE(connections.take(Way::to_left, answer));
  EXPECT_EQ(answer.flags, net::kTcpSyn | net::kTcpAck);
  EXPECT_EQ(answer.flow.destination, *servers_only.checker);
  EXPECT_FALSE(connections.take(Way::to_left, answer)) << "nothing more is said";
  EXPECT_TRUE(connections.settled());
  check_by(connections, "198.51.100.253");
  EXPECT_EQ(connections.counts().checks, 1u);
  EXPECT_EQ(connections.counts().accepted, 1u);
  EXPECT_EQ(connections.counts().resets, 1u);
}

}  // namespace
}  // namespace nezu::generator
