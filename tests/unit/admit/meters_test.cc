#include "dataplane/admit/meters.h"

#include <gtest/gtest.h>

#include <array>
#include <thread>
#include <vector>

namespace nezu::admit {
namespace {

using net::Reason;

constexpr net::Instant kNow{1000 * net::kNanosecondsPerSecond};
constexpr uint64_t kGeneration = 5;

net::Instant after(double seconds) {
  return net::after(kNow, static_cast<uint64_t>(seconds * net::kNanosecondsPerSecond));
}
net::Address client(uint32_t number) { return net::Address::v4(number); }

class MetersTest : public testing::Test {
 protected:
  static tables::Service service(tables::FlowLimit all, tables::FlowLimit one,
                                 uint8_t host_bits = 0) {
    tables::Service service;
    service.id = tables::ServiceId{3};
    service.limits = {all, one, host_bits, 64, {}};
    return service;
  }
  /// How many of `count` attempts get in, evenly over `seconds`.
  int let_in(const tables::Service& service, const net::Address& who, int count, double from,
             double seconds) {
    int in = 0;
    for (int i = 0; i < count; ++i) {
      const net::Instant now = after(from + seconds * i / count);
      in += meters_.admit(service, who, 0, kGeneration, now).reason == Reason::none ? 1 : 0;
    }
    return in;
  }

  Meters meters_{8, 64, 2, 7};
};

TEST_F(MetersTest, ARateIsKeptOverTimeAndASecondsWorthMayComeAtOnce) {
  const tables::Service limited = service({100, 0}, {});
  EXPECT_EQ(let_in(limited, client(1), 1000, 0, 0.0), 100);
  // A second's worth, then 100 a second.
  EXPECT_NEAR(let_in(limited, client(1), 10000, 1, 10), 1100, 1);
  EXPECT_EQ(let_in(limited, client(1), 50, 30, 1), 50);  // below it all come in
}

TEST_F(MetersTest, ARateOfOneASecond) {
  const tables::Service limited = service({1, 0}, {});
  EXPECT_EQ(let_in(limited, client(1), 5, 0, 0), 1);
  EXPECT_EQ(let_in(limited, client(1), 100, 1.0001, 10), 10);
}

TEST_F(MetersTest, EachClientHasItsOwn) {
  const tables::Service limited = service({}, {10, 0});
  EXPECT_EQ(let_in(limited, client(1), 100, 0, 0), 10);
  EXPECT_EQ(let_in(limited, client(2), 100, 0, 0), 10);
  EXPECT_EQ(meters_.admit(limited, client(1), 0, kGeneration, kNow).reason,
            Reason::client_limit_flow_rate);
}

TEST_F(MetersTest, APrefixIsOneClient) {
  const tables::Service limited = service({}, {10, 0}, 8);
  EXPECT_EQ(let_in(limited, client(0x0a000001), 6, 0, 0), 6);
  EXPECT_EQ(let_in(limited, client(0x0a0000fe), 6, 0, 0), 4);
  EXPECT_EQ(let_in(limited, client(0x0a000101), 6, 0, 0), 6);
  const net::Address a = *net::parse_address("2001:db8::1"), b = *net::parse_address("2001:db8::2");
  EXPECT_EQ(let_in(limited, a, 6, 0, 0) + let_in(limited, b, 6, 0, 0), 10);
}

TEST_F(MetersTest, FlowsAtOnceAreThoseThatAreOpen) {
  const tables::Service limited = service({}, {0, 3});
  Meters::Mark mark = 0;
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(meters_.admit(limited, client(1), 0, kGeneration, kNow).reason, Reason::none);
    mark = meters_.opened(limited, client(1), kGeneration, kNow);
    ASSERT_NE(mark, 0);
  }
  EXPECT_EQ(meters_.admit(limited, client(1), 0, kGeneration, kNow).reason,
            Reason::client_limit_flows);
  EXPECT_EQ(meters_.admit(limited, client(2), 0, kGeneration, kNow).reason, Reason::none);
  meters_.ended(3, client(1), mark);
  EXPECT_EQ(meters_.admit(limited, client(1), 0, kGeneration, kNow).reason, Reason::none);
  // Of flows that nobody counted none is taken off.
  for (int i = 0; i < 9; ++i) meters_.ended(3, client(2), mark);
  meters_.opened(limited, client(2), kGeneration, kNow);
  meters_.opened(limited, client(2), kGeneration, kNow);
  meters_.opened(limited, client(2), kGeneration, kNow);
  EXPECT_EQ(meters_.admit(limited, client(2), 0, kGeneration, kNow).reason,
            Reason::client_limit_flows);
}

/// Flows from before a change of the prefix are not in the way, nor is anything let in for them.
TEST_F(MetersTest, AnotherPrefixBeginsAnew) {
  const tables::Service host = service({}, {0, 3}), network = service({}, {0, 3}, 8);
  std::vector<Meters::Mark> marks;
  for (int i = 0; i < 3; ++i) marks.push_back(meters_.opened(host, client(1), kGeneration, kNow));
  EXPECT_EQ(meters_.admit(host, client(1), 0, kGeneration, kNow).reason,
            Reason::client_limit_flows);
  EXPECT_EQ(meters_.admit(network, client(1), 0, kGeneration + 1, kNow).reason, Reason::none);
  // A worker with older tables does not turn it back.
  EXPECT_EQ(meters_.admit(host, client(1), 0, kGeneration, kNow).reason, Reason::none);
  for (const Meters::Mark mark : marks) meters_.ended(3, client(1), mark);
  EXPECT_EQ(meters_.admit(host, client(1), 0, kGeneration + 2, kNow).reason, Reason::none);
  for (int i = 0; i < 3; ++i) meters_.opened(host, client(1), kGeneration + 2, kNow);
  for (const Meters::Mark mark : marks) meters_.ended(3, client(1), mark);
  EXPECT_EQ(meters_.admit(host, client(1), 0, kGeneration + 2, kNow).reason,
            Reason::client_limit_flows);
}

/// With all at their limits the one whose last flow is oldest is forgotten.
TEST_F(MetersTest, AFullTableForgetsWhoCameFirst) {
  const tables::Service limited = service({}, {0, 1});
  for (uint32_t i = 0; i < 1000; ++i) {
    ASSERT_EQ(meters_.admit(limited, client(i), 0, kGeneration, after(i)).reason, Reason::none);
    meters_.opened(limited, client(i), kGeneration, after(i));
    // Those that came just before have not been forgotten for it.
    for (uint32_t j = i >= 4 ? i - 4 : 0; j < i; ++j) {
      ASSERT_EQ(meters_.admit(limited, client(j), 0, kGeneration, after(i)).reason,
                Reason::client_limit_flows)
          << j << " of " << i;
    }
  }
}

TEST_F(MetersTest, AllFlowsOfTheService) {
  const tables::Service limited = service({0, 50}, {});
  EXPECT_EQ(meters_.admit(limited, client(1), 49, kGeneration, kNow).reason, Reason::none);
  EXPECT_EQ(meters_.admit(limited, client(1), 50, kGeneration, kNow).reason, Reason::limit_flows);
}

TEST_F(MetersTest, WhatAClientMayNotCostsTheOthersNothing) {
  const tables::Service limited = service({100, 0}, {5, 0});
  EXPECT_EQ(let_in(limited, client(1), 10000, 0, 0), 5);
  int others = 0;
  for (uint32_t i = 2; i < 40; ++i) others += let_in(limited, client(i), 3, 0, 0);
  EXPECT_EQ(others, 95);
}

TEST_F(MetersTest, AFullTableForgetsThoseAtRestFirst) {
  const tables::Service limited = service({}, {1, 0});
  uint32_t forgot = 0;
  for (uint32_t i = 0; i < 1000; ++i) {
    // A second apart: all before are at rest.
    forgot += meters_.admit(limited, client(i), 0, kGeneration, after(2.0 * i)).forgot ? 1 : 0;
  }
  EXPECT_EQ(forgot, 0u);
  EXPECT_LE(meters_.used(), 64u);
  for (uint32_t i = 0; i < 1000; ++i) {
    forgot += meters_.admit(limited, client(5000 + i), 0, kGeneration, after(5000)).forgot ? 1 : 0;
  }
  EXPECT_GE(forgot, 1000u - 64u);
}

TEST_F(MetersTest, WorkersTogetherLetInNoMore) {
  constexpr int kWorkers = 3, kEach = 4000;
  const tables::Service limited = service({500, 0}, {300, 0});
  std::vector<int> in(kWorkers);
  std::vector<std::thread> workers;
  for (int worker = 0; worker < kWorkers; ++worker) {
    workers.emplace_back([&, worker] {
      for (int i = 0; i < kEach; ++i) {
        const auto who = client(static_cast<uint32_t>(i % 2));
        const bool let = meters_.admit(limited, who, 0, kGeneration, kNow).reason == Reason::none;
        in[static_cast<size_t>(worker)] += let ? 1 : 0;
        if (!let) continue;
        meters_.ended(3, who, meters_.opened(limited, who, kGeneration, kNow));
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(in[0] + in[1] + in[2], 500);
}

class TrafficTest : public testing::Test {
 protected:
  static tables::Service service(tables::TrafficLimit all, tables::TrafficLimit one) {
    tables::Service service;
    service.id = tables::ServiceId{3};
    service.traffic = {all, one};
    return service;
  }
  /// How many of `count` packets pass, evenly over `seconds`.
  int pass(const tables::Service& service, uint32_t who, int count, uint32_t bytes, double from,
           double seconds) {
    int passed = 0;
    for (int i = 0; i < count; ++i) {
      const auto worker = static_cast<uint16_t>(i % 2);
      const net::Instant now = after(from + seconds * i / count);
      passed += meters_.pass(worker, service, client(who), bytes, kGeneration, now).reason ==
                Reason::none;
    }
    return passed;
  }
  Meters meters_{8, 64, 2, 7};
};

TEST_F(TrafficTest, PacketsASecondOfAll) {
  const tables::Service limited = service({0, 10000, 0}, {});
  // A tenth of a second's worth at once; then what a second allows, and a quota for each worker.
  EXPECT_NEAR(pass(limited, 1, 5000, 64, 0, 0), 1000, 20);
  EXPECT_NEAR(pass(limited, 2, 200000, 64, 1, 10), 101000, 100);
  EXPECT_EQ(pass(limited, 3, 5000, 64, 20, 1), 5000);
  EXPECT_EQ(meters_.pass(0, limited, client(1), 64, kGeneration, after(21)).reason, Reason::none);
}

TEST_F(TrafficTest, BitsASecondOfAll) {
  const tables::Service limited = service({80'000'000, 0, 0}, {});
  // 10 MB in all: 10,000 packets of 1,000 bytes.
  EXPECT_NEAR(pass(limited, 1, 100000, 1000, 0, 1), 11000, 30);
  EXPECT_NEAR(pass(limited, 1, 100000, 100, 2, 1), 100000, 1);  // 80 Mbit: as much as there may be
  EXPECT_EQ(meters_.pass(0, service({1'000'000, 0, 0}, {}), client(1), 9000, kGeneration, after(9))
                .reason,
            Reason::none);  // the least limit takes the longest frame
}

TEST_F(TrafficTest, EachClientHasItsOwn) {
  const tables::Service limited = service({}, {1'000'000, 1000, 0});
  for (const uint32_t who : {1u, 2u, 3u}) EXPECT_EQ(pass(limited, who, 1000, 64, 0, 0), 100);
  EXPECT_EQ(meters_.pass(0, limited, client(1), 64, kGeneration, kNow).reason,
            Reason::client_limit_packet_rate);
  EXPECT_EQ(pass(limited, 4, 1000, 1250, 0, 0), 10);  // 100 kbit
  EXPECT_EQ(meters_.pass(0, limited, client(4), 1250, kGeneration, kNow).reason,
            Reason::client_limit_bit_rate);
}

TEST_F(TrafficTest, WhatAClientMayNotHaveCostsTheOthersNothing) {
  const tables::Service limited = service({0, 10000, 0}, {0, 100, 0});
  EXPECT_EQ(pass(limited, 1, 5000, 64, 0, 0), 10);
  for (uint32_t who = 2; who < 40; ++who) EXPECT_EQ(pass(limited, who, 100, 64, 0, 0), 10) << who;
}

/// By whichever worker, and while many others come: what a client has drawn is not lost.
TEST_F(TrafficTest, AClientHasItsRateBesideManyOthers) {
  const tables::Service limited = service({}, {0, 50000, 0});
  int passed = 0;
  for (uint32_t i = 0; i < 60000; ++i) {
    const net::Instant now = after(i / 60000.0);
    for (uint32_t other = 0; other < 20; ++other) {
      meters_.pass(0, limited, client(100 + other), 64, kGeneration, now);
    }
    passed += meters_.pass(static_cast<uint16_t>(i % 2), limited, client(1), 64, kGeneration, now)
                  .reason == Reason::none;
  }
  EXPECT_NEAR(passed, 55000, 300);
}

TEST_F(TrafficTest, AnIpv4AddressIsKnownByOneHash) {
  for (const uint64_t word : {uint64_t{0}, uint64_t{8}, uint64_t{32}, uint64_t{5} << 16 | 24}) {
    for (uint32_t i = 0; i < 1000; ++i) {
      const net::Address one = client(i * 0x9e3779b9u);
      EXPECT_EQ(meters_.hash(7, word, one), meters_.hash4(7, word, one.v4_raw()));
    }
  }
}

/// Workers take quotas at the same time: together not more than there is.
TEST_F(TrafficTest, AllWorkersTogether) {
  const tables::Service limited = service({0, 1'000'000, 0}, {});
  std::array<int, 2> passed{};
  {
    std::vector<std::jthread> workers;
    for (uint16_t worker = 0; worker < 2; ++worker) {
      workers.emplace_back([&, worker] {
        for (int i = 0; i < 200000; ++i) {
          passed[worker] +=
              meters_.pass(worker, limited, client(1), 64, kGeneration, kNow).reason == Reason::none
                  ? 1
                  : 0;
        }
      });
    }
  }
  EXPECT_NEAR(passed[0] + passed[1], 100000, 2000);
  EXPECT_LE(passed[0] + passed[1], 100000);
}

}  // namespace
}  // namespace nezu::admit
