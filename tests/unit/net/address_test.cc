#include "dataplane/net/address.h"

#include <gtest/gtest.h>

#include "dataplane/net/reason.h"
#include "dataplane/net/time.h"

namespace nezu::net {
namespace {

std::string round_trip(const char* text) {
  const auto address = parse_address(text);
  return address ? to_string(*address) : "nothing";
}

TEST(Address, TextIsCanonical) {
  // RFC 5952 4 and 5, and RFC 4291's examples.
  EXPECT_EQ(round_trip("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(round_trip("2001:DB8:0:0:1:0:0:1"), "2001:db8::1:0:0:1");
  EXPECT_EQ(round_trip("2001:0db8:0000:0000:0000:0000:0000:0001"), "2001:db8::1");
  EXPECT_EQ(round_trip("2001:db8:0:1:1:1:1:1"), "2001:db8:0:1:1:1:1:1");
  EXPECT_EQ(round_trip("2001:0:0:1:0:0:0:1"), "2001:0:0:1::1");
  EXPECT_EQ(round_trip("::"), "::");
  EXPECT_EQ(round_trip("::1"), "::1");
  EXPECT_EQ(round_trip("1::"), "1::");
  EXPECT_EQ(round_trip("fe80:0:0:0:0:0:0:0"), "fe80::");
  EXPECT_EQ(round_trip("64:ff9b::192.0.2.1"), "64:ff9b::c000:201");
  EXPECT_EQ(round_trip("::ffff:192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(round_trip("0:0:1::"), "0:0:1::");
}

TEST(Address, WhatIsNotOneIsRefused) {
  for (const char* text : {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.4 ",
                           "::1::", "12345::", "fe80::1%eth0", "example.org", "1.2.3.4/8"}) {
    EXPECT_EQ(round_trip(text), "nothing") << text;
  }
  EXPECT_FALSE(parse_address(std::string_view("1.2.3.4\0", 8)));
}

TEST(Address, Kinds) {
  const auto is = [](const char* text) { return *parse_address(text); };
  EXPECT_TRUE(is("0.0.0.0").is_unspecified());
  EXPECT_TRUE(is("::").is_unspecified());
  EXPECT_FALSE(is("::1").is_unspecified());
  EXPECT_TRUE(is("224.0.0.1").is_multicast());
  EXPECT_TRUE(is("239.255.255.255").is_multicast());
  EXPECT_FALSE(is("240.0.0.1").is_multicast());
  EXPECT_TRUE(is("ff02::1").is_multicast());
  EXPECT_TRUE(is("169.254.9.9").is_link_local());
  EXPECT_TRUE(is("febf::1").is_link_local());
  EXPECT_FALSE(is("fec0::1").is_link_local());
  EXPECT_TRUE(is("127.9.9.9").is_loopback());
  EXPECT_TRUE(is("::1").is_loopback());
  EXPECT_FALSE(is("::2").is_loopback());
  EXPECT_TRUE(is("255.255.255.255").is_broadcast());
  EXPECT_EQ(is("192.0.2.1").v4_host(), 0xc0000201u);
  EXPECT_EQ(is("192.0.2.1"), Address::v4(0xc0000201));
  EXPECT_EQ(is("::").family(), Family::ipv6);
}

TEST(Prefix, ContainsAndText) {
  const auto prefix = [](const char* text) { return *parse_prefix(text); };
  const auto address = [](const char* text) { return *parse_address(text); };
  EXPECT_TRUE(prefix("192.0.2.0/25").contains(address("192.0.2.127")));
  EXPECT_FALSE(prefix("192.0.2.0/25").contains(address("192.0.2.128")));
  EXPECT_TRUE(prefix("0.0.0.0/0").contains(address("255.1.2.3")));
  EXPECT_FALSE(prefix("0.0.0.0/0").contains(address("2001:db8::1")));
  EXPECT_FALSE(prefix("::/0").contains(address("192.0.2.1")));
  EXPECT_TRUE(prefix("2001:db8::/33").contains(address("2001:db8:7fff::1")));
  EXPECT_FALSE(prefix("2001:db8::/33").contains(address("2001:db8:8000::1")));
  EXPECT_EQ(to_string(prefix("192.0.2.1")), "192.0.2.1/32");
  EXPECT_EQ(to_string(prefix("2001:db8::/32")), "2001:db8::/32");
  for (const char* text : {"192.0.2.0/33", "192.0.2.0/", "192.0.2.0/-1", "192.0.2.0/08", "::/129",
                           "/8", "192.0.2.0/8/8"}) {
    EXPECT_FALSE(parse_prefix(text)) << text;
  }
}

TEST(Mac, Text) {
  EXPECT_EQ(to_string(*parse_mac("02:00:5E:10:00:ff")), "02:00:5e:10:00:ff");
  EXPECT_TRUE(parse_mac("01:00:5e:00:00:01")->is_multicast());
  for (const char* text : {"", "02:00:5e:10:00", "02-00-5e-10-00-ff", "02:00:5e:10:00:fg",
                           "2:00:5e:10:00:fff", "02:00:5e:10:00:ff:"}) {
    EXPECT_FALSE(parse_mac(text)) << text;
  }
}

TEST(Endpoint, Text) {
  EXPECT_EQ(to_string(*parse_address("192.0.2.1"), 80), "192.0.2.1:80");
  EXPECT_EQ(to_string(*parse_address("2001:db8::1"), 443), "[2001:db8::1]:443");
}

TEST(Reason, EachHasANameAndATextOfItsOwn) {
  EXPECT_EQ(kReasonNames.size(), kReasonTexts.size());
  for (size_t i = 0; i < kReasonCount; ++i) {
    EXPECT_FALSE(kReasonTexts[i].empty());
    for (size_t j = 0; j < i; ++j) {
      EXPECT_NE(kReasonNames[i], kReasonNames[j]);
      EXPECT_NE(kReasonTexts[i], kReasonTexts[j]) << kReasonNames[i];
    }
  }
  EXPECT_EQ(to_string(Reason::ipv4_checksum), "ipv4_checksum");
}

TEST(Tick, PassesAlsoAcrossTheWrap) {
  EXPECT_EQ(to_tick(Instant{kNanosecondsPerSecond}), kTicksPerSecond);
  EXPECT_TRUE(has_passed(5, 5));
  EXPECT_TRUE(has_passed(5, 6));
  EXPECT_FALSE(has_passed(6, 5));
  EXPECT_TRUE(has_passed(0xfffffff0u, 3));
  EXPECT_FALSE(has_passed(3, 0xfffffff0u));
}

}  // namespace
}  // namespace nezu::net
