// Rules of source NAT in the region.
#include "dataplane/admit/masquerade.h"
#include "tests/unit/publish/publisher.h"

namespace nezu::publish {
namespace {

/// kShop with a rule of the servers of its pool and one by interface.
v1::Configuration with_rules() {
  return configuration(std::string(kShop) + R"(
    source_nats { name: "b" pools: "web" snat_set: "out" timeouts { udp_s: 7 } }
    source_nats { name: "shop" interfaces: "back.100" snat_set: "out" order: 5 }
  )");
}

/// The slot of the rule that takes a packet; none: -1.
int rule_of(const tables::View& view, const char* source, uint16_t vlan = 0) {
  const tables::SourceRules* rules = view.source_rules();
  if (rules == nullptr) return -1;
  const auto* rule =
      admit::rule_for(*rules, *net::parse_address(source), *net::parse_address("198.51.100.7"),
                      {tables::port_identity("back"), vlan}, {});
  return rule == nullptr ? -1 : static_cast<int>(index(rule->service));
}

TEST_F(RegionPublisherTest, RulesHaveSlotsBesideServicesOfTheSameName) {
  ASSERT_EQ(publish(with_rules(), {}, 1).outcome, Outcome::published);
  const int by_pool = rule_of(view(), "10.0.1.6"), by_port = rule_of(view(), "10.0.9.9", 100);
  ASSERT_GE(by_pool, 0);
  ASSERT_GE(by_port, 0);
  EXPECT_EQ(rule_of(view(), "10.0.9.9"), -1);
  const tables::Service* rule = view().service(tables::ServiceId{static_cast<uint32_t>(by_pool)});
  EXPECT_STREQ(rule->name.data(), "b");
  EXPECT_TRUE(tables::is_rule(*rule));
  EXPECT_EQ(rule->timeouts[static_cast<size_t>(tables::Timeout::udp)], 7 * net::kTicksPerSecond);
  EXPECT_EQ(view().snats(rule->snats)->count, 2u);
  const Reading reading = publisher_->read();
  ASSERT_EQ(reading.source_nats.size(), 2u);
  EXPECT_EQ(reading.services.size(), 2u);
  EXPECT_EQ(publish(with_rules(), {}, 1).outcome, Outcome::unchanged);
  open();
  EXPECT_EQ(publish(with_rules(), {}, 1).outcome, Outcome::unchanged);
  EXPECT_EQ(view().generation(), 1u);
}

TEST_F(RegionPublisherTest, ServersOfAPoolComeAndGoInsideWithIt) {
  publish(with_rules(), {}, 1);
  auto changed = with_rules();
  changed.mutable_pools(0)->mutable_servers(1)->set_address("10.0.1.7");
  publish(changed, {}, 2);
  EXPECT_EQ(rule_of(view(), "10.0.1.6"), -1);
  EXPECT_GE(rule_of(view(), "10.0.1.7"), 0);
  changed.mutable_pools(0)->clear_servers();  // nobody is inside, which is not everybody
  publish(changed, {}, 3);
  EXPECT_EQ(rule_of(view(), "10.0.1.7"), -1);
  changed.mutable_source_nats(1)->set_enabled(false);
  publish(changed, {}, 4);
  EXPECT_EQ(rule_of(view(), "10.0.9.9", 100), -1);
}

TEST_F(RegionPublisherTest, ARemovedRuleStaysUntilItsLastFlowHasEnded) {
  publish(with_rules(), {}, 1);
  const tables::ServiceId id{static_cast<uint32_t>(rule_of(view(), "10.0.1.5"))};
  region_->services_of(1)[tables::index(id)].flows_active.set(1);
  publish(configuration(kShop), {}, 2);
  EXPECT_EQ(view().source_rules(), nullptr);
  publisher_->tidy();
  ASSERT_NE(view().service(id), nullptr);
  EXPECT_EQ(view().service(id)->retired, 1);
  EXPECT_EQ(view().service(id)->timeouts[static_cast<size_t>(tables::Timeout::udp)],
            7 * net::kTicksPerSecond);
  open();  // a restart forgets nothing of that
  EXPECT_EQ(publish(configuration(kShop), {}, 2).outcome, Outcome::unchanged);
  ASSERT_NE(view().service(id), nullptr);
  EXPECT_EQ(publisher_->read().source_nats.size(), 0u);
  // It comes back while a flow is left: the same slot.
  publish(with_rules(), {}, 3);
  EXPECT_EQ(rule_of(view(), "10.0.1.5"), static_cast<int>(tables::index(id)));
  publish(configuration(kShop), {}, 4);
  region_->services_of(1)[tables::index(id)].flows_active.set(0);
  publisher_->tidy();
  EXPECT_EQ(view().service(id), nullptr);
}

}  // namespace
}  // namespace nezu::publish
