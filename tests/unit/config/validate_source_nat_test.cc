// What is said about rules of source NAT.
#include <gmock/gmock.h>

#include "checked.h"

namespace nezu::config {
namespace {

using testing::AllOf;
using testing::HasSubstr;

v1::SourceNat& add_rule(v1::Configuration& configuration) {
  v1::SourceNat& rule = *configuration.add_source_nats();
  rule.set_name("out");
  rule.set_snat_set("out");
  rule.add_networks("10.0.1.77/24");
  return rule;
}

TEST(ValidateSourceNat, AcceptsNetworksPoolsAndInterfaces) {
  EXPECT_EQ(problems_with([](v1::Configuration& c) {
              v1::SourceNat& rule = add_rule(c);
              rule.add_networks("10.9.9.9");
              rule.add_pools("web");
              rule.add_interfaces("back");
              rule.add_interfaces("back.100");
              rule.add_outside_interfaces("front");
              rule.add_except("172.16.0.0/12");
              v1::SourceNat& other = add_rule(c);
              other.set_name("other");
              other.clear_networks();
              other.add_interfaces("back");
            }),
            "");
}

TEST(ValidateSourceNat, NetworksHaveOneForm) {
  v1::Configuration configuration = sample();
  v1::SourceNat& rule = add_rule(configuration);
  rule.add_networks("10.0.1.0/24");
  rule.add_networks("10.9.9.9");
  normalise(configuration);
  ASSERT_EQ(configuration.source_nats(0).networks_size(), 2);
  EXPECT_EQ(configuration.source_nats(0).networks(0), "10.0.1.0/24");
  EXPECT_EQ(configuration.source_nats(0).networks(1), "10.9.9.9/32");
  EXPECT_EQ(configuration.source_nats(0).order(), 100u);
  EXPECT_TRUE(configuration.source_nats(0).enabled());
}

TEST(ValidateSourceNat, TellsAllProblemsAtOnce) {
  EXPECT_THAT(
      problems_with([](v1::Configuration& c) {
        v1::SourceNat& rule = add_rule(c);
        rule.add_networks("10.0.0.0/33");
        rule.add_networks("fe80::/10");
        rule.add_pools("wbe");
        rule.add_interfaces("back.4095");
        rule.add_interfaces("ba ck");
        rule.add_except("everything");
        rule.set_order(70000);
        rule.set_max_segment_size(10);
        rule.set_application(v1::APPLICATION_TFTP);
        v1::SourceNat& nobody = *c.add_source_nats();
        nobody.set_name("nobody");
      }),
      AllOf(HasSubstr("10.0.0.0/33: This is no network"),
            HasSubstr("fe80::/10: No packet of such a network is routed"),
            HasSubstr("source_nats[\"out\"].pools: wbe: There is no such pool"),
            HasSubstr("VLAN from 1 to 4094"), HasSubstr("ba ck: This is no port"),
            HasSubstr("except[0]: everything"),
            HasSubstr(".order: 70000: The value must be from 1"), HasSubstr("max_segment_size: 10"),
            HasSubstr("application: tftp: Outwards only FTP has connections that come in"),
            HasSubstr("The rule says of nobody that he is inside"),
            HasSubstr("The rule has no source addresses")));
}

TEST(ValidateSourceNat, AddressesOfEveryFamilyThatIsInside) {
  EXPECT_THAT(problems_with([](v1::Configuration& c) { add_rule(c).add_networks("fd00::/8"); }),
              HasSubstr("SNAT set out has no IPv6 address, which inside hosts of the rule need"));
  // A pool brings hosts in later, too.
  EXPECT_THAT(problems_with([](v1::Configuration& c) {
                v1::Pool& pool = *c.add_pools();
                pool.set_name("six");
                pool.add_servers()->set_address("fd00::1");
                pool.mutable_servers(0)->set_port(80);
                add_rule(c).add_pools("six");
              }),
              HasSubstr("has no IPv6 address"));
  v1::Configuration configuration = sample();
  v1::SourceNat& rule = add_rule(configuration);
  rule.clear_networks();
  rule.add_interfaces("back");
  EXPECT_THAT(check(configuration).warnings,
              HasSubstr("IPv6 connections from these interfaces are refused"));
}

TEST(ValidateSourceNat, WhatARuleNamesStays) {
  Model model;
  Problems problems;
  v1::Configuration configuration = sample();
  add_rule(configuration).add_pools("web");
  normalise(configuration);
  model.apply(edit_to(model, configuration, problems));
  store::Edit edit;
  edit.add_removed_pools("web");
  edit.add_removed_snat_sets("out");
  model.apply(edit);
  EXPECT_THAT(text_of(problems_between(model, edit)),
              AllOf(HasSubstr("Source NAT rule out names the pool"),
                    HasSubstr("Source NAT rule out uses the SNAT set")));
}

}  // namespace
}  // namespace nezu::config
