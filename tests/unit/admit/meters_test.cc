#include "dataplane/admit/meters.h"

#include <gtest/gtest.h>

#include <array>
#include <thread>
#include <vector>

namespace nezu::admit {
namespace {

using net::Reason;

constexpr net::Instant kNow{1000 * net::kNanosecondsPerSecond};

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
      in += meters_.admit(service, who, 0, now).reason == Reason::none ? 1 : 0;
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
  EXPECT_EQ(meters_.admit(limited, client(1), 0, kNow).reason, Reason::client_limit_flow_rate);
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
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(meters_.admit(limited, client(1), 0, kNow).reason, Reason::none);
    meters_.opened(limited, client(1), kNow);
  }
  EXPECT_EQ(meters_.admit(limited, client(1), 0, kNow).reason, Reason::client_limit_flows);
  EXPECT_EQ(meters_.admit(limited, client(2), 0, kNow).reason, Reason::none);
  meters_.ended(3, client(1));
  EXPECT_EQ(meters_.admit(limited, client(1), 0, kNow).reason, Reason::none);
  // Of flows that nobody counted none is taken off.
  for (int i = 0; i < 9; ++i) meters_.ended(3, client(2));
  meters_.opened(limited, client(2), kNow);
  meters_.opened(limited, client(2), kNow);
  meters_.opened(limited, client(2), kNow);
  EXPECT_EQ(meters_.admit(limited, client(2), 0, kNow).reason, Reason::client_limit_flows);
}

TEST_F(MetersTest, AllFlowsOfTheService) {
  const tables::Service limited = service({0, 50}, {});
  EXPECT_EQ(meters_.admit(limited, client(1), 49, kNow).reason, Reason::none);
  EXPECT_EQ(meters_.admit(limited, client(1), 50, kNow).reason, Reason::limit_flows);
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
    forgot += meters_.admit(limited, client(i), 0, after(2.0 * i)).forgot ? 1 : 0;
  }
  EXPECT_EQ(forgot, 0u);
  EXPECT_LE(meters_.used(), 64u);
  for (uint32_t i = 0; i < 1000; ++i) {
    forgot += meters_.admit(limited, client(5000 + i), 0, after(5000)).forgot ? 1 : 0;
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
        const bool let = meters_.admit(limited, who, 0, kNow).reason == Reason::none;
        in[static_cast<size_t>(worker)] += let ? 1 : 0;
        if (let) meters_.opened(limited, who, kNow);
        if (let) meters_.ended(3, who);
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
      passed += meters_.pass(worker, service, client(who), bytes, now).reason == Reason::none;
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
  EXPECT_EQ(meters_.pass(0, limited, client(1), 64, after(21)).reason, Reason::none);
}

TEST_F(TrafficTest, BitsASecondOfAll) {
  const tables::Service limited = service({80'000'000, 0, 0}, {});
  // 10 MB in all: 10,000 packets of 1,000 bytes.
  EXPECT_NEAR(pass(limited, 1, 100000, 1000, 0, 1), 11000, 30);
  EXPECT_NEAR(pass(limited, 1, 100000, 100, 2, 1), 100000, 1);  // 80 Mbit: as much as there may be
  EXPECT_EQ(meters_.pass(0, service({1'000'000, 0, 0}, {}), client(1), 9000, after(9)).reason,
            Reason::none);  // the least limit takes the longest frame
}

TEST_F(TrafficTest, EachClientHasItsOwn) {
  const tables::Service limited = service({}, {1'000'000, 1000, 0});
  for (const uint32_t who : {1u, 2u, 3u}) EXPECT_EQ(pass(limited, who, 1000, 64, 0, 0), 100);
  EXPECT_EQ(meters_.pass(0, limited, client(1), 64, kNow).reason, Reason::client_limit_packet_rate);
  EXPECT_EQ(pass(limited, 4, 1000, 1250, 0, 0), 10);  // 100 kbit
  EXPECT_EQ(meters_.pass(0, limited, client(4), 1250, kNow).reason, Reason::client_limit_bit_rate);
}

TEST_F(TrafficTest, WhatAClientMayNotHaveCostsTheOthersNothing) {
  const tables::Service limited = service({0, 10000, 0}, {0, 100, 0});
  EXPECT_EQ(pass(limited, 1, 5000, 64, 0, 0), 10);
  for (uint32_t who = 2; who < 40; ++who) EXPECT_EQ(pass(limited, who, 100, 64, 0, 0), 10) << who;
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
              meters_.pass(worker, limited, client(1), 64, kNow).reason == Reason::none ? 1 : 0;
        }
      });
    }
  }
  EXPECT_NEAR(passed[0] + passed[1], 100000, 2000);
  EXPECT_LE(passed[0] + passed[1], 100000);
}

}  // namespace
}  // namespace nezu::admit
