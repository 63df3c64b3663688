// Other hosts that say that an address of ours is theirs.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/path/frames.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Instance;
using net::Reason;
using net::Verdict;

TEST(Together, AnAddressIsClaimedInItsInstanceOnly) {
  Lab lab(1);
  constexpr Instance kRed{10};
  lab.world().add_instance({kRed, 10, 11});
  lab.world().rebuild_routes();
  world::ServiceSpec spec = web();
  spec.instance = kRed;
  spec.vip = "192.0.2.10";
  lab.world().put(spec);
  const auto claim = [&](const Eth& link) {
    return lab.send(link / arp_request("192.0.2.10", "192.0.2.10"));
  };
  EXPECT_NE(claim(eth().to("ff:ff:ff:ff:ff:ff")).reason, Reason::address_claimed);
  const Fate tagged =
      lab.send(eth().to("ff:ff:ff:ff:ff:ff") / vlan(10) / arp_request("192.0.2.10", "192.0.2.10"));
  EXPECT_EQ(tagged.reason, Reason::address_claimed);
}

/// With and without override, solicited or not; what we say ourselves is no claim.
TEST(Together, AnAddressIsClaimedByAnAdvertisement) {
  Lab lab(1);
  constexpr Instance kRed{10};
  lab.world().add_instance({kRed, 10, 11});
  lab.world().rebuild_routes();
  world::ServiceSpec spec = web();
  spec.instance = kRed;
  spec.vip = "2001:db8:f::10";
  spec.servers = {{"fd00:1::5", 80}};
  lab.world().put(spec);
  const auto vip = world::address("2001:db8:f::10").bytes;
  Bytes said{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 0, 0, 0, 0, 0x77};
  std::copy(vip.begin(), vip.end(), said.begin());
  const auto claim = [&](uint16_t vlan_id, std::string_view by, uint32_t flags) {
    const Eth link = eth().from(by).to("33:33:00:00:00:01");
    const auto rest = ipv6("2001:db8:f::10", "ff02::1").hops(255);
    const auto told = icmpv6(136).rest(flags);
    return vlan_id == 0 ? lab.send(link / rest / told / raw(said, 58))
                        : lab.send(link / vlan(vlan_id) / rest / told / raw(said, 58));
  };
  uint64_t count = 0;
  for (const uint32_t flags : {0u, 0x2000'0000u, 0x6000'0000u}) {
    EXPECT_NE(claim(0, "02:00:00:00:00:77", flags).reason, Reason::address_claimed);
    const Fate fate = claim(10, "02:00:00:00:00:77", flags);
    EXPECT_EQ(fate.verdict, Verdict::drop);
    EXPECT_EQ(fate.reason, Reason::address_claimed);
    path::Claimed heard;
    ASSERT_EQ(lab.path(0).desk().claims.pop(std::span(&heard, 1)), 1u);
    EXPECT_EQ(heard.instance, kRed);
    EXPECT_EQ(heard.address, world::address("2001:db8:f::10"));
    EXPECT_EQ(net::to_string(heard.mac), "02:00:00:00:00:77");
    EXPECT_EQ(lab.count(Reason::address_claimed), ++count);
    EXPECT_NE(claim(10, world::kFrontMac, flags).reason, Reason::address_claimed) << "our own";
  }
}

}  // namespace
}  // namespace nezu::lab
