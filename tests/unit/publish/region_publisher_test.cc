// The region shows what is configured, also after restarts and while flows live on.
#include <set>

#include "tests/unit/publish/publisher.h"

namespace nezu::publish {
namespace {

TEST_F(RegionPublisherTest, ShowsServicesPoolsServersAndAddresses) {
  ASSERT_EQ(publish(configuration(kShop), {}, 3).outcome, Outcome::published);
  const tables::View seen = view();
  EXPECT_EQ(seen.root()->revision, 3u);
  tables::ServiceKey key;
  key.address = *net::parse_address("203.0.113.11");
  key.port = 80;
  key.protocol = net::Protocol::tcp;
  const tables::Service* full = seen.service(key);
  ASSERT_NE(full, nullptr);
  EXPECT_STREQ(full->name.data(), "full");
  const tables::SnatSet* snats = seen.snats(full->snats);
  ASSERT_NE(snats, nullptr);
  ASSERT_EQ(snats->count, 2u);
  EXPECT_EQ(seen.address(snats->ids()[1])->address, *net::parse_address("10.0.0.2"));
  EXPECT_EQ(seen.address(snats->ids()[1])->kind, tables::AddressKind::snat);
  const tables::Pool* pool = seen.pool(full->pool);
  ASSERT_EQ(pool->member_count, 2u);
  EXPECT_EQ(pool->members()[1].weight, 3u);
  EXPECT_EQ(seen.ring(pool->sequence)->size, 4u);
  EXPECT_EQ(region_->header().state.load(), static_cast<uint32_t>(tables::RegionState::ready));
}

TEST_F(RegionPublisherTest, TheSameAgainPublishesNothingAlsoAfterARestart) {
  ASSERT_EQ(publish(configuration(kShop), {}, 3).outcome, Outcome::published);
  EXPECT_EQ(publish(configuration(kShop), {}, 3).outcome, Outcome::unchanged);
  open();
  EXPECT_EQ(publish(configuration(kShop), {}, 3).outcome, Outcome::unchanged);
  EXPECT_EQ(view().generation(), 1u);
}

TEST_F(RegionPublisherTest, AVerdictTakesAServerOutAndARestartRemembersIt) {
  publish(configuration(kShop), {}, 1);
  ASSERT_EQ(publish(configuration(kShop), {{server(5), false}}, 1).outcome, Outcome::published);
  EXPECT_EQ(find(server(5))->state, tables::ServerState::failed);
  open();
  const auto adopted = publisher_->adopted();
  ASSERT_EQ(adopted.size(), 2u);
  EXPECT_TRUE(adopted[0].health_known);
  EXPECT_FALSE(adopted[0].healthy);
  EXPECT_FALSE(adopted[1].health_known);
}

TEST_F(RegionPublisherTest, SharesOfWeightsArePublishedOnceAndARestartRemembersThem) {
  v1::Configuration wanted = configuration(kShop);
  wanted.mutable_pools(0)->set_weights(v1::WEIGHTS_AGENT);
  ASSERT_EQ(publish(wanted, {}, 1).outcome, Outcome::published);
  const tables::Server before = *find(server(5));
  Conditions found;
  compile::Share& share = found.shares["web"][server(5)];
  share = {compile::ShareSource::agent, 50, true, true, true, 30};
  found.shares["web"][server(6)].percent = 70;
  const auto tell = [&] {
    touched_.add_share(model_, "web", server(5));
    touched_.add_share(model_, "web", server(7));  // nobody's
    return publisher_->publish(model_, touched_, found, 1);
  };
  Result told = tell();
  EXPECT_EQ(told.outcome, Outcome::published);
  EXPECT_EQ(told.compiled, 2u) << "the server and its pool";
  EXPECT_EQ(tell().outcome, Outcome::unchanged);
  EXPECT_EQ(view().root()->revision, 1u);
  EXPECT_EQ(*find(server(5)), before) << "servers keep their blocks and counters";
  const compile::Shares shown = found.shares;

  open();
  EXPECT_EQ(publisher_->adopted_shares(), shown);
  found.shares = publisher_->adopted_shares();
  EXPECT_EQ(tell().outcome, Outcome::unchanged);

  // Weights as configured remember nothing.
  ASSERT_EQ(publish(configuration(kShop), {}, 2).outcome, Outcome::published);
  open();
  EXPECT_TRUE(publisher_->adopted_shares().empty());
}

TEST_F(RegionPublisherTest, ARemovedServerStaysUntilItsLastFlowHasEnded) {
  publish(configuration(kShop), {}, 1);
  const tables::ServerId id = find(server(6))->id;
  region_->servers_of(1)[tables::index(id)].flows_active.set(1);
  auto without = configuration(kShop);
  without.mutable_pools(0)->mutable_servers()->RemoveLast();
  ASSERT_EQ(publish(without, {}, 2).outcome, Outcome::published);
  ASSERT_NE(find(server(6)), nullptr);
  EXPECT_EQ(find(server(6))->retired, 1);
  EXPECT_EQ(publisher_->tidy().outcome, Outcome::unchanged);
  ASSERT_NE(find(server(6)), nullptr);
  // It comes back while a flow is left: the same slot.
  ASSERT_EQ(publish(configuration(kShop), {}, 3).outcome, Outcome::published);
  EXPECT_EQ(find(server(6))->id, id);
  EXPECT_EQ(find(server(6))->retired, 0);
  publish(without, {}, 4);
  region_->servers_of(1)[tables::index(id)].flows_active.set(0);
  EXPECT_EQ(publisher_->tidy().outcome, Outcome::published);
  EXPECT_EQ(find(server(6)), nullptr);
}

TEST_F(RegionPublisherTest, ARemovedVipSteersUntilItsServicesLastFlowHasEnded) {
  publish(configuration(kShop), {}, 1);
  tables::ServiceKey key;
  key.address = *net::parse_address("203.0.113.10");
  key.port = 80;
  key.protocol = net::Protocol::tcp;
  const tables::ServiceId id = view().service(key)->id;
  region_->services_of(0)[tables::index(id)].flows_active.set(2);
  auto without = configuration(kShop);
  without.mutable_services()->DeleteSubrange(0, 1);
  publish(without, {}, 2);
  EXPECT_EQ(view().service(key), nullptr);
  publisher_->tidy();
  ASSERT_NE(view().service(id), nullptr);  // by slot: its flows keep its timeouts
  EXPECT_EQ(view().service(id)->retired, 1);
  EXPECT_EQ(publisher_->read().services.size(), 1u);
  ASSERT_NE(address("203.0.113.10"), nullptr);
  EXPECT_EQ(address("203.0.113.10")->retired, 1);
  open();  // a restart forgets nothing of that
  EXPECT_EQ(publish(without, {}, 2).outcome, Outcome::unchanged);
  publisher_->tidy();
  EXPECT_NE(address("203.0.113.10"), nullptr);
  region_->services_of(0)[tables::index(id)].flows_active.set(0);
  publisher_->tidy();
  EXPECT_EQ(address("203.0.113.10"), nullptr);
  EXPECT_EQ(view().service(id), nullptr);
}

TEST_F(RegionPublisherTest, AServiceThatComesBackFindsItsSlotAndItsCounters) {
  publish(configuration(kShop), {}, 1);
  tables::ServiceKey key;
  key.address = *net::parse_address("203.0.113.10");
  key.port = 80;
  key.protocol = net::Protocol::tcp;
  const tables::ServiceId id = view().service(key)->id;
  region_->services_of(0)[tables::index(id)].flows_opened.set(7);
  region_->services_of(0)[tables::index(id)].flows_active.set(1);
  auto without = configuration(kShop);
  without.mutable_services()->DeleteSubrange(0, 1);
  publish(without, {}, 2);
  publish(configuration(kShop), {}, 3);
  ASSERT_NE(view().service(key), nullptr);
  EXPECT_EQ(view().service(key)->id, id);
  EXPECT_EQ(view().service(key)->retired, 0);
  EXPECT_EQ(view().service(key)->enabled, 1);
  for (const ServiceReading& reading : publisher_->read().services) {
    EXPECT_EQ(reading.traffic.flows_opened, reading.id == id ? 7u : 0u);
  }
}

TEST_F(RegionPublisherTest, ASlotThatHadFlowsIsNotGivenRightAfterARestart) {
  publish(configuration(kShop), {}, 1);
  const uint32_t next = 2;  // the lowest free slot
  region_->services_of(1)[next].flows_opened.set(1);
  open();
  auto more = configuration(kShop);
  *more.add_services() = more.services(0);
  more.mutable_services(2)->set_name("third");
  more.mutable_services(2)->set_port(81);
  publish(more, {}, 2);
  EXPECT_EQ(view().service(tables::ServiceId{next}), nullptr);
  EXPECT_NE(view().service(tables::ServiceId{next + 1}), nullptr);
}

TEST_F(RegionPublisherTest, ASnatAddressIsNotDroppedUnderAFlow) {
  publish(configuration(kShop), {}, 1);
  const tables::AddressId id = address("10.0.0.1")->id;
  region_->addresses_of(0)[tables::index(id)].flows_active.set(1);
  auto other = configuration(kShop);
  other.mutable_snat_sets(0)->set_addresses(0, "10.0.0.2");
  publish(other, {}, 2);
  publisher_->tidy();
  EXPECT_NE(address("10.0.0.1"), nullptr);
  region_->addresses_of(0)[tables::index(id)].flows_active.set(0);
  publisher_->tidy();
  EXPECT_EQ(address("10.0.0.1"), nullptr);
  EXPECT_NE(address("10.0.0.2"), nullptr);
}

TEST_F(RegionPublisherTest, TooManyServicesAreRefusedAndNothingChanges) {
  publish(configuration(kShop), {}, 1);
  auto many = configuration(kShop);
  for (int i = 0; i < 20; ++i) {
    auto* service = many.add_services();
    *service = many.services(0);
    service->set_name("s" + std::to_string(i));
    service->set_port(static_cast<uint32_t>(1000 + i));
  }
  const Result refused = publish(many, {}, 2);
  EXPECT_EQ(refused.outcome, Outcome::full);
  EXPECT_NE(refused.error.find("service"), std::string::npos) << refused.error;
  EXPECT_EQ(view().generation(), 1u);
  many.mutable_services()->DeleteSubrange(16, 6);
  EXPECT_EQ(publish(many, {}, 2).outcome, Outcome::published);
}

TEST_F(RegionPublisherTest, CountersBeginAtZeroInAReusedSlot) {
  publish(configuration(kShop), {}, 1);
  const tables::ServerId id = find(server(6))->id;
  region_->servers_of(0)[tables::index(id)].traffic[0].packets.add(10);
  auto with = configuration(kShop);
  with.mutable_pools(0)->mutable_servers(1)->set_address("10.0.1.7");
  publish(with, {}, 2);
  open();
  for (const ServerReading& reading : publisher_->read().servers) {
    EXPECT_EQ(reading.traffic.packets_to_server, reading.identity == server(6) ? 10u : 0u);
  }
}

TEST_F(RegionPublisherTest, ADrainDeadlineDoesNotJitter) {
  auto draining = configuration(kShop);
  auto* leaving = draining.mutable_pools(0)->mutable_servers(0);
  leaving->set_state(v1::ADMIN_STATE_DRAIN);
  leaving->mutable_drain_deadline()->set_seconds(time(nullptr) + 30);
  publish(draining, {}, 1);
  const net::Instant deadline = find(server(5))->drain_deadline;
  EXPECT_GT(deadline, tables::boot_time());
  open();
  EXPECT_EQ(publish(draining, {}, 1).outcome, Outcome::unchanged);
  EXPECT_EQ(find(server(5))->drain_deadline, deadline);
}

TEST_F(RegionPublisherTest, ReadsHowLongTurnsWere) {
  publish(configuration(kShop), {}, 1);
  region_->worker(1).shards.set(128);
  region_->worker(1).longest_turn.set(250'000);
  region_->worker(1).turns_too_long.add(3);
  const auto reading = publisher_->read();
  const auto worker = std::find_if(reading.workers.begin(), reading.workers.end(),
                                   [](const WorkerReading& one) { return one.number == 1; });
  ASSERT_NE(worker, reading.workers.end());
  EXPECT_EQ(worker->longest_turn, 250'000u);
  EXPECT_EQ(worker->turns_too_long, 3u);
}

TEST_F(RegionPublisherTest, NamesALateReader) {
  publish(configuration(kShop), {}, 1);
  const auto reader = tables::Reader::attach(*region_, "worker 1");
  reader->latest();
  reader->alive(net::Instant{1});
  auto without = configuration(kShop);
  without.clear_services();
  publish(without, {}, 2);
  const auto regions = publisher_->regions();
  ASSERT_EQ(regions.size(), 1u);
  ASSERT_EQ(regions[0].readers.size(), 1u);
  EXPECT_EQ(regions[0].readers[0].name, "worker 1");
  EXPECT_TRUE(regions[0].readers[0].late);
  EXPECT_GT(regions[0].heap_retired, 0u);
}

TEST_F(RegionPublisherTest, AccessListsAreSharedAndFoundAgainByARestart) {
  auto guarded = configuration(kShop);
  for (v1::VirtualService& service : *guarded.mutable_services()) {
    service.mutable_access()->add_deny("198.51.100.0/24");
  }
  guarded.mutable_settings()->mutable_access()->add_deny("198.51.100.0/24");
  guarded.mutable_settings()->mutable_access()->add_allow("198.51.100.7");
  ASSERT_EQ(publish(guarded, {}, 1).outcome, Outcome::published);
  std::set<uint64_t> lists;
  view().each(view().root()->services, [&](const tables::Service& service) {
    ASSERT_NE(view().at(service.access), nullptr);
    EXPECT_FALSE(view().at(service.access)->allows(net::Address::v4(0xc6336407)));
    lists.insert(service.access.offset);
  });
  EXPECT_EQ(lists.size(), 1u);
  ASSERT_EQ(view().instance_access().size(), 1u);
  const auto* whole = view().at(view().instance_access()[0].list);
  EXPECT_TRUE(whole->allows(net::Address::v4(0xc6336407)));
  EXPECT_FALSE(whole->allows(net::Address::v4(0xc6336408)));
  EXPECT_EQ(publish(guarded, {}, 1).outcome, Outcome::unchanged);
  open();
  EXPECT_EQ(publish(guarded, {}, 1).outcome, Outcome::unchanged);
  guarded.mutable_settings()->clear_access();
  guarded.mutable_services(0)->clear_access();
  ASSERT_EQ(publish(guarded, {}, 2).outcome, Outcome::published);
  EXPECT_TRUE(view().instance_access().empty());
  EXPECT_EQ(publish(configuration(kShop), {}, 3).outcome, Outcome::published);
  view().each(view().root()->services,
              [&](const tables::Service& service) { EXPECT_FALSE(service.access.exists()); });
}

// --- source NAT

}  // namespace
}  // namespace nezu::publish
