// What the tests of source NAT share: hosts behind us, and a rule for them.
#pragma once

#include <gtest/gtest.h>

#include "tests/path/frames.h"
#include "tests/path/lab.h"

namespace nezu::lab {

using namespace dsl;
using net::Reason;
using net::Verdict;

inline constexpr uint16_t kFront = 0, kBack = 1;
inline constexpr const char* kHost = "10.0.1.5";
inline constexpr const char* kHost6 = "fd00:1::5";
inline constexpr const char* kOut = "198.51.100.7";
inline constexpr const char* kOut6 = "2001:db8:c::7";

inline Eth from_host() { return eth().from("02:00:00:01:00:05").to(world::kBackMac); }
inline Eth to_outside() { return eth().from(world::kFrontMac).to(world::kRouterMac); }
inline Eth from_outside() { return eth().from(world::kRouterMac).to(world::kFrontMac); }
inline Eth to_host() { return eth().from(world::kBackMac).to("02:00:00:01:00:05"); }

inline world::RuleSpec rule() {
  world::RuleSpec spec;
  spec.networks = {"10.0.1.0/24", "fd00:1::/64"};
  spec.snats = {"203.0.113.1", "2001:db8::1"};
  return spec;
}

/// A lab with two inside hosts that have answered ARP and NDP.
struct Inside : Lab {
  explicit Inside(uint16_t workers = 1, flow::Capacity capacity = {1024, 512})
      : Lab(workers, capacity) {
    for (const char* host : {kHost, kHost6, "10.0.1.6", "10.0.2.9"}) {
      world().neighbour(world::address(host), *net::parse_mac("02:00:00:01:00:05"));
    }
    world().rebuild_routes();
  }
  Fate out(const Stack& stack, uint16_t worker = 0) { return send(stack, worker, kBack); }
  Fate back(const Stack& stack, uint16_t worker = 0) { return send(stack, worker, kFront); }
  Fate question(uint16_t port, const char* to = kOut, const char* from = kHost) {
    return out(from_host() / ipv4(from, to) / udp(port, 53) / "question");
  }
};

inline void expect_forward(const Fate& fate, uint16_t egress, const Stack& stack) {
  EXPECT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
  EXPECT_EQ(fate.egress, egress);
  EXPECT_EQ(fate.frame, stack);
}

}  // namespace nezu::lab
