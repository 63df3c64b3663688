#include "controlplane/compile/compile.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "controlplane/config/diff.h"
#include "controlplane/config/normalise.h"

namespace nezu::compile {
namespace {

v1::Configuration configuration(const std::string& text) {
  v1::Configuration parsed;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &parsed));
  return parsed;
}

/// The image of everything.
Image all(v1::Configuration wanted, const Verdicts& verdicts, int64_t boot_offset) {
  config::normalise(wanted);
  config::Model model;
  config::Problems problems;
  model.apply(config::edit_to(model, wanted, problems));
  Touched touched;
  touched.add_everything(model);
  return compile(model, touched, {verdicts, {}}, boot_offset);
}

constexpr char kShop[] = R"(
  services { name: "shop" address: "203.0.113.10" port: 80 pool: "web" ping: PING_POLICY_ANY
             timeouts { established_s: 60 } }
  services { name: "shop6" address: "2001:db8::10" port: 80 pool: "web" mode: MODE_FULLNAT
             snat_set: "out" ping: PING_POLICY_ALL without_server: WITHOUT_SERVER_DROP }
  pools { name: "web" scheduler: SCHEDULER_WRR
          servers { address: "10.0.1.6" port: 8080 weight: 3 }
          servers { address: "10.0.1.5" port: 8080 } }
  snat_sets { name: "out" addresses: "2001:db8:1::/126" addresses: "10.0.0.1-10.0.0.3"
              addresses: "10.0.0.2" }
)";

const tables::ServerIdentity kWeb5{
    net::Address::v4(0x0a000105), net::Instance::standard, 8080, net::Protocol::tcp, {}};

TEST(Compile, SortsMembersByIdentityAndKeepsWeights) {
  const Image image = all(configuration(kShop), {}, 0);
  ASSERT_EQ(image.pools.size(), 1u);
  const PoolImage& pool = image.pools[0];
  ASSERT_EQ(pool.members.size(), 2u);
  EXPECT_EQ(pool.members[0].identity, kWeb5);
  EXPECT_EQ(pool.members[1].weight, 3u);
  EXPECT_EQ(pool.ready_count, 2u);
  EXPECT_TRUE(pool.has_sequence);
  EXPECT_EQ(build_ring(pool.plan).size(), 4u);
}

TEST(Compile, AFailedServerLosesItsTurnsAndItsPing) {
  const Image image = all(configuration(kShop), {{kWeb5, false}}, 0);
  EXPECT_EQ(image.pools[0].members[0].state, tables::ServerState::failed);
  EXPECT_EQ(image.pools[0].ready_count, 1u);
  EXPECT_EQ(build_ring(image.pools[0].plan), (std::vector<uint16_t>{1}));
  for (const AddressImage& address : image.addresses) {
    if (address.kind == tables::AddressKind::vip) {
      EXPECT_EQ(address.answers_ping, address.key.address.is_v4());  // any, all
    }
  }
}

TEST(Compile, TimeoutsAreTicksWithDefaults) {
  const Image image = all(configuration(kShop), {}, 0);
  const auto& timeouts = image.services[0].timeouts;
  EXPECT_EQ(timeouts[static_cast<size_t>(tables::Timeout::established)], 60 * net::kTicksPerSecond);
  EXPECT_EQ(timeouts[static_cast<size_t>(tables::Timeout::fin_wait)], 120 * net::kTicksPerSecond);
  EXPECT_EQ(timeouts[static_cast<size_t>(tables::Timeout::udp)], 300 * net::kTicksPerSecond);
}

TEST(Compile, SnatSetsAreExpandedOnceEachIpv4First) {
  const Image image = all(configuration(kShop), {}, 0);
  ASSERT_EQ(image.snat_sets.size(), 1u);
  const auto& addresses = image.snat_sets.at("out").addresses;
  ASSERT_EQ(addresses.size(), 7u);
  EXPECT_EQ(net::to_string(addresses[0]), "10.0.0.1");
  EXPECT_EQ(net::to_string(addresses[3]), "2001:db8:1::");
  EXPECT_EQ(image.addresses.size(), 9u);
}

TEST(Compile, APrefixOfAllClientsIsNoRule) {
  const Image image = all(configuration(R"(
    services { name: "all" address: "203.0.113.10" port: 80 pool: "web" sources: "0.0.0.0/0" }
    services { name: "back" address: "203.0.113.10" port: 80 pool: "web" interfaces: "back"
               sources: "0.0.0.0/0" sources: "10.0.0.0/8" }
    services { name: "some" address: "203.0.113.10" port: 80 pool: "web" sources: "10.0.0.0/8" }
    pools { name: "web" servers { address: "10.0.1.5" port: 8080 } })"),
                          {}, 0);
  ASSERT_EQ(image.services.size(), 3u);
  EXPECT_TRUE(image.services[0].key.is_exact());
  ASSERT_EQ(image.addresses.size(), 1u);
  const auto& open = image.addresses[0].open_services;
  ASSERT_EQ(open.size(), 2u);
  EXPECT_EQ(open[0].name, "back");
  EXPECT_TRUE(open[0].sources.empty()) << "the interface alone decides";
  EXPECT_EQ(open[1].sources.size(), 1u);
}

TEST(Compile, LinksOfInstancesAreOrderedByPortAndVlan) {
  const Image image = all(configuration(R"(
    instances { name: "red" number: 10 links: "front.10" links: "back" }
    instances { name: "blue" number: 20 links: "front.9" links: "front.100" }
    instances { name: "standard" links: "front.30" })"),
                          {}, 0);
  ASSERT_TRUE(image.has_memberships);
  std::string text;
  for (const tables::Membership& one : image.memberships) {
    text += std::string(one.port.data()) + "." + std::to_string(one.vlan) + ":" +
            std::to_string(static_cast<unsigned>(one.instance)) + " ";
  }
  EXPECT_EQ(text, "back.0:10 front.9:20 front.10:10 front.30:0 front.100:20 ");
}

TEST(Compile, BridgesAreOrderedByName) {
  const Image image = all(configuration(R"(
    instances { name: "red" number: 10 links: "front.10" links: "back.10"
      bridges { name: "b" clients: "back.10" servers: "front.10" priority: 7 hold_ms: 2000 } }
    instances { name: "standard" bridges { name: "a" clients: "front" servers: "back" } })"),
                          {}, 0);
  ASSERT_EQ(image.bridges.size(), 2u);
  EXPECT_STREQ(image.bridges[0].name.data(), "a");
  EXPECT_EQ(image.bridges[0].vlan, 0);
  EXPECT_EQ(image.bridges[0].priority, 100);
  EXPECT_EQ(image.bridges[0].hold_ms, 1000u);
  const tables::Bridge& b = image.bridges[1];
  EXPECT_STREQ(b.clients.data(), "back");
  EXPECT_STREQ(b.servers.data(), "front");
  EXPECT_EQ(b.vlan, 10);
  EXPECT_EQ(b.priority, 7);
  EXPECT_EQ(b.hold_ms, 2000u);
}

TEST(Compile, ServersOfTwoInstancesAreTwo) {
  const Image image = all(configuration(R"(
    instances { name: "red" number: 10 }
    pools { name: "a" servers { address: "10.0.1.5" port: 8080 } }
    pools { name: "b" instance: 10 servers { address: "10.0.1.5" port: 8080 } })"),
                          {{kWeb5, false}}, 0);
  ASSERT_EQ(image.servers.size(), 2u);
  EXPECT_EQ(image.servers[0].state, tables::ServerState::failed);
  EXPECT_EQ(image.servers[1].identity.instance, net::Instance{10});
  EXPECT_EQ(image.servers[1].state, tables::ServerState::ready);
}

TEST(Compile, AnIdentityInTwoPoolsIsOneServer) {
  auto twice = configuration(kShop);
  *twice.add_pools() = twice.pools(0);
  twice.mutable_pools(1)->set_name("again");
  const Image image = all(twice, {}, 0);
  EXPECT_EQ(image.servers.size(), 2u);
  EXPECT_EQ(fingerprint(image.pools[0].plan), fingerprint(image.pools[1].plan));
}

TEST(Compile, DrainDeadlinesAreKeptInBootTime) {
  auto draining = configuration(kShop);
  auto* server = draining.mutable_pools(0)->mutable_servers(1);
  server->set_state(v1::ADMIN_STATE_DRAIN);
  server->mutable_drain_deadline()->set_seconds(1'000'000);
  const int64_t boot = 999'000'000'000'000;
  Image image = all(draining, {}, boot);
  EXPECT_EQ(image.servers[0].state, tables::ServerState::draining);
  EXPECT_EQ(image.servers[0].drain_deadline.nanoseconds, 1'000'000'000'000u);
  image = all(draining, {}, boot * 2);  // long ago: has passed, and is not "never"
  EXPECT_EQ(image.servers[0].drain_deadline.nanoseconds, 1u);
}

TEST(EffectiveState, IsTheWorstOfTheTwo) {
  using tables::ServerState;
  EXPECT_EQ(effective_state(ServerState::ready, true), ServerState::ready);
  EXPECT_EQ(effective_state(ServerState::ready, false), ServerState::failed);
  EXPECT_EQ(effective_state(ServerState::draining, false), ServerState::failed);
  EXPECT_EQ(effective_state(ServerState::draining, true), ServerState::draining);
  EXPECT_EQ(effective_state(ServerState::disabled, false), ServerState::disabled);
}

}  // namespace
}  // namespace nezu::compile
