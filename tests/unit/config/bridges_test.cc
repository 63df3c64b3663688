// Bridges of network instances: which pairs of links may be one network.
#include <gmock/gmock.h>

#include "checked.h"

namespace nezu::config {
namespace {

using testing::HasSubstr;

v1::Bridge bridge(const char* name, const char* clients, const char* servers) {
  v1::Bridge one;
  one.set_name(name);
  one.set_clients(clients);
  one.set_servers(servers);
  return one;
}

/// The sample with bridges of the standard instance and of red, which has VLAN 10 of both ports.
v1::Configuration bridged() {
  v1::Configuration c = sample();
  v1::NetworkInstance& red = *c.add_instances();
  red.set_name("red");
  red.set_number(10);
  red.add_links("front.10");
  red.add_links("back.10");
  *red.add_bridges() = bridge("tagged", "front.10", "back.10");
  v1::NetworkInstance& standard = *c.add_instances();
  standard.set_name("standard");
  *standard.add_bridges() = bridge("inline", "front", "back");
  return c;
}

template <typename Spoil>
std::string problems_bridged(Spoil spoil) {
  v1::Configuration configuration = bridged();
  spoil(configuration);
  return check(configuration).problems;
}
template <typename Spoil>
std::string problems_of_tagged(Spoil spoil) {
  return problems_bridged(
      [&](v1::Configuration& c) { spoil(*c.mutable_instances(0)->mutable_bridges(0)); });
}

TEST(Bridges, ConnectTwoPortsInOneVlanOfOneInstance) {
  EXPECT_EQ(check(bridged()).problems, "");
  v1::Configuration c = bridged();
  normalise(c);
  EXPECT_EQ(c.instances(0).bridges(0).priority(), 100u);
  EXPECT_EQ(c.instances(0).bridges(0).hold_ms(), 1000u);
}

TEST(Bridges, EachFieldIsChecked) {
  EXPECT_THAT(problems_of_tagged([](v1::Bridge& b) { b.set_name("a bridge"); }),
              HasSubstr("bridges[\"a bridge\"].name: a bridge: The name must be"));
  EXPECT_THAT(problems_of_tagged([](v1::Bridge& b) { b.set_clients("front.0"); }),
              HasSubstr("instances[\"red\"].bridges[\"tagged\"].clients: front.0: A bridge needs"));
  EXPECT_THAT(problems_of_tagged([](v1::Bridge& b) { b.clear_servers(); }),
              HasSubstr(".servers: : A bridge needs two links"));
  EXPECT_THAT(problems_of_tagged([](v1::Bridge& b) { b.set_priority(256); }),
              HasSubstr(".priority: 256"));
  EXPECT_THAT(problems_of_tagged([](v1::Bridge& b) { b.set_hold_ms(499); }),
              HasSubstr(".hold_ms: 499"));
  EXPECT_THAT(problems_of_tagged([](v1::Bridge& b) { b.set_hold_ms(60001); }),
              HasSubstr(".hold_ms: 60001"));
}

TEST(Bridges, BothSidesFitEachOther) {
  EXPECT_THAT(problems_of_tagged([](v1::Bridge& b) { b.set_servers("front.10"); }),
              HasSubstr("Both sides are at port front"));
  EXPECT_THAT(problems_of_tagged([](v1::Bridge& b) { b.set_servers("back.11"); }),
              HasSubstr("Both sides must be in the same VLAN"));
}

TEST(Bridges, StayInTheirInstance) {
  EXPECT_THAT(problems_bridged([](v1::Configuration& c) {
                c.mutable_instances(0)->mutable_links()->RemoveLast();
                c.mutable_instances(0)->mutable_links()->RemoveLast();
                c.mutable_instances(0)->add_links("front.10");
              }),
              HasSubstr("bridges[\"tagged\"].servers: back.10: The link is not in network instance "
                        "red"));
  // Untagged frames that another instance has.
  EXPECT_THAT(
      problems_bridged([](v1::Configuration& c) { c.mutable_instances(0)->add_links("back"); }),
      HasSubstr("bridges[\"inline\"].servers: back: The link is not in network instance standard"));
}

TEST(Bridges, ALinkAndANameAreInOne) {
  EXPECT_THAT(problems_bridged([](v1::Configuration& c) {
                *c.mutable_instances(1)->add_bridges() = bridge("more", "front", "side");
              }),
              HasSubstr("bridges[\"more\"].clients: front: The link is in bridge inline as well"));
  EXPECT_THAT(problems_bridged([](v1::Configuration& c) {
                c.mutable_instances(1)->mutable_bridges(0)->set_name("tagged");
              }),
              HasSubstr("Two bridges have this name"));
  EXPECT_THAT(problems_bridged([](v1::Configuration& c) {
                for (int i = 0; i < 16; ++i) {
                  const std::string left = "l" + std::to_string(i), right = "r" + std::to_string(i);
                  *c.mutable_instances(1)->add_bridges() =
                      bridge(left.c_str(), left.c_str(), right.c_str());
                }
              }),
              HasSubstr("There may be at most 16 bridges."));
}

}  // namespace
}  // namespace nezu::config
