// ARP and NDP questions in, answers out.
#include "dataplane/link/answers.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "dataplane/net/text.h"
#include "dataplane/parse/parse.h"
#include "tests/dsl/dsl.h"

namespace nezu {
namespace {

using namespace dsl;

constexpr net::MacAddress kOurs{{2, 0, 0, 0, 0, 0x99}};
constexpr auto kOurText = "02:00:00:00:00:99";
constexpr auto kPeerText = "02:00:00:00:00:01";

Bytes target(std::string_view address, const Bytes& option = {}) {
  const auto bytes = net::parse_address(address)->bytes;
  Bytes all(16 + option.size());
  std::copy(bytes.begin(), bytes.end(), all.begin());
  std::copy(option.begin(), option.end(), all.begin() + 16);
  return all;
}
const Bytes kFromPeer{1, 1, 2, 0, 0, 0, 0, 1};
const Bytes kAtOurs{2, 1, 2, 0, 0, 0, 0, 0x99};

std::optional<net::Address> asked(Frame& frame) {
  parse::parse(frame.packet());
  return link::asked_address(frame.packet());
}

Stack solicitation(std::string_view from, std::string_view to, std::string_view wanted,
                   Bytes option) {
  return eth().to("33:33:ff:00:00:10") / ipv6(from, to).hops(255) / icmpv6(135) /
         raw(target(wanted, option), 58);
}

TEST(Answers, ArpRequestIsAnsweredToWhoAsked) {
  Frame frame = eth().to("ff:ff:ff:ff:ff:ff") / arp_request("192.0.2.7", "192.0.2.10");
  ASSERT_EQ(asked(frame), net::parse_address("192.0.2.10"));
  link::answer(frame.packet(), kOurs);
  EXPECT_EQ(frame.packet().verdict, net::Verdict::reply);
  EXPECT_EQ(frame,
            eth().from(kOurText).to(kPeerText) /
                arp_reply("192.0.2.10", "192.0.2.7").sender_mac(kOurText).target_mac(kPeerText));
}

TEST(Answers, ArpKeepsVlanAndPadding) {
  Frame frame = Frame(eth() / vlan(7) / arp_request("192.0.2.7", "192.0.2.10")).padded(60);
  ASSERT_TRUE(asked(frame));
  link::answer(frame.packet(), kOurs);
  EXPECT_EQ(frame,
            Frame(eth().from(kOurText).to(kPeerText) / vlan(7) /
                  arp_reply("192.0.2.10", "192.0.2.7").sender_mac(kOurText).target_mac(kPeerText))
                .padded(60));
}

TEST(Answers, RepliesAndCutRequestsAskNothing) {
  Frame reply = eth() / arp_reply("192.0.2.7", "192.0.2.10");
  EXPECT_FALSE(asked(reply));
  const Frame whole = eth() / arp_request("192.0.2.7", "192.0.2.10");
  for (size_t length = 14; length < whole.size(); ++length) {
    Frame frame = whole.cut(length);
    EXPECT_FALSE(asked(frame)) << length;
  }
}

TEST(Answers, SolicitationIsAdvertisedWithSolicitedAndOverride) {
  Frame frame = solicitation("2001:db8::7", "ff02::1:ff00:10", "2001:db8::10", kFromPeer);
  ASSERT_EQ(asked(frame), net::parse_address("2001:db8::10"));
  link::answer(frame.packet(), kOurs);
  EXPECT_EQ(frame, eth().from(kOurText).to(kPeerText) /
                       ipv6("2001:db8::10", "2001:db8::7").hops(255) /
                       icmpv6(136).rest(0x6000'0000) / raw(target("2001:db8::10", kAtOurs), 58));
}

TEST(Answers, AUnicastQuestionWithoutOptionGrows) {
  Frame frame = solicitation("2001:db8::7", "2001:db8::10", "2001:db8::10", {});
  ASSERT_TRUE(asked(frame));
  link::answer(frame.packet(), kOurs);
  EXPECT_EQ(frame.size(), 86u);
}

TEST(Answers, WithoutRoomItIsDropped) {
  Frame frame = solicitation("2001:db8::7", "2001:db8::10", "2001:db8::10", {});
  ASSERT_TRUE(asked(frame));
  frame.packet().room = frame.packet().length;
  link::answer(frame.packet(), kOurs);
  EXPECT_EQ(frame.packet().reason, net::Reason::buffer_missing);
}

TEST(Answers, DuplicateDetectionIsToldToAllNodesUnsolicited) {
  Frame frame = solicitation("::", "ff02::1:ff00:10", "2001:db8::10", {});
  ASSERT_TRUE(asked(frame));
  link::answer(frame.packet(), kOurs);
  EXPECT_EQ(frame, eth().from(kOurText).to("33:33:00:00:00:01") /
                       ipv6("2001:db8::10", "ff02::1").hops(255) / icmpv6(136).rest(0x2000'0000) /
                       raw(target("2001:db8::10", kAtOurs), 58));
}

TEST(Answers, SolicitationsThatMayNotBeAnswered) {
  const auto base = [] { return eth() / ipv6("2001:db8::7", "ff02::1:ff00:10").hops(255); };
  const auto none = [](Frame frame) { EXPECT_FALSE(asked(frame)) << net::describe(frame.bytes()); };
  none(eth() / ipv6("2001:db8::7", "ff02::1:ff00:10").hops(254) / icmpv6(135) /
       raw(target("2001:db8::10"), 58));
  none(base() / icmpv6(135, 1) / raw(target("2001:db8::10"), 58));
  none(base() / icmpv6(135).checksum(1) / raw(target("2001:db8::10"), 58));
  none(base() / icmpv6(135) / raw(target("ff02::1"), 58));
  none(base() / icmpv6(135) / raw(target("2001:db8::10", {1, 0, 2, 0, 0, 0, 0, 1}), 58));
  none(base() / icmpv6(135) / raw(target("2001:db8::10", {1, 2, 2, 0, 0, 0, 0, 1}), 58));
  none(base() / icmpv6(136) / raw(target("2001:db8::10"), 58));
  none(solicitation("::", "ff02::1:ff00:10", "2001:db8::10", kFromPeer));
  none(solicitation("::", "2001:db8::10", "2001:db8::10", {}));
}

std::optional<link::Claim> claimed(Frame frame) {
  parse::parse(frame.packet());
  return link::claim_of(frame.packet());
}

/// An advertisement by 02:00:00:00:00:01.
Stack advertisement(uint32_t flags, const Bytes& option = {2, 1, 2, 0, 0, 0, 0, 1},
                    uint8_t hops = 255) {
  return eth().to("33:33:00:00:00:01") / ipv6("2001:db8::10", "ff02::1").hops(hops) /
         icmpv6(136).rest(flags) / raw(target("2001:db8::10", option), 58);
}

/// Who sends an ARP packet of any kind says where he is; so does who advertises.
TEST(Answers, ClaimsByArpAndAdvertisements) {
  const auto is = [](const std::optional<link::Claim>& claim, std::string_view address,
                     std::string_view mac) {
    return claim && claim->address == net::parse_address(address) &&
           claim->mac == net::parse_mac(mac);
  };
  EXPECT_TRUE(
      is(claimed(eth() / arp_request("192.0.2.10", "192.0.2.10")), "192.0.2.10", kPeerText));
  EXPECT_TRUE(is(claimed(eth() / arp_request("192.0.2.10", "192.0.2.7")), "192.0.2.10", kPeerText));
  EXPECT_TRUE(is(claimed(eth() / arp_reply("192.0.2.10", "192.0.2.7")), "192.0.2.10", kPeerText));
  // What ARP says counts, not who carried it.
  EXPECT_TRUE(is(claimed(eth().from("02:00:00:00:00:55") /
                         arp_reply("192.0.2.10", "192.0.2.7").sender_mac(kOurText)),
                 "192.0.2.10", kOurText));
  for (const uint32_t flags : {0u, 0x2000'0000u, 0x6000'0000u, 0x8000'0000u}) {
    EXPECT_TRUE(is(claimed(advertisement(flags)), "2001:db8::10", kPeerText)) << flags;
  }
  EXPECT_TRUE(is(claimed(advertisement(0, {})), "2001:db8::10", kPeerText)) << "no option";
  EXPECT_FALSE(claimed(advertisement(0, kAtOurs, 254))) << "from beyond a router";
  EXPECT_FALSE(claimed(advertisement(0, {2, 0, 2, 0, 0, 0, 0, 1})));
  EXPECT_FALSE(claimed(solicitation("2001:db8::7", "ff02::1:ff00:10", "2001:db8::10", kFromPeer)));
  EXPECT_FALSE(claimed(eth() / ipv4("192.0.2.10", "192.0.2.7") / udp(1, 2) / "x"));
  const Frame whole = eth() / arp_request("192.0.2.10", "192.0.2.7");
  for (size_t length = 14; length < whole.size(); ++length) {
    EXPECT_FALSE(claimed(whole.cut(length))) << length;
  }
}

}  // namespace
}  // namespace nezu
