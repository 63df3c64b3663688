// What the tests of SYN cookies share: services that send them, and one connection by hand.
#pragma once

#include <gtest/gtest.h>

#include "tests/path/converse.h"

namespace nezu::lab {

using namespace dsl;
using net::Reason;
using net::Verdict;

inline world::ServiceSpec guarded(tables::Mode mode = tables::Mode::nat, uint32_t above = 0) {
  world::ServiceSpec spec = web(mode);
  spec.servers = {{"10.0.1.5", 8080}};
  spec.refusal = tables::Refusal::refuse;
  spec.cookies.enabled = 1;
  spec.cookies.above_per_second = above;
  return spec;
}

inline Ends from_v4() {
  return {world::address("198.18.0.7"), world::address("203.0.113.10"), 40000, 80};
}
inline Ends from_v6() {
  return {world::address("2001:db8:c::7"), world::address("2001:db8::10"), 40000, 80};
}

/// A reply goes back the way it came.
inline Eth turned() { return eth().from("02:00:00:00:00:02").to("02:00:00:00:00:01"); }
inline Bytes big32(uint32_t value) {
  return {static_cast<uint8_t>(value >> 24), static_cast<uint8_t>(value >> 16),
          static_cast<uint8_t>(value >> 8), static_cast<uint8_t>(value)};
}
inline Bytes operator+(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}
inline Bytes stamps(uint32_t value, uint32_t echo) {
  return Bytes{1, 1, 8, 10} + big32(value) + big32(echo);
}
/// As Linux says them in a SYN.
inline Bytes linux_syn(uint16_t size, uint32_t value, uint8_t scale, uint32_t echo = 0) {
  return Bytes{2, 4, static_cast<uint8_t>(size >> 8), static_cast<uint8_t>(size), 4, 2, 8, 10} +
         big32(value) + big32(echo) + Bytes{1, 3, 3, scale};
}

inline uint32_t word_at(const Frame& frame, size_t at) {
  return net::swap32(net::load<uint32_t>(&frame.bytes()[at]));
}
inline uint32_t sequence_of(const Frame& frame) { return word_at(frame, 38); }
inline uint8_t flags_of(const Frame& frame) { return frame.bytes()[47]; }
/// Of a segment that begins with the options of `linux_syn` or with `stamps`.
inline uint32_t time_of_syn(const Frame& frame) { return word_at(frame, 62); }

/// One connection of a client as Linux is, by hand.
class Cookies : public testing::Test {
 protected:
  Fate in(const dsl::Tcp& tcp, std::string payload = "") {
    return lab_.send(eth() / ipv4("198.18.0.7", "203.0.113.10") / tcp / payload, worker_++ % 3);
  }
  Fate back(const dsl::Tcp& tcp, std::string payload = "") {
    return lab_.send(eth() / ipv4("10.0.1.5", "198.18.0.7") / tcp / payload, worker_++ % 3, 1);
  }
  static auto to_client(const dsl::Tcp& tcp) {
    return eth().from(world::kFrontMac).to(world::kRouterMac) /
           ipv4("203.0.113.10", "198.18.0.7").ttl(63) / tcp;
  }
  static auto to_server(const dsl::Tcp& tcp) {
    return eth().from(world::kBackMac).to("02:00:00:01:00:00") /
           ipv4("198.18.0.7", "10.0.1.5").ttl(63) / tcp;
  }
  /// What we say ourselves as the client.
  static auto said_to_server(const dsl::Tcp& tcp) {
    return eth().from(world::kBackMac).to("02:00:00:01:00:00") /
           ipv4("198.18.0.7", "10.0.1.5").ttl(63).dont_fragment() / tcp;
  }
  static dsl::Tcp there() { return tcp(40000, 8080); }
  static dsl::Tcp from_client() { return tcp(40000, 80); }
  static dsl::Tcp from_server() { return tcp(8080, 40000); }

  /// Until the server has been asked; the cookie is in `cookie_`, our clock in `time_`.
  void ask() {
    const Fate fate = in(from_client().syn().seq(100).options(linux_syn(1460, 7000, 9)));
    ASSERT_EQ(fate.verdict, Verdict::reply);
    ASSERT_EQ(fate.reason, Reason::cookie_sent);
    cookie_ = sequence_of(fate.frame);
    time_ = time_of_syn(fate.frame);
    ASSERT_EQ(lab_.flow_count(), 0u);
    const Fate asked =
        in(from_client().seq(101).ack(cookie_ + 1).window(502).options(stamps(7010, time_)));
    ASSERT_EQ(asked.verdict, Verdict::forward) << net::to_string(asked.reason);
    EXPECT_EQ(asked.frame,
              to_server(there().syn().seq(100).window(65535).options(asked_options())));
  }
  static Bytes asked_options(uint32_t value = 7010) {
    return Bytes{2, 4, 0x05, 0xb4, 4, 2, 8, 10} + big32(value) + big32(0) + Bytes{1, 3, 3, 9};
  }

  Lab lab_{3};
  uint32_t cookie_ = 0, time_ = 0;
  uint16_t worker_ = 0;
};

}  // namespace nezu::lab
