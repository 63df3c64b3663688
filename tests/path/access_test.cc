// Access lists: who may open flows, of a service and of an instance.
#include <gtest/gtest.h>

#include "tests/path/frames.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Reason;
using net::Verdict;

net::Prefix prefix(std::string_view text) { return *net::parse_prefix(text); }

Fate open_by(Lab& lab, const std::string& from, const std::string& vip = "203.0.113.10") {
  return lab.send(eth() / ipv4(from, vip) / tcp(4000, 80).syn(), 0, 0);
}

TEST(Access, AServiceTakesFlowsOfThoseWhoAreAllowed) {
  Lab lab(2);
  world::ServiceSpec spec = web();
  spec.refusal = tables::Refusal::refuse;
  spec.access.deny = {prefix("198.51.0.0/16")};
  spec.access.allow = {prefix("198.51.100.0/24")};
  const auto id = lab.world().put(spec);
  EXPECT_EQ(open_by(lab, "198.51.100.7").verdict, Verdict::forward);
  EXPECT_EQ(open_by(lab, "192.0.2.77").verdict, Verdict::forward);
  const Fate denied = open_by(lab, "198.51.7.7");  // silently, whatever others are told
  EXPECT_EQ(denied.verdict, Verdict::drop);
  EXPECT_EQ(denied.reason, Reason::access_denied);
  EXPECT_EQ(lab.count(Reason::access_denied), 1u);
  EXPECT_EQ(lab.flow_count(), 2u);
  uint64_t refused = 0;
  for (uint16_t worker = 0; worker < 2; ++worker) {
    refused += lab.world().region().services_of(worker)[index(id)].flows_refused.read();
  }
  EXPECT_EQ(refused, 1u);
}

TEST(Access, OnlyFlowsAreAskedForThatDoNotExist) {
  Lab lab(2);
  world::ServiceSpec spec = web();
  lab.world().put(spec);
  Conversation one(lab, "198.51.100.7", 4000);
  ASSERT_TRUE(one.open());
  spec.access.deny_others = true;
  spec.access.allow = {prefix("192.0.2.0/24")};
  lab.world().put(spec);
  EXPECT_TRUE(one.works());
  EXPECT_EQ(open_by(lab, "198.51.100.8").reason, Reason::access_denied);
  EXPECT_EQ(open_by(lab, "192.0.2.8").verdict, Verdict::forward);
}

TEST(Access, OfAnInstanceHoldsForAllItsServices) {
  Lab lab(2);
  lab.world().put(web());
  world::ServiceSpec other = web();
  other.vip = "203.0.113.11";
  other.access.allow = {prefix("198.51.100.9/32")};
  lab.world().put(other);
  tables::AccessSpec list;
  list.deny = {prefix("198.51.100.0/24")};
  lab.world().access({{net::Instance::standard, list}});
  for (const std::string last : {"10", "11"}) {
    const std::string vip = "203.0.113." + last;
    EXPECT_EQ(open_by(lab, "198.51.100.9", vip).reason, Reason::access_denied_here) << vip;
    EXPECT_EQ(open_by(lab, "192.0.2." + last, vip).verdict, Verdict::forward) << vip;
  }
  lab.world().access({{net::Instance{7}, list}});  // that of another one is nothing to these
  EXPECT_EQ(open_by(lab, "198.51.100.9").verdict, Verdict::forward);
  lab.world().access({});
  EXPECT_EQ(open_by(lab, "198.51.100.10").verdict, Verdict::forward);
  EXPECT_EQ(lab.audit(), "");
}

TEST(Access, OverIpv6AndUdpAsWell) {
  Lab lab(2);
  world::ServiceSpec spec = web();
  spec.vip = "2001:db8::10";
  spec.servers = {{"fd00:1::5", 8080}, {"fd00:1::6", 8080}};
  spec.protocol = net::Protocol::udp;
  spec.access.deny = {prefix("2001:db8:c::/48")};
  spec.access.allow = {prefix("2001:db8:c:7::/64")};
  lab.world().put(spec);
  const auto send = [&](const std::string& from) {
    return lab.send(eth() / ipv6(from, std::string(spec.vip)) / udp(4000, 80), 1, 0);
  };
  EXPECT_EQ(send("2001:db8:c:7::1").verdict, Verdict::forward);
  EXPECT_EQ(send("2001:db8:c:8::1").reason, Reason::access_denied);
  EXPECT_EQ(send("2001:db8:d::1").verdict, Verdict::forward);
}

}  // namespace
}  // namespace nezu::lab
