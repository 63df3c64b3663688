// Frames that announce our addresses.
#include "dataplane/link/announce.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/dsl/dsl.h"

namespace nezu {
namespace {

using namespace dsl;

constexpr net::MacAddress kOurs{{2, 0, 0, 0, 0, 0x99}};
constexpr auto kOurText = "02:00:00:00:00:99";
constexpr auto kOurLinkLocal = "fe80::ff:fe00:99";

net::Address address(std::string_view text) { return *net::parse_address(text); }
Bytes bytes_of(std::string_view text) {
  const auto bytes = address(text).bytes;
  return {bytes.begin(), bytes.end()};
}

Bytes joined(const Bytes& one, const Bytes& two) {
  Bytes all(one.size() + two.size());
  std::copy(two.begin(), two.end(), std::copy(one.begin(), one.end(), all.begin()));
  return all;
}

TEST(Announce, ArpFromAndForTheAddressToAll) {
  EXPECT_EQ(Frame(link::announcement(address("192.0.2.10"), kOurs)),
            eth().from(kOurText).to("ff:ff:ff:ff:ff:ff") /
                arp_request("192.0.2.10", "192.0.2.10").sender_mac(kOurText));
}

TEST(Announce, UnsolicitedAdvertisementOverrides) {
  const Bytes message = joined(bytes_of("2001:db8::10"), {2, 1, 2, 0, 0, 0, 0, 0x99});
  EXPECT_EQ(Frame(link::announcement(address("2001:db8::10"), kOurs)),
            eth().from(kOurText).to("33:33:00:00:00:01") /
                ipv6("2001:db8::10", "ff02::1").hops(255) / icmpv6(136).rest(0x2000'0000) /
                raw(message, 58));
}

TEST(Announce, ReportsTheSolicitedNodeGroups) {
  EXPECT_EQ(link::solicited_node(address("2001:db8::1:ab12:3456")), address("ff02::1:ff12:3456"));
  const net::Address groups[] = {address("ff02::1:ff00:10")};
  const Bytes record = joined({4, 0, 0, 0}, bytes_of("ff02::1:ff00:10"));
  EXPECT_EQ(Frame(link::membership_report(groups, kOurs, true)),
            eth().from(kOurText).to("33:33:00:00:00:16") / ipv6(kOurLinkLocal, "ff02::16").hops(1) /
                hop_by_hop({5, 2, 0, 0, 1, 0}) / icmpv6(143).rest(1) / raw(record, 58));
}

TEST(Announce, KnowsAQuery) {
  const Frame query = eth() / ipv6("fe80::1", "ff02::1").hops(1) / hop_by_hop({5, 2, 0, 0, 1, 0}) /
                      icmpv6(130) / raw(Bytes(20), 58);
  EXPECT_TRUE(link::is_membership_query(query.bytes()));
  for (size_t length = 0; length < 70; ++length) {
    EXPECT_FALSE(link::is_membership_query(query.bytes().first(length)));
  }
  const Frame other = eth() / ipv6("fe80::1", "ff02::1") / icmpv6(130) / raw(Bytes(40), 58);
  EXPECT_FALSE(link::is_membership_query(other.bytes()));
}

}  // namespace
}  // namespace nezu
