#include "dataplane/admit/meters.h"

#include <gtest/gtest.h>

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

  Meters meters_{8, 64, 7};
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

}  // namespace
}  // namespace nezu::admit
