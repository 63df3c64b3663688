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

v1::NetworkInstance& add_red(v1::Configuration& configuration) {
  v1::NetworkInstance& red = *configuration.add_instances();
  red.set_name("red");
  red.set_number(10);
  return red;
}

TEST(ValidateSourceNat, WorksInTheStandardInstanceOnly) {
  EXPECT_THAT(problems_with([](v1::Configuration& c) {
                add_red(c);
                add_rule(c).set_instance(10);
              }),
              HasSubstr("source_nats[\"out\"].instance: 10: Source NAT works in the standard "
                        "network instance only; leave the field out."));
  EXPECT_THAT(problems_with([](v1::Configuration& c) {
                add_red(c);
                add_rule(c).add_pools("red");
                v1::Pool& pool = *c.add_pools();
                pool.set_name("red");
                pool.set_instance(10);
                pool.add_servers()->set_address("10.0.0.1");
                pool.mutable_servers(0)->set_port(80);
              }),
              HasSubstr("source_nats[\"out\"].pools: red: Source NAT works in the standard network "
                        "instance only, and red is in another one"));
  EXPECT_THAT(problems_with([](v1::Configuration& c) {
                add_red(c);
                add_rule(c).set_snat_set("red");
                v1::SnatSet& set = *c.add_snat_sets();
                set.set_name("red");
                set.set_instance(10);
                set.add_addresses("192.0.2.77");
              }),
              HasSubstr("source_nats[\"out\"].snat_set: red: Source NAT works in the standard "
                        "network instance only, and red is in another one"));
}

/// Also when only the pool or the set is changed, and the rule is not part of the edit.
TEST(ValidateSourceNat, NoPoolOrSetMovesAwayFromItsRules) {
  Model model;
  Problems problems;
  v1::Configuration configuration = sample();
  add_red(configuration);
  v1::Pool& alone = *configuration.add_pools();
  alone.set_name("alone");
  alone.add_servers()->set_address("10.0.0.77");
  alone.mutable_servers(0)->set_port(80);
  v1::SnatSet& set = *configuration.add_snat_sets();
  set.set_name("alone");
  set.add_addresses("192.0.2.77");
  v1::SourceNat& rule = add_rule(configuration);
  rule.add_pools("alone");
  rule.set_snat_set("alone");
  normalise(configuration);
  model.apply(edit_to(model, configuration, problems));
  store::Edit edit;
  for (const v1::Pool& pool : configuration.pools()) {
    if (pool.name() == "alone") *edit.add_pools() = pool;
  }
  edit.mutable_pools(0)->set_instance(10);
  edit.mutable_pools(0)->mutable_servers(0)->set_instance(10);
  for (const v1::SnatSet& one : configuration.snat_sets()) {
    if (one.name() == "alone") *edit.add_snat_sets() = one;
  }
  edit.mutable_snat_sets(0)->set_instance(10);
  model.apply(edit);
  EXPECT_THAT(text_of(problems_between(model, edit)),
              AllOf(HasSubstr("source_nats[\"out\"].pools: alone: Source NAT works"),
                    HasSubstr("source_nats[\"out\"].snat_set: alone: Source NAT works")));
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
