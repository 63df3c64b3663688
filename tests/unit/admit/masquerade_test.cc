// The rules' block: the longest prefix, families, order; against a plain search.
#include "dataplane/admit/masquerade.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <random>

namespace nezu::admit {
namespace {

using tables::SourceRules;
using tables::SourceRuleSpec;

net::Prefix prefix(const char* text) { return *net::parse_prefix(text); }
net::Address address(const char* text) { return *net::parse_address(text); }
tables::Interface on(const char* port, uint16_t vlan = 0) {
  return {tables::port_identity(port), vlan, {}};
}

struct Rules {
  explicit Rules(std::vector<SourceRuleSpec> specs) {
    for (size_t i = 0; i < specs.size(); ++i) {
      specs[i].service = tables::ServiceId{static_cast<uint32_t>(i)};
    }
    bytes = tables::build_source_rules(specs);
    words.resize(bytes.size() / 8 + 16);
    // As aligned as in the region.
    void* at = words.data();
    size_t room = words.size() * 8;
    block = static_cast<SourceRules*>(std::align(64, bytes.size(), at, room));
    std::memcpy(static_cast<void*>(block), bytes.data(), bytes.size());
  }
  /// The number of the rule; -1: none.
  int find(const char* from, const char* to = "198.51.100.7",
           const tables::Interface& in = on("back"),
           const tables::Interface& out = on("front")) const {
    const auto* rule = rule_for(*block, address(from), address(to), in, out);
    return rule == nullptr ? -1 : static_cast<int>(index(rule->service));
  }
  std::vector<uint8_t> bytes;
  std::vector<uint64_t> words;
  SourceRules* block = nullptr;
};

SourceRuleSpec from(std::vector<const char*> networks) {
  SourceRuleSpec spec;
  for (const char* network : networks) spec.sources.push_back(prefix(network));
  return spec;
}

TEST(SourceRules, NoRulesAreNoBlock) { EXPECT_TRUE(tables::build_source_rules({}).empty()); }

TEST(SourceRules, TheLongestPrefixThenTheOrder) {
  const Rules rules({from({"10.0.0.0/8"}), from({"10.1.0.0/16", "fd00::/8"}), from({"10.1.0.0/16"}),
                     from({"10.1.2.3/32"})});
  EXPECT_EQ(rules.find("10.9.9.9"), 0);
  EXPECT_EQ(rules.find("10.1.9.9"), 1);
  EXPECT_EQ(rules.find("10.1.2.3"), 3);
  EXPECT_EQ(rules.find("fd12::1"), 1);
  EXPECT_EQ(rules.find("11.0.0.1"), -1);
  EXPECT_EQ(rules.find("2001:db8::1"), -1);
}

/// "Everybody" of one family is not everybody of the other; nor is anybody inside by that.
TEST(SourceRules, FamiliesStayApart) {
  const Rules six({from({"::/0"})});
  EXPECT_EQ(six.find("2001:db8::1"), 0);
  EXPECT_EQ(six.find("10.0.0.1"), -1);
  EXPECT_FALSE(is_inside(*six.block, address("2001:db8::1")));
  const Rules four({from({"0.0.0.0/0"}), from({"10.0.0.0/8"})});
  EXPECT_EQ(four.find("192.0.2.1"), 0);
  EXPECT_EQ(four.find("10.0.0.1"), 1);
  EXPECT_EQ(four.find("2001:db8::1"), -1);
  EXPECT_TRUE(is_inside(*four.block, address("10.0.0.1")));
  EXPECT_FALSE(is_inside(*four.block, address("192.0.2.1")));
  // An IPv6 network behind the mapped ones still has ::/0 above it.
  const Rules both({from({"::/0"}), from({"10.0.0.0/8"}), from({"fd00::/8"})});
  EXPECT_EQ(both.find("fe00::1"), 0);
  EXPECT_EQ(both.find("fd00::1"), 2);
  EXPECT_EQ(both.find("2001::1"), 0);
}

TEST(SourceRules, InterfacesAndExceptions) {
  SourceRuleSpec by_port, by_vlan = from({"10.0.0.0/8"}), outside = from({"10.0.0.0/16"});
  by_port.inside = {on("back")};
  by_vlan.inside = {on("back", 100)};
  by_vlan.except = {prefix("198.51.100.0/24"), prefix("10.0.0.0/8")};
  outside.outside = {on("uplink")};
  const Rules rules({by_port, by_vlan, outside});
  EXPECT_EQ(rules.find("192.0.2.1"), 0);
  EXPECT_EQ(rules.find("192.0.2.1", "203.0.113.1", on("front"), on("back")), -1);
  // Who is inside by his port alone does not go out where he came from.
  EXPECT_EQ(rules.find("192.0.2.1", "203.0.113.1", on("back"), on("back")), -1);
  EXPECT_EQ(rules.find("10.9.0.1", "203.0.113.1", on("back", 100)), 1);
  EXPECT_EQ(rules.find("10.9.0.1", "198.51.100.1", on("back", 100)), 0);  // excepted: the next
  EXPECT_EQ(rules.find("10.9.0.1", "203.0.113.1", on("back", 101)), 0);
  EXPECT_EQ(rules.find("10.0.0.1", "203.0.113.1", on("front"), on("uplink")), 2);
  EXPECT_EQ(rules.find("10.0.0.1", "203.0.113.1", on("front"), on("front")), -1);
}

TEST(SourceRules, RandomNetworksAgreeWithAPlainSearch) {
  std::mt19937 random(7);
  for (int round = 0; round < 30; ++round) {
    std::vector<SourceRuleSpec> specs(1 + random() % 12);
    const auto any = [&] {
      net::Address host = random() % 2
                              ? net::Address::v4(static_cast<uint32_t>(random()) & 0x0f0f0000u)
                              : address("fd00::");
      if (!host.is_v4()) host.bytes[7] = static_cast<uint8_t>(random() % 4 * 64);
      return host;
    };
    for (SourceRuleSpec& spec : specs) {
      for (uint32_t i = 0; i <= random() % 6; ++i) {
        const net::Address host = any();
        spec.sources.push_back({host, static_cast<uint8_t>(random() % (host.is_v4() ? 33 : 129))});
      }
    }
    const Rules rules(specs);
    for (int i = 0; i < 300; ++i) {
      const net::Address host = any();
      int best = -1, length = -1;
      bool inside = false;
      for (size_t n = 0; n < specs.size(); ++n) {
        for (const net::Prefix& one : specs[n].sources) {
          const bool has = one.address.is_v4() == host.is_v4() && one.contains(host);
          inside |= has && one.length != 0;
          if (has && one.length > length) best = static_cast<int>(n), length = one.length;
        }
      }
      const auto* rule = rule_for(*rules.block, host, address("198.51.100.7"), {}, {});
      ASSERT_EQ(rule == nullptr ? -1 : static_cast<int>(index(rule->service)), best)
          << net::to_string(host);
      ASSERT_EQ(is_inside(*rules.block, host), inside) << net::to_string(host);
    }
  }
}

}  // namespace
}  // namespace nezu::admit
